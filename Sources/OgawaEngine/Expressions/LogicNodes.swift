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
final class CaseNode: ExpressionNode {
    private let branches: [(condition: ExpressionNode, result: ExpressionNode)]
    private let otherwise: ExpressionNode
    private let open = RowMask()
    private let taken = RowMask()
    private let result: Column

    init(
        _ branches: [(condition: ExpressionNode, result: ExpressionNode)], otherwise: ExpressionNode,
        heap: TextHeap, range: SourceRange
    ) {
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
            result.tags[row] = value.tag(row).rawValue
            result.values[row] = value.bits(row)
        }
        // Rows that no branch took stay null.
        result.tagSet.formUnion(value.column.tagSet.union(.null))
    }
}

/// [NOT] IN a list.
final class InNode: ExpressionNode {
    private let operand: ExpressionNode
    private let candidates: [ExpressionNode]
    private let isNegated: Bool
    private let result: Column

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
        let listed = candidates.map { $0.evaluate(batch, context, active: active) }
        result.fillBits(count: batch.count) { row in
            if value.tag(row) == .null { return false }
            return listed.contains { compare(value, row, $0, row) == .equal } != isNegated
        }
        return Operand(column: result, isConstant: false)
    }
}

/// [NOT] LIKE with `%` (any run) and `_` (one character).
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
            guard value.tag(row) == .text, wanted.tag(row) == .text else {
                let isNull = value.tag(row) == .null || wanted.tag(row) == .null
                if !isNull, isActive(active, row) {
                    context.fail(row: row, "LIKE needs text, found \(value.describe(row))", range)
                }
                return false
            }
            let text = context.heap.bytes(value.bits(row))
            return matchesLike(text, context.heap.bytes(wanted.bits(row))) != isNegated
        }
        return Operand(column: result, isConstant: false)
    }
}

/// Matches by going back to the last `%` only, which takes at most text × pattern steps.
func matchesLike(_ text: UnsafeBufferPointer<UInt8>, _ pattern: UnsafeBufferPointer<UInt8>) -> Bool {
    var (position, index) = (0, 0)
    var restart: (position: Int, index: Int)?
    while position < text.count {
        if index < pattern.count, pattern[index] == UInt8(ascii: "%") {
            restart = (position, index)
            index += 1
        } else if index < pattern.count, pattern[index] == UInt8(ascii: "_") {
            position = nextCharacter(text, position)
            index += 1
        } else if index < pattern.count, pattern[index] == text[position] {
            position += 1
            index += 1
        } else if let last = restart {
            restart = (last.position + 1, last.index)
            (position, index) = (last.position + 1, last.index + 1)
        } else {
            return false
        }
    }
    while index < pattern.count, pattern[index] == UInt8(ascii: "%") { index += 1 }
    return index == pattern.count
}

/// The position behind the UTF-8 character at `position`.
private func nextCharacter(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> Int {
    var next = position + 1
    while next < text.count, text[next] & 0xc0 == 0x80 { next += 1 }
    return next
}
