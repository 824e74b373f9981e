import OgawaCore
import OgawaHost
import Testing

/// What a functions folder holds.
struct DiscoveryTests {
    private func found(
        _ files: [String: String], settings: JSONValue = [:], executable: Set<String> = []
    ) throws -> (functions: [String: FunctionDefinition], problems: [String]) {
        let fixture = try HostFixture()
        for (name, text) in files {
            try fixture.write(text, to: "functions/\(name)", mode: executable.contains(name) ? 0o700 : 0o600)
        }
        let result = FunctionDiscovery.run(directory: "\(fixture.folder)/functions", settings: settings)
        let functions = Dictionary(uniqueKeysWithValues: result.functions.map { ($0.name, $0) })
        return (functions, result.problems.map(\.description))
    }

    private func stream(_ definition: FunctionDefinition?) throws -> StreamTrigger {
        guard case .stream(let trigger) = try #require(definition?.triggers.first) else {
            throw DiscoveryProblem("test", "the first trigger is no stream")
        }
        return trigger
    }

    @Test func `files are functions, and their words tell the model`() throws {
        let (functions, problems) = try found(
            [
                "alert.js": "export default (events) => [];", "twice.py": "def handler(events, context): pass",
                "aws.mjs": "export const handler = async (event) => {};",
                "awspy.py": "def lambda_handler(event, context): pass",
                "v4.js": "const { app } = require('@azure/functions');",
                "filter.sh": "#!/bin/sh\n# ---\n# on: other\n# ---\ncat",
                "plan.sql": "SELECT 1", "notes.md": "x", "_helper.js": "x", "plain.sh": "cat",
            ], executable: ["filter.sh"])
        #expect(problems == [])
        #expect(Set(functions.keys) == ["alert", "twice", "aws", "awspy", "v4", "filter"])
        #expect(functions["alert"]?.program.model == .plain && functions["alert"]?.program.runtime == .node)
        #expect(functions["twice"]?.program.runtime == .python)
        #expect(
            functions["aws"]?.program.model == .lambdaHandler && functions["awspy"]?.program.model == .lambdaHandler)
        #expect(functions["v4"]?.needsRegistration == true && functions["v4"]?.triggers == [])
        #expect(functions["filter"]?.program.model == .jsonLines)
        #expect(try stream(functions["filter"]).stream == "other")
        #expect(try stream(functions["alert"]) == StreamTrigger(stream: nil))
    }

    @Test func `a front section and the project's settings shape a function`() throws {
        let text = """
            // ---
            // on: [telemetry, other]
            // batch: 500
            // wait: 200ms
            // timeout: 5s
            // memory: 128MiB
            // output: hot
            // outputs: { cold: archive }
            // environment:
            //   LEVEL: 3
            // ---
            export default () => {};
            """
        let settings: JSONValue = ["a": ["batch": 50, "attempts": 7, "start": "end", "lastResort": "hold"]]
        let (functions, problems) = try found(["a.js": text], settings: settings)
        #expect(problems == [])
        let function = try #require(functions["a"])
        #expect(function.triggers.count == 2)
        let trigger = try stream(function)
        #expect(trigger.stream == "telemetry" && trigger.batchSize == 50 && trigger.wait == .milliseconds(200))
        #expect(trigger.start == .end)
        #expect(function.program.limits.timeout == .seconds(5) && function.program.limits.memoryByteCount == 128 << 20)
        #expect(function.program.environment == ["LEVEL": "3"])
        #expect(function.policy.maximumAttempts == 7 && function.policy.lastResort == .hold)
        #expect(
            function.outputs == [
                FunctionOutput(name: "cold", target: .named("archive")),
                FunctionOutput(name: "$return", target: .named("hot")),
            ])
    }

    @Test(arguments: [
        ("bacth: 5", "did you mean `batch`?"), ("batch: 0", "`batch` is a whole number from 1 to 10000, found 0"),
        ("timeout: soon", "`soon` is no duration"), ("memory: lots", "a size such as 256MiB"),
        ("model: cobol", "no model"),
        ("schedule: 1 2 3", "NCRONTAB"), ("start: yesterday", "beginning, end or a time"),
        ("on: 5", "the name of a stream"),
    ])
    func `wrong settings are told with what is right`(setting: String, words: String) throws {
        let (functions, problems) = try found(["a.js": "// ---\n// \(setting)\n// ---\n"])
        #expect(functions.isEmpty && problems.count == 1 && problems[0].contains(words), "\(problems)")
    }

    @Test func `timers, routes and commands come from the settings`() throws {
        let settings: JSONValue = [
            "tick": ["every": "10s"], "web": ["route": "/hello/{name}", "methods": ["get"]],
            "mine": ["command": ["./my-filter", "-x"], "warm": true],
        ]
        let (functions, problems) = try found(["tick.js": "", "web.py": ""], settings: settings)
        #expect(problems == [])
        #expect(functions["tick"]?.triggers == [.timer(.every(.seconds(10)))])
        #expect(functions["web"]?.triggers == [.web(WebTrigger(route: "hello/{name}", methods: ["GET"]))])
        #expect(functions["mine"]?.program.runtime == .command(["./my-filter", "-x"]))
        #expect(functions["mine"]?.program.configuration == ["warm": true])
    }

    @Test func `an Azure folder is read with host.json and local.settings.json`() throws {
        let (functions, problems) = try found([
            "app/host.json": """
            { // comments pass
              "version": "2.0", "functionTimeout": "00:02:00",
              "extensions": {"eventHubs": {"maxEventBatchSize": 64, "initialOffsetOptions": {"type": "fromEnd"}}}, }
            """,
            "app/local.settings.json": """
            {"Values": {"Hub": "plant", "C": "Endpoint=sb://x/;SharedAccessKey=k;EntityPath=real", "D": "Endpoint=sb://x/"}}
            """,
            "app/dwell/function.json": """
            {"bindings": [
              {"type": "eventHubTrigger", "direction": "in", "name": "m", "eventHubName": "%Hub%", "connection": "C", "consumerGroup": "g"},
              {"type": "eventHub", "direction": "out", "name": "$return", "eventHubName": "%Hub%-%None%", "connection": "D"},
              {"type": "cosmosDB", "direction": "out", "name": "doc", "collectionName": "rooms", "partitionKey": "/deviceId"}],
             "retry": {"strategy": "fixedDelay", "maxRetryCount": 4, "delayInterval": "00:00:10"}}
            """,
            "app/dwell/index.js": "module.exports = async () => {};",
            "app/tick/function.json":
                #"{"disabled": true, "bindings": [{"type": "timerTrigger", "name": "t", "schedule": "0 * * * * *"}]}"#,
            "app/tick/__init__.py": "def main(t): pass",
            "app/old/function.json": #"{"bindings": [{"type": "blobTrigger", "name": "b"}]}"#,
            "single/function.json": #"{"bindings": [{"type": "httpTrigger", "name": "r", "methods": ["post"]}]}"#,
            "single/index.js": "",
        ])
        #expect(
            problems.count == 1 && problems[0].contains("app/old/function.json")
                && problems[0].contains("eventHubTrigger"))
        let dwell = try #require(functions["dwell"])
        let trigger = try stream(dwell)
        #expect(trigger.stream == "real" && trigger.consumer == "g" && trigger.batchSize == 64 && trigger.start == .end)
        #expect(
            dwell.outputs == [
                FunctionOutput(name: "$return", target: .stream("plant-%None%")),
                FunctionOutput(name: "doc", target: .table("rooms", partitionKey: "deviceId")),
            ])
        #expect(dwell.policy.maximumAttempts == 5 && dwell.policy.firstPause == .seconds(10))
        #expect(dwell.program.limits.timeout == .seconds(120) && dwell.program.environment["Hub"] == "plant")
        #expect(functions["tick"]?.isDisabled == true && functions["tick"]?.program.runtime == .python)
        #expect(functions["single"]?.triggers == [.web(WebTrigger(route: "api/single", methods: ["POST"]))])
    }

    @Test func `a custom handler is one program for all of its functions`() throws {
        let (functions, problems) = try found([
            "app/host.json":
                #"{"customHandler": {"description": {"defaultExecutablePath": "handler", "arguments": ["-v"]}}}"#,
            "app/handler": "x",
            "app/one/function.json": #"{"bindings": [{"type": "eventHubTrigger", "name": "e", "eventHubName": "h"}]}"#,
            "app/two/function.json": #"{"bindings": [{"type": "httpTrigger", "name": "r"}]}"#,
        ])
        #expect(problems == [])
        #expect(functions["one"]?.program == functions["two"]?.program)
        guard case .command(let words) = functions["one"]?.program.runtime else {
            Issue.record("no command")
            return
        }
        #expect(words[0].hasSuffix("/app/handler") && words[1] == "-v")
    }

    @Test func `a SAM template gives its functions`() throws {
        let template = """
            AWSTemplateFormatVersion: '2010-09-09'
            Transform: AWS::Serverless-2016-10-31
            Globals: { Function: { Timeout: 20, MemorySize: 256 } }
            Resources:
              Stream: { Type: AWS::Kinesis::Stream, Properties: { Name: telemetry } }
              Alert:
                Type: AWS::Serverless::Function
                Properties:
                  CodeUri: src/
                  Handler: app.handler
                  Runtime: nodejs20.x
                  Environment: { Variables: { LEVEL: 5 } }
                  Events:
                    Stream:
                      Type: Kinesis
                      Properties: { Stream: !GetAtt Stream.Arn, BatchSize: 200, StartingPosition: LATEST, TumblingWindowInSeconds: 60, MaximumRetryAttempts: 2 }
                    Tick: { Type: Schedule, Properties: { Schedule: rate(5 minutes) } }
              Fast:
                Type: AWS::Serverless::Function
                Properties: { FunctionName: fast, Runtime: provided.al2023, Handler: x, Events: { Web: { Type: HttpApi, Properties: { Path: /x, Method: get } } } }
            """
        let (functions, problems) = try found(["aws/template.yaml": template])
        #expect(problems == [])
        let alert = try #require(functions["Alert"])
        #expect(alert.program.handler == "app.handler" && alert.program.directory.hasSuffix("/aws/src"))
        #expect(alert.program.environment == ["LEVEL": "5"] && alert.program.limits.timeout == .seconds(20))
        #expect(alert.policy.maximumAttempts == 3)
        let trigger = try stream(alert)
        #expect(
            trigger.stream == "telemetry" && trigger.batchSize == 200 && trigger.start == .end
                && trigger.window == .seconds(60))
        #expect(alert.triggers.last == .timer(.every(.seconds(300))))
        #expect(functions["fast"]?.program.model == .lambdaRuntime)
        #expect(functions["fast"]?.triggers == [.web(WebTrigger(route: "x", methods: ["GET"]))])
    }

    @Test func `what two places call alike is a problem`() throws {
        let (functions, problems) = try found(["a.js": "", "a.py": ""])
        #expect(functions.count == 1 && problems.count == 1 && problems[0].contains("a.js already"))
    }

    @Test(.enabled(if: HostFixture.has("node"), "node is not installed"))
    func `functions that register themselves become definitions`() throws {
        let fixture = try HostFixture()
        try fixture.write(
            """
            const { app, output } = require('@azure/functions');
            app.eventHub('a', { connection: 'C', eventHubName: 'telemetry', cardinality: 'many',
                retry: { strategy: 'fixedDelay', maxRetryCount: 1, delayInterval: 2 },
                return: output.eventHub({ eventHubName: 'out', connection: 'C' }), handler: (m) => m });
            app.timer('b', { schedule: '*/5 * * * * *', handler: () => {} });
            """, to: "functions/v4.js")
        let result = FunctionDiscovery.run(directory: "\(fixture.folder)/functions")
        let definition = try #require(result.functions.first)
        fixture.host.add(definition.program)
        let greeting = try fixture.host.describe(program: definition.program.name)
        let registered = FunctionDiscovery.registered(by: definition, greeting: greeting)
        #expect(registered.functions.map(\.name) == ["a", "b"])
        #expect(try stream(registered.functions.first).stream == "telemetry")
        #expect(registered.functions.first?.outputs == [FunctionOutput(name: "$return", target: .stream("out"))])
        #expect(registered.functions.first?.policy.maximumAttempts == 2)
        #expect(registered.functions.last?.triggers == [.timer(try Schedule(parsing: "*/5 * * * * *"))])
    }
}
