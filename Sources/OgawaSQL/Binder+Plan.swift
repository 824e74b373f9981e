// Makes the plan of what was bound: drops steps and fields that nobody reads, and turns column numbers into positions.

import OgawaCore

extension Binder {
    /// The program; only for a text without errors.
    func makeProgram() -> Program {
        var maker = PlanMaker(binder: self)
        return maker.make()
    }
}

struct PlanMaker {
    let binder: Binder
    private var usedFields: [Set<Int>]
    /// Columns of each step that are read; nil where nobody reads the step.
    private var usedItems: [Set<Int>?]
    private var readSources: Set<Int> = []
    private(set) var sourcePositions: [Int: Int] = [:]
    private(set) var stepPositions: [Int: Int] = [:]
    private(set) var fieldPositions: [[Int: Int]] = []

    init(binder: Binder) {
        self.binder = binder
        usedFields = Array(repeating: [], count: binder.sources.count)
        usedItems = Array(repeating: nil, count: binder.steps.count)
    }

    mutating func make() -> Program {
        for statement in binder.statements { mark(statement.select, items: nil) }
        // Steps read earlier steps only, so that backwards every reader comes before what it reads.
        for index in binder.steps.indices.reversed() {
            guard let used = usedItems[index], let select = binder.steps[index].select else { continue }
            mark(select, items: used)
        }
        var program = Program(sources: makeSources())
        for (index, step) in binder.steps.enumerated() {
            guard let used = usedItems[index], let select = step.select else {
                if step.select?.matchPlan != nil { continue }
                binder.warn(
                    "unused-step", "nothing reads the step '\(step.name.text)'", hint: "remove it", at: step.name.range)
                continue
            }
            stepPositions[index] = program.steps.count
            program.steps.append(node(of: select, items: used))
        }
        program.statements = binder.statements.map { statement in
            Statement(
                output: statement.output, outputRange: statement.range, plan: node(of: statement.select, items: nil))
        }
        for (source, output) in binder.lateOutputs.sorted(by: { $0.key < $1.key }) {
            guard let position = sourcePositions[source] else { continue }
            let items = ["reason", "eventTime", "arrival"].enumerated().map { index, name in
                ProjectItem(.named(name), Expression(.column(index), range: output.range))
            }
            let body = ProjectItem(.spread(excluding: []), Expression(.column(3), range: output.range))
            program.statements.append(
                Statement(
                    output: output.text, outputRange: output.range,
                    plan: .project(.late(position), items: items + [body])))
        }
        return program
    }

    // MARK: What is read

    private mutating func mark(_ select: SelectBinder, items: Set<Int>?) {
        for each in [select] + select.unionPeers { mark(one: each, items: items) }
    }

    private mutating func mark(one select: SelectBinder, items: Set<Int>?) {
        let columns = usedColumns(of: select, items: items)
        for (relation, used) in zip(select.relations, columns) {
            switch relation.kind {
            case .source(let source):
                usedFields[source].formUnion(used.filter { $0 < ColumnID.relationTime })
                var times: [Expression] = binder.sources[source].substreamKeys
                if let timestamp = binder.sources[source].timestamp { times.append(timestamp) }
                for time in times { time.forEachColumn { usedFields[source].insert($0) } }
                readSources.insert(source)
            case .step(let index):
                usedItems[index] = (usedItems[index] ?? []).union(used.filter { $0 < ColumnID.relationTime })
            case .reference, .apply, .opaque: break
            }
        }
    }

    /// The columns of each relation that the SELECT reads, with ``ColumnID/relationTime`` where its time is read.
    func usedColumns(of select: SelectBinder, items: Set<Int>?) -> [Set<Int>] {
        var columns: [Set<Int>] = Array(repeating: [], count: select.relations.count)
        func note(_ column: Int) {
            let relation = column / ColumnID.relationStride
            let local = column % ColumnID.relationStride
            if local < ColumnID.overBase, columns.indices.contains(relation) { columns[relation].insert(local) }
        }
        for expression in inputExpressions(of: select, items: items) { expression.forEachColumn(note) }
        for bound in select.compositeBounds { note(ColumnID.time(of: bound.relation)) }
        return columns
    }

