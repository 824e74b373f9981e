import OgawaCore

// Conditions are two-valued: NULL counts as false, so NOT (x = 1) is true where x is NULL, as the reference's rule
// "a comparison with NULL is FALSE" says. The right side of AND and OR is evaluated only for rows that need it, so that
// `x <> 0 AND f(x)` protects f.

/// A mask of rows, reused between batches.
final class RowMask {
    private(set) var bytes: UnsafeMutablePointer<UInt8>
    private var capacity: Int

    init() {
        capacity = 16
        bytes = .allocate(capacity: capacity)
    }

    deinit { bytes.deallocate() }

    /// Sets every row's byte.
    @inline(__always)
    func fill(count: Int, _ isSet: (Int) -> Bool) {
        if count > capacity {
            bytes.deallocate()
            capacity = max(count, capacity * 2)
            bytes = .allocate(capacity: capacity)
        }
        for row in 0..<count { bytes[row] = isSet(row) ? 1 : 0 }
    }
}

/// AND and OR.
final class LogicNode: ExpressionNode {
    private let isAnd: Bool
    private let left: ExpressionNode
    private let right: ExpressionNode
    private let mask = RowMask()
    private let result: Column

    init(isAnd: Bool, _ left: ExpressionNode, _ right: ExpressionNode, heap: TextHeap, range: SourceRange) {
        self.isAnd = isAnd
        self.left = left
        self.right = right
        result = Column(heap: heap)
        super.init(range: range)
    }

    override func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        let count = batch.count
        let a = left.evaluate(batch, context, active: active)
        mask.fill(count: count) { isActive(active, $0) && a.isTrue($0) == isAnd }
        let b = right.evaluate(batch, context, active: mask.bytes)
        result.fillBits(count: count) { isAnd ? a.isTrue($0) && b.isTrue($0) : a.isTrue($0) || b.isTrue($0) }
        return Operand(column: result, isConstant: false)
    }
}

/// NOT.
final class NotNode: ExpressionNode {
    private let operand: ExpressionNode
    private let result: Column

    init(_ operand: ExpressionNode, heap: TextHeap, range: SourceRange) {
        self.operand = operand
        result = Column(heap: heap)
        super.init(range: range)
    }

    override func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        let value = operand.evaluate(batch, context, active: active)
        result.fillBits(count: batch.count) { !value.isTrue($0) }
        return Operand(column: result, isConstant: false)
    }
}

/// CASE WHEN; each branch is evaluated only for its rows.
///
/// Where one branch is a float for certain, the numbers of all are floats, and where one is a bigint, their bits are bigints: a value's type does
/// not depend on the branch taken.
final class CaseNode: ExpressionNode {
    private let numberType: ValueTag?
    private let branches: [(condition: ExpressionNode, result: ExpressionNode)]
    private let otherwise: ExpressionNode
    private let open = RowMask()
    private let taken = RowMask()
    private let result: Column

    init(
        _ branches: [(condition: ExpressionNode, result: ExpressionNode)], otherwise: ExpressionNode,
        numberType: ValueTag?, heap: TextHeap, range: SourceRange
    ) {
        self.numberType = numberType
        self.branches = branches
        self.otherwise = otherwise
        result = Column(heap: heap)
        super.init(range: range)
    }

