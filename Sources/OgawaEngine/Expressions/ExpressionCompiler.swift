import OgawaCore
import OgawaSQL

/// Turns bound expressions into nodes whose results live on one heap.
struct ExpressionCompiler {
    let heap: TextHeap

    func node(_ expression: Expression) throws -> ExpressionNode {
        let range = expression.range
        switch expression.kind {
        case .literal(let value): return LiteralNode(value, heap: heap, range: range)
        case .column(let index): return ColumnNode(index, range: range)
        case .eventTime: return EventTimeNode(heap: heap, range: range)
        case .field(let record, let path):
            return FieldNode(try node(record), path: path, heap: heap, range: range)
        case .unary(let unary, let operand): return try self.unary(unary, try node(operand), range)
        case .binary(let binary, let left, let right):
            return try self.binary(binary, try node(left), try node(right), range)
        case .caseWhen(let branches, let otherwise):
            let compiled = try branches.map { (condition: try node($0.condition), result: try node($0.result)) }
            return CaseNode(
                compiled, otherwise: try node(otherwise), numberType: expression.commonNumberType, heap: heap,
                range: range)
        case .cast(let operand, let target, let isTry):
            return CastNode(try node(operand), to: target, isTry: isTry, heap: heap, range: range)
        case .isNull(let operand, let isNegated):
            return IsNullNode(try node(operand), isNegated: isNegated, heap: heap, range: range)
        case .like(let operand, let pattern, let isNegated):
            return LikeNode(
                try node(operand), pattern: try node(pattern), isNegated: isNegated, heap: heap, range: range)
        case .isIn(let operand, let candidates, let isNegated):
            return InNode(
                try node(operand), try candidates.map(node), isNegated: isNegated, heap: heap, range: range)
        case .call(let name, let arguments):
            return try call(name.uppercased(), arguments, range)
        }
    }

    private func unary(_ unary: UnaryOperator, _ operand: ExpressionNode, _ range: SourceRange) throws -> ExpressionNode
    {
        switch unary {
        case .negate: IntegerNode(.negate, [operand], heap: heap, range: range)
        case .not: NotNode(operand, heap: heap, range: range)
        case .bitwiseNot: IntegerNode(.bitwiseNot, [operand], heap: heap, range: range)
        }
    }

    private func binary(
        _ binary: BinaryOperator, _ left: ExpressionNode, _ right: ExpressionNode, _ range: SourceRange
    ) throws -> ExpressionNode {
        func arithmetic(_ operation: ArithmeticNode.Operation) -> ExpressionNode {
            ArithmeticNode(operation, left, right, heap: heap, range: range)
        }
        func comparison(_ operation: ComparisonNode.Operation) -> ExpressionNode {
            ComparisonNode(operation, left, right, heap: heap, range: range)
        }
        func bitwise(_ operation: IntegerNode.Operation) -> ExpressionNode {
            IntegerNode(operation, [left, right], heap: heap, range: range)
        }
        switch binary {
        case .add: return arithmetic(.add)
        case .subtract: return arithmetic(.subtract)
        case .multiply: return arithmetic(.multiply)
        case .divide: return arithmetic(.divide)
        case .modulo: return arithmetic(.modulo)
        case .bitwiseAnd: return bitwise(.bitwiseAnd)
        case .bitwiseOr: return bitwise(.bitwiseOr)
        case .bitwiseXor: return bitwise(.bitwiseXor)
        case .equal: return comparison(.equal)
        case .notEqual: return comparison(.notEqual)
        case .less: return comparison(.less)
        case .lessOrEqual: return comparison(.lessOrEqual)
        case .greater: return comparison(.greater)
        case .greaterOrEqual: return comparison(.greaterOrEqual)
        case .and: return LogicNode(isAnd: true, left, right, heap: heap, range: range)
        case .or: return LogicNode(isAnd: false, left, right, heap: heap, range: range)
        }
    }
}
