import OgawaState
import OgawaTesting
import Testing

/// Bytes from outside never end the process, whatever they are.
@Suite struct FuzzTests {
    @Test(arguments: 1...8)
    func `rubbish in any pieces is answered or refused`(seed: UInt64) {
        let store = StateStore(clock: SimulatedClock(), options: .manual, seed: seed)
        var random = RandomCommands(seed: seed)
        var client = store.makeClient()
        for _ in 0..<1500 {
            if client.isClosed { client = store.makeClient() }
            var bytes: [UInt8] = []
            for _ in 0..<1 + random.below(3) {
                let words = random.next()
                bytes += Array("*\(words.count)\r\n".utf8)
                for word in words { bytes += Array("$\(word.utf8.count)\r\n\(word)\r\n".utf8) }
            }
            for _ in 0..<random.below(4) where !bytes.isEmpty {
                let place = random.below(bytes.count)
                switch random.below(5) {
                case 0: bytes[place] = UInt8(random.below(256))
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(UInt8(random.below(256)), at: place)
                case 3: bytes.removeLast(bytes.count - place)
                default:
                    bytes.insert(contentsOf: Array("99999999999999999999".utf8.prefix(random.below(20))), at: place)
                }
            }
            var rest = bytes[...]
            while !rest.isEmpty, !client.isClosed {
                let count = min(rest.count, 1 + random.below(40))
                _ = client.send(Array(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
        }
        #expect(store.makeClient().run("PING") == "+PONG\r\n")
    }

    @Test(arguments: 1...4)
    func `every command takes any words`(seed: UInt64) {
        let client = StateStore(clock: SimulatedClock(), options: .manual, seed: seed).makeClient()
        var random = RandomCommands(seed: seed)
        let names = client.run("COMMAND", "LIST").components(separatedBy: "\r\n").filter {
            !$0.isEmpty && !"$*".contains($0.first ?? "$")
        }
        #expect(names.count > 100)
        for _ in 0..<6000 {
            let name = names[random.below(names.count)]
            guard name != "quit" else { continue }
            var words = [name]
            for _ in 0..<random.below(7) {
                words.append(
                    random.pick(
                        "k1", "k2", "k3", "f1", "", "0", "1", "-1", "9223372036854775807", "-9223372036854775808",
                        "1.5", "(2",
                        "-inf", "inf", "nan", "*", "[", "GET", "NX", "XX", "CH", "INCR", "WITHSCORES", "LIMIT",
                        "BYSCORE", "REV",
                        "MATCH", "COUNT", "EX", "PX", "PXAT", "AUTH", "SETNAME", "DOCS", "USAGE", "LEFT", "4294967295"))
            }
            #expect(!client.run(words: words).isEmpty || client.isClosed, "\(words)")
        }
    }

    @Test func `a request of very many words in small pieces is read in linear time`() {
        let client = StateStore(options: .manual, seed: 1).makeClient()
        var request = Array("*200001\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n".utf8)
        for _ in 0..<199_999 { request += Array("$1\r\nx\r\n".utf8) }
        var reply: [UInt8] = []
        for start in stride(from: 0, to: request.count, by: 1000) {
            reply = client.send(Array(request[start..<min(start + 1000, request.count)]))
        }
        #expect(reply == Array(":199999\r\n".utf8))
    }

    @Test func `a reply parser refuses rubbish`() {
        var random = RandomCommands(seed: 4)
        for _ in 0..<3000 {
            var parser = RedisReplyParser()
            let pieces = (0..<random.below(8)).map { _ in
                random.pick(
                    "*3\r\n", "$5\r\n", "hello\r\n", ":1\r\n", "%1\r\n", "_\r\n", ",1.5\r\n", "-ERR\r\n", "$-1\r\n",
                    "x", "*-9\r\n", "*1\r\n")
            }
            Array(pieces.joined().utf8).withUnsafeBytes { parser.append($0) }
            while let reply = try? parser.next() { _ = reply }
        }
        var deep = RedisReplyParser()
        Array(String(repeating: "*1\r\n", count: 10_000).utf8).withUnsafeBytes { deep.append($0) }
        #expect(throws: StateError.self) { _ = try deep.next() }
    }
}
