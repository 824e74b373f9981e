import OgawaCore
import OgawaState
import OgawaTesting
import Testing

/// The same commands to a real redis-server and to ours, reply by reply.
@Suite(.enabled(if: RedisServer.isInstalled), .serialized) struct DifferentialTests {
    /// One reply of ours.
    private func reply(_ client: StateClient, _ words: [String]) throws -> RedisReply {
        var parser = RedisReplyParser()
        Array(client.run(words: words).utf8).withUnsafeBytes { parser.append($0) }
        return try #require(try parser.next())
    }

    /// Replies that mean the same: numbers with fractions may be written with another last digit.
    private func isSame(_ ours: RedisReply, _ theirs: RedisReply) -> Bool {
        if ours == theirs { return true }
        if let first = ours.elements, let second = theirs.elements {
            return first.count == second.count && zip(first, second).allSatisfy { isSame($0, $1) }
        }
        guard case .bulk = ours, case .bulk = theirs, let first = ours.text.flatMap({ Double($0) }),
            let second = theirs.text.flatMap({ Double($0) })
        else { return false }
        return abs(first - second) <= abs(first) * 1e-12
    }

    private func compare(_ commands: [[String]], _ client: StateClient, _ redis: RedisConnection, _ place: String)
        throws
    {
        let theirs = try redis.send(commands.map { $0.map { .text($0) } })
        for (index, words) in commands.enumerated() {
            let ours = try reply(client, words)
            guard !isSame(ours, theirs[index]) else { continue }
            Issue.record("\(place), command \(index) \(words): ours \(ours), Redis \(theirs[index])")
            return
        }
    }

    @Test(arguments: [2, 3])
    func `random commands are answered as Redis answers them`(version: Int) throws {
        let server = try RedisServer()
        defer { server.stop() }
        let redis = try RedisConnection(server.address)
        let client = StateStore(clock: SimulatedClock(), options: .manual, seed: 5).makeClient()
        _ = try redis.send([["HELLO", .text("\(version)")]])
        _ = client.run("HELLO", "\(version)")
        for seed in UInt64(1)...40 {
            var commands = RandomCommands(seed: seed)
            commands.usesTime = false
            commands.keyCount = 2 + Int(seed % 7)
            try compare([["FLUSHALL"]], client, redis, "seed \(seed)")
            try compare((0..<400).map { _ in commands.next() }, client, redis, "version \(version), seed \(seed)")
            for key in 0..<commands.keyCount where seed % 4 == 0 {
                for command in ["HGETALL", "SMEMBERS", "HKEYS", "HVALS"] {
                    let ours = try reply(client, [command, "k\(key)"])
                    let theirs = try redis.send([[.text(command), .text("k\(key)")]])[0]
                    #expect(sorted(ours, pairs: command == "HGETALL") == sorted(theirs, pairs: command == "HGETALL"))
                }
            }
        }
    }

    /// The text of a reply whose order means nothing.
    private func sorted(_ reply: RedisReply, pairs: Bool) -> [String] {
        guard let elements = reply.elements else { return ["\(reply)"] }
        guard pairs else { return elements.map { "\($0)" }.sorted() }
        return stride(from: 0, to: elements.count - 1, by: 2).map { "\(elements[$0])=\(elements[$0 + 1])" }.sorted()
    }

    @Test func `random transactions are answered as Redis answers them`() throws {
        let server = try RedisServer()
        defer { server.stop() }
        let redis = try RedisConnection(server.address)
        let client = StateStore(clock: SimulatedClock(), options: .manual, seed: 5).makeClient()
        for seed in UInt64(1)...40 {
            var commands = RandomCommands(seed: seed)
            commands.usesTime = false
            var list: [[String]] = [["FLUSHALL"]]
            for _ in 0..<200 {
                switch commands.below(9) {
                case 0...1: list.append(["MULTI"])
                case 2: list.append(["EXEC"])
                case 3: if commands.below(4) == 0 { list.append(["DISCARD"]) }
                case 4: if commands.below(3) == 0 { list.append(["WATCH", "k1"]) } else { list.append(["UNWATCH"]) }
                case 5: if commands.below(6) == 0 { list.append(["NONSENSE", "a"]) } else { list.append(["GET"]) }
                default: list.append(commands.next())
                }
            }
            list.append(["DISCARD"])
            try compare(list, client, redis, "seed \(seed)")
        }
    }

    /// Requests with a certain answer, the corner cases among them.
    @Test func `errors and corners are worded as Redis words them`() throws {
        let server = try RedisServer()
        defer { server.stop() }
        let redis = try RedisConnection(server.address)
        let client = StateStore(options: .manual, seed: 5).makeClient()
        let lines = """
            GET|SET a|SET a b c|SET a b EX|SET a b EX 0|SET a b EX -1|SET a b EX x|SET a b EX 9223372036854775807|SET a b PX 1 KEEPTTL
            SET a b NX XX|SET a 1 EX 100|TTL a|SET a 2 KEEPTTL|TTL a|SET a 3|TTL a|SETEX a 0 x|SETEX a x x|PSETEX a 100000 x|TTL a
            GETEX a PERSIST|TTL a|GETEX a EX 100|TTL a|GETEX a NONSENSE|GETEX nothing|EXPIRE a|EXPIRE a x|EXPIRE a 100 NX GT|EXPIRE a 100 ZZ
            EXPIRE a 9223372036854775807|EXPIRE nothing 10|EXPIRE a -1|EXISTS a|PERSIST a|TTL nothing|PTTL nothing|TYPE nothing|INCRBY n x
            SET n 9223372036854775806|INCR n|INCR n|DECRBY n -9223372036854775808|INCRBY n -9223372036854775808|INCRBYFLOAT n 1.5
            SET f 3.0e3|INCRBYFLOAT f 200|INCRBYFLOAT f x|INCRBYFLOAT f inf|SET f abc|INCRBYFLOAT f 1|INCRBYFLOAT g -0|INCRBYFLOAT g 0.1
            RENAME nothing b|SET r 1|RENAME r r|RENAMENX r r|OBJECT ENCODING nothing|MSET a|MSET a 1 b|MGET a nothing b|MSETNX a 1 zz 2
            HSET h|HSET h f|HSET h f v g|HSET h f 1 f 2|HGET h f|HINCRBY h f x|HSET h s abc|HINCRBY h s 1|HINCRBYFLOAT h s 1|HINCRBYFLOAT h f 0.5
            HDEL nothing f|HLEN nothing|HMGET nothing a b|HGETALL nothing|HEXISTS nothing f|HSETNX h f 1|HSTRLEN h f|HSET n f v|HMSET h a|HMSET h a 1
            LPUSH l 1 2 3|LINDEX l x|LINDEX l 100|LSET nothing 0 x|LSET l 100 x|LSET l x y|LPOP l x|LPOP l -1|LPOP l 0|LPOP nothing 2|LPOP nothing
            LRANGE l 0|LRANGE l a b|LRANGE l -100 100|LRANGE l 5 1|LTRIM l 1 0|EXISTS l|LREM nothing 0 x|LPUSHX nothing 1|LMOVE a b LEFT UP|LLEN n
            ZADD z 1|ZADD z x a|ZADD z NX XX 1 a|ZADD z GT LT 1 a|ZADD z NX GT 1 a|ZADD z INCR 1 a 2 b|ZADD z nan a|ZADD z 1 a 2 b 3 c|ZADD z CH 5 a
            ZADD z INCR inf a|ZADD z INCR -inf a|ZINCRBY z x a|ZINCRBY z 1.5 b|ZSCORE z b|ZSCORE z nothing|ZRANK z nothing|ZRANGE z 0 -1 LIMIT 0 1
            ZRANGE z a b|ZRANGE z 0 -1 NONSENSE|ZRANGEBYSCORE z a b|ZRANGEBYSCORE z (1 inf|ZRANGEBYSCORE z -inf +inf WITHSCORES LIMIT 1 1
            ZREVRANGEBYSCORE z +inf -inf LIMIT 0 -1|ZRANGE z +inf -inf BYSCORE REV|ZRANGE z -inf +inf BYSCORE REV|ZCOUNT z 1 x|ZCOUNT nothing 1 2
            ZRANGEBYSCORE z -inf +inf LIMIT -1 5|ZRANGEBYSCORE z -inf +inf LIMIT 0 0|ZREMRANGEBYRANK z x 1|ZREMRANGEBYRANK z 0 0|ZPOPMIN z 0
            ZPOPMIN nothing|ZPOPMAX z x|ZMSCORE z b nothing|ZADD n 1 a|ZRANGE n 0 -1|SADD s a b a|SISMEMBER s a|SMISMEMBER s a z|SREM s a z|SCARD n
            SCARD nothing|SMEMBERS nothing|EXEC|DISCARD|MULTI|MULTI|WATCH a|SET q 1|EXEC|UNWATCH|MULTI|GET|EXEC|MULTI|LPUSH q 1|GET q|EXEC
            SELECT x|SELECT 99|SELECT 1|DBSIZE|SET inone 1|SELECT 0|EXISTS inone|ECHO|ECHO hi|PING|PING hi|PING a b|AUTH x|AUTH user x|HELLO 9
            HELLO x|CLIENT SETNAME ok|CLIENT GETNAME|CONFIG GET maxmemory-policy|FLUSHALL NONSENSE|SCAN x|SCAN 0 COUNT 0
            SCAN 0 COUNT x|SCAN 0 MATCH|SCAN 0 ZZ 1|HSCAN nothing 0|ZSCAN nothing 0|HSCAN n 0|TOUCH a nothing|GETRANGE nothing 0 -1|GETRANGE n 0 1
            GETSET n 5|GETDEL nothing|STRLEN h|APPEND h x|APPEND ap ""|EXISTS ap|SETNX n 1|GET h|INCR h|EXPIRETIME nothing|OBJECT REFCOUNT nothing
            """
        let commands = lines.split { $0 == "|" || $0 == "\n" }.map { line in
            line.split(separator: " ").map { $0 == "\"\"" ? "" : String($0) }
        }
        let theirs = try redis.send(commands.map { $0.map { .text($0) } })
        for (words, expected) in zip(commands, theirs) {
            let ours = try reply(client, words)
            #expect(isSame(ours, expected), "\(words.joined(separator: " ")): ours \(ours), Redis \(expected)")
        }
    }

    @Test func `patterns match as in Redis`() throws {
        let server = try RedisServer()
        defer { server.stop() }
        let redis = try RedisConnection(server.address)
        let client = StateStore(options: .manual, seed: 5).makeClient()
        var random = RandomCommands(seed: 3)
        for _ in 0..<60 {
            let key = (0..<random.below(5)).map { _ in random.pick("a", "b", "c", "-", "*", "[", "]") }.joined()
            _ = client.run("SET", key, "1")
            _ = try redis.send([["SET", .text(key), "1"]])
        }
        for _ in 0..<300 {
            let pattern = (0..<random.below(7)).map { _ in
                random.pick("a", "b", "*", "?", "[ab]", "[^a]", "[a-c]", "\\", "\\*", "[", "]")
            }.joined()
            let ours = try reply(client, ["KEYS", pattern])
            let theirs = try redis.send([["KEYS", .text(pattern)]])[0]
            #expect(sorted(ours, pairs: false) == sorted(theirs, pairs: false), "pattern \(pattern)")
        }
    }
}
