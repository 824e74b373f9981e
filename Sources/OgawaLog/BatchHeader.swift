// The record batch: what is written, checked and read as one piece. docs/formats/log.md draws it.
//
//     | magic "OGB1" | header checksum: u32 | byte count: u32 | version: u8 | attributes: u8 | partition: u16 |
//     | first offset: i64 | first enqueued time: i64 | last enqueued time: i64 | record count: u32 |
//     | unsynced byte count: u32 | payload checksum: u32 | payload: producer section, records |
//
// All numbers are little-endian. Two checksums instead of one: with the header known to be right its length can be trusted, so
// that damage in a payload costs exactly that batch and an index can be rebuilt from headers alone.
//
// The unsynced byte count says how far behind this batch the disk was when it was written. It is what tells a torn tail from damage:
// the blocks of one write reach the disk in any order, so after a power cut a good batch may follow a bad one. If the
// good one was written only after the bad one had been synced, then the bad one was acknowledged and is damaged.

import OgawaCore
import OgawaPlatform

/// What a record batch holds besides records.
struct BatchAttributes: OptionSet {
    var rawValue: UInt8

    /// A producer section comes before the records.
    static let producers = BatchAttributes(rawValue: 1)
    /// No records; the partition's time reached the batch's.
    static let idleMarker = BatchAttributes(rawValue: 2)
    /// No records; begins a segment and carries over what is known from the segments before.
    static let head = BatchAttributes(rawValue: 4)

    static let known: BatchAttributes = [.producers, .idleMarker, .head]
}

/// The fixed first bytes of a record batch.
struct BatchHeader: Equatable {
    static let byteCount = 52
    static let magic: UInt32 = 0x3142_474f
    static let version: UInt8 = 1
    /// More than any append may be; a larger number in a header is damage.
    static let maxBatchByteCount = 256 << 20
    /// Four one-byte numbers are the smallest record.
    static let minRecordByteCount = 4

    /// Of the whole batch, header included.
    var batchByteCount: Int
    var attributes: BatchAttributes
    var partition: PartitionID
    var firstOffset: Offset
    var firstTime: Int64
    var lastTime: Int64
    var count: Int
    var unsyncedByteCount: Int
    var payloadChecksum: UInt32

    var nextOffset: Offset { firstOffset.advanced(by: count) }

    /// Writes the header with its checksum to the start of a batch.
    func write(to target: UnsafeMutableRawBufferPointer) {
        precondition(target.count >= BatchHeader.byteCount, "no room for a batch header")
        target.storeLittleEndian(BatchHeader.magic, at: 0)
        target.storeLittleEndian(UInt32(batchByteCount), at: 8)
        target.storeLittleEndian(BatchHeader.version, at: 12)
        target.storeLittleEndian(attributes.rawValue, at: 13)
        target.storeLittleEndian(UInt16(truncatingIfNeeded: partition.rawValue), at: 14)
        target.storeLittleEndian(firstOffset.rawValue, at: 16)
        target.storeLittleEndian(firstTime, at: 24)
        target.storeLittleEndian(lastTime, at: 32)
        target.storeLittleEndian(UInt32(count), at: 40)
        target.storeLittleEndian(UInt32(clamping: unsyncedByteCount), at: 44)
        target.storeLittleEndian(payloadChecksum, at: 48)
        let checked = UnsafeRawBufferPointer(rebasing: target[8..<BatchHeader.byteCount])
        target.storeLittleEndian(crc32c(checked), at: 4)
    }
}

/// Why bytes are not a record batch.
enum BatchDamage: Error, Equatable, CustomStringConvertible {
    case incomplete(found: Int, expected: Int)
    case magic(UInt32)
    case headerChecksum(found: UInt32, expected: UInt32)
    case version(UInt8)
    case field(String)
    case payloadChecksum(found: UInt32, expected: UInt32)
    case records(index: Int)

    var description: String {
        switch self {
        case .incomplete(let found, let expected): "\(found) bytes left, expected \(expected)"
        case .magic(let found): "magic number \(hexadecimal(found)), expected \(hexadecimal(BatchHeader.magic))"
        case .headerChecksum(let found, let expected):
            "header checksum \(hexadecimal(found)), expected \(hexadecimal(expected))"
        case .version(let found): "format version \(found), this program reads \(BatchHeader.version)"
        case .field(let text): text
        case .payloadChecksum(let found, let expected):
            "payload checksum \(hexadecimal(found)), expected \(hexadecimal(expected))"
        case .records(let index): "record \(index) of the batch ends outside it"
        }
    }
}

