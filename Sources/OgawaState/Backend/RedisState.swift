// State in a Redis server. A batch costs two round trips: one to load all its keys, one to commit. The commit is a script, which
// Redis runs alone: it compares the epoch, then changes fields and progress together.

import OgawaCore
import OgawaPlatform
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Keeps functions' state in a Redis server.
///
/// **Isolation.** Any thread; each call has a connection to itself.
/// **Errors.** A server that is gone is looked for again for `patience`, with growing pauses; then the call fails with
/// ``StateError/Code/unavailable`` and may be made again. All calls may be repeated without harm.
package final class RedisState: StateBackend {
    private let address: RedisAddress
    private let limits: StateLimits
    private let patience: Duration
    private let idle = Mutex<[Box]>([])
    /// Told when the server goes and when it is back.
    private let note: @Sendable (String) -> Void
    private let isDown = Atomic<Bool>(false)

    /// A connection on its way from one thread to another.
    // SAFETY: a connection is in the pool or with one caller, never with two.
    private struct Box: @unchecked Sendable {
        let connection: RedisConnection
    }

    /// Prepares; the first call connects.
    package init(
        _ address: RedisAddress, limits: StateLimits = StateLimits(), patience: Duration = .seconds(2),
        note: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.address = address
        self.limits = limits
        self.patience = patience
        self.note = note
    }

    // MARK: StateBackend

    package func acquire(function: String, part: String) throws -> StateLease {
        try StateNames.check(function)
        let key = RedisWord.text(StateNames.progress(function))
        let replies = try send([
            ["MULTI"], ["HINCRBY", key, .text(StateNames.epochField(part)), "1"],
            ["HGET", key, .text(StateNames.progressField(part))], ["EXEC"],
        ])
        guard case .array(let results) = replies[3], results.count == 2,
            case .integer(let epoch) = try checked(results[0])
        else { throw unexpected("EXEC") }
        if case .bulk(let progress) = results[1] {
            return StateLease(epoch: UInt64(clamping: epoch), progress: progress)
        }
        return StateLease(epoch: UInt64(clamping: epoch), progress: nil)
    }

    package func load(function: String, keys: [String], now: Timestamp) throws -> [[UInt8]?] {
        try StateNames.check(function)
        guard !keys.isEmpty else { return [] }
        let words = keys.map { RedisWord.text($0) }
        let replies = try send([
            ["HMGET", .text(function)] + words, ["ZMSCORE", .text(StateNames.expiry(function))] + words,
        ])
        guard let values = try checked(replies[0]).elements, let ends = try checked(replies[1]).elements,
            values.count == keys.count, ends.count == keys.count
        else { throw unexpected("HMGET") }
        let time = Double(StateNames.milliseconds(now))
        return zip(values, ends).map { value, end in
            guard case .bulk(let bytes) = value, !isOver(end, time) else { return nil }
            return bytes
        }
    }

    private func isOver(_ end: RedisReply, _ time: Double) -> Bool {
        switch end {
        case .double(let score): score <= time
        case .bulk(let text): withSlice(text) { $0.double }.map { $0 <= time } ?? false
        default: false
        }
    }

    package func commit(_ commit: StateCommit) throws {
        try StateNames.check(commit.function)
        try limits.check(commit)
        var words: [RedisWord] = [
            "EVALSHA", .text(RedisState.scriptHash), "3", .text(commit.function),
            .text(StateNames.expiry(commit.function)), .text(StateNames.progress(commit.function)),
            .text(String(commit.epoch)), .text(StateNames.epochField(commit.part)),
            .text(StateNames.progressField(commit.part)), commit.progress == nil ? "0" : "1",
            .bytes(commit.progress ?? []), .text(String(StateNames.milliseconds(commit.now))),
            .text(String(StateNames.mostEnded)),
        ]
        for change in commit.changes {
            words.append(.text(change.key))
            words.append(change.value == nil ? "0" : "1")
            words.append(.bytes(change.value ?? []))
            words.append(.text(change.expiry.map { String(StateNames.milliseconds($0)) } ?? ""))
        }
        var reply = try send([words])[0]
        if case .error(let text) = reply, text.hasPrefix("NOSCRIPT") {
            // A server that was started anew does not know the script; sent whole it learns it.
            words[0] = "EVAL"
            words[1] = .text(RedisState.script)
            reply = try send([words])[0]
        }
        switch try checked(reply) {
        case .status("OK"): return
        case .array(let parts) where parts.count == 2:
            throw StateNames.fenced(commit, by: parts[1].text.flatMap { UInt64($0) } ?? 0)
        default: throw unexpected("the commit")
        }
    }

    package func flush(_ completion: @escaping @Sendable (Result<Void, StateError>) -> Void) {
        // What Redis answered is as durable as its own settings make it.
        completion(.success(()))
    }

    package func entries(function: String, now: Timestamp) throws -> [String: [UInt8]] {
        try StateNames.check(function)
        let replies = try send([
            ["HGETALL", .text(function)],
            [
                "ZRANGEBYSCORE", .text(StateNames.expiry(function)), "-inf",
                .text(String(StateNames.milliseconds(now))),
            ],
        ])
        guard let pairs = try checked(replies[0]).elements, let ended = try checked(replies[1]).elements else {
            throw unexpected("HGETALL")
        }
        let endedKeys = Set(ended.compactMap(\.text))
        var entries: [String: [UInt8]] = [:]
        for index in stride(from: 0, to: pairs.count - 1, by: 2) {
            guard let key = pairs[index].text, case .bulk(let value) = pairs[index + 1], !endedKeys.contains(key) else {
                continue
            }
            entries[key] = value
        }
        return entries
    }

    // MARK: Round trips

    private func checked(_ reply: RedisReply) throws -> RedisReply {
        if case .error(let text) = reply { throw RedisConnection.failure(text, address) }
        return reply
    }

    private func unexpected(_ command: String) -> StateError {
        StateError(.refused, "the Redis server at \(address) gave an unexpected answer to \(command)")
    }

    /// One round trip, repeated with growing pauses while the server cannot be reached or is not ready.
    private func send(_ commands: [[RedisWord]]) throws -> [RedisReply] {
        var pause = Duration.milliseconds(20)
        let clock = ContinuousClock()
        let deadline = clock.now + patience
        while true {
            do {
                let connection = try idle.withLock { $0.popLast() }?.connection ?? RedisConnection(address)
                let replies = try connection.send(commands)
                if let text = replies.lazy.compactMap(RedisState.passing).first {
                    throw RedisConnection.failure(text, address)
                }
                idle.withLock { [box = Box(connection: connection)] in $0.append(box) }
                if isDown.exchange(false, ordering: .relaxed) { note("the Redis server at \(address) is back") }
                return replies
            } catch let error as StateError where error.code == .unavailable {
                // Others in the pool are likely to be gone as well.
                idle.withLock { $0.removeAll() }
                if !isDown.exchange(true, ordering: .relaxed) { note(error.message) }
                guard clock.now + pause < deadline else { throw error }
                RedisState.sleep(pause)
                pause = min(pause * 2, .seconds(1))
            }
        }
    }

    /// The text of an error that passes by itself, such as that of a server that is starting.
    private static func passing(_ reply: RedisReply) -> String? {
        guard case .error(let text) = reply else { return nil }
        return ["LOADING", "BUSY ", "TRYAGAIN", "MASTERDOWN", "READONLY"].contains { text.hasPrefix($0) } ? text : nil
    }

    private static func sleep(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        nanosleep(&time, nil)
    }
}
