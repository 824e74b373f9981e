import OgawaCore

/// A value per slot with its own copies of text.
///
/// Text that was overwritten is garbage until it is more than half of the heap, then the live text moves together.
///
/// **Shape.** 9 bytes a slot and its text.
/// **Isolation.** Owned by one operator.
final class ValueStore {
    let column: Column
    /// The values as rows of a column.
    let operand: Operand
    private var liveByteCount = 0

    init() {
        column = Column(heap: TextHeap(capacity: 64))
        operand = Operand(column: column, isConstant: false)
    }

    var count: Int { column.count }

    func removeAll() {
        column.finish(count: 0, tagSet: [])
        column.heap.count = 0
        liveByteCount = 0
    }

    /// Adds slots without a value.
    func grow(to count: Int) {
        guard column.count < count else { return }
        column.reserve(count)
        let start = column.count
        (column.tags + start).update(repeating: ValueTag.null.rawValue, count: count - start)
        (column.values + start).update(repeating: 0, count: count - start)
        column.finish(count: count, tagSet: column.tagSet.union(.null))
    }

    func clear(_ slot: Int) {
        release(slot)
        column.tags[slot] = ValueTag.null.rawValue
        column.values[slot] = 0
    }

    /// Takes a copy of one row.
    func set(_ slot: Int, from operand: Operand, _ row: Int) {
        release(slot)
        let tag = operand.tag(row)
        var bits = operand.bits(row)
        if TagSet.heaped.contains(tag.set) {
            // With the room made first, the bytes stay where they are, also on this heap.
            column.heap.reserve(Int(bits >> 32))
            let bytes = operand.column.heap.bytes(bits)
            bits = bytes.baseAddress.map { column.heap.append($0, count: bytes.count) } ?? 0
            liveByteCount += bytes.count
        }
        column.tags[slot] = tag.rawValue
        column.values[slot] = bits
        column.finish(count: column.count, tagSet: column.tagSet.union(tag.set))
        if column.heap.count > 4096, column.heap.count > 2 * liveByteCount { compact() }
    }

    @inline(__always)
    private func release(_ slot: Int) {
        guard TagSet.heaped.contains(column.tag(at: slot).set) else { return }
        liveByteCount -= Int(column.values[slot] >> 32)
    }

    private func compact() {
        let live = TextHeap(capacity: liveByteCount + 64)
        for slot in 0..<column.count where TagSet.heaped.contains(column.tag(at: slot).set) {
            let bytes = column.heap.bytes(column.values[slot])
            column.values[slot] = bytes.baseAddress.map { live.append($0, count: bytes.count) } ?? 0
        }
        // The live text keeps its positions.
        column.heap.count = 0
        _ = column.heap.append(live.base, count: live.count)
    }

    func save(to writer: inout StateWriter) { writer.write(column) }

    /// Takes what ``save(to:)`` wrote; `count` is the number of slots that there must be.
    func restore(from reader: inout StateReader, count: Int) throws {
        removeAll()
        try reader.read(into: column)
        guard column.count == count else { throw StateError() }
        for slot in 0..<count where TagSet.heaped.contains(column.tag(at: slot).set) {
            liveByteCount += Int(column.values[slot] >> 32)
        }
    }
}

extension Column {
    /// Adds one row of a column on another heap.
    func appendCopy(of source: Column, row: Int) {
        let tag = source.tag(at: row)
        var bits = source.values[row]
        if TagSet.heaped.contains(tag.set) {
            let bytes = source.heap.bytes(bits)
            bits = bytes.baseAddress.map { heap.append($0, count: bytes.count) } ?? 0
        }
        append(tag, bits)
    }
}
