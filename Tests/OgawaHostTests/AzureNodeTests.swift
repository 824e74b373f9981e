import OgawaCore
import OgawaHost
import OgawaPlatform
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// JavaScript written for Azure Functions, unmodified, in a real node.
@Suite(.enabled(if: HostFixture.has("node"), "node is not installed"))
struct AzureNodeTests {
    private func addFolder(_ fixture: HostFixture, _ text: String, bindings: JSONValue) throws {
        try fixture.add(text, file: "index.js", model: .azureFolder, configuration: ["bindings": bindings])
    }

    private func trigger(_ cardinality: String, dataType: String? = nil) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("type", "eventHubTrigger"), .init("direction", "in"), .init("name", "eventHubMessages"),
            .init("eventHubName", "telemetry"), .init("cardinality", .text(cardinality)),
        ]
        if let dataType { members.append(.init("dataType", .text(dataType))) }
        return .object(members)
    }

    @Test func `the first sample of the talk logs each message`() throws {
        let fixture = try HostFixture()
        try addFolder(
            fixture,
            """
            module.exports = async function (context, eventHubMessages) {
                context.log(`JavaScript eventhub trigger function called for message array ${eventHubMessages}`);
                eventHubMessages.forEach((message, index) => {
                    context.log(`Processed message ${message}`);
                });
            };
            """, bindings: [trigger("many")])
        let result = try fixture.call(["one", "2"])
        #expect(result.outputs.isEmpty)
        #expect(fixture.logMessages.suffix(2) == ["Processed message one", "Processed message 2"])
    }

    @Test func `the second sample of the talk gives two events`() throws {
        let fixture = try HostFixture()
        try addFolder(
            fixture,
            """
            module.exports = function(context) {
                var timeStamp = '2026-01-01';
                var message = 'Message created at: ' + timeStamp;
                context.bindings.outputEventHubMessage = [];
                context.bindings.outputEventHubMessage.push("1 " + message);
                context.bindings.outputEventHubMessage.push("2 " + message);
                context.done();
            };
            """,
            bindings: [
                ["type": "timerTrigger", "direction": "in", "name": "myTimer", "schedule": "0 */5 * * * *"],
                ["type": "eventHub", "direction": "out", "name": "outputEventHubMessage", "eventHubName": "out"],
            ])
        let timer = FunctionInvocation(
            id: "t", function: "f", trigger: .timer(TimerInput(scheduled: Timestamp(ticks: 0))))
        let rows = try fixture.host.invoke(timer, in: "f").rows(of: "outputEventHubMessage")
        #expect(rows == ["1 Message created at: 2026-01-01", "2 Message created at: 2026-01-01"])
    }

    @Test func `an array of strings that is returned becomes an event each`() throws {
        let fixture = try HostFixture()
        try addFolder(
            fixture,
            """
            module.exports = async function (context, eventHubMessages) {
                const output = [];
                for (let i = 1; i <= 2; i++) output.push(`${i} Message created at: ${context.bindingData.enqueuedTimeUtcArray[0]}`);
                return output;
            };
            """,
            bindings: [trigger("many"), ["type": "eventHub", "direction": "out", "name": "$return"]])
        let time = "2026-01-01T00:00:00.000Z"
        #expect(
            try fixture.call(["{}"]).rows(of: "$return") == [
                "1 Message created at: \(time)", "2 Message created at: \(time)",
            ])
    }

    @Test func `binding data of many events stands in arrays`() throws {
        let fixture = try HostFixture()
        try addFolder(
            fixture,
            """
            module.exports = async (context, messages) => {
                const data = context.bindingData;
                context.bindings.out = { json: [messages[0].v, messages[1]], keys: data.partitionKeyArray,
                    offsets: data.offsetArray, numbers: data.sequenceNumberArray, properties: data.propertiesArray,
                    device: data.systemPropertiesArray[0]['iothub-connection-device-id'],
                    partition: data.partitionContext.partitionId, id: data.invocationId === context.invocationId };
            };
            """,
            bindings: [trigger("many"), ["type": "eventHub", "direction": "out", "name": "out"]])
        let rows = try fixture.call(
            [#"{"v":1}"#, "no json"], keys: ["a", "b"], offset: 5, properties: [#"{"p":1}"#]
        ).rows(of: "out")
        #expect(
            rows == [
                """
                {"json":[1,"no json"],"keys":["a","b"],"offsets":["5","6"],"numbers":[5,6],"properties":[{"p":1},{}],\
                "device":"a","partition":"2","id":true}
                """
            ])
    }

    @Test func `with cardinality one the function sees one event after the other`() throws {
        let fixture = try HostFixture()
        try addFolder(
            fixture,
            """
            module.exports = async function (context, message) {
                if (message.bad) throw new Error('bad one');
                return { v: message.v, again: context.bindingData.v, key: context.bindingData.partitionKey };
            };
            """,
            bindings: [trigger("one"), ["type": "eventHub", "direction": "out", "name": "$return"]])
        let result = try fixture.call(
            [#"{"v":1}"#, #"{"v":2}"#, #"{"bad":true}"#, #"{"v":4}"#], keys: ["a", "b", "c", "d"])
        #expect(result.rows(of: "$return") == [#"{"v":1,"again":1,"key":"a"}"#, #"{"v":2,"again":2,"key":"b"}"#])
        #expect(result.firstFailure == 2)
        #expect(result.failure?.message == "bad one")
    }

    @Test(arguments: [
        ("string", #"[["{\"v\":1}","x"]]"#), ("binary", #"[[true,true]]"#),
    ])
    func `data types decide what a message is`(type: String, expected: String) throws {
        let fixture = try HostFixture()
        try addFolder(
            fixture,
            """
            module.exports = async (context, messages) => (
                [JSON.stringify([messages.map((m) => Buffer.isBuffer(m) || m)])]);
            """,
            bindings: [trigger("many", dataType: type), ["type": "eventHub", "direction": "out", "name": "$return"]])
        #expect(try fixture.call([#"{"v":1}"#, "x"]).rows(of: "$return") == [expected])
    }

    @Test func `documents get an id that a repeated call finds again`() throws {
        let fixture = try HostFixture()
        try addFolder(
            fixture, "module.exports = async (context) => { context.bindings.doc = [{ a: 1 }, { id: 'own' }]; };",
            bindings: [trigger("many"), ["type": "cosmosDB", "direction": "out", "name": "doc"]])
        let first = try fixture.call(["1"]).rows(of: "doc")
        #expect(try fixture.call(["1"]).rows(of: "doc") == first)
        #expect(first[0].contains(#""id":""#) && first[1] == #"{"id":"own"}"#)
    }

    @Test func `an HTTP function of the v3 model answers`() throws {
        let fixture = try HostFixture()
        try addFolder(
            fixture,
            """
            module.exports = async function (context, req) {
                const name = req.query.name || (req.body && req.body.name);
                context.res = { status: 202, body: 'Hello, ' + name, headers: { 'X-A': '1' } };
            };
            """,
            bindings: [
                ["type": "httpTrigger", "direction": "in", "name": "req"],
                ["type": "http", "direction": "out", "name": "res"],
            ])
        let request = WebRequest(method: "GET", target: "/api/hello?name=you")
        let call = FunctionInvocation(id: "w", function: "f", trigger: .web(request))
        let response = try #require(try fixture.host.invoke(call, in: "f").response)
        #expect(response.status == 202 && String(decoding: response.body, as: UTF8.self) == "Hello, you")
        #expect(response.headers.contains(HTTPField("X-A", "1")))
    }

    private static let v4 = """
        const { app, output } = require('@azure/functions');
        const toHub = output.eventHub({ eventHubName: 'out', connection: 'C' });
        const toCosmos = output.cosmosDB({ databaseName: 'd', containerName: 'c', connection: 'C' });
        app.hook.preInvocation((context) => { context.hookData.seen = context.inputs.length; });
        app.hook.postInvocation((context) => { context.invocationContext.log('seen', context.hookData.seen); });
        app.eventHub('many', { connection: 'C', eventHubName: 'telemetry', cardinality: 'many', return: toHub,
            extraOutputs: [toCosmos],
            handler: async (messages, context) => {
                context.log('got', messages.length);
                context.extraOutputs.set(toCosmos, { id: 'x', n: messages.length });
                return messages.map((m, i) => ({ v: m.v, o: context.triggerMetadata.offsetArray[i] }));
            } });
        app.eventHub('one', { connection: 'C', eventHubName: 'telemetry', return: toHub,
            handler: (message, context) => `${message.v} ${context.triggerMetadata.partitionKey}` });
        app.timer('tick', { schedule: '*/5 * * * * *', return: toHub,
            handler: (timer, context) => [`late ${timer.isPastDue}`] });
        app.http('hello', { methods: ['GET', 'POST'], handler: async (request, context) => ({
            status: 201, headers: { 'x-a': 'b' }, body: `Hello ${request.query.get('name')} ${await request.text()}` }) });
        """

    private func addApp(_ fixture: HostFixture, _ text: String, file: String = "src/functions/all.js") throws {
        try fixture.write(#"{"main": "src/{index.js,functions/*.js}"}"#, to: "package.json")
        try fixture.add(text, file: file, model: .azureRegistered) { $0.file = "" }
    }

    private func checkApp(_ fixture: HostFixture) throws {
        let names = try fixture.host.describe(program: "f")["functions"]?.elements?.compactMap { $0["name"]?.text }
        #expect(names == ["many", "one", "tick", "hello"])
        let many = try fixture.call([#"{"v":1}"#, #"{"v":2}"#], offset: 7, function: "many")
        #expect(many.rows(of: "$return") == [#"{"v":1,"o":"7"}"#, #"{"v":2,"o":"8"}"#])
        let documents = many.outputs.filter { $0.output != "$return" }
        #expect(documents.map { $0.text(at: 0) } == [#"{"id":"x","n":2}"#])
        #expect(fixture.logMessages.suffix(2) == ["got 2", "seen 1"])
        let one = try fixture.call([#"{"v":1}"#, #"{"v":2}"#], keys: ["a", "b"], function: "one")
        #expect(one.rows(of: "$return") == ["1 a", "2 b"])
        var call = FunctionInvocation(
            id: "t", function: "tick", trigger: .timer(TimerInput(scheduled: Timestamp(ticks: 0), isPastDue: true)))
        #expect(try fixture.host.invoke(call, in: "f").rows(of: "$return") == ["late true"])
        call.function = "hello"
        call.trigger = .web(WebRequest(method: "POST", target: "/api/hello?name=you", body: Array("there".utf8)))
        let response = try #require(try fixture.host.invoke(call, in: "f").response)
        #expect(response.status == 201 && String(decoding: response.body, as: UTF8.self) == "Hello you there")
        #expect(response.headers.contains(HTTPField("x-a", "b")))
    }

    @Test func `an app of the v4 model runs with the built-in package`() throws {
        let fixture = try HostFixture()
        try addApp(fixture, AzureNodeTests.v4)
        try checkApp(fixture)
    }

    @Test func `an app of the v4 model in an ES module runs with the built-in package`() throws {
        let fixture = try HostFixture()
        let text = AzureNodeTests.v4.replacing(
            "const { app, output } = require('@azure/functions')",
            with: "import { app, output } from '@azure/functions'")
        try fixture.write(#"{"main": "app.mjs"}"#, to: "package.json")
        try fixture.add(text, file: "app.mjs", model: .azureRegistered) { $0.file = "" }
        try checkApp(fixture)
    }

    @Test(.enabled(if: AzureNodeTests.realPackage != nil, "no real @azure/functions in OGAWA_NODE_MODULES"))
    func `an app of the v4 model runs with the real package`() throws {
        let fixture = try HostFixture()
        let modules = try #require(AzureNodeTests.realPackage)
        try #require(symlink(modules, "\(fixture.folder)/node_modules") == 0)
        try addApp(fixture, AzureNodeTests.v4)
        try checkApp(fixture)
        #expect(unlink("\(fixture.folder)/node_modules") == 0)
    }

    /// A node_modules folder with the real package, named by OGAWA_NODE_MODULES.
    static var realPackage: String? {
        guard let folder = getenv("OGAWA_NODE_MODULES").map({ String(cString: $0) }) else { return nil }
        return access("\(folder)/@azure/functions/package.json", F_OK) == 0 ? folder : nil
    }

    @Test func `an app that registers nothing is told`() throws {
        let fixture = try HostFixture()
        try addApp(fixture, "require('@azure/functions');")
        let failure = try fixture.failure()
        #expect(failure.kind == .initialization && failure.message.contains("src/functions/all.js"), "\(failure)")
    }
}
