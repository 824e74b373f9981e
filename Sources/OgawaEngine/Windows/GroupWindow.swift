import OgawaCore
import OgawaSQL

/// The rows that come out of windows: keys, aggregates, start and end of the window, and its id.
final class GroupOutput {
    let batch: ColumnBatch
    private let keyCount: Int
    /// Called when there are many rows or much text, to take and clear them; nil where rows wait for others.
    var onFull: (() -> Void)?
    private static let fullRowCount = 65_536
    private static let fullByteCount = 1 << 24

    init(_ plan: AggregatePlan, heap: TextHeap) {
        keyCount = plan.keys.count
        batch = ColumnBatch(columns: (0..<plan.columnCount).map { _ in Column(heap: heap) }, heap: heap)
    }

    var count: Int { batch.count }

    func clear() {
        batch.heap.count = 0
        batch.times.removeAll(keepingCapacity: true)
        for column in batch.columns { column.finish(count: 0, tagSet: []) }
    }

    /// Adds the row of one group.
    func append(
        key: UInt32, _ interner: KeyInterner, _ accumulators: [Accumulator], slot: Int, start: Int64, end: Int64,
        id: String?
    ) {
        let columns = batch.columns
        interner.decode(key, into: columns[..<keyCount])
        for (index, accumulator) in accumulators.enumerated() {
            accumulator.write(slot, into: columns[keyCount + index])
        }
        finishRow(start: start, end: end, id: id)
    }

    /// Adds the columns of the window to a row whose other columns are there.
    func finishRow(start: Int64, end: Int64, id: String?) {
        let columns = batch.columns
        let first = columns.count - AggregatePlan.windowColumnCount
        columns[first].append(.datetime, UInt64(bitPattern: start))
        columns[first + 1].append(.datetime, UInt64(bitPattern: end))
        if let id {
            columns[first + 2].append(.text, batch.heap.append(id))
        } else {
            columns[first + 2].append(.null, 0)
        }
        batch.times.append(end)
        if let onFull, count >= GroupOutput.fullRowCount || batch.heap.count >= GroupOutput.fullByteCount { onFull() }
    }

    /// Copies a row to the end of another output.
    func copyRow(_ row: Int, to other: GroupOutput) {
        for (own, target) in zip(batch.columns, other.batch.columns) { target.appendCopy(of: own, row: row) }
        other.batch.times.append(batch.times[row])
    }

    /// Forgets the first rows.
    func dropRows(_ count: Int) {
        guard count > 0 else { return }
        guard count < self.count else {
            clear()
            return
        }
        let heap = TextHeap()
        let kept = batch.columns.map { column in
            let copy = Column(heap: heap)
            for row in count..<column.count { copy.appendCopy(of: column, row: row) }
            return copy
        }
        let times = Array(batch.times[count...])
        clear()
        batch.times = times
        for (column, copy) in zip(batch.columns, kept) {
            for row in 0..<copy.count { column.appendCopy(of: copy, row: row) }
        }
    }

    func save(to writer: inout StateWriter) {
        writer.write(batch.times)
        for column in batch.columns { writer.write(column) }
    }

    func restore(from reader: inout StateReader) throws {
        clear()
        batch.times = try reader.readArray(of: Int64.self)
        for column in batch.columns {
            try reader.read(into: column)
            guard column.count == batch.times.count else { throw StateError() }
        }
    }
}

/// One batch as the windows see it.
struct GroupInput {
    let batch: ColumnBatch
    let aggregates: [AggregateInput]
}

/// One window of a GROUP BY, with the state of all its groups.
///
/// Rows go to the output when time has passed their end, in order of (end, first appearance).
/// **Isolation.** Owned by one operator.
class GroupWindow {
    /// What a window is made of.
    struct Parts {
        let aggregates: [AggregateCall]
        let id: String?
        let output: GroupOutput
        /// The keys that rows are grouped by; those of the window's own partition may follow them.
        let groups: KeySpace
        /// The keys of the window's own partition.
        let partitions: KeySpace
        /// The window's conditions.
        let conditions: [ExpressionNode]
    }

    let parts: Parts
    /// The window's conditions over the present batch.
    private(set) var conditions: [Operand] = []

    init(_ parts: Parts) { self.parts = parts }

    /// Evaluates the window's own expressions over a batch.
    final func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext) {
        conditions = parts.conditions.map { $0.evaluate(batch, context, active: nil) }
    }

    /// Takes rows in order of time and gives the rows of every window that ends before one of them.
    func add(_ input: GroupInput) {}

    /// Gives the rows of every window that ends before a time.
    func close(before time: Int64) {}

    /// The end of the earliest window that waits for time to pass.
    var earliestEnd: Int64? { nil }

    /// Marks the key numbers that the window still needs; false where it cannot do without any that it has seen.
    func markKeys(_ isLive: inout [Bool]) -> Bool { false }

    /// Learns the new number of each marked key.
    func renumberKeys(_ numbers: [UInt32]) {}

    func save(to writer: inout StateWriter) {}

    func restore(from reader: inout StateReader) throws {}

    final func makeAccumulators() -> [Accumulator] { parts.aggregates.map(Accumulator.make) }

    final func write(key: UInt32, _ accumulators: [Accumulator], slot: Int, start: Int64, end: Int64) {
        parts.output.append(
            key: key, parts.groups.interner, accumulators, slot: slot, start: start, end: end, id: parts.id)
    }

    /// Reads key numbers that must be known.
    final func readKeys(_ reader: inout StateReader, of space: KeySpace) throws -> [UInt32] {
        let keys = try reader.readArray(of: UInt32.self)
        guard keys.allSatisfy({ Int($0) < space.interner.count }) else { throw StateError() }
        return keys
    }
}

extension [Accumulator] {
    func grow(to count: Int) { for accumulator in self { accumulator.grow(to: count) } }

    func clear(_ slot: Int) { for accumulator in self { accumulator.clear(slot) } }

    func removeAll() { for accumulator in self { accumulator.removeAll() } }

    func add(_ row: Int, _ inputs: [AggregateInput], slot: Int) {
        for index in indices { self[index].add(row, inputs[index], slot: slot) }
    }

    func merge(_ others: [Accumulator], from source: Int, into slot: Int) {
        for index in indices { self[index].merge(others[index], from: source, into: slot) }
    }

    func save(to writer: inout StateWriter) { for accumulator in self { accumulator.save(to: &writer) } }

    /// Restores all; each must have `count` slots.
    func restore(from reader: inout StateReader, count: Int) throws {
        for accumulator in self {
            try accumulator.restore(from: &reader)
            guard accumulator.count == count else { throw StateError() }
        }
    }
}