    override func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        let count = batch.count
        result.reserve(count)
        result.tags.update(repeating: ValueTag.null.rawValue, count: count)
        result.values.update(repeating: 0, count: count)
        result.finish(count: count, tagSet: [])
        open.fill(count: count) { isActive(active, $0) }
        for branch in branches {
            let condition = branch.condition.evaluate(batch, context, active: open.bytes)
            let mask = open.bytes
            taken.fill(count: count) { mask[$0] != 0 && condition.isTrue($0) }
            take(branch.result.evaluate(batch, context, active: taken.bytes), count: count, from: taken.bytes)
            for row in 0..<count where taken.bytes[row] != 0 { mask[row] = 0 }
        }
        take(otherwise.evaluate(batch, context, active: open.bytes), count: count, from: open.bytes)
        return Operand(column: result, isConstant: false)
    }

    private func take(_ value: Operand, count: Int, from mask: UnsafeMutablePointer<UInt8>) {
        for row in 0..<count where mask[row] != 0 {
            let (tag, bits) = raised(value.tag(row), value.bits(row))
            result.tags[row] = tag.rawValue
            result.values[row] = bits
            result.tagSet.insert(tag.set)
        }
        // Rows that no branch took stay null.
        result.tagSet.insert(.null)
    }

    /// A number as the type that the branches have in common.
    @inline(__always)
    private func raised(_ tag: ValueTag, _ bits: UInt64) -> (ValueTag, UInt64) {
        guard let numberType, tag != numberType, tag == .bit || tag == .bigint else { return (tag, bits) }
        return numberType == .float ? (.float, Double(Int64(bitPattern: bits)).bitPattern) : (.bigint, bits)
    }
}

/// [NOT] IN a list, as `=` with each element, joined by OR; NOT IN as `<>`, joined by AND, so that a NULL anywhere makes both false.
final class InNode: ExpressionNode {
    private let operand: ExpressionNode
    private let candidates: [ExpressionNode]
    private let isNegated: Bool
    private let result: Column
    private var listed: [Operand] = []

    init(
        _ operand: ExpressionNode, _ candidates: [ExpressionNode], isNegated: Bool, heap: TextHeap,
        range: SourceRange
    ) {
        self.operand = operand
        self.candidates = candidates
        self.isNegated = isNegated
        result = Column(heap: heap)
        super.init(range: range)
    }

    override func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        let value = operand.evaluate(batch, context, active: active)
        listed.removeAll(keepingCapacity: true)
        for candidate in candidates { listed.append(candidate.evaluate(batch, context, active: active)) }
        result.fillBits(count: batch.count) { row in
            if value.tag(row) == .null { return false }
            var hasNull = false
            for candidate in listed {
                switch compare(value, row, candidate, row) {
                case .equal: return !isNegated
                case .impossible:
                    guard isActive(active, row) else { continue }
                    context.fail(
                        row: row, "\(value.describe(row)) cannot be compared with \(candidate.describe(row))", range)
                case .less, .greater, .none:
                    if candidate.tag(row) == .null { hasNull = true }
                }
            }
            return isNegated && !hasNull
        }
        return Operand(column: result, isConstant: false)
    }
}

/// [NOT] LIKE with `%` (any run) and `_` (one character); numbers and datetimes are read as text.
final class LikeNode: ExpressionNode {
    private let operand: ExpressionNode
    private let pattern: ExpressionNode
    private let isNegated: Bool
    private let result: Column

    init(
        _ operand: ExpressionNode, pattern: ExpressionNode, isNegated: Bool, heap: TextHeap, range: SourceRange
    ) {
        self.operand = operand
        self.pattern = pattern
        self.isNegated = isNegated
        result = Column(heap: heap)
        super.init(range: range)
    }

    override func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        let value = operand.evaluate(batch, context, active: active)
        let wanted = pattern.evaluate(batch, context, active: active)
        result.fillBits(count: batch.count) { row in
            if value.tag(row) == .null || wanted.tag(row) == .null || !isActive(active, row) { return false }
            guard let text = context.heap.text(of: Cell(tag: value.tag(row), bits: value.bits(row))),
                let like = context.heap.text(of: Cell(tag: wanted.tag(row), bits: wanted.bits(row)))
            else {
                context.fail(
                    row: row, "LIKE needs text, found \(value.describe(row)) and \(wanted.describe(row))", range)
                return false
            }
            return matchesLike(context.heap.bytes(text), context.heap.bytes(like)) != isNegated
        }
        return Operand(column: result, isConstant: false)
    }
}
