/// Cuts a byte stream, however it is fragmented, into packets.
///
/// **Shape.** Holds at most the bytes of one unfinished packet plus what came with it; a packet over the limit is an error
/// as soon as its fixed header is there. After an error the stream has no meaning any more: every further call
/// throws the same error. **Allocation.** Nothing is held between packets.
package struct MQTTDecoder: Sendable {
    private var storage: [UInt8] = []
    private var start = 0
    private var failure: MQTTError?

    package init() {}

    /// The bytes that wait for the rest of their packet, or to be asked for.
    package var bufferedByteCount: Int { storage.count - start }

    /// Takes in bytes as they arrived.
    package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard failure == nil else { return }
        if start > 0 {
            storage.removeSubrange(0..<start)
            start = 0
        }
        storage.append(contentsOf: bytes)
    }

    /// The next whole packet; nil where its end has not arrived.
    ///
    /// **Errors.** As ``MQTTFrame/read(_:maximumByteCount:expected:)`` and ``MQTTPacket/decode(_:body:)``.
    package mutating func next(
        maximumByteCount: Int, expected: MQTTPacketType? = nil
    ) throws(MQTTError) -> MQTTPacket? {
        if let failure { throw failure }
        let found: (packet: MQTTPacket, byteCount: Int)?
        do throws(MQTTError) {
            found = try decodeFirst(maximumByteCount, expected)
        } catch {
            failure = error
            storage = []
            start = 0
            throw error
        }
        guard let found else { return nil }
        start += found.byteCount
        if start == storage.count {
            storage = []
            start = 0
        }
        return found.packet
    }

    private func decodeFirst(
        _ maximumByteCount: Int, _ expected: MQTTPacketType?
    ) throws(MQTTError) -> (packet: MQTTPacket, byteCount: Int)? {
        guard start < storage.count else { return nil }
        return try storage.withUnsafeBufferPointer {
            (all: UnsafeBufferPointer<UInt8>) throws(MQTTError) -> (packet: MQTTPacket, byteCount: Int)? in
            let bytes = UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: all.dropFirst(start)))
            let frame = try MQTTFrame.read(bytes, maximumByteCount: maximumByteCount, expected: expected)
            guard let frame, bytes.count >= frame.byteCount else { return nil }
            let body = bytes.dropFirst(frame.headerByteCount).prefix(frame.bodyByteCount)
            return (try MQTTPacket.decode(frame, body: UnsafeRawBufferPointer(rebasing: body)), frame.byteCount)
        }
    }
}
