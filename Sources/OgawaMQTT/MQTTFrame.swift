// The fixed header: what comes, and how long it is, known before a byte of the body is kept.
//
// | type: 4 bits | flags: 4 bits | remaining length: 1 to 4 bytes, 7 bits each, lowest first | body |
//
// Flags and lengths that a type cannot have are refused here, so that a PINGREQ which announces a megabyte costs
// nothing. A length written with more bytes than it needs is refused, too: table 2.4 of the specification
// gives each count of bytes its range.

/// The fixed header of one packet.
package struct MQTTFrame: Hashable, Sendable {
    package var type: MQTTPacketType
    /// The lower half of the first byte.
    package var flags: UInt8
    /// 2 to 5.
    package var headerByteCount: Int
    /// 0 to ``MQTTLimits/remainingByteCount``.
    package var bodyByteCount: Int

    /// The whole packet's length.
    package var byteCount: Int { headerByteCount + bodyByteCount }

    /// Reads a fixed header at the beginning of the bytes; nil where more bytes are needed.
    ///
    /// **Errors.** `malformed` for a type, flags or length that cannot be; `tooLarge` where the whole packet is longer
    /// than `maximumByteCount`; `protocolViolation`, on the first byte, where only another type may come.
    package static func read(
        _ bytes: UnsafeRawBufferPointer, maximumByteCount: Int, expected: MQTTPacketType? = nil
    ) throws(MQTTError) -> MQTTFrame? {
        guard let first = bytes.first else { return nil }
        guard let type = MQTTPacketType(rawValue: first >> 4) else {
            throw .malformed("packet type \(first >> 4) does not exist; expected 1 to 14")
        }
        if let expected, type != expected {
            throw MQTTError(.protocolViolation, "\(type.name) came first; expected \(expected.name)")
        }
        let flags = first & 0x0f
        try checkFlags(flags, of: type)
        guard let length = try readLength(bytes.dropFirst(), of: type) else { return nil }
        let frame = MQTTFrame(
            type: type, flags: flags, headerByteCount: 1 + length.byteCount, bodyByteCount: length.value)
        try checkLength(length.value, of: type)
        guard frame.byteCount <= maximumByteCount else {
            let message = "\(type.name) of \(frame.byteCount) bytes; the limit is \(maximumByteCount) bytes"
            throw MQTTError(.tooLarge, message)
        }
        return frame
    }

    private static func readLength(
        _ bytes: Slice<UnsafeRawBufferPointer>, of type: MQTTPacketType
    ) throws(MQTTError) -> (value: Int, byteCount: Int)? {
        var value = 0
        var byteCount = 0
        for byte in bytes.prefix(4) {
            value |= Int(byte & 0x7f) << (7 * byteCount)
            byteCount += 1
            guard byte & 0x80 == 0 else { continue }
            if byte == 0, byteCount > 1 {
                throw .malformed(
                    "remaining length \(value) of \(type.name) is written with \(byteCount) bytes, too many")
            }
            return (value, byteCount)
        }
        if byteCount == 4 { throw .malformed("remaining length of \(type.name) has more than 4 bytes") }
        return nil
    }

    private static func checkFlags(_ flags: UInt8, of type: MQTTPacketType) throws(MQTTError) {
        switch type {
        case .publish:
            let qos = flags >> 1 & 0b11
            if qos == 3 { throw .malformed("PUBLISH with quality of service 3; expected 0, 1 or 2") }
            if qos == 0, flags & 0b1000 != 0 { throw .malformed("PUBLISH with DUP set and quality of service 0") }
        case .pubrel, .subscribe, .unsubscribe:
            if flags != 0b0010 { throw .malformed("\(type.name) with flags \(flags); expected 2") }
        case .connect, .connack, .puback, .pubrec, .pubcomp, .suback, .unsuback, .pingreq, .pingresp, .disconnect:
            if flags != 0 { throw .malformed("\(type.name) with flags \(flags); expected 0") }
        }
    }

    private static func checkLength(_ length: Int, of type: MQTTPacketType) throws(MQTTError) {
        let expected: ClosedRange<Int>
        switch type {
        case .connect: expected = 7...MQTTLimits.remainingByteCount
        case .publish: expected = 3...MQTTLimits.remainingByteCount
        case .connack, .puback, .pubrec, .pubrel, .pubcomp, .unsuback: expected = 2...2
        case .subscribe: expected = 6...MQTTLimits.remainingByteCount
        case .suback: expected = 3...MQTTLimits.remainingByteCount
        case .unsubscribe: expected = 5...MQTTLimits.remainingByteCount
        case .pingreq, .pingresp, .disconnect: expected = 0...0
        }
        guard expected.contains(length) else {
            throw .malformed("\(type.name) with a remaining length of \(length) bytes")
        }
    }
}