    /// Expressions over the rows of FROM.
    private func inputExpressions(of select: SelectBinder, items: Set<Int>?) -> [Expression] {
        if let match = select.matchPlan { return match.expressions }
        var found = select.overCalls.flatMap(\.expressions) + select.fromParts.flatMap(\.expressions)
        found += select.relations.flatMap { $0.absence?.expressions ?? [] }
        if let predicate = select.predicate { found.append(predicate) }
        if select.isGrouped {
            found += select.keys.map(\.expression) + select.aggregates.flatMap(\.expressions)
            found += select.window?.expressions ?? []
        } else {
            found += projected(select, items: items).map(\.expression)
        }
        return found
    }

    /// The select list; spreads that no reader of the step needs become NULL, so that the whole body is not read for them.
    private func projected(_ select: SelectBinder, items: Set<Int>?) -> [ProjectItem] {
        guard let items else { return select.items }
        return select.items.enumerated().map { index, item in
            guard case .spread = item.kind, !items.contains(index) else { return item }
            return ProjectItem(item.kind, Expression(.literal(.null), range: item.expression.range))
        }
    }

    private mutating func makeSources() -> [SourcePlan] {
        var plans: [SourcePlan] = []
        for (index, source) in binder.sources.enumerated() {
            var positions: [Int: Int] = [:]
            var plan = source
            plan.fields = []
            usedFields[index].formUnion(source.declaredTypes.map(\.column))
            if source.divertsLate { usedFields[index].insert(binder.column(.body(path: []), of: index)) }
            for (column, field) in source.fields.enumerated() where usedFields[index].contains(column) {
                positions[column] = plan.fields.count
                plan.fields.append(field)
            }
            fieldPositions.append(positions)
            guard readSources.contains(index) else { continue }
            plan.timestamp = source.timestamp?.renumbered { positions[$0] ?? 0 }
            plan.substreamKeys = source.substreamKeys.map { $0.renumbered { positions[$0] ?? 0 } }
            for position in plan.declaredTypes.indices {
                plan.declaredTypes[position].column = positions[plan.declaredTypes[position].column] ?? 0
            }
            sourcePositions[index] = plans.count
            plans.append(plan)
        }
        return plans
    }

    // MARK: Nodes

    private func node(of select: SelectBinder, items: Set<Int>?) -> PlanNode {
        guard !select.unionPeers.isEmpty else { return node(one: select, items: items) }
        return .union(([select] + select.unionPeers).map { node(one: $0, items: items) })
    }

    private func node(one select: SelectBinder, items: Set<Int>?) -> PlanNode {
        var (node, number) = input(of: select, used: usedColumns(of: select, items: items))
        if let match = select.matchPlan { return .match(node, match.renumbered(number)) }
        if let predicate = select.predicate { node = .filter(node, predicate: predicate.renumbered(number)) }
        let list = projected(select, items: items)
        guard let window = select.window else {
            return .project(node, items: list.map { ProjectItem($0.kind, $0.expression.renumbered(number)) })
        }
        let plan = AggregatePlan(keys: select.keys.map(\.expression), aggregates: select.aggregates, window: window)
        node = .aggregate(node, plan.renumbered(number))
        let start = plan.keys.count + plan.aggregates.count
        let groupNumber = { (column: Int) -> Int in
            column >= ColumnID.windowStart ? start + column - ColumnID.windowStart : column
        }
        if let having = select.havingPredicate { node = .filter(node, predicate: having.renumbered(groupNumber)) }
        return .project(node, items: list.map { ProjectItem($0.kind, $0.expression.renumbered(groupNumber)) })
    }
}
