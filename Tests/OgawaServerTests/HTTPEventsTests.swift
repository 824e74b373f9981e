import FoundationEssentials
import OgawaCore
import OgawaLog
import OgawaPlatform
import OgawaServer
import OgawaTesting
import Testing

private struct Accepted: Codable {
    struct Receipt: Codable {
        var partition: Int
        var firstOffset: Int
        var count: Int
    }
    var accepted: Int
    var receipts: [Receipt]
}

@Suite(.timeLimit(.minutes(2))) struct HTTPEventsTests {
    @Test func `an object, an array and NDJSON are stored as sent`() async throws {
        try await HTTPHarness.run { harness async throws in
            let one = try await harness.post("/streams/power/events", #"{"meter":"m1", "w":1.50}"#)
            #expect(one.status == 202)
            #expect(one.text == "{\"accepted\":1,\"receipts\":[{\"partition\":0,\"firstOffset\":0,\"count\":1}]}\n")
            let array = try await harness.post("/streams/power/events", #"[{"meter":7}, {"meter":"m2"}]"#)
            #expect(array.text == "{\"accepted\":2,\"receipts\":[{\"partition\":0,\"firstOffset\":1,\"count\":2}]}\n")
            let lines = try await harness.request(
                "POST", "/streams/power/events", headers: [("Content-Type", "application/x-ndjson; charset=utf-8")],
                body: Array("{\"meter\":\"m3\"}\r\n\r\n{\"meter\":\"m\\u0034\"}\n".utf8))
            #expect(lines.status == 202)
            #expect(
                try harness.stored("power") == [
                    #"m1 {"meter":"m1", "w":1.50}"#, #"7 {"meter":7}"#, #"m2 {"meter":"m2"}"#, #"m3 {"meter":"m3"}"#,
                    #"m4 {"meter":"m\u0034"}"#,
                ])
        }
    }

    @Test func `receipts count every partition and add up`() async throws {
        try await HTTPHarness.run { harness async throws in
            let body = (0..<1000).map { #"{"deviceId":"dev-\#($0 % 17)","n":\#($0)}"# }.joined(separator: "\n")
            let answer = try await harness.post("/streams/telemetry/events", body)
            let accepted = try JSONDecoder().decode(Accepted.self, from: Data(answer.body))
            #expect(accepted.accepted == 1000)
            #expect(accepted.receipts.map(\.partition) == [0, 1])
            #expect(accepted.receipts.map(\.count).reduce(0, +) == 1000)
            #expect(try harness.stored().count == 1000)
        }
    }

    @Test func `the path and the header name the device, and events get the field that they lack`() async throws {
        try await HTTPHarness.run { harness async throws in
            let path = try await harness.post(
                "/devices/d%C3%A9%22v/telemetry", #"[{"v":1},{ },{"v":2,"deviceId":"dé\"v"}]"#)
            #expect(path.status == 202)
            let header = try await harness.post("/streams/power/events", #"{"v":3}"#, headers: [("X-Device-Id", "m9")])
            #expect(header.status == 202)
            #expect(
                try harness.stored() == [
                    #"dé"v {"deviceId":"dé\"v","v":1}"#, #"dé"v {"deviceId":"dé\"v"}"#,
                    #"dé"v {"v":2,"deviceId":"dé\"v"}"#,
                ])
            #expect(try harness.stored("power") == [#"m9 {"meter":"m9","v":3}"#])
        }
    }

    @Test(arguments: [
        #"{"deviceId":"b"}"#, #"{"deviceId":null}"#, #"{"deviceId":["a"]}"#, #"{"device\u0049d":"b"}"#,
        #"{"deviceId":"a","deviceId":"b"}"#, #"[{"deviceId":"a"},{"deviceId":"A"}]"#,
    ])
    func `a message cannot speak for another device`(body: String) async throws {
        try await HTTPHarness.run { harness async throws in
            let answer = try await harness.post("/devices/a/telemetry", body)
            #expect(answer.status == 400)
            _ = try answer.problem()
            #expect(try harness.stored().isEmpty)
        }
    }

    @Test func `ten thousand events in one array are one request`() async throws {
        try await HTTPHarness.run { harness async throws in
            let body = "[" + (0..<10_000).map { #"{"deviceId":"d\#($0)"}"# }.joined(separator: ",") + "]"
            #expect(try await harness.post("/streams/telemetry/events", body).status == 202)
            #expect(try harness.stored().count == 10_000)
            let more = try await harness.post("/devices/a/telemetry", String(repeating: "{}\n", count: 10_001))
            #expect(more.status == 413)
            #expect(try more.problem().element == 10_000)
        }
    }

    @Test func `an empty array is accepted and stores nothing`() async throws {
        try await HTTPHarness.run { harness async throws in
            #expect(
                try await harness.post("/streams/telemetry/events", "[]").text == "{\"accepted\":0,\"receipts\":[]}\n")
        }
    }

    @Test func `gzip bodies are taken, damaged ones and bombs are not`() async throws {
        try await HTTPHarness.run { harness async throws in
            func send(_ bytes: [UInt8], encoding: String = "gzip") async throws -> HTTPAnswer {
                try await harness.request(
                    "POST", "/streams/telemetry/events", headers: [("Content-Encoding", encoding)], body: bytes)
            }
            let good = gzip(Array(#"{"deviceId":"z"}"#.utf8))
            #expect(try await send(good).status == 202)
            #expect(try await send(good.dropLast(5)).problem().status == 400)
            #expect(try await send([1, 2, 3]).problem().status == 400)
            #expect(try await send(gzip([UInt8](repeating: 0x20, count: 10 << 20))).problem().status == 413)
            #expect(try await send(good, encoding: "br").problem().status == 415)
            #expect(try harness.stored() == [#"z {"deviceId":"z"}"#])
        }
    }

    @Test func `what cannot be read is refused whole and names the element, the position and the expectation`()
        async throws
    {
        try await HTTPHarness.run { harness async throws in
            let bad = try await harness.post(
                "/streams/telemetry/events", #"[{"deviceId":"a"},{"deviceId":"b","v":tru}]"#)
            let problem = try bad.problem()
            #expect((problem.status, problem.element, problem.position) == (400, 1, 38))
            #expect(problem.expected == "a value")
            let missing = try await harness.post("/streams/telemetry/events", "{\"deviceId\":\"a\"}\n{\"v\":1}")
            #expect(try missing.problem().element == 1)
            #expect(try missing.problem().detail.contains("\"deviceId\""))
            #expect(try missing.problem().hint?.contains("X-Device-Id") == true)
            let key = try await harness.post("/streams/telemetry/events", #"{"deviceId":"a\u0000b"}"#)
            #expect(try key.problem().status == 400)
            let long = try await harness.post("/devices/\(String(repeating: "x", count: 129))/telemetry", "{}")
            #expect(try long.problem().status == 400)
            let large = try await harness.post(
                "/devices/a/telemetry", #"{"t":"\#(String(repeating: "x", count: 300_000))"}"#)
            #expect(try large.problem().status == 413)
            #expect(try harness.stored().isEmpty)
            let report = harness.rejections.newest(10)
            #expect(report.total == 5)
            #expect(report.rejections.first?.device == "a")
            #expect(report.rejections.last?.reason.contains("byte 38") == true)
            #expect(report.rejections.allSatisfy { $0.kind == "rejected" && $0.stream == "telemetry" })
        }
    }

    @Test func `unknown streams, media types and methods are told apart`() async throws {
        try await HTTPHarness.run { harness async throws in
            let unknown = try await harness.post("/streams/telemetri/events", "{}").problem()
            #expect((unknown.status, unknown.hint) == (404, "did you mean \"telemetry\"?"))
            let media = try await harness.request(
                "POST", "/streams/telemetry/events", headers: [("Content-Type", "application/xml")], body: [0x3c])
            #expect(try media.problem().status == 415)
            let none = try await harness.request("POST", "/devices/a/telemetry", body: Array("{}".utf8))
            #expect(none.status == 202)
            let method = try await harness.request("GET", "/streams/telemetry/events")
            #expect(try method.problem().status == 405)
            #expect(method.header("allow") == "POST")
            let twice = try await harness.post("/devices/a/telemetry", "{}", headers: [("X-Device-Id", "b")])
            #expect(try twice.problem().status == 400)
        }
    }

    @Test func `a full queue is 429 with Retry-After`() async throws {
        let stream = StreamConfiguration(name: "telemetry", partitionCount: 1, pendingByteCountLimit: 200)
        try await HTTPHarness.run(streams: [stream], routes: [StreamRoute(name: "telemetry")]) { harness async throws in
            let gate = ReleaseGate()
            harness.files.onSync { gate.wait() }
            // The first append keeps the writer busy; sooner or later one finds the queue full.
            let answers = try await withThrowingTaskGroup(of: HTTPAnswer.self) { group in
                for _ in 0..<20 { group.addTask { try await harness.post("/devices/a/telemetry", "{}") } }
                var answers: [HTTPAnswer] = []
                for try await answer in group {
                    answers.append(answer)
                    if answer.status == 429 { gate.open() }
                }
                return answers
            }
            let refused = try #require(answers.first { $0.status == 429 })
            #expect(refused.header("retry-after") == "1")
            _ = try refused.problem()
            #expect(try harness.stored().count == answers.filter { $0.status == 202 }.count)
        }
    }

    @Test func `a full disk is 507, a failed sync is 503`() async throws {
        let stream = StreamConfiguration(name: "telemetry", partitionCount: 1)
        try await HTTPHarness.run(streams: [stream], routes: [StreamRoute(name: "telemetry")]) { harness async throws in
            harness.files.inject(.fail(.noSpace), atEvery: .write)
            let full = try await harness.post("/devices/a/telemetry", "{}")
            #expect(try full.problem().status == 507)
            harness.files.clearFaults()
            #expect(try await harness.post("/devices/a/telemetry", "{}").status == 202)
            harness.files.inject(.fail(.other), atEvery: .sync)
            #expect(try await harness.post("/devices/a/telemetry", "{}").problem().status == 503)
            harness.files.clearFaults()
            #expect(try await harness.post("/devices/a/telemetry", "{}").problem().status == 503)
            #expect(try await harness.request("GET", "/livez").status == 200)
        }
    }
}
