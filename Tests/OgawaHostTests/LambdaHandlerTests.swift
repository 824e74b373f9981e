import OgawaCore
import OgawaHost
import Testing

/// Handlers written for AWS Lambda, unmodified, in node and python3.
struct LambdaHandlerTests {
    private static let node = """
        exports.handler = async (event, context) => {
            const bodies = event.Records.map((r) => Buffer.from(r.kinesis.data, 'base64').toString('utf8'));
            if (bodies.includes('throw')) throw new TypeError('no');
            const bad = event.Records.filter((r, i) => bodies[i] === 'bad');
            if (bad.length) return { batchItemFailures: bad.map((r) => ({ itemIdentifier: r.kinesis.sequenceNumber })) };
            const first = event.Records[0];
            return [[bodies, first.kinesis.partitionKey, first.kinesis.sequenceNumber, first.eventSource, first.eventID,
                first.kinesis.approximateArrivalTimestamp, context.awsRequestId.length, context.functionName,
                context.getRemainingTimeInMillis() > 1000]];
        };
        """
    private static let python = """
        import base64
        def lambda_handler(event, context):
            records = event["Records"]
            bodies = [base64.b64decode(r["kinesis"]["data"]).decode() for r in records]
            if "throw" in bodies:
                raise TypeError("no")
            bad = [r["kinesis"]["sequenceNumber"] for r, b in zip(records, bodies) if b == "bad"]
            if bad:
                return {"batchItemFailures": [{"itemIdentifier": n} for n in bad]}
            k = records[0]["kinesis"]
            return [[bodies, k["partitionKey"], k["sequenceNumber"], records[0]["eventSource"], records[0]["eventID"],
                     k["approximateArrivalTimestamp"], len(context.aws_request_id), context.function_name,
                     context.get_remaining_time_in_millis() > 1000]]
        """

    @Test(arguments: [FunctionRuntime.node, .python])
    func `a handler gets Kinesis records and its answer counts`(runtime: FunctionRuntime) throws {
        guard HostFixture.has(runtime == .node ? "node" : "python3") else { return }
        let fixture = try HostFixture()
        try fixture.add(
            runtime == .node ? LambdaHandlerTests.node : LambdaHandlerTests.python,
            file: runtime == .node ? "app.js" : "app.py", runtime: runtime, model: .lambdaHandler)
        let number = "49000002000000000000000000000000000000000000000000000005"
        let row = try #require(try fixture.call(["{}", "x"], keys: ["a", "b"], offset: 5).rows(of: "$return").first)
        let expected = """
            [["{}","x"],"a","\(number)","aws:kinesis","shardId-000000000002:\(number)",1767225600,36,"f",true]
            """
        #expect(row.replacing("1767225600.0", with: "1767225600") == expected)
        #expect(number.count == 56)
        #expect(try fixture.call(["1", "bad", "3", "bad"]).firstFailure == 1)
        let failure = try fixture.failure(["throw"])
        #expect(failure.kind == .threw && failure.type == "TypeError" && failure.message == "no")
    }

    @Test(arguments: [
        ("exports.handler = (event, context, callback) => callback(null, ['called back']);", "called back"),
        ("exports.handler = (event, context) => context.succeed(['succeeded']);", "succeeded"),
        ("exports.handler = (event) => ['at once'];", "at once"),
        ("exports.handler = (event, context, callback) => { setTimeout(() => callback(null, 'later'), 5); };", "later"),
    ])
    func `older ways to answer are understood`(text: String, row: String) throws {
        guard HostFixture.has("node") else { return }
        let fixture = try HostFixture()
        try fixture.add(text, model: .lambdaHandler)
        #expect(try fixture.call(["1"]).rows(of: "$return") == [row])
    }

    @Test func `the handler's name finds file, folder and nested function`() throws {
        guard HostFixture.has("node") else { return }
        let fixture = try HostFixture()
        try fixture.add(
            "export const outer = { inner: { run: async () => ['found'] } };", file: "src/deep/app.mjs",
            model: .lambdaHandler, handler: "src/deep/app.outer.inner.run"
        ) { $0.file = "" }
        #expect(try fixture.call(["1"]).rows(of: "$return") == ["found"])
    }

    @Test func `a tumbling window carries its state from call to call`() throws {
        guard HostFixture.has("node") else { return }
        let fixture = try HostFixture()
        try fixture.add(
            """
            exports.handler = async (event) => {
                if (event.Records.length === 3) return {};
                const sum = (event.state.sum ?? 0) + event.Records.length;
                return { state: { sum, final: event.isFinalInvokeForWindow, start: event.window.start } };
            };
            """, model: .lambdaHandler)
        func call(_ bodies: [String], state: [UInt8]?, isFinal: Bool = false) throws -> InvocationResult {
            let start = Timestamp(ticks: 1_767_225_600 * Timestamp.ticksPerSecond)
            let window = WindowInput(
                start: start, end: start.advanced(by: .seconds(60)), state: state, isFinal: isFinal)
            let input = EventInput(stream: "s", batch: EventBatch.of(bodies), window: window)
            return try fixture.host.invoke(FunctionInvocation(function: "f", input: input), in: "f")
        }
        let first = try call(["1", "2"], state: nil)
        let text = first.windowState.map { String(decoding: $0, as: UTF8.self) }
        #expect(text == #"{"sum":2,"final":false,"start":"2026-01-01T00:00:00Z"}"#)
        let last = try call([], state: first.windowState, isFinal: true)
        #expect(
            last.windowState.map { String(decoding: $0, as: UTF8.self) }?.contains(#""sum":2,"final":true"#) == true)
        #expect(throws: InvocationFailure.self) { try call(["1", "2", "3"], state: nil) }
    }
}
