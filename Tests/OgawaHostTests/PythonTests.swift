import OgawaCore
import OgawaHost
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Python in Ogawa's own form and with the real azure-functions package.
@Suite(.enabled(if: HostFixture.has("python3"), "python3 is not installed"))
struct PythonTests {
    private static let plain = """
        import logging, os, sys, time
        def handler(events, context):
            body = events[0].body
            if body == "throw": raise KeyError("sensor")
            if body == "hang":
                while True: pass
            if body == "exit": sys.exit(4)
            if body == "die": os._exit(5)
            if body == "memory":
                all = []
                while True: all.append(bytearray(b"x" * (8 << 20)))
            if body == "nan": return [float("nan")]
            if body == "object": return [object()]
            if body == "files": return sorted(int(n) for n in os.listdir("/proc/self/fd"))
            if body == "partial": return {"batchItemFailures": [{"itemIdentifier": events[1].id}]}
            print("printed"); logging.warning("careful %d", 3); context.log("hello", "you")
            count = context.state.get(events[0].key, 0) + 1
            context.state.set(events[0].key, count, ttl=1.5)
            context.state.delete("gone")
            context.emit("hot", {"count": count, "far": context.state.get("far")}, key="k", properties={"a": 1})
            return [{"v": e.body["v"] * 2, "o": e.offset, "t": e.enqueued_time, "p": e.properties} for e in events]
        """

    private func fixture() throws -> HostFixture {
        let fixture = try HostFixture()
        try fixture.add(PythonTests.plain, file: "f.py", runtime: .python) {
            $0.limits.timeout = .seconds(3)
            $0.limits.memoryByteCount = 150 << 20
        }
        return fixture
    }

