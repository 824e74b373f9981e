import OgawaCore

/// A stage of a pipeline: takes rows in order of time and gives rows in order of time.
///
/// **Isolation.** Owned by one pipeline; everything is synchronous.
class Operator {
    /// Who reads this operator's rows; several where statements share a step.
    private(set) var readers: [Operator] = []

    /// Adds a reader.
    func connect(_ reader: Operator) { readers.append(reader) }

    /// Takes rows whose times are at or after every time seen so far.
    func process(_ batch: ColumnBatch) throws {
        // SAFETY: only subclasses are connected to read, and each of them overrides this.
        preconditionFailure("Operator: a subclass processes")
    }

    /// Learns that every later row has a time at or after `time` (ticks); `Int64.max` ends the input.
    func advance(to time: Int64) throws {
        for reader in readers { try reader.advance(to: time) }
    }

    /// Learns that every later row of a substream has a time at or after `time`.
    func advance(lane: UInt32, to time: Int64) throws {
        for reader in readers { try reader.advance(lane: lane, to: time) }
    }

    /// Writes what the operator itself remembers between batches, without its readers'.
    func save(to writer: inout StateWriter) {}

    /// Takes what ``save(to:)`` of an operator of the same plan wrote; called once, before the first row.
    func restore(from reader: inout StateReader) throws {}

    /// The end of the earliest window that holds rows and waits for time to pass; nil where nothing waits.
    var earliestOpenEnd: Int64? { readers.compactMap(\.earliestOpenEnd).min() }

    final func emit(_ batch: ColumnBatch) throws {
        guard batch.count > 0 else { return }
        for reader in readers { try reader.process(batch) }
    }
}

/// What an operator does with rows on which an expression failed.
final class FailurePolicy {
    /// True where the first failure ends the function (queries and tests).
    let isStrict: Bool
    /// Called for each dropped row otherwise.
    let report: (EngineError) -> Void

    init(isStrict: Bool, report: @escaping (EngineError) -> Void) {
        self.isStrict = isStrict
        self.report = report
    }

    /// The rows to keep after failures; nil where all may stay.
    func survivors(_ context: EvaluationContext, count: Int) throws -> [Int32]? {
        let failures = context.takeFailures()
        guard let first = failures.first else { return nil }
        if isStrict { throw first.error }
        var failed = Set<Int>()
        for failure in failures where failed.insert(failure.row).inserted { report(failure.error) }
        return (0..<count).filter { !failed.contains($0) }.map { Int32(truncatingIfNeeded: $0) }
    }
}

/// Collects chosen rows of a batch, reusing its columns.
final class RowSelector {
    private let batch: ColumnBatch

    init(columnCount: Int, heap: TextHeap) {
        batch = ColumnBatch(columns: (0..<columnCount).map { _ in Column(heap: heap) }, heap: heap)
    }

    func select(_ rows: [Int32], of source: ColumnBatch) -> ColumnBatch {
        rows.withUnsafeBufferPointer { rows in
            for (target, column) in zip(batch.columns, source.columns) { target.gather(from: column, rows: rows) }
            batch.times.removeAll(keepingCapacity: true)
            for row in rows { batch.times.append(source.times[Int(row)]) }
            batch.lanes.removeAll(keepingCapacity: true)
            if !source.lanes.isEmpty { for row in rows { batch.lanes.append(source.lanes[Int(row)]) } }
        }
        return batch
    }
}
