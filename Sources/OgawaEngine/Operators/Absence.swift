import OgawaCore
import OgawaSQL

// ABSENCE(unit, n) OVER (PARTITION BY k): who fell silent, who returned.
//
// A key is silent when (last, last + n] holds no event of it. The row that says so has the columns of the last event and the time last + n; it
// goes out when a row or the watermark is past that time, so that a replay gives the same rows. The next event of the key gives the
// row of the return. Every key waits equally long, so the keys in order of their last event are in order of their silence: a linked list through the
// key numbers, to whose end each event moves its key.
//
// State per key: 40 bytes, and the columns that are read of the last event, 9 to 16 bytes each and their text.

/// Rows for keys that fall silent and return.
final class Absence: Operator {
    private let ticks: Int64
    private let keys: [ExpressionNode]
    private let condition: ExpressionNode?
    private let context: EvaluationContext
    private let policy: FailurePolicy
    private let selector: RowSelector
    private let interner = KeyInterner()
    private let width: Int
    /// The last event of each key.
    private let last: ValueRings
    private let output: ColumnBatch
    private var ids: [UInt32] = []
    /// The waiting keys, by their last events.
    private var waiting = KeyQueue()

    init(_ plan: AbsencePlan, columnCount: Int, heap: TextHeap, outputHeap: TextHeap, policy: FailurePolicy) throws {
        let compiler = ExpressionCompiler(heap: heap)
        ticks = min(max(plan.ticks, 1), 1 << 62)
        keys = try plan.keys.map(compiler.node)
        condition = try plan.condition.map(compiler.node)
        width = columnCount
        last = ValueRings(width: columnCount)
        self.policy = policy
        context = EvaluationContext(heap: heap)
        selector = RowSelector(columnCount: columnCount, heap: heap)
        let count = columnCount + AbsencePlan.columnCount
        output = ColumnBatch(columns: (0..<count).map { _ in Column(heap: outputHeap) }, heap: outputHeap)
    }

    override func process(_ batch: ColumnBatch) throws {
        var batch = batch
        var operands = evaluate(batch)
        if let survivors = try policy.survivors(context, count: batch.count) {
            batch = selector.select(survivors, of: batch)
            operands = evaluate(batch)
            _ = context.takeFailures()
        }
        interner.intern(operands.keys, count: batch.count, into: &ids)
        last.reserveKeys(interner.count)
        waiting.reserveKeys(interner.count)
        startOutput()
        for row in 0..<batch.count {
            let time = batch.times[row]
            emitSilent(before: time)
            if let condition = operands.condition, !condition.isTrue(row) { continue }
            take(batch, row, key: Int(ids[row]), time)
        }
        try emit(output)
    }

    override func advance(to time: Int64) throws {
        startOutput()
        emitSilent(before: time)
        try emit(output)
        try super.advance(to: time)
    }

    override var earliestOpenEnd: Int64? {
        [waiting.first.map(end), super.earliestOpenEnd].compactMap { $0 }.min()
    }

    private func evaluate(_ batch: ColumnBatch) -> (keys: [Operand], condition: Operand?) {
        (
            keys.map { $0.evaluate(batch, context, active: nil) },
            condition?.evaluate(batch, context, active: nil)
        )
    }

    private func startOutput() {
        output.heap.count = 0
        output.times.removeAll(keepingCapacity: true)
        output.lanes.removeAll(keepingCapacity: true)
        for column in output.columns { column.finish(count: 0, tagSet: []) }
    }

    /// The last instant at which an event of a key still comes in time.
    private func end(_ key: Int) -> Int64 {
        let (end, overflow) = last.time(key, 0).addingReportingOverflow(ticks)
        return overflow ? .max - 1 : end
    }

    /// Takes a sign of life; gives a row where the key had been silent.
    private func take(_ batch: ColumnBatch, _ row: Int, key: Int, _ time: Int64) {
        let isKnown = last.count(key) > 0
        if isKnown, !waiting.contains(key) {
            for (target, column) in zip(output.columns, batch.columns) { target.appendCopy(of: column, row: row) }
            append(isSilent: false, lastSeen: last.time(key, 0), time)
        }
        let index = isKnown ? 0 : last.append(key, time: time)
        last.setTime(key, index, time)
        for (value, column) in batch.columns.enumerated() {
            last.set(key, index, value, tag: column.tag(at: row), bits: column.values[row], heap: column.heap)
        }
        waiting.moveToEnd(key)
    }

    private func emitSilent(before time: Int64) {
        while let key = waiting.first, end(key) < time {
            waiting.remove(key)
            for value in 0..<width { last.write(key, 0, value, into: output.columns[value]) }
            append(isSilent: true, lastSeen: last.time(key, 0), end(key))
        }
    }

    private func append(isSilent: Bool, lastSeen: Int64, _ time: Int64) {
        output.columns[width].append(.bit, isSilent ? 1 : 0)
        output.columns[width + 1].append(.datetime, UInt64(bitPattern: lastSeen))
        output.times.append(time)
    }

    override func save(to writer: inout StateWriter) {
        interner.save(to: &writer)
        last.save(to: &writer)
        writer.write(waiting.keys)
    }

    override func restore(from reader: inout StateReader) throws {
        try interner.restore(from: &reader)
        try last.restore(from: &reader)
        waiting.reserveKeys(last.keyCount)
        for key in try reader.readArray(of: UInt32.self) {
            guard key < last.keyCount, last.count(Int(key)) > 0 else { throw StateError() }
            waiting.moveToEnd(Int(key))
        }
    }
}

/// A queue of key numbers in which each occurs once and can move to the end, in constant time.
///
/// **Shape.** 8 bytes a key: the neighbours in a doubly linked list.
struct KeyQueue {
    private static let none = UInt32.max
    /// A key that is not in the queue.
    private static let absent = UInt32.max - 1
    private var next: [UInt32] = []
    private var previous: [UInt32] = []
    private var head = KeyQueue.none
    private var tail = KeyQueue.none

    mutating func reserveKeys(_ count: Int) {
        guard count > next.count else { return }
        let added = repeatElement(KeyQueue.absent, count: count - next.count)
        next.append(contentsOf: added)
        previous.append(contentsOf: added)
    }

    /// The key that has waited longest.
    var first: Int? { head == KeyQueue.none ? nil : Int(head) }

    func contains(_ key: Int) -> Bool { next[key] != KeyQueue.absent }

    mutating func moveToEnd(_ key: Int) {
        if contains(key) { remove(key) }
        let id = UInt32(truncatingIfNeeded: key)
        previous[key] = tail
        next[key] = KeyQueue.none
        if tail == KeyQueue.none { head = id } else { next[Int(tail)] = id }
        tail = id
    }

    mutating func remove(_ key: Int) {
        let (before, after) = (previous[key], next[key])
        if before == KeyQueue.none { head = after } else { next[Int(before)] = after }
        if after == KeyQueue.none { tail = before } else { previous[Int(after)] = before }
        next[key] = KeyQueue.absent
        previous[key] = KeyQueue.absent
    }

    /// All keys, from the first to the last.
    var keys: [UInt32] {
        var keys: [UInt32] = []
        var key = head
        while key != KeyQueue.none {
            keys.append(key)
            key = next[Int(key)]
        }
        return keys
    }
}
