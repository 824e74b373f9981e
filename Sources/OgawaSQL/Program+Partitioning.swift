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
        // With substreams, everything is remembered per substream.
        let areSubstreamsKeyed = sources.allSatisfy { source in
            source.substreamKeys.contains { key in
                guard case .column(let column) = key.kind else { return false }
                return source.fields.indices.contains(column)
                    && [.key, .partition, .body(path: [keyField])].contains(source.fields[column])
            }
        }
        if areSubstreamsKeyed { return .perPartition }
        let plans = steps + statements.map(\.plan)
        return plans.allSatisfy { isKeyed($0, keyField) } ? .perPartition : .merged
    }

    /// Whether no node remembers anything between events.
    package var isStateless: Bool {
        func isStateless(_ node: PlanNode) -> Bool {
            switch node {
            case .source, .late, .step, .filter, .project, .apply, .lookup: node.inputs.allSatisfy(isStateless)
            case .over, .absence, .aggregate, .union, .join, .match: false
            }
        }
        // An event's time is judged by the events before it.
        guard sources.allSatisfy({ $0.timestamp == nil }) else { return false }
        return (steps + statements.map(\.plan)).allSatisfy(isStateless)
    }

    /// The names of the inputs, those together that some statement reads together; every statement reads of one group only.
    package var inputGroups: [[String]] {
        var groups: [Set<String>] = []
        for statement in statements {
            var joined = inputs(of: statement.plan)
            groups.removeAll { group in
                guard !group.isDisjoint(with: joined) else { return false }
                joined.formUnion(group)
                return true
            }
            groups.append(joined)
        }
        return groups.map { $0.sorted() }.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// The names of the inputs that a plan reads.
    package func inputs(of node: PlanNode) -> Set<String> {
        switch node {
        case .source(let index), .late(let index): [sources[index].input]
        case .step(let index): inputs(of: steps[index])
        default: node.inputs.reduce(into: []) { $0.formUnion(inputs(of: $1)) }
        }
    }

    /// The names of the reference data that the program reads.
    package var references: Set<String> {
        func references(of node: PlanNode) -> Set<String> {
            var names = node.inputs.reduce(into: Set<String>()) { $0.formUnion(references(of: $1)) }
            if case .lookup(_, let plan) = node { names.insert(plan.reference) }
            return names
        }
        return (steps + statements.map(\.plan)).reduce(into: []) { $0.formUnion(references(of: $1)) }
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
        guard let input = node.inputs.first else { return true }
        let isHere =
            switch node {
            case .over(_, let calls):
                calls.allSatisfy { call in call.partitionKeys.contains { isKey($0, of: input, keyField) } }
            case .aggregate(_, let plan):
                plan.keys.contains { isKey($0, of: input, keyField) }
                    && plan.window.all.compactMap(\.window.partitionKeys).allSatisfy { keys in
                        keys.contains { isKey($0, of: input, keyField) }
                    }
            case .join(let left, let right, let plan):
                zip(plan.leftKeys, plan.rightKeys).contains {
                    isKey($0, of: left, keyField) && isKey($1, of: right, keyField)
                }
            case .absence(_, let plan): plan.keys.contains { isKey($0, of: input, keyField) }
            case .match(_, let plan): plan.partitionKeys.contains { isKey($0, of: input, keyField) }
            default: true
            }
        return isHere && node.inputs.allSatisfy { isKeyed($0, keyField) }
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
        case .late: return false
        case .step(let index): return steps.indices.contains(index) && isKey(column: column, of: steps[index], keyField)
        case .filter(let input, _): return isKey(column: column, of: input, keyField)
        case .over(let input, _), .absence(let input, _):
            return column < input.columnCount(in: self) && isKey(column: column, of: input, keyField)
        case .project(let input, let items):
            return items.indices.contains(column) && isKey(items[column].expression, of: input, keyField)
        case .aggregate(let input, let plan):
            return plan.keys.indices.contains(column) && isKey(plan.keys[column], of: input, keyField)
        case .lookup(let input, _), .apply(let input, _):
            return column < input.columnCount(in: self) && isKey(column: column, of: input, keyField)
        case .union(let inputs): return inputs.allSatisfy { isKey(column: column, of: $0, keyField) }
        case .join(let left, let right, let plan):
            let width = left.columnCount(in: self)
            if column < width { return isKey(column: column, of: left, keyField) }
            // The right side of a row without a match is NULL, which no partition owns.
            return !plan.isLeft && isKey(column: column - width, of: right, keyField)
        case .match(let input, let plan):
            guard let key = plan.keyColumns[column] else { return false }
            return isKey(plan.partitionKeys[key], of: input, keyField)
        }
    }

    /// Whether a column is the whole body.
    private func isBody(column: Int, of node: PlanNode) -> Bool {
        switch node {
        case .source(let index):
            return sources[index].fields.indices.contains(column) && sources[index].fields[column] == .body(path: [])
        case .late: return column == 3
        case .step(let index): return steps.indices.contains(index) && isBody(column: column, of: steps[index])
        case .filter(let input, _): return isBody(column: column, of: input)
        case .over(let input, _), .absence(let input, _):
            return column < input.columnCount(in: self) && isBody(column: column, of: input)
        case .project(let input, let items):
            guard items.indices.contains(column), items[column].kind == .spread(excluding: []),
                case .column(let inner) = items[column].expression.kind
            else { return false }
            return isBody(column: inner, of: input)
        case .lookup(let input, _), .apply(let input, _):
            return column < input.columnCount(in: self) && isBody(column: column, of: input)
        case .aggregate, .union, .join, .match: return false
        }
    }
}

extension Statement {
    /// The output's columns in order.
    package var columns: [ProjectItem.Kind] {
        plan.outputItems
    }
}
