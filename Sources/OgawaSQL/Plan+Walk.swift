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
    package func renumbered(_ number: (Int) -> Int) -> Expression {
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

extension PlanNode {
    /// The nodes that rows come from; none for sources and steps.
    package var inputs: [PlanNode] {
        switch self {
        case .source, .late, .step: []
        case .filter(let input, _), .project(let input, _), .over(let input, _), .aggregate(let input, _),
            .lookup(let input, _), .apply(let input, _), .match(let input, _), .absence(let input, _):
            [input]
        case .union(let inputs): inputs
        case .join(let left, let right, _): [left, right]
        }
    }

    /// The number of columns of the node's rows.
    package func columnCount(in program: Program) -> Int {
        switch self {
        case .source(let index): program.sources[index].fields.count
        case .late: 4
        case .step(let index): program.steps[index].columnCount(in: program)
        case .filter(let input, _): input.columnCount(in: program)
        case .project(_, let items): items.count
        case .over(let input, let calls): input.columnCount(in: program) + calls.count
        case .aggregate(_, let plan): plan.columnCount
        case .union(let inputs): inputs.first?.columnCount(in: program) ?? 0
        case .join(let left, let right, _): left.columnCount(in: program) + right.columnCount(in: program)
        case .lookup(let input, let plan): input.columnCount(in: program) + plan.columnCount
        case .apply(let input, let plan): input.columnCount(in: program) + plan.columnCount
        case .match(_, let plan): plan.measures.count
        case .absence(let input, _): input.columnCount(in: program) + AbsencePlan.columnCount
        }
    }
}
