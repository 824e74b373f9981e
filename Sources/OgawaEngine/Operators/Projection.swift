import OgawaCore

/// Computes new columns from the input's.
final class Projection: Operator {
    private let expressions: [ExpressionNode]
    private let context: EvaluationContext
    private let policy: FailurePolicy
    private let selector: RowSelector
    private let constants: [Column]
    private let output: ColumnBatch

    init(_ expressions: [ExpressionNode], heap: TextHeap, policy: FailurePolicy) {
        self.expressions = expressions
        self.policy = policy
        context = EvaluationContext(heap: heap)
        selector = RowSelector(columnCount: expressions.count, heap: heap)
        constants = expressions.map { _ in Column(heap: heap) }
        output = ColumnBatch(columns: [], heap: heap)
    }

    override func process(_ batch: ColumnBatch) throws {
        output.columns.removeAll(keepingCapacity: true)
        for (index, expression) in expressions.enumerated() {
            let operand = expression.evaluate(batch, context, active: nil)
            output.columns.append(operand.isConstant ? repeated(operand, index, batch.count) : operand.column)
        }
        output.times = batch.times
        output.lanes = batch.lanes
        if let survivors = try policy.survivors(context, count: batch.count) {
            try emit(selector.select(survivors, of: output))
        } else {
            try emit(output)
        }
    }

    private func repeated(_ operand: Operand, _ index: Int, _ count: Int) -> Column {
        let column = constants[index]
        column.reserve(count)
        column.tags.update(repeating: operand.column.tags[0], count: count)
        column.values.update(repeating: operand.column.values[0], count: count)
        column.finish(count: count, tagSet: operand.column.tagSet)
        return column
    }
}
