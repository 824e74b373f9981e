import OgawaCore

/// One value for every row.
final class LiteralNode: ExpressionNode {
    private let value: Value
    private let result: Column

    init(_ value: Value, heap: TextHeap, range: SourceRange) {
        self.value = value
        result = Column(heap: heap)
        super.init(range: range)
        result.append(value)
    }

    override func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        // The heap is emptied between batches, so text goes in again.
        if case .text(let text) = value { result.values[0] = context.heap.append(text) }
        return Operand(column: result, isConstant: true)
    }
}

/// A column of the operator's input.
final class ColumnNode: ExpressionNode {
    private let index: Int

    init(_ index: Int, range: SourceRange) {
        self.index = index
        super.init(range: range)
    }

    override func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        Operand(column: batch.columns[index], isConstant: false)
    }
}

/// System.Timestamp() of each row.
final class EventTimeNode: ExpressionNode {
    private let result: Column

    init(heap: TextHeap, range: SourceRange) {
        result = Column(heap: heap)
        super.init(range: range)
    }

    override func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        let count = batch.count
        result.reserve(count)
        result.tags.update(repeating: ValueTag.datetime.rawValue, count: count)
        for row in 0..<count { result.values[row] = UInt64(bitPattern: batch.times[row]) }
        result.finish(count: count, tagSet: .datetime)
        return Operand(column: result, isConstant: false)
    }
}

/// A member of a record value by path.
final class FieldNode: ExpressionNode {
    private let operand: ExpressionNode
    private let path: [[UInt8]]
    private let result: Column

    init(_ operand: ExpressionNode, path: [String], heap: TextHeap, range: SourceRange) {
        self.operand = operand
        self.path = path.map { Array($0.utf8) }
        result = Column(heap: heap)
        super.init(range: range)
    }

    override func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        let record = operand.evaluate(batch, context, active: active)
        result.finish(count: 0, tagSet: [])
        for row in 0..<batch.count {
            var cell = Cell(tag: record.tag(row), bits: record.bits(row))
            do {
                for name in path { cell = try member(name, of: cell, heap: context.heap) }
            } catch {
                cell = .null
                let message = (error as? ScalarFailure)?.message ?? String(describing: error)
                if isActive(active, row) { context.fail(row: row, message, range) }
            }
            result.append(cell.tag, cell.bits)
        }
        return Operand(column: result, isConstant: false)
    }

    private func member(_ name: [UInt8], of cell: Cell, heap: TextHeap) throws -> Cell {
        guard cell.tag == .record else { return .null }
        let range = name.withUnsafeBufferPointer { JSONCursor.member($0, of: heap.bytes(cell.bits)) }
        guard let range else { return .null }
        return try heap.value(ofJSON: cell.bits, range)
    }
}

/// IS [NOT] NULL.
final class IsNullNode: ExpressionNode {
    private let operand: ExpressionNode
    private let isNegated: Bool
    private let result: Column

    init(_ operand: ExpressionNode, isNegated: Bool, heap: TextHeap, range: SourceRange) {
        self.operand = operand
        self.isNegated = isNegated
        result = Column(heap: heap)
        super.init(range: range)
    }

    override func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        let value = operand.evaluate(batch, context, active: active)
        result.fillBits(count: batch.count) { (value.tag($0) == .null) != isNegated }
        return Operand(column: result, isConstant: false)
    }
}

extension Column {
    /// Overwrites this column with one bit per row.
    @inline(__always)
    func fillBits(count: Int, _ isTrue: (Int) -> Bool) {
        reserve(count)
        tags.update(repeating: ValueTag.bit.rawValue, count: count)
        for row in 0..<count { values[row] = isTrue(row) ? 1 : 0 }
        finish(count: count, tagSet: .bit)
    }
}

extension Operand {
    /// Whether a row counts as true in a condition: a bit 1 or a number other than 0; NULL is not.
    @inline(__always)
    func isTrue(_ row: Int) -> Bool {
        switch tag(row) {
        case .bit, .bigint: bits(row) != 0
        case .float: Double(bitPattern: bits(row)) != 0
        default: false
        }
    }
}
