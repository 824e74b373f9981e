import FoundationEssentials
import OgawaCore
import OgawaServer
import OgawaStore
import Testing

@Suite(.timeLimit(.minutes(2))) struct HTTPReadTests {
    private static let time = Timestamp("2026-03-01T12:00:00.1234567Z") ?? .min

    private func fill(_ harness: HTTPHarness) {
        harness.backend.rows.withLock {
            $0 = [
                [.text("dev-1"), .datetime(HTTPReadTests.time), .float(21.5)],
                [.text("a,\"b\"\r\n"), .null, .record(#"{"x":[1]}"#)],
                [.text(""), .bit(true), .bigint(.min)],
                [.text(" x"), .float(.infinity), .array("[]")],
            ]
        }
    }

    @Test func `rows come as JSON with the instant in seven digits and records in place`() async throws {
        try await HTTPHarness.run { harness async throws in
            fill(harness)
            let answer = try await harness.request("GET", "/tables/temperature")
            #expect(answer.header("content-type") == "application/json")
            #expect(
                answer.text == #"{"table":"temperature","columns":["deviceId","time","value"],"rows":["#
                    + #"{"deviceId":"dev-1","time":"2026-03-01T12:00:00.1234567Z","value":21.5},"#
                    + #"{"deviceId":"a,\"b\"\r\n","time":null,"value":{"x":[1]}},"#
                    + #"{"deviceId":"","time":true,"value":-9223372036854775808},"#
                    + #"{"deviceId":" x","time":null,"value":[]}]}"#)
        }
    }

    @Test func `rows come as CSV when asked for`() async throws {
        try await HTTPHarness.run { harness async throws in
            fill(harness)
            let expected =
                "deviceId,time,value\r\ndev-1,2026-03-01T12:00:00.1234567Z,21.5\r\n\"a,\"\"b\"\"\r\n\",,\"{\"\"x\"\":[1]}\"\r\n"
                + "\"\",true,-9223372036854775808\r\n\" x\",,[]\r\n"
            for (path, accept) in [
                ("?format=csv", "*/*"), ("", "text/csv"), ("/newest?format=csv", "application/json"),
            ] {
                let answer = try await harness.request(
                    "GET", "/tables/temperature\(path)", headers: [("Accept", accept)])
                #expect(answer.text == expected)
                #expect(answer.header("content-type")?.hasPrefix("text/csv") == true)
            }
        }
    }

    @Test func `parameters become a query`() async throws {
        try await HTTPHarness.run { harness async throws in
            let path = "/tables/alarms?key=d%2B1%20x&from=2026-03-01T21:00:00+09:00&to=2026-03-02&limit=7&order=desc"
            #expect(try await harness.request("GET", path).status == 200)
            var query = TableQuery(key: "d+1 x", limit: 7, descending: true)
            query.from = Timestamp("2026-03-01T12:00:00Z")
            query.to = Timestamp("2026-03-02T00:00:00Z")
            #expect(harness.backend.lastQuery.withLock { $0 } == query)
            #expect(try await harness.request("GET", "/tables/alarms/newest").status == 200)
            #expect(
                harness.backend.lastQuery.withLock { $0 }
                    == TableQuery(limit: 20, descending: true, newestOverAllKeys: true))
        }
    }

    @Test(arguments: [
        "limit=0", "limit=10001", "limit=x", "order=up", "format=xml", "from=yesterday", "to=2026-13-01", "limt=5",
        "limit=1&limit=2", "key=%ff", "key=%2",
    ])
    func `bad parameters are refused`(query: String) async throws {
        try await HTTPHarness.run { harness async throws in
            let problem = try await harness.request("GET", "/tables/temperature?\(query)").problem()
            #expect(problem.status == 400)
            if query == "limt=5" { #expect(problem.hint == "did you mean \"limit\"?") }
        }
    }

    @Test func `unknown names and paths say what is near`() async throws {
        try await HTTPHarness.run { harness async throws in
            func hint(_ path: String) async throws -> String? {
                let problem = try await harness.request("GET", path).problem()
                #expect(problem.status == 404)
                return problem.hint
            }
            #expect(try await hint("/tables/temperatur") == "did you mean \"temperature\"?")
            #expect(try await hint("/live/temperature1") == "did you mean \"temperature\"?")
            #expect(try await hint("/stats") == "did you mean \"/status\"?")
            #expect(try await hint("/stream/telemetry/events") == "did you mean \"/streams/telemetry/events\"?")
            #expect(try await hint("/table/x") == "did you mean \"/tables/x\"?")
            #expect(try await hint("/status/")?.isEmpty == false)
            #expect(try await hint("/%2e%2e/etc/passwd")?.isEmpty == false)
        }
    }

    @Test func `errors of the store become problems`() async throws {
        try await HTTPHarness.run { harness async throws in
            let codes: [(StoreError.Code, Int)] = [
                (.badQuery, 400), (.answerTooLarge, 400), (.busy, 503), (.damaged, 500), (.closed, 503),
            ]
            for (code, status) in codes {
                harness.backend.failure.withLock { $0 = StoreError(code, "what", hint: "do") }
                let problem = try await harness.request("GET", "/tables/temperature").problem()
                #expect((problem.status, problem.detail, problem.hint) == (status, "what", "do"))
            }
        }
    }

    @Test func `reports decode into their own types`() async throws {
        try await HTTPHarness.run { harness async throws in
            func report<Report: Decodable>(_ path: String, _ type: Report.Type) async throws -> Report {
                let answer = try await harness.request("GET", path)
                #expect(answer.status == 200)
                return try JSONDecoder().decode(type, from: Data(answer.body))
            }
            #expect(try await report("/status", StatusReport.self) == harness.backend.status())
            #expect(try await report("/devices", DevicesReport.self).devices == harness.backend.devices(limit: 2))
            #expect(try await report("/devices?limit=1", DevicesReport.self).devices.count == 1)
            harness.rejections.append(
                kind: .outOfOrder, stream: "telemetry", function: "temperature", device: nil, reason: "late by\n1 s",
                count: 3)
            let rejections = try await report("/rejections?limit=5", RejectionsReport.self)
            #expect(rejections.total == 3)
            #expect(rejections.rejections.map(\.kind) == ["out-of-order"])
            #expect(rejections.rejections.map(\.reason) == ["late by\n1 s"])
            let text = try await harness.request("GET", "/devices?limit=1").text
            #expect(text.contains(#""lastBody":{"a":[1,2.5,null,true,"x"],"b":{}}"#))
        }
    }

    @Test func `health follows the backend`() async throws {
        try await HTTPHarness.run { harness async throws in
            #expect(try await harness.request("GET", "/livez").text == "{\"status\":\"ok\"}\n")
            #expect(try await harness.request("GET", "/readyz").status == 200)
            harness.backend.ready.withLock { $0 = false }
            #expect(try await harness.request("GET", "/readyz").status == 503)
            #expect(try await harness.request("GET", "/livez").status == 200)
        }
    }

    @Test func `HEAD is GET without the body`() async throws {
        try await HTTPHarness.run { harness async throws in
            for path in ["/", "/status", "/tables/temperature", "/livez", "/live/temperature", "/nowhere"] {
                let head = try await harness.request("HEAD", path)
                #expect(head.status == (path == "/nowhere" ? 404 : 200))
                guard path != "/live/temperature" else { continue }
                let get = try await harness.request("GET", path)
                #expect(head.header("content-type") == get.header("content-type"))
                if path != "/status" { #expect(head.header("content-length") == get.header("content-length")) }
            }
        }
    }

    @Test func `the console has no inline code and a strict policy`() async throws {
        try await HTTPHarness.run { harness async throws in
            let page = try await harness.request("GET", "/")
            #expect(page.header("content-type") == "text/html; charset=utf-8")
            #expect(page.text.contains("<script src=\"/console.js\" defer></script>"))
            #expect(page.text.contains("<link rel=\"stylesheet\" href=\"/console.css\">"))
            #expect(!page.text.contains("<style"))
            #expect(page.text.components(separatedBy: "<script").count == 2)
            let policy = try #require(page.header("content-security-policy"))
            #expect(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"))
            #expect(!policy.contains("unsafe"))
            let script = try await harness.request("GET", "/console.js")
            #expect(script.header("content-type") == "text/javascript; charset=utf-8")
            #expect(!script.body.isEmpty)
            #expect(try await harness.request("GET", "/console.css").header("x-content-type-options") == "nosniff")
            #expect(try await harness.request("GET", "/favicon.ico").status == 204)
        }
    }

    @Test func `every answer says nosniff and most say no-store`() async throws {
        try await HTTPHarness.run { harness async throws in
            for path in ["/", "/status", "/nowhere", "/livez", "/tables/temperature"] {
                let answer = try await harness.request("GET", path)
                #expect(answer.header("x-content-type-options") == "nosniff")
                #expect(answer.header("cache-control") == (path == "/" ? "no-cache" : "no-store"))
            }
        }
    }
}

extension String {
    fileprivate func components(separatedBy separator: String) -> [Substring] {
        var parts: [Substring] = []
        var rest = self[...]
        while let range = rest.firstRange(of: separator) {
            parts.append(rest[..<range.lowerBound])
            rest = rest[range.upperBound...]
        }
        return parts + [rest]
    }
}
