import OgawaCore
import OgawaPlatform
import OgawaState
import OgawaTesting
import Synchronization

/// A state on a disk in memory, to be opened, crashed and opened again.
struct TestBench {
    static let directory = "/data/state"

    let fileSystem = MemoryFileSystem()
    let clock = SimulatedClock()

    func open(through wrapper: (any FileSystem)? = nil) throws -> StateStore {
        var options = StateOptions()
        options.runsInBackground = false
        return try StateStore.open(
            directory: TestBench.directory, fileSystem: wrapper ?? fileSystem, clock: clock, options: options, seed: 99)
    }

    func paths(_ ending: String) -> [String] { fileSystem.paths.filter { $0.hasSuffix(ending) } }
}

/// Everything in the first two databases, as text that does not depend on the order in tables.
func contents(_ client: StateClient) -> [String: String] {
    var found: [String: String] = [:]
    for database in ["0", "1"] {
        _ = client.run("SELECT", database)
        for key in bulks(client.run("KEYS", "*")) {
            let type = client.run("TYPE", key)
            let value =
                switch type {
                case "+string\r\n": client.run("GET", key)
                case "+list\r\n": client.run("LRANGE", key, "0", "-1")
                case "+hash\r\n": pairs(client.run("HGETALL", key))
                case "+set\r\n": bulks(client.run("SMEMBERS", key)).sorted().joined(separator: ",")
                default: client.run("ZRANGE", key, "0", "-1", "WITHSCORES")
                }
            found["\(database)/\(key)"] = "\(type)\(client.run("PEXPIRETIME", key))\(value)"
        }
    }
    _ = client.run("SELECT", "0")
    return found
}

/// The bulk strings of a flat reply.
func bulks(_ reply: String) -> [String] {
    let lines = reply.components(separatedBy: "\r\n")
    return lines.indices.filter { $0 > 0 && lines[$0 - 1].hasPrefix("$") }.map { lines[$0] }
}

private func pairs(_ reply: String) -> String {
    let words = bulks(reply)
    return stride(from: 0, to: words.count - 1, by: 2).map { "\(words[$0])=\(words[$0 + 1])" }.sorted()
        .joined(separator: ",")
}

extension String {
    /// The pieces between separators, without Foundation.
    func components(separatedBy separator: String) -> [String] {
        var pieces: [String] = []
        var rest = Array(utf8)[...]
        let mark = Array(separator.utf8)
        var piece: [UInt8] = []
        while let first = rest.first {
            if rest.starts(with: mark) {
                pieces.append(String(decoding: piece, as: UTF8.self))
                piece = []
                rest = rest.dropFirst(mark.count)
            } else {
                piece.append(first)
                rest = rest.dropFirst()
            }
        }
        return pieces + [String(decoding: piece, as: UTF8.self)]
    }
}

/// Commands by chance, over few keys so that they meet.
struct RandomCommands {
    var random: SplitMix64
    var keyCount = 8
    var fieldCount = 12
    /// Whether commands may depend on the clock.
    var usesTime = true
    /// Bytes of most values.
    var valueByteCount = 0

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    mutating func below(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }

    mutating func pick(_ words: String...) -> String { words[below(words.count)] }

    private mutating func key() -> String { "k\(below(keyCount))" }

    private mutating func field() -> String { "f\(below(fieldCount))" }

    private mutating func value() -> String {
        switch below(5) {
        case 0: "\(below(100) - 50)"
        case 1: "\(Double(below(64)) / 4)"
        case 2: ""
        default: "v\(below(30))" + String(repeating: "x", count: valueByteCount)
        }
    }

    private mutating func score() -> String {
        switch below(6) {
        case 0: "\(Double(below(40)) / 4 - 3)"
        case 1: pick("inf", "-inf", "1e3")
        default: "\(below(10))"
        }
    }

    private mutating func bound() -> String { pick("", "", "(") + (below(6) == 0 ? pick("-inf", "+inf") : score()) }

    private mutating func index() -> String { "\(below(12) - 6)" }

    /// A command as words.
    mutating func next() -> [String] {
        switch below(11) {
        case 0...1: strings()
        case 2: keys()
        case 3...4: hashes()
        case 5...6: lists()
        case 7: sets()
        default: sortedSets()
        }
    }

