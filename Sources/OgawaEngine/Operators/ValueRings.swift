import OgawaCore

/// A queue of rows per key, oldest first: each row has a time, some values, and some words for the owner.
///
/// **Shape.** State per key: 16 bytes, and per row held 8 bytes for the time, 8 per value, 1 per value for its type (in words of 8) and 8
/// per extra word, in blocks that double; text, records and arrays are copied into blocks of their own.
/// **Isolation.** Owned by one ``OverState``.
final class ValueRings {
    private struct Ring {
        var block: UInt32 = 0
        var capacity: UInt32 = 0
        var head: UInt32 = 0
        var count: UInt32 = 0
    }

    /// Words of one row: time, tags, values, extra words.
    private let stride: Int
    private let width: Int
    private let tagWords: Int
    private let extraWords: Int
    private var rings: [Ring] = []
    private let pool = BlockPool()
    private let texts = BlockPool()

    init(width: Int, extraWords: Int = 0) {
        self.width = width
        self.extraWords = extraWords
        tagWords = (width + 7) / 8
        stride = 1 + tagWords + width + extraWords
    }

    var keyCount: Int { rings.count }

    func reserveKeys(_ count: Int) {
        guard count > rings.count else { return }
        rings.append(contentsOf: repeatElement(Ring(), count: count - rings.count))
    }

    /// The number of rows of a key.
    @inline(__always)
    func count(_ key: Int) -> Int { Int(rings[key].count) }

    /// The words of a row, counted from the oldest; valid until the next row is added.
    @inline(__always)
    private func entry(_ key: Int, _ index: Int) -> UnsafeMutablePointer<UInt64> {
        let ring = rings[key]
        var slot = Int(ring.head) + index
        if slot >= Int(ring.capacity) { slot -= Int(ring.capacity) }
        return pool.words + Int(ring.block) + slot * stride
    }

    @inline(__always)
    func time(_ key: Int, _ index: Int) -> Int64 { Int64(bitPattern: entry(key, index)[0]) }

    func setTime(_ key: Int, _ index: Int, _ time: Int64) { entry(key, index)[0] = UInt64(bitPattern: time) }

    /// The owner's words of a row.
    @inline(__always)
    func extra(_ key: Int, _ index: Int) -> UnsafeMutablePointer<UInt64> { entry(key, index) + 1 + tagWords + width }

    @inline(__always)
    func tag(_ key: Int, _ index: Int, _ value: Int) -> ValueTag {
        let word = entry(key, index)[1 + value / 8]
        return ValueTag(rawValue: UInt8(truncatingIfNeeded: word >> UInt64(value % 8 * 8))) ?? .null
    }

    /// The 64 bits of a value; for text a position that only ``bytes(_:)`` understands.
    @inline(__always)
    func bits(_ key: Int, _ index: Int, _ value: Int) -> UInt64 { entry(key, index)[1 + tagWords + value] }

    /// The bytes of a text, record or array; valid until the next value is stored.
    func bytes(_ bits: UInt64) -> UnsafeBufferPointer<UInt8> {
        let base = UnsafeRawPointer(texts.words + Int(bits & 0xffff_ffff)).assumingMemoryBound(to: UInt8.self)
        return UnsafeBufferPointer(start: base, count: Int(bits >> 32))
    }

    /// Adds a row of NULLs behind the newest one and gives its index.
    func append(_ key: Int, time: Int64) -> Int {
        if rings[key].count == rings[key].capacity { enlarge(key) }
        let index = Int(rings[key].count)
        rings[key].count += 1
        let entry = entry(key, index)
        entry.update(repeating: 0, count: stride)
        entry[0] = UInt64(bitPattern: time)
        return index
    }

    /// Removes the oldest row.
    func removeFirst(_ key: Int) {
        forgetTexts(key, 0)
        rings[key].head = rings[key].head + 1 == rings[key].capacity ? 0 : rings[key].head + 1
        rings[key].count -= 1
    }

    /// Removes the rows at or before a time.
    @inline(__always)
    func removeRows(_ key: Int, notAfter limit: Int64) {
        while rings[key].count > 0, time(key, 0) <= limit { removeFirst(key) }
    }

    private func forgetTexts(_ key: Int, _ index: Int) {
        for value in 0..<width { forgetText(key, index, value) }
    }

