import OgawaCore
import OgawaState
import OgawaTesting
import Testing

/// Commands through the protocol, without a socket.
@Suite struct CommandTests {
    private let clock = SimulatedClock()
    private let client: StateClient

    init() { client = StateStore(clock: clock, seed: 7).makeClient() }

    @Test func `strings are kept and counted`() {
        #expect(client.run("SET", "a", "1") == "+OK\r\n")
        #expect(client.run("get", "a") == "$1\r\n1\r\n")
        #expect(client.run("GET", "b") == "$-1\r\n")
        #expect(client.run("INCRBY", "a", "41") == ":42\r\n")
        #expect(client.run("APPEND", "a", "x") == ":3\r\n")
        #expect(client.run("INCR", "a") == "-ERR value is not an integer or out of range\r\n")
        #expect(client.run("SET", "a", "9223372036854775807") == "+OK\r\n")
        #expect(client.run("INCR", "a") == "-ERR increment or decrement would overflow\r\n")
    }

    @Test func `a key ends when its time is over`() {
        #expect(client.run("SET", "a", "1", "PX", "1500") == "+OK\r\n")
        #expect(client.run("PTTL", "a") == ":1500\r\n")
        clock.advance(by: .milliseconds(1499))
        #expect(client.run("EXISTS", "a") == ":1\r\n")
        clock.advance(by: .milliseconds(1))
        #expect(client.run("EXISTS", "a") == ":0\r\n")
        #expect(client.run("DBSIZE") == ":0\r\n")
    }

    @Test func `a hash is answered as pairs in version 2 and as a map in version 3`() {
        #expect(client.run("HSET", "h", "f", "v") == ":1\r\n")
        #expect(client.run("HGETALL", "h") == "*2\r\n$1\r\nf\r\n$1\r\nv\r\n")
        #expect(client.run("HELLO", "3").hasPrefix("%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n"))
        #expect(client.run("HGETALL", "h") == "%1\r\n$1\r\nf\r\n$1\r\nv\r\n")
        #expect(client.run("GET", "nothing") == "_\r\n")
    }

    @Test func `a value of another kind is refused in the words of Redis`() {
        #expect(client.run("RPUSH", "l", "1") == ":1\r\n")
        #expect(client.run("GET", "l") == "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n")
        #expect(client.run("HSET", "l", "f", "v").hasPrefix("-WRONGTYPE"))
    }

    @Test func `a transaction runs whole, not at all after an error, and not when a watched key changed`() {
        let other = client
        #expect(client.run("MULTI") == "+OK\r\n")
        #expect(client.run("SET", "a", "1") == "+QUEUED\r\n")
        #expect(client.run("INCR", "a") == "+QUEUED\r\n")
        #expect(client.run("EXEC") == "*2\r\n+OK\r\n:2\r\n")
        #expect(client.run("MULTI") == "+OK\r\n")
        #expect(client.run("NONSENSE").hasPrefix("-ERR unknown command 'NONSENSE'"))
        #expect(client.run("EXEC") == "-EXECABORT Transaction discarded because of previous errors.\r\n")
        #expect(client.run("WATCH", "a") == "+OK\r\n")
        #expect(other.run("SET", "a", "5") == "+OK\r\n")
        #expect(client.run("MULTI") == "+OK\r\n")
        #expect(client.run("SET", "a", "6") == "+QUEUED\r\n")
        #expect(client.run("EXEC") == "*-1\r\n")
        #expect(client.run("GET", "a") == "$1\r\n5\r\n")
    }

    @Test func `requests come in pieces, in lines and many at once`() {
        #expect(client.send(Array("*2\r\n$4\r\nEC".utf8)).isEmpty)
        #expect(client.send(Array("HO\r\n$2\r\nhi\r".utf8)).isEmpty)
        #expect(
            client.send(Array("\nPING\r\necho \"a b\"\r\n".utf8)) == Array("$2\r\nhi\r\n+PONG\r\n$3\r\na b\r\n".utf8))
        #expect(!client.isClosed)
    }

    @Test(arguments: [
        ("*1\r\n$99999999999\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        ("*1\r\n$-5\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        ("*99999999\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
        ("*1\r\n:5\r\n", "-ERR Protocol error: expected '$', got ':'\r\n"),
        ("get \"a\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"),
        ("POST / HTTP/1.1\r\n", "-ERR this is no HTTP server\r\n"),
    ])
    func `what is no request ends the connection`(request: String, reply: String) {
        #expect(String(decoding: client.send(Array(request.utf8)), as: UTF8.self) == reply)
        #expect(client.isClosed)
    }

    @Test func `many keys are found again, scanned once each and counted`() {
        for number in 0..<5000 { _ = client.run("SET", "key:\(number)", "\(number)") }
        #expect(client.run("DBSIZE") == ":5000\r\n")
        var seen: [String] = []
        var cursor = "0"
        repeat {
            let lines = client.run("SCAN", cursor, "COUNT", "100").split(separator: "\r\n")
            cursor = String(lines[2])
            seen += lines.filter { $0.hasPrefix("key:") }.map(String.init)
        } while cursor != "0"
        #expect(seen.count == 5000 && Set(seen).count == 5000)
        for number in stride(from: 0, to: 5000, by: 2) { _ = client.run("DEL", "key:\(number)") }
        #expect(client.run("DBSIZE") == ":2500\r\n")
        for number in 0..<5000 { #expect(client.run("EXISTS", "key:\(number)") == ":\(number % 2)\r\n") }
    }
}
