// The sparse index of a segment: one entry for about every 64 KiB, by offset and by time at once, since both only grow.
// It is a help and never the truth: it can always be made again from the segment's headers.

import OgawaCore
import OgawaPlatform

/// Where a record batch begins.
struct IndexEntry: Equatable {
    var offset: Int64
    var time: Int64
    var position: Int64
}

/// Where a batch begins in its file, and with which offset.
struct BatchPlace {
    var position: Int64
    var offset: Offset
}

/// What is known of a segment without reading it.
struct SegmentIndex: Equatable {
    /// The distance between entries in the segment.
    static let stepByteCount: Int64 = 64 << 10
    private static let magic: UInt32 = 0x3158_474f
    private static let version: UInt32 = 1
    private static let headByteCount = 64
    private static let entryByteCount = 24

    let base: Offset
    private(set) var nextOffset: Offset
    /// The enqueued time of the first record; nil where there is none.
    private(set) var firstTime: Int64?
    /// Of the last batch, whatever it holds.
    private(set) var lastTime: Int64 = Timestamp.min.ticks
    /// The end of the last batch.
    private(set) var byteCount: Int64 = 0
    private(set) var entries: [IndexEntry] = []

    init(base: Offset) {
        self.base = base
        nextOffset = base
    }

    /// Notes a batch that lies behind all others.
    mutating func add(_ header: BatchHeader, at position: Int64) {
        if entries.last.map({ position - $0.position >= SegmentIndex.stepByteCount }) ?? true {
            entries.append(
                IndexEntry(offset: header.firstOffset.rawValue, time: header.firstTime, position: position))
        }
        nextOffset = header.nextOffset
        if header.count > 0, firstTime == nil { firstTime = header.firstTime }
        lastTime = header.lastTime
        byteCount = position + Int64(header.batchByteCount)
    }

    /// Notes that the bytes up to a position belong to the segment, though no batch could be read from them.
    mutating func extend(to position: Int64) { byteCount = max(byteCount, position) }

    /// A place at or before the first batch which is newer than the position.
    func place(of position: LogPosition) -> BatchPlace {
        place { ($0.offset, $0.time) <= (position.offset.rawValue, position.enqueuedTime.ticks) }
    }

    /// A place at or before the first batch which reaches the time.
    func place(since time: Int64) -> BatchPlace { place { $0.time < time } }

    /// The place of the last entry for which the test, true for a prefix of the entries, holds.
    private func place(where isBefore: (IndexEntry) -> Bool) -> BatchPlace {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if isBefore(entries[middle]) { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return BatchPlace(position: 0, offset: base) }
        return BatchPlace(position: entries[low - 1].position, offset: Offset(rawValue: entries[low - 1].offset))
    }

    /// The index as a file.
    func encoded() -> [UInt8] {
        let count = SegmentIndex.headByteCount + entries.count * SegmentIndex.entryByteCount
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            let target = UnsafeMutableRawBufferPointer(buffer)
            target.storeLittleEndian(SegmentIndex.magic, at: 0)
            target.storeLittleEndian(SegmentIndex.version, at: 8)
            target.storeLittleEndian(UInt32(clamping: entries.count), at: 12)
            target.storeLittleEndian(base.rawValue, at: 16)
            target.storeLittleEndian(nextOffset.rawValue, at: 24)
            target.storeLittleEndian(firstTime ?? Int64.min, at: 32)
            target.storeLittleEndian(lastTime, at: 40)
            target.storeLittleEndian(byteCount, at: 48)
            target.storeLittleEndian(0 as Int64, at: 56)
            for (index, entry) in entries.enumerated() {
                let start = SegmentIndex.headByteCount + index * SegmentIndex.entryByteCount
                target.storeLittleEndian(entry.offset, at: start)
                target.storeLittleEndian(entry.time, at: start + 8)
                target.storeLittleEndian(entry.position, at: start + 16)
            }
            target.storeLittleEndian(crc32c(UnsafeRawBufferPointer(rebasing: target[8...])), at: 4)
            initialized = count
        }
    }

    /// The index in a file; nil where the file is damaged or belongs to a segment of another name or size.
    init?(decoding bytes: [UInt8], base: Offset, segmentByteCount: Int64) {
        self.init(base: base)
        let isRead = bytes.withUnsafeBytes { source in
            guard source.count >= SegmentIndex.headByteCount,
                source.loadLittleEndian(at: 0) == SegmentIndex.magic,
                source.loadLittleEndian(at: 4) == crc32c(UnsafeRawBufferPointer(rebasing: source[8...])),
                source.loadLittleEndian(at: 8) == SegmentIndex.version,
                source.loadLittleEndian(at: 16) == base.rawValue,
                source.loadLittleEndian(at: 48) == segmentByteCount
            else { return false }
            let count = Int(source.loadLittleEndian(at: 12) as UInt32)
            guard source.count == SegmentIndex.headByteCount + count * SegmentIndex.entryByteCount else { return false }
            nextOffset = Offset(rawValue: source.loadLittleEndian(at: 24))
            let first: Int64 = source.loadLittleEndian(at: 32)
            firstTime = first == .min ? nil : first
            lastTime = source.loadLittleEndian(at: 40)
            byteCount = segmentByteCount
            entries.reserveCapacity(count)
            for start in stride(from: SegmentIndex.headByteCount, to: source.count, by: SegmentIndex.entryByteCount) {
                entries.append(
                    IndexEntry(
                        offset: source.loadLittleEndian(at: start), time: source.loadLittleEndian(at: start + 8),
                        position: source.loadLittleEndian(at: start + 16)))
            }
            return entries.allSatisfy { (0...segmentByteCount).contains($0.position) }
        }
        if !isRead { return nil }
    }
}
