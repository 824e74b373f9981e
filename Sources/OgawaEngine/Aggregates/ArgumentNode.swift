import OgawaCore
import OgawaSQL

/// Gives an aggregate values that it can use: text becomes the number or time that it spells, and what has no place in the aggregate is an
/// error of the row.
final class ArgumentNode: ExpressionNode {
    /// What an aggregate does with its values.
    enum Role {
        case number
        /// Numbers and datetimes.
        case comparable
        case order
    }

    private let operand: ExpressionNode
    private let role: Role
    private let function: AggregateFunction
    private let allowed: TagSet
    private let result: Column

    init(_ operand: ExpressionNode, _ role: Role, of function: AggregateFunction, heap: TextHeap, range: SourceRange) {
        self.operand = operand
        self.role = role
        self.function = function
        allowed =
            switch role {
            case .number: [.null, .bigint, .float, .bit]
            case .comparable: [.null, .bigint, .float, .bit, .datetime]
            case .order: [.null, .bigint, .float, .datetime]
            }
        result = Column(heap: heap)
        super.init(range: range)
    }

    override func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        let value = operand.evaluate(batch, context, active: active)
        if value.column.tagSet.isSubset(of: allowed) { return value }
        result.finish(count: 0, tagSet: [])
        for row in 0..<batch.count {
            let tag = value.tag(row)
            if allowed.contains(tag.set) {
                result.append(tag, value.bits(row))
            } else if let (tag, bits) = converted(value, row) {
                result.append(tag, bits)
            } else {
                result.append(.null, 0)
                if isActive(active, row) { context.fail(row: row, message(value, row), range) }
            }
        }
        return Operand(column: result, isConstant: false)
    }

    private func converted(_ value: Operand, _ row: Int) -> (ValueTag, UInt64)? {
        guard value.tag(row) == .text else { return nil }
        if let number = value.number(row) { return (.float, number.bitPattern) }
        guard role == .order else { return nil }
        let bytes = UnsafeRawBufferPointer(value.column.heap.bytes(value.bits(row)))
        return Timestamp(iso8601: bytes).map { (.datetime, UInt64(bitPattern: $0.ticks)) }
    }

    private func message(_ value: Operand, _ row: Int) -> String {
        let found = value.describe(row)
        switch role {
        case .number: return "\(function.rawValue) needs numbers, found \(found)"
        case .comparable:
            let isText = value.tag(row) == .text
            let hint = isText ? "; CAST(… AS nvarchar(max)) compares text" : ""
            return "\(function.rawValue) needs numbers, bits or datetimes, found \(found)\(hint)"
        case .order: return "ORDER BY of \(function.rawValue) takes bigint, float and datetime, found \(found)"
        }
    }
}

/// The compiled expressions of one aggregate.
struct AggregateNodes {
    private let argument: ExpressionNode?
    private let filter: ExpressionNode?
    private let order: [ExpressionNode]

    init(_ call: AggregateCall, _ compiler: ExpressionCompiler) throws {
        let role: ArgumentNode.Role? =
            switch call.function {
            case .sum, .average, .deviation, .populationDeviation, .variance, .populationVariance,
                .continuousPercentile:
                .number
            case .minimum, .maximum: call.comparesText ? nil : .comparable
            case .discretePercentile: .comparable
            case .count, .topOne, .collectTop, .collect, .first, .last: nil
            }
        let heap = compiler.heap
        argument = try call.argument.map { expression in
            let node = try compiler.node(expression)
            guard let role else { return node }
            return ArgumentNode(node, role, of: call.function, heap: heap, range: expression.range)
        }
        filter = try call.filter.map(compiler.node)
        let isPercentile = call.function == .continuousPercentile || call.function == .discretePercentile
        order = try (isPercentile ? [] : call.order).map { key in
            let node = try compiler.node(key.expression)
            return ArgumentNode(node, .order, of: call.function, heap: heap, range: key.expression.range)
        }
    }

    func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext) -> AggregateInput {
        AggregateInput(
            argument: argument?.evaluate(batch, context, active: nil),
            filter: filter?.evaluate(batch, context, active: nil),
            order: order.map { $0.evaluate(batch, context, active: nil) })
    }
}

/// What one aggregate reads of a batch.
struct AggregateInput {
    /// nil for COUNT(*).
    var argument: Operand?
    var filter: Operand?
    var order: [Operand]

    @inline(__always)
    func takesPart(_ row: Int) -> Bool { filter.map { $0.isTrue(row) } ?? true }
}
