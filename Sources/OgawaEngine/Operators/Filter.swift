import OgawaCore

/// Keeps the rows for which a predicate is true.
final class Filter: Operator {
    private let predicate: ExpressionNode
    private let context: EvaluationContext
    private let policy: FailurePolicy
    private let selector: RowSelector
    private var rows: [Int32] = []

    init(_ predicate: ExpressionNode, columnCount: Int, heap: TextHeap, policy: FailurePolicy) {
        self.predicate = predicate
        self.policy = policy
        context = EvaluationContext(heap: heap)
        selector = RowSelector(columnCount: columnCount, heap: heap)
    }

    override func process(_ batch: ColumnBatch) throws {
        let condition = predicate.evaluate(batch, context, active: nil)
        rows.removeAll(keepingCapacity: true)
        if let survivors = try policy.survivors(context, count: batch.count) {
            for row in survivors where condition.isTrue(Int(row)) { rows.append(row) }
        } else {
            for row in 0..<batch.count where condition.isTrue(row) { rows.append(Int32(truncatingIfNeeded: row)) }
        }
        try emit(rows.count == batch.count ? batch : selector.select(rows, of: batch))
    }
}
