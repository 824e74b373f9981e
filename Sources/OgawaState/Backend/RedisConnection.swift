#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A connection to a Redis server that sends many commands at once and waits for all replies.
///
/// **Isolation.** One thread at a time.
/// **Errors.** ``StateError`` with ``StateError/Code/unavailable``; the connection is of no use after it.
package final class RedisConnection {
    private let descriptor: Int32
    private let address: RedisAddress
    private var parser = RedisReplyParser()
    private let output = GrowingBytes.make(capacity: 4096)
    private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 64)

    /// Connects, says who is there, and chooses the database.
    package init(_ address: RedisAddress, timeout: Duration = .seconds(5)) throws {
        self.address = address
        do {
            descriptor = try Sockets.connect(address.socket, timeout: timeout)
        } catch {
            throw StateError(.unavailable, "the Redis server at \(address) cannot be reached: \(error)")
        }
        var greetings: [[RedisWord]] = []
        if let password = address.password {
            greetings.append(["AUTH"] + (address.user.map { [.text($0)] } ?? []) + [.text(password)])
        }
        if address.database != 0 { greetings.append(["SELECT", .text(String(address.database))]) }
        if greetings.isEmpty { greetings.append(["PING"]) }
        for reply in try send(greetings) {
            if case .error(let text) = reply { throw RedisConnection.failure(text, address) }
        }
    }

    deinit {
        close(descriptor)
        output.pointee.free()
        output.deallocate()
        input.deallocate()
    }

    /// Sends commands in one go and returns their replies.
    package func send(_ commands: [[RedisWord]]) throws -> [RedisReply] {
        output.pointee.removeAll()
        for command in commands {
            output.pointee.replyArray(command.count)
            for word in command {
                switch word {
                case .text(let text): output.pointee.replyBulk(text: text)
                case .bytes(let bytes): withSlice(bytes) { output.pointee.replyBulk($0) }
                }
            }
        }
        defer { output.pointee.shrink(to: 1 << 20) }
        var sent = 0
        while sent < output.pointee.count {
            let count = Sockets.send(descriptor, output.pointee.base + sent, output.pointee.count - sent)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw lost("sending") }
            sent += count
        }
        var replies: [RedisReply] = []
        replies.reserveCapacity(commands.count)
        while replies.count < commands.count {
            if let reply = try parser.next() {
                replies.append(reply)
                continue
            }
            let count = recv(descriptor, input.baseAddress, input.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw lost(count == 0 ? "it closed the connection" : "waiting for replies") }
            parser.append(UnsafeRawBufferPointer(rebasing: input[..<count]))
        }
        return replies
    }

    private func lost(_ what: String) -> StateError {
        let reason = errno == EAGAIN || errno == EWOULDBLOCK ? "no answer in time" : String(cString: strerror(errno))
        return StateError(.unavailable, "the Redis server at \(address) was lost (\(what): \(reason))")
    }

    /// What an error of the server means.
    static func failure(_ text: String, _ address: RedisAddress) -> StateError {
        let word = text.prefix { $0 != " " }
        switch word {
        case "LOADING", "BUSY", "TRYAGAIN", "MASTERDOWN", "CLUSTERDOWN", "READONLY", "MISCONF", "NOREPLICAS":
            return StateError(.unavailable, "the Redis server at \(address) is not ready: \(text)")
        case "OOM":
            return StateError(
                .outOfMemory, "the Redis server at \(address) has no memory left: \(text)", hint: "raise its maxmemory")
        case "WRONGTYPE":
            return StateError(
                .wrongType, "a key of the state holds something else in the Redis server at \(address): \(text)")
        default: return StateError(.refused, "the Redis server at \(address) refused: \(text)")
        }
    }
}

/// A word of a command.
package enum RedisWord: Sendable, ExpressibleByStringLiteral {
    case text(String)
    case bytes([UInt8])

    package init(stringLiteral text: String) { self = .text(text) }
}
