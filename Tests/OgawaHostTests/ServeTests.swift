import OgawaCore
import OgawaHost
import Testing

/// Programs that keep contracts of their own: the Lambda Runtime API, custom handlers, JSON lines.
struct ServeTests {
    private static let lambda = """
        import base64, time
        if False: pass
        def handler(event, context):
            bodies = [base64.b64decode(r["kinesis"]["data"]).decode() for r in event["Records"]]
            print("bodies", bodies)
            if "throw" in bodies: raise TypeError("no")
            if "hang" in bodies: time.sleep(60)
            if "bad" in bodies:
                return {"batchItemFailures": [{"itemIdentifier": event["Records"][bodies.index("bad")]["kinesis"]["sequenceNumber"]}]}
            return [{"n": len(bodies), "id": context.aws_request_id, "left": context.get_remaining_time_in_millis() > 1000,
                     "arn": context.invoked_function_arn, "key": event["Records"][0]["kinesis"]["partitionKey"]}]
        """

    @Test(.enabled(if: PyPIEnvironment.isThere, PyPIEnvironment.reason))
    func `awslambdaric from PyPI runs a handler`() throws {
        let fixture = try HostFixture(python: try PyPIEnvironment.shared.get().python)
        try fixture.add(
            ServeTests.lambda, file: "app.py", runtime: .python, model: .lambdaRuntime, handler: "app.handler"
        ) {
            $0.limits.timeout = .seconds(4)
        }
        let result = try fixture.call(["1", "2"], keys: ["a", "b"]) { $0.id = "00000000-0000-8000-8000-000000000001" }
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
        #expect(
            result.rows(of: "$return") == [
                #"{"n":2,"id":"00000000-0000-8000-8000-000000000001","left":true,"arn":"\#(arn)","key":"a"}"#
            ])
        #expect(fixture.logMessages.contains { $0.contains("bodies ['1', '2']") })
        #expect(try fixture.call(["1", "bad", "3"], offset: 70).firstFailure == 1)
        let failure = try fixture.failure(["throw"])
        #expect(failure.kind == .threw && failure.type == "TypeError" && failure.message == "no")
        #expect(failure.stack?.contains("app.py") == true)
        #expect(try fixture.failure(["hang"]).kind == .timedOut)
        #expect(try fixture.call(["1"]).rows(of: "$return").count == 1)
        #expect(fixture.host.workers(of: "f").starts == 2)
    }

    @Test(.enabled(if: PyPIEnvironment.isThere, PyPIEnvironment.reason))
    func `awslambdaric tells code that does not load`() throws {
        let fixture = try HostFixture(python: try PyPIEnvironment.shared.get().python)
        try fixture.add(
            "import nothing_here", file: "app.py", runtime: .python, model: .lambdaRuntime, handler: "app.handler")
        let failure = try fixture.failure()
        #expect(failure.kind == .initialization && failure.message.contains("nothing_here"), "\(failure)")
    }

    /// What a `provided.al2023` binary does, in a few lines of Python: plain HTTP, one connection.
    private static let bootstrap = """
        #!/usr/bin/env python3
        import http.client, json, os
        api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
        base = "/2018-06-01/runtime/"
        while True:
            api.request("GET", base + "invocation/next")
            answer = api.getresponse(); event = json.loads(answer.read()); headers = answer.headers
            call = base + "invocation/" + headers["Lambda-Runtime-Aws-Request-Id"]
            names = ["Deadline-Ms", "Invoked-Function-Arn", "Trace-Id"]
            missing = [n for n in names if not headers["Lambda-Runtime-" + n]]
            if event["Records"][0]["kinesis"]["data"] == "YmFk":
                def parts(): yield b'{"errorMessage":"chunked'; yield b'","errorType":"Bad"}'
                api.request("POST", call + "/error", parts(), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
            else:
                api.request("POST", call + "/response", json.dumps([missing, os.environ["_HANDLER"]]))
            api.getresponse().read()
        """

    @Test(.enabled(if: HostFixture.has("python3"), "python3 is not installed"))
    func `a bootstrap program asks the Runtime API itself`() throws {
        let fixture = try HostFixture()
        let path = try fixture.write(ServeTests.bootstrap, to: "bootstrap", mode: 0o700)
        fixture.host.add(
            FunctionProgram(
                name: "f", runtime: .command([path]), model: .lambdaRuntime, directory: fixture.folder, handler: "x.y"))
        #expect(try fixture.call(["1"]).rows(of: "$return") == ["[]", "x.y"])
        let failure = try fixture.failure(["bad"])
        #expect(failure.kind == .threw && failure.message == "chunked" && failure.type == "Bad")
        #expect(try fixture.call(["1"]).rows(of: "$return").count == 2)
    }

    private static let customHandler = """
        #!/usr/bin/env python3
        import json, os
        from http.server import BaseHTTPRequestHandler, HTTPServer
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self): self.send_response(404); self.end_headers()
            def do_POST(self):
                text = self.rfile.read(int(self.headers["Content-Length"]))
                message = json.loads(text)
                status, answer = 200, {}
                if self.path == "/many":
                    events = json.loads(message["Data"]["events"])
                    offsets = json.loads(message["Metadata"]["OffsetArray"])
                    if "bad" in events: status = 500
                    answer = {"Outputs": {"out": [{"n": e, "o": o} for e, o in zip(events, offsets)]},
                              "Logs": ["seen " + str(len(events))], "ReturnValue": message["Metadata"]["sys"]["MethodName"]}
                elif self.path == "/one":
                    body = json.loads(message["Data"]["event"])
                    answer = {"Outputs": {"out": body + "!" + json.loads(message["Metadata"]["PartitionKey"])}}
                else:
                    answer = {"Outputs": {"res": {"statusCode": 201, "body": message["Data"]["req"]["Body"]}}}
                body = json.dumps(answer).encode()
                self.send_response(status); self.send_header("Content-Length", str(len(body))); self.end_headers()
                self.wfile.write(body)
            def log_message(self, *parts): pass
        HTTPServer(("127.0.0.1", int(os.environ["FUNCTIONS_CUSTOMHANDLER_PORT"])), Handler).serve_forever()
        """

    @Test(.enabled(if: HostFixture.has("python3"), "python3 is not installed"))
    func `a custom handler of Azure answers over HTTP`() throws {
        let fixture = try HostFixture()
        let path = try fixture.write(ServeTests.customHandler, to: "handler", mode: 0o700)
        let functions: JSONValue = [
            [
                "name": "many",
                "bindings": [
                    ["type": "eventHubTrigger", "direction": "in", "name": "events", "cardinality": "many"],
                    ["type": "eventHub", "direction": "out", "name": "out"],
                ],
            ],
            ["name": "one", "bindings": [["type": "eventHubTrigger", "direction": "in", "name": "event"]]],
            [
                "name": "web",
                "bindings": [
                    ["type": "httpTrigger", "name": "req"], ["type": "http", "direction": "out", "name": "res"],
                ],
            ],
        ]
        fixture.host.add(
            FunctionProgram(
                name: "f", runtime: .command([path]), model: .customHandler, directory: fixture.folder,
                configuration: ["functions": functions]))
        let many = try fixture.call([#"{"v":1}"#, "text"], offset: 3, function: "many")
        #expect(many.rows(of: "out") == [#"{"n":{"v":1},"o":"3"}"#, #"{"n":"text","o":"4"}"#])
        #expect(many.rows(of: "$return") == ["many"])
        #expect(fixture.logMessages.contains("seen 2"))
        let one = try fixture.call(["a", "b"], keys: ["k", "l"], function: "one")
        #expect(one.rows(of: "out") == ["a!k", "b!l"])
        let web = FunctionInvocation(
            id: "w", function: "web",
            trigger: .web(WebRequest(method: "POST", target: "/x?a=1", body: Array("hi".utf8))))
        let response = try #require(try fixture.host.invoke(web, in: "f").response)
        #expect(response.status == 201 && String(decoding: response.body, as: UTF8.self) == "hi")
        #expect(throws: InvocationFailure.self) { try fixture.call(["bad"], function: "many") }
    }

    // MARK: - JSON lines

    private func addFilter(_ fixture: HostFixture, _ words: [String], warm: Bool = false) {
        fixture.host.add(
            FunctionProgram(
                name: "f", runtime: .command(words), model: .jsonLines, directory: fixture.folder,
                configuration: ["warm": .bool(warm)]))
    }

    @Test func `any filter of lines is a function`() throws {
        let fixture = try HostFixture()
        addFilter(fixture, ["grep", "hot"])
        #expect(
            try fixture.call([#"{"a":"hot"}"#, #"{"a":"cold"}"#, "{\n\"b\":\"hot\"}"]).rows(of: "$return") == [
                #"{"a":"hot"}"#, #"{"b":"hot"}"#,
            ])
        addFilter(fixture, ["head", "-1"])
        let many = (0..<50_000).map { "{\"n\":\($0)}" }
        #expect(try fixture.call(many).rows(of: "$return") == [#"{"n":0}"#])
        addFilter(fixture, ["cat"])
        #expect(try fixture.call(many).rows(of: "$return") == many)
    }

    @Test func `a filter that fails has given nothing`() throws {
        let fixture = try HostFixture()
        addFilter(fixture, ["sh", "-c", "cat; echo broken >&2; exit 3"])
        let failure = try fixture.failure()
        #expect(failure.kind == .exited && failure.message.contains("exit code 3"))
        #expect(failure.stack?.contains("broken") == true)
    }

    @Test(.enabled(if: HostFixture.has("python3"), "python3 is not installed"))
    func `a warm filter answers line by line and stays`() throws {
        let fixture = try HostFixture()
        let text = """
            import json, os, sys
            for line in sys.stdin:
                value = json.loads(line)
                print("" if value == 2 else json.dumps([value, os.getpid()]), flush=True)
            """
        let path = try fixture.write(text, to: "filter.py")
        addFilter(fixture, ["python3", path], warm: true)
        let first = try fixture.call(["1", "2", "3"]).rows(of: "$return")
        #expect(first.count == 2)
        #expect(try fixture.call(["1"]).rows(of: "$return").first == first[0])
    }
}
