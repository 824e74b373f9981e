import OgawaCore

/// Copies the rows that a statement emits during one step, so that they commit together with the step's progress.
///
/// **Isolation.** Owned by one runner.
final class StepRows {
    private var items: [RowBatch.Item] = []
    private var columns: [Column] = []
    private var times: [Int64] = []
    private var heap = TextHeap()
    private var rowNumbers: [Int32] = []

    var count: Int { times.count }

    func append(_ rows: RowBatch) {
        if columns.isEmpty {
            items = rows.items
            columns = rows.columns.map { _ in Column(heap: heap) }
        }
        rowNumbers.removeAll(keepingCapacity: true)
        for row in 0..<rows.count { rowNumbers.append(Int32(truncatingIfNeeded: row)) }
        rowNumbers.withUnsafeBufferPointer { numbers in
            for (target, source) in zip(columns, rows.columns) { target.appendCopies(of: source, rows: numbers) }
        }
        times += rows.times
    }

    /// The rows so far; valid until the next call of ``append(_:)`` or ``clear()``.
    var batch: RowBatch { RowBatch(items: items, columns: columns, times: times) }

    func clear() {
        for column in columns { column.finish(count: 0, tagSet: []) }
        times.removeAll(keepingCapacity: true)
        heap.count = 0
    }
}
