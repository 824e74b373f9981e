import OgawaCore

// Walks over bound expressions and nodes.
extension Expression {
    /// The expressions directly below.
    package var children: [Expression] {
        switch kind {
        case .literal, .column, .eventTime: []
        case .field(let value, _), .unary(_, let value), .cast(let value, _, _), .isNull(let value, _): [value]
        case .binary(_, let left, let right): [left, right]
        case .like(let value, let pattern, _): [value, pattern]
        case .isIn(let value, let list, _): [value] + list
        case .caseWhen(let branches, let otherwise): branches.flatMap { [$0.condition, $0.result] } + [otherwise]
        case .call(_, let arguments): arguments
        }
    }

    /// Every column that is read.
    package func forEachColumn(_ body: (Int) -> Void) {
        if case .column(let column) = kind { body(column) }
        for child in children { child.forEachColumn(body) }
    }

    /// The same expression over renumbered columns.
    func renumbered(_ number: (Int) -> Int) -> Expression {
        let new: Kind =
            switch kind {
            case .literal, .eventTime: kind
            case .column(let column): .column(number(column))
            case .field(let value, let path): .field(value.renumbered(number), path: path)
            case .unary(let operation, let value): .unary(operation, value.renumbered(number))
            case .binary(let operation, let left, let right):
                .binary(operation, left.renumbered(number), right.renumbered(number))
            case .caseWhen(let branches, let otherwise):
                .caseWhen(
                    branches.map {
                        CaseBranch(condition: $0.condition.renumbered(number), result: $0.result.renumbered(number))
                    }, otherwise: otherwise.renumbered(number))
            case .cast(let value, let tag, let isTry): .cast(value.renumbered(number), to: tag, isTry: isTry)
            case .isNull(let value, let negated): .isNull(value.renumbered(number), negated: negated)
            case .like(let value, let pattern, let negated):
                .like(value.renumbered(number), pattern: pattern.renumbered(number), negated: negated)
            case .isIn(let value, let list, let negated):
                .isIn(value.renumbered(number), list.map { $0.renumbered(number) }, negated: negated)
            case .call(let name, let arguments): .call(name, arguments.map { $0.renumbered(number) })
            }
        return Expression(new, range: range)
    }
}

extension OverCall {
    /// Every expression of the call.
    package var expressions: [Expression] {
        (argument.map { [$0] } ?? []) + partitionKeys + (condition.map { [$0] } ?? [])
    }

    func renumbered(_ number: (Int) -> Int) -> OverCall {
        OverCall(
            function: function, argument: argument?.renumbered(number),
            partitionKeys: partitionKeys.map { $0.renumbered(number) }, frame: frame,
            condition: condition?.renumbered(number), range: range)
    }
}

extension AggregatePlan {
    /// Every expression over the input.
    package var expressions: [Expression] { keys + aggregates.compactMap(\.argument) }

    func renumbered(_ number: (Int) -> Int) -> AggregatePlan {
        AggregatePlan(
            keys: keys.map { $0.renumbered(number) },
            aggregates: aggregates.map { call in
                AggregateCall(
                    function: call.function, argument: call.argument?.renumbered(number), isDistinct: call.isDistinct,
                    range: call.range)
            }, window: window)
    }
}

extension PlanNode {
    /// The node that rows come from; nil for sources and steps.
    package var input: PlanNode? {
        switch self {
        case .source, .step: nil
        case .filter(let input, _), .project(let input, _), .over(let input, _), .aggregate(let input, _): input
        }
    }

    /// The number of columns of the node's rows.
    package func columnCount(in program: Program) -> Int {
        switch self {
        case .source(let index): program.sources[index].fields.count
        case .step(let index): program.steps[index].columnCount(in: program)
        case .filter(let input, _): input.columnCount(in: program)
        case .project(_, let items): items.count
        case .over(let input, let calls): input.columnCount(in: program) + calls.count
        case .aggregate(_, let plan): plan.keys.count + plan.aggregates.count + 2
        }
    }
}
