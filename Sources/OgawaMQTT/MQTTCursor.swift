/// Reads a packet's body from front to back; a read past the end is an error, never a trap.
struct MQTTCursor {
    private var rest: Slice<UnsafeRawBufferPointer>
    private let type: MQTTPacketType

    init(_ bytes: UnsafeRawBufferPointer, of type: MQTTPacketType) {
        rest = bytes[...]
        self.type = type
    }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func byte(_ field: StaticString) throws(MQTTError) -> UInt8 {
        guard let value = rest.popFirst() else { throw truncated(field) }
        return value
    }

    mutating func number(_ field: StaticString) throws(MQTTError) -> UInt16 {
        guard let high = rest.popFirst(), let low = rest.popFirst() else { throw truncated(field) }
        return UInt16(high) << 8 | UInt16(low)
    }

    /// A packet identifier, which is never 0.
    mutating func packetID() throws(MQTTError) -> UInt16 {
        let value = try number("packet identifier")
        guard value != 0 else { throw .malformed("\(type.name) with packet identifier 0") }
        return value
    }

    /// Bytes behind their length of two bytes.
    mutating func binary(_ field: StaticString) throws(MQTTError) -> [UInt8] { [UInt8](try prefixed(field)) }

    /// Text behind its length of two bytes: sound UTF-8 without U+0000.
    mutating func string(_ field: StaticString, maximumByteCount: Int = 65_535) throws(MQTTError) -> String {
        let bytes = try prefixed(field)
        guard bytes.count <= maximumByteCount else {
            throw .malformed("\(field) of \(type.name) has \(bytes.count) bytes; the limit is \(maximumByteCount)")
        }
        guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else {
            throw .malformed("\(field) of \(type.name) is not UTF-8 text without U+0000")
        }
        return text
    }

    /// Everything that is left.
    mutating func remainder() -> [UInt8] {
        defer { rest = rest.suffix(0) }
        return [UInt8](rest)
    }

    func expectEnd() throws(MQTTError) {
        guard rest.isEmpty else { throw .malformed("\(type.name) has \(rest.count) bytes too many at its end") }
    }

    private mutating func prefixed(_ field: StaticString) throws(MQTTError) -> Slice<UnsafeRawBufferPointer> {
        let count = Int(try number(field))
        guard count <= rest.count else { throw truncated(field) }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    private func truncated(_ field: StaticString) -> MQTTError {
        .malformed("\(type.name) ends in the middle of its \(field)")
    }
}
