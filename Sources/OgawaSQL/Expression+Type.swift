import OgawaCore

// What is known of an expression's type before any value is there. A column may hold values of several types, so that often nothing is known.
extension Expression {
    /// The type of every value of this expression other than NULL; nil where it is not known.
    package var staticType: ValueTag? {
        switch kind {
        case .literal(let value): value == .null ? nil : value.tag
        case .column, .field: nil
        case .eventTime: .datetime
        case .cast(_, let tag, _): tag
        case .isNull, .like, .isIn: .bit
        case .unary(let operation, let value): operation == .not ? .bit : number(value.staticType)
        case .binary(let operation, let left, let right): type(of: operation, left.staticType, right.staticType)
        case .caseWhen: commonType
        case .call(let name, let arguments): type(ofCall: name, arguments)
        }
    }

    private func number(_ type: ValueTag?) -> ValueTag? { type == .bigint || type == .float ? type : nil }

    private func type(of operation: BinaryOperator, _ left: ValueTag?, _ right: ValueTag?) -> ValueTag? {
        switch operation {
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .and, .or: return .bit
        case .bitwiseAnd, .bitwiseOr, .bitwiseXor: return left == .bigint || right == .bigint ? .bigint : nil
        case .add, .subtract, .multiply, .divide, .modulo:
            // A float with anything that it takes is a float.
            if left == .float || right == .float { return .float }
            return left == .bigint && right == .bigint ? .bigint : nil
        }
    }

    private func type(ofCall name: String, _ arguments: [Expression]) -> ValueTag? {
        switch name {
        case "ABS", "CEILING", "FLOOR", "POWER", "ROUND", "SIGN":
            let type = arguments.first?.staticType
            return type == .bit ? .bigint : type == .text ? .float : type
        case "COALESCE":
            let types = arguments.map(\.staticType)
            return Set(types).count == 1 ? types[0] : nil
        case "NULLIF": return arguments.first?.staticType
        default: return ScalarCatalog.function(named: name)?.result
        }
    }

    private var branches: [Expression] {
        guard case .caseWhen(let branches, let otherwise) = kind else { return [] }
        return branches.map(\.result) + [otherwise]
    }

    private var commonType: ValueTag? {
        let types = Set(branches.filter { !$0.isNullLiteral }.map(\.staticType))
        if types.count == 1 { return types.first ?? nil }
        return types.isSubset(of: [.bit, .bigint, .float]) ? Expression.highest(types) : nil
    }

    private var isNullLiteral: Bool {
        if case .literal(.null) = kind { return true }
        return false
    }

    private static func highest(_ types: Set<ValueTag?>) -> ValueTag? {
        types.contains(.float) ? .float : types.contains(.bigint) ? .bigint : nil
    }

    /// The highest number type that a branch of this CASE has for certain, to which the numbers of all are raised; nil where none is known.
    package var commonNumberType: ValueTag? { Expression.highest(Set(branches.map(\.staticType))) }
}
