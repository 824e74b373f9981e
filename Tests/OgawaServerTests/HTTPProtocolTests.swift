import OgawaCore
import OgawaServer
import Testing

@Suite(.timeLimit(.minutes(2))) struct HTTPProtocolTests {
    private func ask(_ port: Int, _ text: String) async throws -> HTTPAnswer {
        try await RawConnection.open(port) { connection in
            try await connection.send(text)
            return try await connection.answer()
        }
    }

    @Test func `a request needs exactly one Host that is this machine`() async throws {
        try await HTTPHarness.run { harness async throws in
            #expect(try await ask(harness.port, "GET /livez HTTP/1.1\r\n\r\n").problem().status == 400)
            #expect(try await ask(harness.port, "GET /livez HTTP/1.1\r\nHost:\r\n\r\n").problem().status == 400)
            let two = "GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"
            #expect(try await ask(harness.port, two).problem().status == 400)
            for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "128.0.0.1", "[::2]"] {
                #expect(
                    try await ask(harness.port, "GET /livez HTTP/1.1\r\nHost: \(host)\r\n\r\n").problem().status == 421)
            }
            for host in ["localhost", "LOCALHOST:1234", "127.0.0.1:99", "127.1.2.3", "[::1]", "[::1]:80"] {
                #expect(try await ask(harness.port, "GET /livez HTTP/1.1\r\nHost: \(host)\r\n\r\n").status == 200)
            }
        }
    }

    @Test func `a listener on other addresses takes any one Host`() async throws {
        try await HTTPHarness.run(configuration: HTTPListener.Configuration(host: "0.0.0.0", port: 0)) {
            harness async throws in
            #expect(try await ask(harness.port, "GET /livez HTTP/1.1\r\nHost: plant.example\r\n\r\n").status == 200)
            #expect(try await ask(harness.port, "GET /livez HTTP/1.1\r\n\r\n").problem().status == 400)
        }
    }

    @Test func `pages of other origins cannot post`() async throws {
        try await HTTPHarness.run { harness async throws in
            for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
                let answer = try await harness.post("/devices/a/telemetry", "{}", headers: [("Origin", origin)])
                #expect(try answer.problem().status == 403)
            }
            let own = try await harness.post(
                "/devices/a/telemetry", "{}", headers: [("Origin", "http://127.0.0.1:\(harness.port)")])
            #expect(own.status == 202)
        }
    }

    @Test func `what is not HTTP gets a problem document and the connection ends`() async throws {
        try await HTTPHarness.run { harness async throws in
            let bad = [
                "\u{16}\u{3}\u{1}\r\n\r\n", "GET / HTTP/1.1\r\nHost : x\r\n\r\n", "GET / HTTP/9.9\r\nHost: x\r\n\r\n",
                "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +5\r\n\r\n",
                "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18446744073709551616\r\n\r\n",
                "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
                "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            ]
            for text in bad {
                try await RawConnection.open(harness.port) { connection in
                    try await connection.send(text)
                    #expect(try await connection.answer().problem().status == 400, "\(text.debugDescription)")
                    try await connection.readToEnd()
                }
            }
            #expect(try await harness.request("GET", "/livez").status == 200)
        }
    }

    @Test func `large headers and many headers are refused`() async throws {
        try await HTTPHarness.run { harness async throws in
            let one = "GET /livez HTTP/1.1\r\nHost: localhost\r\nX: \(String(repeating: "x", count: 64 << 10))\r\n\r\n"
            #expect(try await ask(harness.port, one).problem().status == 431)
            let many = (0..<1000).map { "X-\($0): 1\r\n" }.joined()
            let answer = try await ask(harness.port, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\(many)\r\n")
            #expect(answer.status == 431)
        }
    }

    @Test func `a body that is announced too large is refused before it is read, and the connection ends`() async throws
    {
        try await HTTPHarness.run { harness async throws in
            for length in ["4194305", "9223372036854775807"] {
                try await RawConnection.open(harness.port) { connection in
                    try await connection.send(
                        "POST /devices/a/telemetry HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(length)\r\n"
                            + "Expect: 100-continue\r\n\r\n")
                    let answer = try await connection.answer()
                    #expect(try answer.problem().status == 413)
                    #expect(answer.header("connection") == "close")
                    try await connection.readToEnd()
                }
            }
        }
    }

    @Test func `a chunked body counts as much as it holds`() async throws {
        var limits = GatewayLimits()
        limits.bodyByteCount = 1000
        try await HTTPHarness.run(limits: limits) { harness async throws in
            let head = "POST /devices/a/telemetry HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            #expect(try await ask(harness.port, head + "3\r\n{}\n\r\n7\r\n{\"a\":1}\r\n0\r\n\r\n").status == 202)
            let chunk = "100\r\n\(String(repeating: " ", count: 256))\r\n"
            let large = try await ask(harness.port, head + String(repeating: chunk, count: 8) + "0\r\n\r\n")
            #expect(try large.problem().status == 413)
            let bad = try await ask(harness.port, head + "3\r\n{}\n\r\nxyz\r\n")
            #expect(try bad.problem().status == 400)
        }
    }

    @Test func `half a batch is not a batch`() async throws {
        try await HTTPHarness.run { harness async throws in
            for framing in ["Content-Length: 100\r\n\r\n{}\n{}\n", "Transfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n"] {
                try await RawConnection.open(harness.port) { connection in
                    try await connection.send("POST /devices/a/telemetry HTTP/1.1\r\nHost: localhost\r\n\(framing)")
                    connection.finish()
                    #expect(try await connection.answer().problem().status == 400)
                    try await connection.readToEnd()
                }
            }
            #expect(try harness.stored().isEmpty)
        }
    }

    @Test func `expectations are met and a body may come later`() async throws {
        try await HTTPHarness.run { harness async throws in
            try await RawConnection.open(harness.port) { connection in
                try await connection.send(
                    "POST /devices/a/telemetry HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
                )
                try await connection.read(until: "HTTP/1.1 100 Continue\r\n\r\n")
                try await connection.send("{}")
                #expect(try await connection.answer().status == 202)
            }
        }
    }

    @Test func `one connection serves many requests, also sent at once`() async throws {
        try await HTTPHarness.run { harness async throws in
            try await RawConnection.open(harness.port) { connection in
                let post = "POST /devices/a/telemetry HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
                let wrong = "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
                let get = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
                try await connection.send(post + wrong + get + post)
                var statuses: [Int] = []
                for _ in 0..<4 { statuses.append(try await connection.answer().status) }
                #expect(statuses == [202, 404, 200, 202])
            }
            #expect(try harness.stored().count == 2)
        }
    }

    @Test func `a head that never ends is closed when the connection has been idle`() async throws {
        var configuration = HTTPListener.Configuration(port: 0)
        configuration.idleTimeout = .milliseconds(200)
        try await HTTPHarness.run(configuration: configuration) { harness async throws in
            try await RawConnection.open(harness.port) { connection in
                try await connection.send("GET /livez HTTP/1.1\r\nHost: localho")
                try await connection.readToEnd()
                #expect(connection.received.isEmpty)
            }
        }
    }

    @Test func `a body that drips has a deadline as a whole`() async throws {
        var configuration = HTTPListener.Configuration(port: 0)
        configuration.requestTimeout = .milliseconds(200)
        try await HTTPHarness.run(configuration: configuration) { harness async throws in
            try await RawConnection.open(harness.port) { connection in
                try await connection.send(
                    "POST /devices/a/telemetry HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n")
                for _ in 0..<5 {
                    try await connection.send(" ")
                    try await Task.sleep(for: .milliseconds(20))
                }
                #expect(try await connection.answer().problem().status == 408)
                try await connection.readToEnd()
            }
            #expect(try await harness.request("GET", "/livez").status == 200)
            #expect(try harness.stored().isEmpty)
        }
    }

    @Test func `connections are counted and stopping closes them`() async throws {
        try await HTTPHarness.run { harness async throws in
            try await RawConnection.open(harness.port) { connection in
                try await connection.send("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
                #expect(try await connection.answer().status == 200)
                #expect(harness.listener.connectionCount == 1)
                await harness.listener.stop()
                #expect(harness.listener.connectionCount == 0)
            }
        }
    }

    @Test func `connections over the cap wait until one leaves`() async throws {
        var configuration = HTTPListener.Configuration(port: 0)
        configuration.maxConnections = 2
        try await HTTPHarness.run(configuration: configuration) { harness async throws in
            let get = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
            try await RawConnection.open(harness.port) { third in
                try await RawConnection.open(harness.port) { first in
                    try await first.send(get)
                    #expect(try await first.answer().status == 200)
                }
                try await third.send(get)
                #expect(try await third.answer().status == 200)
            }
            let count = 6
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<count { group.addTask { try await harness.request("GET", "/livez").status } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses == [Int](repeating: 200, count: count))
        }
    }

    @Test func `a port in use is an error of start`() async throws {
        try await HTTPHarness.run { harness async throws in
            await #expect(throws: (any Error).self) {
                try await HTTPHarness.run(configuration: HTTPListener.Configuration(port: harness.port)) { _ in }
            }
        }
    }
}