extension BatchHeader {
    /// Reads and checks the header at the start of the bytes.
    ///
    /// **Errors.** The bytes may be anything; what they hold is trusted only after the checksum.
    init(parsing bytes: UnsafeRawBufferPointer) throws(BatchDamage) {
        guard bytes.count >= BatchHeader.byteCount else {
            throw .incomplete(found: bytes.count, expected: BatchHeader.byteCount)
        }
        let magic: UInt32 = bytes.loadLittleEndian(at: 0)
        guard magic == BatchHeader.magic else { throw .magic(magic) }
        let stored: UInt32 = bytes.loadLittleEndian(at: 4)
        let actual = crc32c(UnsafeRawBufferPointer(rebasing: bytes[8..<BatchHeader.byteCount]))
        guard stored == actual else { throw .headerChecksum(found: actual, expected: stored) }
        let version: UInt8 = bytes.loadLittleEndian(at: 12)
        guard version == BatchHeader.version else { throw .version(version) }
        batchByteCount = Int(bytes.loadLittleEndian(at: 8) as UInt32)
        attributes = BatchAttributes(rawValue: bytes.loadLittleEndian(at: 13))
        partition = PartitionID(Int(bytes.loadLittleEndian(at: 14) as UInt16))
        firstOffset = Offset(rawValue: bytes.loadLittleEndian(at: 16))
        firstTime = bytes.loadLittleEndian(at: 24)
        lastTime = bytes.loadLittleEndian(at: 32)
        count = Int(bytes.loadLittleEndian(at: 40) as UInt32)
        unsyncedByteCount = Int(bytes.loadLittleEndian(at: 44) as UInt32)
        payloadChecksum = bytes.loadLittleEndian(at: 48)
        try checkFields()
    }

    private func checkFields() throws(BatchDamage) {
        guard (BatchHeader.byteCount...BatchHeader.maxBatchByteCount).contains(batchByteCount) else {
            throw .field("batch length \(batchByteCount)")
        }
        guard count <= (batchByteCount - BatchHeader.byteCount) / BatchHeader.minRecordByteCount else {
            throw .field("\(count) records in \(batchByteCount) bytes")
        }
        guard BatchAttributes.known.isSuperset(of: attributes) else {
            throw .field("unknown attributes \(attributes.rawValue)")
        }
        guard count == 0 || attributes.isDisjoint(with: [.idleMarker, .head]) else {
            throw .field("records in a marker")
        }
        guard firstOffset.rawValue >= 0, firstOffset.rawValue <= Int64.max - Int64(count) else {
            throw .field("first offset \(firstOffset)")
        }
        guard Timestamp.min.ticks <= firstTime, firstTime <= lastTime, lastTime <= Timestamp.max.ticks else {
            throw .field("enqueued times \(firstTime) to \(lastTime)")
        }
    }

    /// Checks the payload that follows the header.
    ///
    /// - Parameter batch: the whole batch, header included.
    func checkPayload(of batch: UnsafeRawBufferPointer) throws(BatchDamage) {
        guard batch.count >= batchByteCount else {
            throw .incomplete(found: batch.count, expected: batchByteCount)
        }
        let payload = UnsafeRawBufferPointer(rebasing: batch[BatchHeader.byteCount..<batchByteCount])
        let actual = crc32c(payload)
        guard actual == payloadChecksum else { throw .payloadChecksum(found: actual, expected: payloadChecksum) }
    }
}

/// A number as `0x` and eight digits.
private func hexadecimal(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
}

extension UnsafeRawBufferPointer {
    /// The little-endian number at a position, which must lie inside.
    @inline(__always)
    func loadLittleEndian<Value: FixedWidthInteger>(at position: Int) -> Value {
        Value(littleEndian: loadUnaligned(fromByteOffset: position, as: Value.self))
    }
}

extension UnsafeMutableRawBufferPointer {
    /// Stores a number little-endian at a position, which must lie inside.
    @inline(__always)
    func storeLittleEndian<Value: FixedWidthInteger>(_ value: Value, at position: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: position, as: Value.self)
    }
}
