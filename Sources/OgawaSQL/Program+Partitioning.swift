import OgawaCore

/// How a program may run over a stream's partitions.
package enum Partitioning: Sendable, Hashable {
    /// Each partition on its own: no state is shared between keys of different partitions.
    case perPartition
    /// One runner reads all partitions in order of time.
    case merged
}

extension Program {
    /// Whether every node that remembers something remembers it per partition key.
    ///
    /// `keyField` is the body's field that the stream is partitioned by.
    package func partitioning(keyField: String) -> Partitioning {
        let plans = steps + statements.map(\.plan)
        return plans.allSatisfy { isKeyed($0, keyField) } ? .perPartition : .merged
    }

    /// Whether no node remembers anything between events.
    package var isStateless: Bool {
        (steps + statements.map(\.plan)).allSatisfy { plan in
            var node: PlanNode? = plan
            while let current = node {
                switch current {
                case .over, .aggregate: return false
                default: node = current.input
                }
            }
            return true
        }
    }

    /// The names of all outputs, each once, in order of the text.
    package var outputs: [String] {
        var names: [String] = []
        for statement in statements where !names.contains(where: { sameName($0, statement.output) }) {
            names.append(statement.output)
        }
        return names
    }

    private func isKeyed(_ node: PlanNode, _ keyField: String) -> Bool {
        guard let input = node.input else { return true }
        let isHere =
            switch node {
            case .over(_, let calls):
                calls.allSatisfy { call in call.partitionKeys.contains { isKey($0, of: input, keyField) } }
            case .aggregate(_, let plan): plan.keys.contains { isKey($0, of: input, keyField) }
            default: true
            }
        return isHere && isKeyed(input, keyField)
    }

    /// Whether an expression over a node's rows is the partition key.
    private func isKey(_ expression: Expression, of node: PlanNode, _ keyField: String) -> Bool {
        switch expression.kind {
        case .column(let column): return isKey(column: column, of: node, keyField)
        case .field(let value, let path):
            guard case .column(let column) = value.kind else { return false }
            return path == [keyField] && isBody(column: column, of: node)
        default: return false
        }
    }

    private func isKey(column: Int, of node: PlanNode, _ keyField: String) -> Bool {
        switch node {
        case .source(let index):
            let fields = sources[index].fields
            guard fields.indices.contains(column) else { return false }
            switch fields[column] {
            case .key, .partition: return true
            case .body(let path): return path == [keyField]
            default: return false
            }
        case .step(let index): return steps.indices.contains(index) && isKey(column: column, of: steps[index], keyField)
        case .filter(let input, _): return isKey(column: column, of: input, keyField)
        case .over(let input, _):
            return column < input.columnCount(in: self) && isKey(column: column, of: input, keyField)
        case .project(let input, let items):
            return items.indices.contains(column) && isKey(items[column].expression, of: input, keyField)
        case .aggregate(let input, let plan):
            return plan.keys.indices.contains(column) && isKey(plan.keys[column], of: input, keyField)
        }
    }

    /// Whether a column is the whole body.
    private func isBody(column: Int, of node: PlanNode) -> Bool {
        switch node {
        case .source(let index):
            return sources[index].fields.indices.contains(column) && sources[index].fields[column] == .body(path: [])
        case .step(let index): return steps.indices.contains(index) && isBody(column: column, of: steps[index])
        case .filter(let input, _): return isBody(column: column, of: input)
        case .over(let input, _): return column < input.columnCount(in: self) && isBody(column: column, of: input)
        case .project(let input, let items):
            guard items.indices.contains(column), items[column].kind == .spread(excluding: []),
                case .column(let inner) = items[column].expression.kind
            else { return false }
            return isBody(column: inner, of: input)
        case .aggregate: return false
        }
    }
}

extension Statement {
    /// The output's columns in order.
    package var columns: [ProjectItem.Kind] {
        guard case .project(_, let items) = plan else { return [] }
        return items.map(\.kind)
    }
}
