import OgawaCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Why a talk with a worker ended.
enum ChannelError: Error, Hashable {
    /// The other side closed it or ended.
    case closed
    case timedOut
    /// A message larger than allowed, with its size.
    case tooLarge(Int)
    case malformed(String)
    case failed(Int32)
}

/// One message: a JSON header and a block of bytes that the header describes.
struct Frame {
    var header: JSONValue
    var payload: [UInt8]
}

/// Sends and receives frames over a socket that does not block.
///
/// **Shape.** `| header length: u32 LE | payload length: u32 LE | header: JSON | payload |`
/// **Isolation.** One thread at a time.
struct FrameChannel {
    private static let headerLimit = 64 << 20

    let descriptor: Int32
    let payloadLimit: Int

    func send(header: [UInt8], payload: [UInt8], deadline: ContinuousClock.Instant) throws(ChannelError) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + header.count + payload.count)
        for length in [header.count, payload.count] {
            guard let length = UInt32(exactly: length) else { throw .tooLarge(length) }
            withUnsafeBytes(of: length.littleEndian) { bytes.append(contentsOf: $0) }
        }
        bytes += header
        bytes += payload
        try sendAll(bytes, descriptor, deadline)
    }

    func receive(deadline: ContinuousClock.Instant) throws(ChannelError) -> Frame {
        let lengths = try receiveBytes(8, deadline)
        let headerCount = Int(FrameChannel.unsigned(lengths, 0))
        let payloadCount = Int(FrameChannel.unsigned(lengths, 4))
        guard headerCount <= min(FrameChannel.headerLimit, payloadLimit) else { throw .tooLarge(headerCount) }
        guard payloadCount <= payloadLimit else { throw .tooLarge(payloadCount) }
        let body = try receiveBytes(headerCount + payloadCount, deadline)
        do {
            return Frame(header: try JSONValue(parsing: body[..<headerCount]), payload: Array(body[headerCount...]))
        } catch {
            throw .malformed("a message's header is no JSON: \(error)")
        }
    }

    private static func unsigned(_ bytes: [UInt8], _ start: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << (8 * UInt32($1)) }
    }

    private func receiveBytes(_ count: Int, _ deadline: ContinuousClock.Instant) throws(ChannelError) -> [UInt8] {
        var bytes: [UInt8] = []
        // What is announced need not come; room is taken as it does.
        bytes.reserveCapacity(min(count, 1 << 20))
        while bytes.count < count {
            let part = try receiveSome(upTo: min(count - bytes.count, 1 << 20), descriptor, deadline)
            bytes += part
        }
        return bytes
    }
}

/// Writes all bytes, waiting where the other side is slow.
func sendAll(_ bytes: [UInt8], _ descriptor: Int32, _ deadline: ContinuousClock.Instant) throws(ChannelError) {
    var sent = 0
    while sent < bytes.count {
        let count = bytes[sent...].withUnsafeBytes { rest in
            #if canImport(Glibc)
                let result = Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            #else
                let result = Darwin.send(descriptor, rest.baseAddress, rest.count, 0)
            #endif
            // A pipe is no socket; the process ignores SIGPIPE.
            return result < 0 && errno == ENOTSOCK ? write(descriptor, rest.baseAddress, rest.count) : result
        }
        if count > 0 {
            sent += count
        } else if errno == EAGAIN {
            try waitUntilReady(descriptor, Int16(POLLOUT), deadline)
        } else if errno == EPIPE || errno == ECONNRESET {
            throw .closed
        } else if errno != EINTR {
            throw .failed(errno)
        }
    }
}

/// Reads what is there, at least one byte.
func receiveSome(
    upTo limit: Int, _ descriptor: Int32, _ deadline: ContinuousClock.Instant
) throws(ChannelError) -> [UInt8] {
    while true {
        var failure: Int32 = 0
        var isAtEnd = false
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            let result = read(descriptor, buffer.baseAddress, limit)
            count = max(0, result)
            isAtEnd = result == 0
            if result < 0 { failure = errno }
        }
        if !bytes.isEmpty { return bytes }
        if isAtEnd || failure == ECONNRESET { throw .closed }
        if failure == EAGAIN {
            try waitUntilReady(descriptor, Int16(POLLIN), deadline)
        } else if failure != EINTR {
            throw .failed(failure)
        }
    }
}

/// Sleeps until a descriptor can be read or written.
func waitUntilReady(
    _ descriptor: Int32, _ events: Int16, _ deadline: ContinuousClock.Instant
) throws(ChannelError) {
    var entry = pollfd(fd: descriptor, events: events, revents: 0)
    while true {
        let ready = poll(&entry, 1, pollMilliseconds(until: deadline))
        if ready > 0 { return }
        if ready < 0, errno != EINTR { throw .failed(errno) }
        if ContinuousClock.now >= deadline { throw .timedOut }
    }
}