    private mutating func strings() -> [String] {
        switch below(16) {
        case 0: ["GET", key()]
        case 1: ["SET", key(), value()]
        case 2: ["SET", key(), value(), pick("NX", "XX", "KEEPTTL", "GET", "nonsense")]
        case 3: ["SETNX", key(), value()]
        case 4: ["GETSET", key(), value()]
        case 5: ["GETDEL", key()]
        case 6: ["MGET", key(), key(), key()]
        case 7: ["MSET", key(), value(), key(), value()]
        case 8: ["INCR", key()]
        case 9: ["DECRBY", key(), value()]
        case 10: ["INCRBY", key(), value()]
        case 11: ["INCRBYFLOAT", key(), value()]
        case 12: ["APPEND", key(), value()]
        case 13: ["STRLEN", key()]
        case 14: ["GETRANGE", key(), index(), index()]
        default: usesTime ? ["SET", key(), value(), "PXAT", "\(below(2_000_000))"] : ["DECR", key()]
        }
    }

    private mutating func keys() -> [String] {
        switch below(9) {
        case 0: ["DEL", key(), key()]
        case 1: ["EXISTS", key(), key()]
        case 2: ["TYPE", key()]
        case 3: ["RENAME", key(), key()]
        case 4: ["RENAMENX", key(), key()]
        case 5: ["PERSIST", key()]
        case 6: ["UNLINK", key()]
        case 7: usesTime ? ["PEXPIRE", key(), "\(below(100_000))"] : ["TTL", key()]
        default: usesTime ? ["PEXPIRE", key(), "100000", pick("NX", "XX", "GT", "LT")] : ["DBSIZE"]
        }
    }

    private mutating func hashes() -> [String] {
        switch below(12) {
        case 0...2: ["HSET", key(), field(), value(), field(), value()]
        case 3: ["HGET", key(), field()]
        case 4: ["HMGET", key(), field(), field()]
        case 5: ["HDEL", key(), field(), field()]
        case 6: ["HLEN", key()]
        case 7: ["HEXISTS", key(), field()]
        case 8: ["HINCRBY", key(), field(), value()]
        case 9: ["HINCRBYFLOAT", key(), field(), value()]
        case 10: ["HSETNX", key(), field(), value()]
        default: ["HMSET", key(), field(), value()]
        }
    }

    private mutating func lists() -> [String] {
        switch below(14) {
        case 0...2: [pick("LPUSH", "RPUSH"), key(), value(), value()]
        case 3: [pick("LPUSHX", "RPUSHX"), key(), value()]
        case 4: [pick("LPOP", "RPOP"), key()]
        case 5: [pick("LPOP", "RPOP"), key(), "\(below(4))"]
        case 6: ["LLEN", key()]
        case 7: ["LINDEX", key(), index()]
        case 8: ["LRANGE", key(), index(), index()]
        case 9: below(3) == 0 ? ["LTRIM", key(), index(), index()] : ["LRANGE", key(), "0", "-1"]
        case 10: ["LSET", key(), index(), value()]
        case 11: ["LREM", key(), "\(below(5) - 2)", value()]
        case 12: ["RPOPLPUSH", key(), key()]
        default: ["LMOVE", key(), key(), pick("LEFT", "RIGHT"), pick("LEFT", "RIGHT")]
        }
    }

    private mutating func sets() -> [String] {
        switch below(5) {
        case 0...1: ["SADD", key(), value(), value()]
        case 2: ["SREM", key(), value()]
        case 3: ["SISMEMBER", key(), value()]
        default: ["SCARD", key()]
        }
    }

    private mutating func sortedSets() -> [String] {
        switch below(18) {
        case 0...3: ["ZADD", key(), score(), field(), score(), field()]
        case 4: ["ZADD", key(), pick("NX", "XX", "GT", "LT"), pick("CH", "CH", "INCR", "XX"), score(), field()]
        case 5: ["ZREM", key(), field(), field()]
        case 6: ["ZSCORE", key(), field()]
        case 7: ["ZCARD", key()]
        case 8: [pick("ZRANK", "ZREVRANK"), key(), field()]
        case 9: ["ZRANGE", key(), index(), index(), "WITHSCORES"]
        case 10: ["ZREVRANGE", key(), index(), index()]
        case 11: ["ZRANGEBYSCORE", key(), bound(), bound(), "WITHSCORES"]
        case 12: ["ZREVRANGEBYSCORE", key(), bound(), bound(), "LIMIT", "\(below(3))", "\(below(5) - 1)"]
        case 13: ["ZRANGE", key(), bound(), bound(), "BYSCORE", pick("REV", "WITHSCORES"), "LIMIT", "0", "3"]
        case 14:
            below(2) == 0
                ? ["ZREMRANGEBYSCORE", key(), bound(), bound()] : ["ZREMRANGEBYRANK", key(), index(), index()]
        case 15: ["ZCOUNT", key(), bound(), bound()]
        case 16: ["ZINCRBY", key(), score(), field()]
        default: [pick("ZPOPMIN", "ZPOPMAX"), key()]
        }
    }
}
