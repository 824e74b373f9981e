import OgawaCore

// Holds rows until no earlier one can come, then gives them in order of (time, partition, arrival). A binary heap orders
// row numbers; the rows themselves stay where they were appended until more than half of them are gone, so that a row is moved a constant number
// of times.

/// Sorts rows of one or more partitions by event time.
///
/// **Isolation.** Owned by one pipeline.
final class ReorderBuffer {
    private struct Entry {
        var time: Int64
        var partition: Int32
        var row: Int32

        /// Row numbers grow with arrival.
        static func isBefore(_ a: Entry, _ b: Entry) -> Bool {
            (a.time, a.partition, a.row) < (b.time, b.partition, b.row)
        }
    }

    private let columnCount: Int
    private var held: [Column]
    private var heldTimes: [Int64] = []
    private var entries: [Entry] = []
    private var output: ColumnBatch
    private var rows: [Int32] = []

    init(columnCount: Int) {
        self.columnCount = columnCount
        held = ReorderBuffer.columns(columnCount)
        let heap = TextHeap()
        output = ColumnBatch(columns: (0..<columnCount).map { _ in Column(heap: heap) }, heap: heap)
    }

    /// The heap of the batches given out.
    var heap: TextHeap { output.heap }

    /// The rows that wait.
    var count: Int { entries.count }

    func append(_ batch: ColumnBatch, partition: PartitionID) {
        rows = (0..<batch.count).map { Int32(truncatingIfNeeded: $0) }
        rows.withUnsafeBufferPointer { rows in
            for (target, source) in zip(held, batch.columns) { target.appendCopies(of: source, rows: rows) }
        }
        for time in batch.times {
            let row = Int32(truncatingIfNeeded: heldTimes.count)
            heldTimes.append(time)
            push(Entry(time: time, partition: partition.rawValue, row: row))
        }
    }

    /// Rows up to a time, in order, valid until the next call; empty where there are none.
    func release(upTo time: Int64, isInclusive: Bool) -> ColumnBatch {
        rows.removeAll(keepingCapacity: true)
        output.times.removeAll(keepingCapacity: true)
        while let first = entries.first, first.time < time || (isInclusive && first.time == time) {
            rows.append(first.row)
            output.times.append(first.time)
            pop()
        }
        output.heap.count = 0
        rows.withUnsafeBufferPointer { rows in
            for (target, source) in zip(output.columns, held) {
                target.finish(count: 0, tagSet: [])
                target.appendCopies(of: source, rows: rows)
            }
        }
        compact()
        return output
    }

    private static func columns(_ count: Int) -> [Column] {
        let heap = TextHeap()
        return (0..<count).map { _ in Column(heap: heap) }
    }

    private func compact() {
        guard heldTimes.count > 1024 || entries.isEmpty, entries.count * 2 <= heldTimes.count else { return }
        if entries.isEmpty {
            for column in held { column.finish(count: 0, tagSet: []) }
            held.first?.heap.count = 0
            heldTimes.removeAll(keepingCapacity: true)
            return
        }
        // Row numbers must go on growing with arrival, so the survivors keep their order.
        let survivors = entries.map(\.row).sorted()
        var renumbered: [Int32: Int32] = [:]
        for (index, row) in survivors.enumerated() { renumbered[row] = Int32(truncatingIfNeeded: index) }
        let columns = ReorderBuffer.columns(columnCount)
        survivors.withUnsafeBufferPointer { rows in
            for (target, source) in zip(columns, held) { target.appendCopies(of: source, rows: rows) }
        }
        held = columns
        heldTimes = survivors.map { heldTimes[Int($0)] }
        for index in entries.indices { entries[index].row = renumbered[entries[index].row] ?? 0 }
    }

    private func push(_ entry: Entry) {
        entries.append(entry)
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard Entry.isBefore(entries[child], entries[parent]) else { return }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    private func pop() {
        let last = entries.removeLast()
        guard !entries.isEmpty else { return }
        entries[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count {
                if Entry.isBefore(entries[child], entries[least]) { least = child }
            }
            if least == parent { return }
            entries.swapAt(parent, least)
            parent = least
        }
    }
}
