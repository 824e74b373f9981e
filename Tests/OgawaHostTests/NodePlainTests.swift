import OgawaCore
import OgawaHost
import Testing

/// JavaScript in Ogawa's own form, in a real node.
@Suite(.enabled(if: HostFixture.has("node"), "node is not installed"))
struct NodePlainTests {
    @Test func `the rows that a function returns come back in order`() throws {
        let fixture = try HostFixture()
        try fixture.add("module.exports = (events) => events.map((event) => ({ twice: event.body.v * 2 }));")
        let result = try fixture.call([#"{"v":1}"#, #"{"v":2.5}"#])
        #expect(result.rows(of: "$return") == [#"{"twice":2}"#, #"{"twice":5}"#])
        #expect(result.firstFailure == nil)
    }

    @Test func `an event tells body, text, key, offset, times, properties and a stable id`() throws {
        let fixture = try HostFixture()
        try fixture.add(
            """
            module.exports = ([event, other]) => [event, event.text, typeof other.body, other.bytes.length,
                event.enqueuedTime instanceof Date];
            """)
        let result = try fixture.call(
            [#"{"v":1}"#, "näher"], keys: ["tür", "x"], offset: 40, properties: [#"{"site":"a"}"#])
        let expected = """
            {"id":"telemetry/2/40","stream":"telemetry","partition":2,"offset":40,"key":"tür",\
            "enqueuedTime":"2026-01-01T00:00:00.000Z","properties":{"site":"a"},"body":{"v":1}}
            """
        #expect(result.rows(of: "$return") == [expected, #"{"v":1}"#, "string", "6", "true"])
    }

    @Test(arguments: [
        ("f.js", "export default async function (events) { return events.length; }"),
        ("f.mjs", "export default (events) => events.length;"),
        ("f.js", "exports.handler = async (events) => events.length;"),
        ("f.cjs", "module.exports = async (events) => events.length;"),
        ("f.js", "export const anything = (events) => events.length;"),
    ])
    func `every way to export a function is understood`(file: String, text: String) throws {
        let fixture = try HostFixture()
        try fixture.add(text, file: file)
        #expect(try fixture.call(["1", "2"]).rows(of: "$return") == ["2"])
    }

    @Test func `named outputs take rows with key and properties`() throws {
        let fixture = try HostFixture()
        try fixture.add(
            """
            module.exports = (events, context) => {
                context.emit('hot', { a: 1 });
                context.emit('hot', 'plain text', { key: 'k', properties: { unit: 'C' } });
                context.emit('other', Buffer.from([104, 105]));
            };
            """)
        let result = try fixture.call(["1"])
        #expect(result.rows(of: "hot") == [#"{"a":1}"#, "plain text"])
        #expect(result.rows(of: "other") == ["hi"])
        #expect(result.outputs.first?.keys == [nil, "k"])
        #expect(result.outputs.first?.properties == [nil, #"{"unit":"C"}"#])
        #expect(result.rows(of: "$return") == [])
    }

    @Test func `state is there for the keys of the batch, and for others on demand`() throws {
        let fixture = try HostFixture()
        try fixture.add(
            """
            module.exports = async (events, context) => {
                const seen = [];
                for (const event of events) {
                    const count = (await context.state.get(event.key) ?? 0) + 1;
                    await context.state.set(event.key, count, { ttl: 60 });
                    seen.push(count);
                }
                seen.push(await context.state.get('elsewhere'), await context.state.get('nowhere') ?? 'none');
                await context.state.delete('gone');
                return [seen];
            };
            """)
        let result = try fixture.call(["1", "2", "3"], keys: ["a", "b", "a"], state: ["a": "5"]) { invocation in
            invocation.loadState = { keys in
                #expect(keys == ["elsewhere"] || keys == ["nowhere"])
                return keys == ["elsewhere"] ? ["elsewhere": Array("[7]".utf8)] : [:]
            }
        }
        #expect(result.rows(of: "$return") == [#"[6,1,7,[7],"none"]"#])
        #expect(
            result.stateChanges == [
                StateChange(key: "a", value: Array("7".utf8), timeToLive: .seconds(60)),
                StateChange(key: "b", value: Array("1".utf8), timeToLive: .seconds(60)),
                StateChange(key: "gone", value: nil),
            ])
    }

    @Test func `a worker stays warm between calls`() throws {
        let fixture = try HostFixture()
        try fixture.add("let calls = 0; module.exports = () => [process.pid, ++calls];")
        let first = try fixture.call(["1"]).rows(of: "$return")
        let second = try fixture.call(["1"]).rows(of: "$return")
        #expect(first[0] == second[0] && second[1] == "2")
        #expect(fixture.host.workers(of: "f").starts == 1)
    }

    @Test func `a function reports the events that it did not get through`() throws {
        let fixture = try HostFixture()
        try fixture.add(
            "module.exports = (events) => ({ batchItemFailures: events[0].body.map((id) => ({ itemIdentifier: id })) });"
        )
        #expect(try fixture.call(["[42, 41]", "2", "3"], offset: 40).firstFailure == 1)
        #expect(try fixture.call([#"["telemetry/2/42"]"#, "2", "3"], offset: 40).firstFailure == 2)
        #expect(try fixture.call(["[]", "2"], offset: 40).firstFailure == nil)
        #expect(try fixture.call(["[99]", "2"], offset: 40).firstFailure == 0)
        #expect(try fixture.call([#"[""]"#, "2"], offset: 40).firstFailure == 0)
    }

    @Test func `timers and web requests reach a function of the plain form`() throws {
        let fixture = try HostFixture()
        try fixture.add(
            """
            module.exports = (input, context) => context.trigger === 'timer'
                ? { at: input.scheduled, late: input.isPastDue }
                : { status: 201, headers: { 'X-Place': input.params.place }, body: { got: input.body, q: input.query } };
            """)
        var call = FunctionInvocation(
            id: "t", function: "f", trigger: .timer(TimerInput(scheduled: Timestamp(ticks: 0), isPastDue: true)))
        let timer = try fixture.host.invoke(call, in: "f")
        #expect(timer.rows(of: "$return") == [#"{"at":"1970-01-01T00:00:00.000Z","late":true}"#])
        call.trigger = .web(
            WebRequest(
                method: "POST", target: "/api/x?q=1%202", headers: [HTTPField("Content-Type", "application/json")],
                parameters: ["place": "roof"], body: Array(#"{"a":1}"#.utf8)))
        let response = try #require(try fixture.host.invoke(call, in: "f").response)
        #expect(response.status == 201)
        #expect(response.headers.contains(HTTPField("X-Place", "roof")))
        #expect(String(decoding: response.body, as: UTF8.self) == #"{"got":{"a":1},"q":{"q":"1 2"}}"#)
    }

    @Test func `lines carry the call they belong to`() throws {
        let fixture = try HostFixture()
        try fixture.add(
            """
            module.exports = (events, context) => {
                context.log('hello %s', 'you'); context.log.warn({ a: 1 }); console.error('two\\nlines');
                process.stdout.write('raw\\n'); process.stderr.write('bad');
            };
            """)
        _ = try fixture.call(["1"]) { $0.id = "call-1" }
        _ = try fixture.call(["1"]) { $0.id = "call-2" }
        let lines = fixture.log.filter { $0.invocation == "call-1" }
        #expect(lines.contains { $0.message == "hello you" && $0.level == .info && $0.origin == .logger })
        #expect(lines.contains { $0.message == "{ a: 1 }" && $0.level == .warning })
        #expect(lines.contains { $0.message == "two\nlines" && $0.level == .error })
        #expect(lines.contains { $0.message == "raw" && $0.origin == .standardOutput })
        #expect(fixture.log.contains { $0.message == "badbad" || $0.message == "bad" || $0.invocation == "call-2" })
    }

    @Test func `the environment holds what is configured and nothing of the host's`() throws {
        let fixture = try HostFixture()
        try fixture.add("module.exports = () => [Object.keys(process.env).sort(), process.env.MY, process.cwd()];") {
            $0.environment = ["MY": "own"]
        }
        let rows = try fixture.call(["1"]).rows(of: "$return")
        let names = try JSONValue(parsing: rows[0].utf8).elements?.compactMap(\.text) ?? []
        let known: Set = ["HOME", "LANG", "MY", "OGAWA_FUNCTION", "PATH", "TMPDIR", "TZ"]
        #expect(names.allSatisfy { known.contains($0) }, "\(names)")
        #expect(rows[1] == "own")
    }

    @Test func `equal input has an equal id, other input another`() {
        func id(_ offset: Int64) -> String {
            let batch = EventBatch.of(["1"], offset: offset)
            return FunctionInvocation(function: "f", input: EventInput(stream: "s", batch: batch)).id
        }
        #expect(id(1) == id(1))
        #expect(id(1) != id(2))
        #expect(id(1).count == 36)
    }
}
