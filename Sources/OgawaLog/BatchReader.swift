// Record batches back to events. The block that was read from the disk becomes the bytes of the event batch; records are
// found in it by position, and nothing is copied.

import OgawaCore

/// Reads numbers and runs of bytes; every read past the end gives nil.
struct ByteCursor {
    let bytes: UnsafeRawBufferPointer
    var position: Int
    let end: Int

    /// A number of 7 bits a byte; nil where it does not end or does not fit.
    @inline(__always)
    mutating func varint() -> UInt64? {
        guard position < end else { return nil }
        let first = bytes[position]
        position &+= 1
        if first < 0x80 { return UInt64(first) }
        return longVarint(first)
    }

    private mutating func longVarint(_ first: UInt8) -> UInt64? {
        var value = UInt64(first & 0x7f)
        var shift: UInt64 = 7
        while position < end, shift < 64 {
            let byte = bytes[position]
            position &+= 1
            // The tenth byte has room for one bit.
            if shift == 63, byte > 1 { return nil }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
    }

    /// A run of bytes that begins with its length.
    @inline(__always)
    mutating func run() -> ByteSlice? {
        guard let length = varint(), length <= UInt64(end &- position) else { return nil }
        let slice = ByteSlice(start: position, count: Int(length))
        position &+= Int(length)
        return slice
    }
}

/// Takes record batches out of one block of bytes into one event batch.
struct BatchReader {
    private(set) var events: EventBatch
    /// Where records before this are left out.
    let from: Offset

    init(partition: PartitionID, from: Offset) {
        events = EventBatch(partition: partition, firstOffset: from)
        self.from = from
    }

    /// Makes room for so many more records.
    mutating func reserve(_ count: Int) {
        events.keys.reserveCapacity(count)
        events.properties.reserveCapacity(count)
        events.bodies.reserveCapacity(count)
        events.enqueuedTimes.reserveCapacity(count)
    }

    /// Adds the records of a batch whose checksums are right.
    ///
    /// - Parameter start: where the batch begins in the block.
    mutating func add(_ header: BatchHeader, in block: UnsafeRawBufferPointer, at start: Int) throws(BatchDamage) {
        var cursor = ByteCursor(
            bytes: block, position: start + BatchHeader.byteCount, end: start + header.batchByteCount)
        if header.attributes.contains(.producers) {
            guard producers(&cursor) != nil else { throw .field("producer section ends outside the batch") }
        }
        let skipped = Int(clamping: max(0, from.rawValue - header.firstOffset.rawValue))
        if events.bodies.isEmpty { events.firstOffset = max(from, header.firstOffset) }
        for index in 0..<header.count {
            guard let delta = cursor.varint(), let key = cursor.run(), let properties = cursor.run(),
                let body = cursor.run(), delta <= UInt64(header.lastTime &- header.firstTime)
            else { throw .records(index: index) }
            if index < skipped { continue }
            events.keys.append(key)
            events.properties.append(properties)
            events.bodies.append(body)
            events.enqueuedTimes.append(header.firstTime &+ Int64(delta))
        }
        guard cursor.position == cursor.end else { throw .records(index: header.count) }
        events.lastEnqueuedTime = Timestamp(ticks: header.lastTime)
    }

    /// The finished event batch.
    ///
    /// - Parameter block: the bytes that the batches were added from, padded.
    consuming func finish(block: [UInt8]) -> EventBatch {
        var events = events
        events.bytes = block
        return events
    }
}

/// The producers' progress in the section under the cursor, which is left behind it; nil where it is damaged.
func producers(_ cursor: inout ByteCursor) -> [ProducerState]? {
    guard let count = cursor.varint(), count <= UInt64(cursor.end - cursor.position) else { return nil }
    var states: [ProducerState] = []
    for _ in 0..<count {
        guard let name = cursor.run(), let state = cursor.run() else { return nil }
        states.append(
            ProducerState(
                producer: String(decoding: cursor.bytes[name.range], as: UTF8.self),
                state: Array(cursor.bytes[state.range])))
    }
    return states
}