    @Test func `a function gets events and gives rows, state and lines`() throws {
        let fixture = try fixture()
        let result = try fixture.call([#"{"v":1}"#], keys: ["a"], offset: 9, state: ["a": "4"]) {
            $0.loadState = { _ in ["far": Array(#"{"x":1}"#.utf8)] }
        }
        #expect(result.rows(of: "$return") == [#"{"v":2,"o":9,"t":"2026-01-01T00:00:00+00:00","p":{}}"#])
        #expect(result.rows(of: "hot") == [#"{"count":5,"far":{"x":1}}"#])
        #expect(result.outputs.first { $0.output == "hot" }?.keys == ["k"])
        #expect(
            result.stateChanges == [
                StateChange(key: "a", value: Array("5".utf8), timeToLive: .milliseconds(1500)),
                StateChange(key: "gone", value: nil),
            ])
        #expect(Set(fixture.logMessages).isSuperset(of: ["printed", "careful 3", "hello you"]))
        #expect(try fixture.call(["\"partial\"", "2"]).firstFailure == 1)
    }

    @Test(arguments: [
        ("throw", InvocationFailure.Kind.threw, "sensor"), ("hang", .timedOut, "timeout"),
        ("exit", .threw, "exit(4)"), ("die", .exited, "exit code 5"), ("memory", .memory, "150 MiB"),
        ("nan", .threw, "JSON"), ("object", .threw, "JSON"),
    ])
    func `what goes wrong is told, and the next call works`(
        how: String, kind: InvocationFailure.Kind, word: String
    ) throws {
        let fixture = try fixture()
        let failure = try fixture.failure(["\"\(how)\""])
        #expect(failure.kind == kind && failure.message.contains(word), "\(failure)")
        #expect(try fixture.call([#"{"v":1}"#]).rows(of: "$return").count == 1)
    }

    @Test func `a worker has no descriptors but its own`() throws {
        let fixture = try fixture()
        // 5 is the folder that lists them.
        #expect(try fixture.call(["\"files\""]).rows(of: "$return") == ["0", "1", "2", "3", "4", "5"])
    }

    @Test(arguments: [
        ("import nothing_like_this", "nothing_like_this"), ("def handler(:", "SyntaxError"),
        ("x = 1", "no function handler or main"),
    ])
    func `code that does not load is told as such`(text: String, word: String) throws {
        let fixture = try HostFixture()
        try fixture.add(text, file: "f.py", runtime: .python)
        let failure = try fixture.failure()
        #expect(failure.kind == .initialization && "\(failure)".contains(word), "\(failure)")
    }

    @Test func `an async function is awaited`() throws {
        let fixture = try HostFixture()
        try fixture.add(
            "import asyncio\nasync def handler(events, context):\n    await asyncio.sleep(0)\n    return ['done']",
            file: "f.py", runtime: .python)
        #expect(try fixture.call(["1"]).rows(of: "$return") == ["done"])
        #expect(try fixture.call(["1"]).rows(of: "$return") == ["done"])
    }

    // MARK: - The real azure-functions package

    private static let app = """
        import logging, json
        from typing import List
        import azure.functions as func
        app = func.FunctionApp()

        @app.function_name(name="many")
        @app.event_hub_message_trigger(arg_name="events", event_hub_name="telemetry", connection="C", cardinality="many")
        @app.event_hub_output(arg_name="$return", event_hub_name="out", connection="C")
        def many(events: List[func.EventHubEvent], context: func.Context):
            logging.info("got %d", len(events))
            return [json.dumps({"b": e.get_body().decode(), "k": e.partition_key, "n": e.sequence_number, "o": e.offset,
                                "t": e.enqueued_time.isoformat(), "d": e.iothub_metadata["connection-device-id"],
                                "f": context.function_name}) for e in events]

        @app.event_hub_message_trigger(arg_name="event", event_hub_name="telemetry", connection="C")
        @app.cosmos_db_output(arg_name="doc", database_name="d", container_name="c", connection="C")
        @app.event_hub_output(arg_name="hub", event_hub_name="out", connection="C")
        def one(event: func.EventHubEvent, doc: func.Out[func.Document], hub: func.Out[str]):
            if event.get_body() == b"bad": raise ValueError("bad one")
            hub.set("seen " + event.get_body().decode())
            doc.set(func.Document.from_dict({"id": event.partition_key}))

        @app.timer_trigger(schedule="*/5 * * * * *", arg_name="timer")
        @app.event_hub_output(arg_name="$return", event_hub_name="out", connection="C")
        def tick(timer: func.TimerRequest) -> str:
            return "late %s" % timer.past_due

        @app.route(route="hello/{place}", auth_level=func.AuthLevel.ANONYMOUS)
        def hello(req: func.HttpRequest) -> func.HttpResponse:
            return func.HttpResponse("Hello %s %s" % (req.params["name"], req.route_params["place"]), status_code=201)
        """

    @Test(.enabled(if: PyPIEnvironment.isThere, PyPIEnvironment.reason))
    func `an app of Azure's Python v2 model runs with the real package`() throws {
        let environment = try PyPIEnvironment.shared.get()
        let fixture = try HostFixture(python: environment.python)
        try fixture.add(PythonTests.app, file: "function_app.py", runtime: .python, model: .azureRegistered) {
            $0.file = ""
        }
        let names = try fixture.host.describe(program: "f")["functions"]?.elements?.compactMap { $0["name"]?.text }
        #expect(names == ["many", "one", "tick", "hello"])
        let many = try fixture.call([#"{"v":1}"#, "x"], keys: ["a", "b"], offset: 7, function: "many")
        #expect(
            many.rows(of: "$return").first == """
                {"b": "{\\"v\\":1}", "k": "a", "n": 7, "o": 7, "t": "2026-01-01T00:00:00+00:00", "d": "a", "f": "many"}
                """)
        #expect(many.rows(of: "$return").count == 2)
        #expect(fixture.logMessages.contains("got 2"))
        let one = try fixture.call(["1", "2", "bad"], keys: ["a", "b", "c"], function: "one")
        #expect(
            one.rows(of: "hub") == ["seen 1", "seen 2"] && one.rows(of: "doc") == [#"{"id":"a"}"#, #"{"id":"b"}"#])
        #expect(one.firstFailure == 2 && one.failure?.message == "bad one")
        var call = FunctionInvocation(
            id: "t", function: "tick", trigger: .timer(TimerInput(scheduled: Timestamp(ticks: 0), isPastDue: true)))
        #expect(try fixture.host.invoke(call, in: "f").rows(of: "$return") == ["late True"])
        call.function = "hello"
        call.trigger = .web(
            WebRequest(method: "GET", target: "/api/hello/roof?name=you", parameters: ["place": "roof"]))
        let response = try #require(try fixture.host.invoke(call, in: "f").response)
        #expect(response.status == 201 && String(decoding: response.body, as: UTF8.self) == "Hello you roof")
    }

    @Test(.enabled(if: PyPIEnvironment.isThere, PyPIEnvironment.reason))
    func `a folder of Azure's Python v1 model runs with the real package`() throws {
        let environment = try PyPIEnvironment.shared.get()
        let fixture = try HostFixture(python: environment.python)
        try fixture.add(
            """
            import azure.functions as func
            def main(event: func.EventHubEvent) -> str:
                return event.get_body().decode().upper()
            """, file: "__init__.py", runtime: .python, model: .azureFolder,
            configuration: [
                "bindings": [
                    ["type": "eventHubTrigger", "direction": "in", "name": "event"],
                    ["type": "eventHub", "direction": "out", "name": "$return"],
                ]
            ])
        #expect(try fixture.call(["a", "b"]).rows(of: "$return") == ["A", "B"])
    }

    @Test func `without the package an Azure app says what to install`() throws {
        guard try PyPIEnvironment.bareHasNoAzure() else { return }
        let fixture = try HostFixture()
        try fixture.add("import azure.functions", file: "function_app.py", runtime: .python, model: .azureRegistered)
        let failure = try fixture.failure()
        #expect(failure.message.contains("pip install azure-functions"), "\(failure)")
    }
}
