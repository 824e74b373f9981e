import OgawaCore

/// What FROM adds to the relations before it.
enum FromPart {
    /// A stream, or reference data where there are no bounds.
    case join(BoundJoin)
    case apply(isOuter: Bool, argument: Expression)

    var expressions: [Expression] {
        switch self {
        case .join(let join): join.expressions
        case .apply(_, let argument): [argument]
        }
    }
}

/// ON, taken apart; columns carry the numbers of their relations.
struct BoundJoin {
    /// How far the joined stream's time may lie from an earlier one's: boundaries of a unit between them.
    struct Bound {
        var relation: Int
        /// Ticks between two boundaries.
        var unit: Int64
        var low = Int64.min
        var high = Int64.max

        /// The bound as a condition, where one side of it is open.
        func condition(right: Int, range: SourceRange) -> Expression {
            let distance = Expression(
                .call(
                    "DATEDIFF",
                    [
                        Expression(.literal(.text(unitName)), range: range),
                        Expression(.column(ColumnID.time(of: relation)), range: range),
                        Expression(.column(ColumnID.time(of: right)), range: range),
                    ]), range: range)
            let limit = Expression(.literal(.bigint(low == .min ? high : low)), range: range)
            return Expression(.binary(low == .min ? .lessOrEqual : .greaterOrEqual, distance, limit), range: range)
        }

        private var unitName: String { DatePart.allCases.first { $0.ticks == unit }?.rawValue ?? "" }
    }

    var isLeft: Bool
    var bounds: [Bound] = []
    /// Expressions over earlier relations, and those over the joined one that they must equal.
    var keys: [(left: Expression, right: Expression)] = []
    var residual: Expression?

    var expressions: [Expression] {
        keys.flatMap { [$0.left, $0.right] } + (residual.map { [$0] } ?? [])
    }
}

extension ColumnID {
    /// Columns of relation r of FROM are numbered from r times this.
    static let relationStride = 1_000_000_000
    /// The event time of a relation's row.
    static let relationTime = 900_000

    static func time(of relation: Int) -> Int { relation * relationStride + relationTime }
}

extension Expression? {
    /// Both conditions.
    func joined(with other: Expression) -> Expression {
        guard let self else { return other }
        return Expression(.binary(.and, self, other), range: self.range)
    }
}

extension Expression {
    /// The conditions that AND connects.
    var conjuncts: [Expression] {
        guard case .binary(.and, let left, let right) = kind else { return [self] }
        return left.conjuncts + right.conjuncts
    }

    /// The relations of FROM that it reads.
    var relationsRead: Set<Int> {
        var found: Set<Int> = []
        forEachColumn { found.insert($0 / ColumnID.relationStride) }
        return found
    }

    var readsEventTime: Bool {
        if case .eventTime = kind { return true }
        return children.contains(where: \.readsEventTime)
    }

    /// The relation whose event time the expression is.
    var relationTime: Int? {
        guard case .column(let column) = kind, column % ColumnID.relationStride == ColumnID.relationTime else {
            return nil
        }
        return column / ColumnID.relationStride
    }

    /// The greatest whole number at or below a literal, and the least at or above it.
    var wholeLimits: (floor: Int64, ceiling: Int64)? {
        switch kind {
        case .literal(.bigint(let number)):
            // Arithmetic on limits must not overflow; no bound is that far.
            let number = min(max(number, -1 << 60), 1 << 60)
            return (number, number)
        case .literal(.float(let number)):
            guard abs(number) < 0x1p60 else { return nil }
            return (Int64(number.rounded(.down)), Int64(number.rounded(.up)))
        case .unary(.negate, let value):
            return value.wholeLimits.map { (-$0.ceiling, -$0.floor) }
        default: return nil
        }
    }
}

extension BinaryOperator {
    /// The comparison with its sides exchanged.
    var mirrored: BinaryOperator {
        switch self {
        case .less: .greater
        case .lessOrEqual: .greaterOrEqual
        case .greater: .less
        case .greaterOrEqual: .lessOrEqual
        default: self
        }
    }
}

extension Limits {
    /// How far the streams of a join may lie apart.
    static let joinTicks: Int64 = 7 * 24 * 3600 * Timestamp.ticksPerSecond
}
