// Makes the plan of what was bound: drops steps and fields that nobody reads, and turns column numbers into positions.

import OgawaCore

extension Binder {
    /// The program; only for a text without errors.
    func makeProgram() -> Program {
        var maker = PlanMaker(binder: self)
        return maker.make()
    }
}

private struct PlanMaker {
    let binder: Binder
    var usedFields: [Set<Int>]
    /// Columns of each step that are read; nil where nobody reads the step.
    var usedItems: [Set<Int>?]
    var sourcePositions: [Int: Int] = [:]
    var stepPositions: [Int: Int] = [:]
    var fieldPositions: [[Int: Int]] = []

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
        return program
    }

    // MARK: What is read

    private mutating func mark(_ select: SelectBinder, items: Set<Int>?) {
        guard let relation = select.relations.first else { return }
        var columns: Set<Int> = []
        if case .step(let index) = relation.kind, usedItems[index] == nil { usedItems[index] = [] }
        for expression in inputExpressions(of: select, items: items) {
            expression.forEachColumn { if $0 < ColumnID.overBase { columns.insert($0) } }
        }
        switch relation.kind {
        case .source(let source):
            usedFields[source].formUnion(columns)
            var times: [Expression] = binder.sources[source].substreamKeys
            if let timestamp = binder.sources[source].timestamp { times.append(timestamp) }
            for time in times { time.forEachColumn { usedFields[source].insert($0) } }
            readSources.insert(source)
        case .step(let index): usedItems[index]?.formUnion(columns)
        case .reference, .opaque: break
        }
    }

    private var readSources: Set<Int> = []

    /// Expressions over the rows of FROM.
    private func inputExpressions(of select: SelectBinder, items: Set<Int>?) -> [Expression] {
        var found = select.overCalls.flatMap(\.expressions)
        if let predicate = select.predicate { found.append(predicate) }
        if select.isGrouped {
            found += select.keys.map(\.expression) + select.aggregates.compactMap(\.argument)
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
            for (column, field) in source.fields.enumerated() where usedFields[index].contains(column) {
                positions[column] = plan.fields.count
                plan.fields.append(field)
            }
            fieldPositions.append(positions)
            guard readSources.contains(index) else { continue }
            plan.timestamp = source.timestamp?.renumbered { positions[$0] ?? 0 }
            plan.substreamKeys = source.substreamKeys.map { $0.renumbered { positions[$0] ?? 0 } }
            sourcePositions[index] = plans.count
            plans.append(plan)
        }
        return plans
    }

    // MARK: Nodes

    private func node(of select: SelectBinder, items: Set<Int>?) -> PlanNode {
        var node = PlanNode.source(0)
        var positions: [Int: Int]?
        var count = 0
        switch select.relations.first?.kind {
        case .source(let source)?:
            node = .source(sourcePositions[source] ?? 0)
            positions = fieldPositions[source]
            count = fieldPositions[source].count
        case .step(let step)?:
            node = .step(stepPositions[step] ?? 0)
            count = binder.steps[step].select?.items.count ?? 0
        default: break
        }
        let number = { (column: Int) -> Int in
            if column >= ColumnID.overBase { return count + column - ColumnID.overBase }
            guard let positions else { return column }
            return positions[column] ?? 0
        }
        if !select.overCalls.isEmpty {
            node = .over(node, calls: select.overCalls.map { $0.renumbered(number) })
        }
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
