import OgawaCore

/// COALESCE: the first value that is not NULL; a later argument is evaluated only for rows that need it.
final class CoalesceNode: ExpressionNode {
    private let operands: [ExpressionNode]
    private let open = RowMask()
    private let result: Column

    init(_ operands: [ExpressionNode], heap: TextHeap, range: SourceRange) {
        self.operands = operands
        result = Column(heap: heap)
        super.init(range: range)
    }

    override func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        let count = batch.count
        result.reserve(count)
        result.tags.update(repeating: ValueTag.null.rawValue, count: count)
        result.values.update(repeating: 0, count: count)
        result.finish(count: count, tagSet: .null)
        open.fill(count: count) { isActive(active, $0) }
        var left = count
        for operand in operands where left > 0 {
            let value = operand.evaluate(batch, context, active: open.bytes)
            if !value.isConstant, value.column.tagSet == [.null] { continue }
            left = 0
            for row in 0..<count where open.bytes[row] != 0 {
                let tag = value.tag(row)
                guard tag != .null else {
                    left += 1
                    continue
                }
                result.tags[row] = tag.rawValue
                result.values[row] = value.bits(row)
                open.bytes[row] = 0
            }
            result.tagSet.formUnion(value.column.tagSet)
        }
        return Operand(column: result, isConstant: false)
    }
}

/// NULLIF: NULL where both are equal as `=` sees it, else the first.
final class NullIfNode: ExpressionNode {
    private let first: ExpressionNode
    private let second: ExpressionNode
    private let result: Column

    init(_ first: ExpressionNode, _ second: ExpressionNode, heap: TextHeap, range: SourceRange) {
        self.first = first
        self.second = second
        result = Column(heap: heap)
        super.init(range: range)
    }

    override func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        let a = first.evaluate(batch, context, active: active)
        let b = second.evaluate(batch, context, active: active)
        result.finish(count: 0, tagSet: [])
        for row in 0..<batch.count {
            switch compare(a, row, b, row) {
            case .equal: result.append(.null, 0)
            case .impossible:
                result.append(.null, 0)
                if isActive(active, row) {
                    context.fail(row: row, "\(a.describe(row)) cannot be compared with \(b.describe(row))", range)
                }
            default: result.append(a.tag(row), a.bits(row))
            }
        }
        return Operand(column: result, isConstant: false)
    }
}
