/// A reply in the Redis protocol, version 2 or 3.
package indirect enum RedisReply: Sendable, Equatable {
    case status(String)
    case error(String)
    case integer(Int64)
    case bulk([UInt8])
    case double(Double)
    case null
    case array([RedisReply])
    /// Pairs of version 3, one behind the other.
    case map([RedisReply])
    case set([RedisReply])

    /// The text of a bulk or status reply.
    package var text: String? {
        switch self {
        case .bulk(let bytes): String(decoding: bytes, as: UTF8.self)
        case .status(let text): text
        default: nil
        }
    }

    package var elements: [RedisReply]? {
        switch self {
        case .array(let elements), .map(let elements), .set(let elements): elements
        default: nil
        }
    }
}

/// Reads replies out of bytes as they come.
///
/// **Errors.** ``StateError`` with ``StateError/Code/unavailable`` for bytes that are no reply: the connection is of no more use.
package struct RedisReplyParser {
    private static let deepest = 16
    private static let longest = 512 << 20

    private var bytes: [UInt8] = []
    private var position = 0

    package init() {}

    package mutating func append(_ more: UnsafeRawBufferPointer) {
        if position > 1 << 16, position * 2 > bytes.count {
            bytes.removeFirst(position)
            position = 0
        }
        bytes.append(contentsOf: more)
    }

    /// The next whole reply; nil where more bytes are needed.
    package mutating func next() throws -> RedisReply? {
        var place = position
        guard let reply = try read(&place, depth: 0) else { return nil }
        position = place
        if position == bytes.count {
            bytes.removeAll(keepingCapacity: true)
            position = 0
        }
        return reply
    }

    private func bad(_ what: String) -> StateError {
        StateError(.unavailable, "the Redis server sent something that is no reply: \(what)")
    }

    private func line(_ place: inout Int) -> ArraySlice<UInt8>? {
        var end = place
        while end + 1 < bytes.count {
            if bytes[end] == 13, bytes[end + 1] == 10 {
                defer { place = end + 2 }
                return bytes[place..<end]
            }
            end += 1
        }
        return nil
    }

    private func count(_ line: ArraySlice<UInt8>) throws -> Int {
        guard let number = line.withUnsafeBytes({ $0.slice.integer }), number >= -1, number <= RedisReplyParser.longest
        else {
            throw bad("a length of \"\(String(decoding: line.prefix(40), as: UTF8.self))\"")
        }
        return Int(number)
    }

    private func read(_ place: inout Int, depth: Int) throws -> RedisReply? {
        guard depth <= RedisReplyParser.deepest else {
            throw bad("arrays nested more than \(RedisReplyParser.deepest) deep")
        }
        guard place < bytes.count else { return nil }
        let mark = bytes[place]
        var next = place + 1
        guard let line = line(&next) else { return nil }
        let reply: RedisReply?
        switch mark {
        case UInt8(ascii: "+"): reply = .status(String(decoding: line, as: UTF8.self))
        case UInt8(ascii: "-"): reply = .error(String(decoding: line, as: UTF8.self))
        case UInt8(ascii: "_"): reply = .null
        case UInt8(ascii: ":"):
            guard let number = line.withUnsafeBytes({ $0.slice.integer }) else { throw bad("no integer") }
            reply = .integer(number)
        case UInt8(ascii: ","):
            guard let number = line.withUnsafeBytes({ $0.slice.double }) else { throw bad("no number") }
            reply = .double(number)
        case UInt8(ascii: "#"): reply = .integer(line.first == UInt8(ascii: "t") ? 1 : 0)
        case UInt8(ascii: "$"), UInt8(ascii: "="), UInt8(ascii: "!"): reply = try bulk(mark, try count(line), &next)
        case UInt8(ascii: "*"), UInt8(ascii: "%"), UInt8(ascii: "~"), UInt8(ascii: ">"):
            reply = try elements(mark, try count(line), &next, depth)
        default: throw bad("it begins with byte \(mark)")
        }
        if reply != nil { place = next }
        return reply
    }

    private func bulk(_ mark: UInt8, _ count: Int, _ place: inout Int) throws -> RedisReply? {
        if count < 0 { return .null }
        guard bytes.count - place >= count + 2 else { return nil }
        defer { place += count + 2 }
        let content = Array(bytes[place..<place + count])
        switch mark {
        case UInt8(ascii: "!"): return .error(String(decoding: content, as: UTF8.self))
        // Verbatim text has three letters and a colon before it.
        case UInt8(ascii: "="): return .bulk(Array(content.dropFirst(4)))
        default: return .bulk(content)
        }
    }

    private func elements(_ mark: UInt8, _ count: Int, _ place: inout Int, _ depth: Int) throws -> RedisReply? {
        if count < 0 { return .null }
        var elements: [RedisReply] = []
        for _ in 0..<(mark == UInt8(ascii: "%") ? count * 2 : count) {
            guard let element = try read(&place, depth: depth + 1) else { return nil }
            elements.append(element)
        }
        switch mark {
        case UInt8(ascii: "%"): return .map(elements)
        case UInt8(ascii: "~"): return .set(elements)
        default: return .array(elements)
        }
    }
}
