// Events to record batches, into one buffer that is written with one call.

import OgawaCore
import OgawaPlatform

/// A growing block of bytes that keeps its memory from one group of appends to the next.
///
/// **Isolation.** One thread; the writer of a partition.
final class WriteBuffer {
    private(set) var storage: UnsafeMutableRawBufferPointer
    private(set) var count = 0
    /// A buffer that once had to hold a giant append is given back above this.
    private static let keptByteCount = 8 << 20
    private static let initialByteCount = 64 << 10

    init() {
        storage = .allocate(byteCount: WriteBuffer.initialByteCount, alignment: 16)
    }

    deinit { storage.deallocate() }

    /// The bytes written so far.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: storage[..<count]) }

    /// Empties the buffer.
    func removeAll() {
        count = 0
        if storage.count > WriteBuffer.keptByteCount {
            storage.deallocate()
            storage = .allocate(byteCount: WriteBuffer.initialByteCount, alignment: 16)
        }
    }

    /// Makes room for so many more bytes.
    func reserve(_ byteCount: Int) {
        guard storage.count - count < byteCount else { return }
        let grown = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(storage.count * 2, count + byteCount), alignment: 16)
        grown.copyMemory(from: bytes)
        storage.deallocate()
        storage = grown
    }

    /// Leaves a gap, to be filled by ``patch(at:_:)``.
    func skip(_ byteCount: Int) {
        reserve(byteCount)
        count += byteCount
    }

    /// Gives the bytes from a position on for writing.
    func patch(at position: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void) {
        body(UnsafeMutableRawBufferPointer(rebasing: storage[position..<count]))
    }

    /// Appends bytes.
    @inline(__always)
    func write(_ source: UnsafeRawBufferPointer) {
        reserve(source.count)
        guard let base = source.baseAddress, let target = storage.baseAddress else { return }
        (target + count).copyMemory(from: base, byteCount: source.count)
        count += source.count
    }

    /// Appends a number of 7 bits a byte, low bits first.
    @inline(__always)
    func writeVarint(_ value: UInt64) {
        reserve(10)
        var rest = value
        while rest >= 0x80 {
            storage[count] = UInt8(truncatingIfNeeded: rest) | 0x80
            count += 1
            rest >>= 7
        }
        storage[count] = UInt8(truncatingIfNeeded: rest)
        count += 1
    }
}

/// Lays the record batches of one group of appends one behind the other.
struct BatchWriter {
    /// A batch is closed when it has grown to this, so that readers can take a log in pieces.
    static let targetByteCount = 256 << 10

    let partition: PartitionID
    /// The enqueued time of the whole group.
    let time: Int64
    /// Bytes in the segment before this group that are not on the disk yet.
    let unsyncedByteCount: Int
    private(set) var nextOffset: Offset
    /// Headers of the finished batches with their places in the buffer.
    private(set) var batches: [(header: BatchHeader, start: Int)] = []
    private let buffer: WriteBuffer
    private var open: (start: Int, firstOffset: Offset, count: Int)?

    init(partition: PartitionID, nextOffset: Offset, time: Int64, unsyncedByteCount: Int, buffer: WriteBuffer) {
        self.partition = partition
        self.nextOffset = nextOffset
        self.time = time
        self.unsyncedByteCount = unsyncedByteCount
        self.buffer = buffer
    }

    /// Adds events to the open batch, closing it whenever it is large enough.
    mutating func add(_ events: PendingEvents) {
        buffer.reserve(events.bytes.count + events.count * 16 + BatchHeader.byteCount)
        events.bytes.withUnsafeBytes { bytes in
            for index in 0..<events.count {
                if open == nil { begin() }
                addRecord(
                    key: bytes[slice: events.keys[index]], properties: bytes[slice: events.properties[index]],
                    body: bytes[slice: events.bodies[index]])
                if let open, buffer.count - open.start >= BatchWriter.targetByteCount { finish() }
            }
        }
    }

    /// Writes events and a producer's progress as one batch of any size, since they must not part.
    mutating func add(_ events: PendingEvents, producer: ProducerState) {
        finish()
        begin()
        writeProducers([(producer.producer, producer.state)])
        events.bytes.withUnsafeBytes { bytes in
            for index in 0..<events.count {
                addRecord(
                    key: bytes[slice: events.keys[index]], properties: bytes[slice: events.properties[index]],
                    body: bytes[slice: events.bodies[index]])
            }
        }
        finish(attributes: .producers)
    }

    /// Writes a batch that only says that time has come this far.
    mutating func addIdleMarker() {
        finish()
        begin()
        finish(attributes: .idleMarker)
    }

    /// Writes the batch that begins a segment.
    ///
    /// - Parameter lastTime: the last enqueued time of the segments before.
    mutating func addHead(producers: [String: [UInt8]], lastTime: Int64) {
        finish()
        begin()
        writeProducers(producers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        finish(attributes: [.head, .producers], time: lastTime)
    }

    /// Closes the open batch, if any.
    mutating func finish() { finish(attributes: []) }

    private mutating func begin() {
        open = (buffer.count, nextOffset, 0)
        buffer.skip(BatchHeader.byteCount)
    }

    private mutating func writeProducers(_ producers: [(String, [UInt8])]) {
        buffer.writeVarint(UInt64(producers.count))
        for (name, state) in producers {
            buffer.writeVarint(UInt64(name.utf8.count))
            Array(name.utf8).withUnsafeBytes { buffer.write($0) }
            buffer.writeVarint(UInt64(state.count))
            state.withUnsafeBytes { buffer.write($0) }
        }
    }

    @inline(__always)
    private mutating func addRecord(
        key: UnsafeRawBufferPointer, properties: UnsafeRawBufferPointer, body: UnsafeRawBufferPointer
    ) {
        // All records of a group get one time, so the distance to the batch's first time is always 0.
        buffer.writeVarint(0)
        buffer.writeVarint(UInt64(key.count))
        buffer.write(key)
        buffer.writeVarint(UInt64(properties.count))
        buffer.write(properties)
        buffer.writeVarint(UInt64(body.count))
        buffer.write(body)
        nextOffset = nextOffset.advanced(by: 1)
        open?.count += 1
    }

    private mutating func finish(attributes: BatchAttributes, time: Int64? = nil) {
        guard let batch = open else { return }
        open = nil
        let payload = UnsafeRawBufferPointer(rebasing: buffer.bytes[(batch.start + BatchHeader.byteCount)...])
        let header = BatchHeader(
            batchByteCount: buffer.count - batch.start, attributes: attributes, partition: partition,
            firstOffset: batch.firstOffset, firstTime: time ?? self.time, lastTime: time ?? self.time,
            count: batch.count, unsyncedByteCount: unsyncedByteCount + batch.start, payloadChecksum: crc32c(payload))
        buffer.patch(at: batch.start) { header.write(to: $0) }
        batches.append((header, batch.start))
    }
}

extension UnsafeRawBufferPointer {
    /// The bytes of a slice; empty where the slice lies outside.
    @inline(__always)
    fileprivate subscript(slice slice: ByteSlice) -> UnsafeRawBufferPointer {
        let range = slice.range
        guard range.upperBound <= count, !range.isEmpty else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(rebasing: self[range])
    }
}