    private func forgetText(_ key: Int, _ index: Int, _ value: Int) {
        guard TagSet.heaped.contains(tag(key, index, value).set) else { return }
        let bits = bits(key, index, value)
        if bits >> 32 > 0 { texts.release(UInt32(truncatingIfNeeded: bits), (Int(bits >> 32) + 7) / 8) }
    }

    /// Sets a value of a row, with its own copy of text.
    func set(_ key: Int, _ index: Int, _ value: Int, tag: ValueTag, bits: UInt64, heap: TextHeap) {
        guard TagSet.heaped.contains(tag.set) else {
            set(key, index, value, tag: tag, bits: bits)
            return
        }
        set(key, index, value, tag: tag, bytes: heap.bytes(bits))
    }

    func set(_ key: Int, _ index: Int, _ value: Int, tag: ValueTag, bytes: UnsafeBufferPointer<UInt8>) {
        var packed: UInt64 = 0
        if let source = bytes.baseAddress, bytes.count > 0 {
            let block = texts.allocate((bytes.count + 7) / 8).block
            UnsafeMutableRawPointer(texts.words + Int(block)).copyMemory(from: source, byteCount: bytes.count)
            packed = UInt64(block) | UInt64(bytes.count) << 32
        }
        set(key, index, value, tag: tag, bits: packed)
    }

    @inline(__always)
    private func set(_ key: Int, _ index: Int, _ value: Int, tag: ValueTag, bits: UInt64) {
        forgetText(key, index, value)
        let entry = entry(key, index)
        let shift = UInt64(value % 8 * 8)
        entry[1 + value / 8] = entry[1 + value / 8] & ~(0xff << shift) | UInt64(tag.rawValue) << shift
        entry[1 + tagWords + value] = bits
    }

    /// Appends a value to a column on any heap.
    func write(_ key: Int, _ index: Int, _ value: Int, into column: Column) {
        let tag = tag(key, index, value)
        let bits = bits(key, index, value)
        guard TagSet.heaped.contains(tag.set) else {
            column.append(tag, bits)
            return
        }
        let bytes = bytes(bits)
        column.append(tag, bytes.baseAddress.map { column.heap.append($0, count: bytes.count) } ?? 0)
    }

    private func enlarge(_ key: Int) {
        let old = rings[key]
        let wanted = old.capacity == 0 ? 1 : Int(old.capacity) * 2
        let (block, size) = pool.allocate(wanted * stride)
        let target = pool.words + Int(block)
        for index in 0..<Int(old.count) { (target + index * stride).update(from: entry(key, index), count: stride) }
        if old.capacity > 0 { pool.release(old.block, Int(old.capacity) * stride) }
        rings[key] = Ring(
            block: block, capacity: UInt32(truncatingIfNeeded: size / stride), head: 0, count: old.count)
    }

    // MARK: Stored state

    func save(to writer: inout StateWriter) {
        writer.write(rings.count)
        for key in rings.indices {
            writer.write(count(key))
            for index in 0..<count(key) {
                writer.write(time(key, index))
                for value in 0..<width {
                    let tag = tag(key, index, value)
                    let bits = bits(key, index, value)
                    writer.write(UInt64(tag.rawValue))
                    if TagSet.heaped.contains(tag.set) {
                        writer.write(UnsafeRawBufferPointer(bytes(bits)))
                    } else {
                        writer.write(bits)
                    }
                }
                for word in 0..<extraWords { writer.write(extra(key, index)[word]) }
            }
        }
    }

    func restore(from reader: inout StateReader) throws(StateError) {
        let keyCount = try reader.readCount(ofSize: 8)
        reserveKeys(keyCount)
        for key in 0..<keyCount {
            for _ in 0..<(try reader.readCount(ofSize: 8)) {
                let index = append(key, time: try reader.readInt64())
                for value in 0..<width {
                    guard let raw = UInt8(exactly: try reader.readUInt64()), let tag = ValueTag(rawValue: raw) else {
                        throw StateError()
                    }
                    if TagSet.heaped.contains(tag.set) {
                        let text = try reader.readBytes()
                        text.withUnsafeBufferPointer { set(key, index, value, tag: tag, bytes: $0) }
                    } else {
                        set(key, index, value, tag: tag, bits: try reader.readUInt64())
                    }
                }
                for word in 0..<extraWords { extra(key, index)[word] = try reader.readUInt64() }
            }
        }
    }
}
