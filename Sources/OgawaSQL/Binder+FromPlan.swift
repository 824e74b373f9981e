// The plan of FROM: one input, or several that are joined from left to right. Functions with OVER stand below the joins, on
// the rows of their own stream. A row of several relations has their columns one after another, and per relation those of
// its functions with OVER and then its time, where somebody reads it.

import OgawaCore

/// Where the columns of each relation lie in the rows of FROM.
private struct RowLayout {
    struct Part {
        var start: Int
        var width: Int
        /// Positions by column number; nil where they are the same.
        var positions: [Int: Int]?
        /// Positions of the select's functions with OVER, by their numbers.
        var overs: [Int: Int] = [:]
        var time: Int?
        /// Where the columns of ABSENCE begin.
        var absence: Int?

        /// The position within the relation's own rows.
        func local(_ column: Int) -> Int {
            if column >= ColumnID.overBase { return overs[column - ColumnID.overBase] ?? 0 }
            if column == ColumnID.relationTime { return time ?? 0 }
            if column == ColumnID.isSilent { return absence ?? 0 }
            if column == ColumnID.lastSeen { return (absence ?? 0) + 1 }
            guard let positions else { return column }
            return positions[column] ?? 0
        }
    }

    var parts: [Part] = []
    /// The relation of each function with OVER.
    var overRelations: [Int]

    var width: Int { parts.last.map { $0.start + $0.width } ?? 0 }

    func position(_ column: Int) -> Int {
        var relation = column / ColumnID.relationStride
        let local = column % ColumnID.relationStride
        if local >= ColumnID.overBase {
            let call = local - ColumnID.overBase
            relation = overRelations.indices.contains(call) ? overRelations[call] : 0
        }
        guard parts.indices.contains(relation) else { return 0 }
        return parts[relation].start + parts[relation].local(local)
    }
}

extension SelectBinder {
    /// Bounds against a stream that is joined to others already: its time is no longer the row's own.
    var compositeBounds: [BoundJoin.Bound] {
        var streamCount = relations.first?.streamReason == nil ? 0 : 1
        var found: [BoundJoin.Bound] = []
        for (index, part) in fromParts.enumerated() {
            guard case .join(let join) = part, relations.indices.contains(index + 1),
                relations[index + 1].streamReason != nil
            else { continue }
            if streamCount > 1 { found += join.bounds }
            streamCount += 1
        }
        return found
    }
}

extension PlanMaker {
    /// The rows of FROM, and the position in them of each column number.
    func input(of select: SelectBinder, used: [Set<Int>]) -> (PlanNode, (Int) -> Int) {
        let overRelations = select.overCalls.map { call in
            call.expressions.lazy.compactMap(\.relationsRead.first).first ?? 0
        }
        var layout = RowLayout(overRelations: overRelations)
        guard let first = select.relations.indices.first else { return (.source(0), { $0 }) }
        var node = leaf(first, of: select, used: used[first], &layout)
        // How far each stream's time may lie behind the time of the rows so far.
        var lags: [Int: Int64] = [first: 0]
        for (index, part) in select.fromParts.enumerated() where select.relations.indices.contains(index + 1) {
            let relation = index + 1
            switch part {
            case .apply(let isOuter, let argument):
                node = apply(node, relation, of: select, isOuter, argument, used: used[relation], &layout)
            case .join(let join):
                if case .reference = select.relations[relation].kind {
                    node = lookup(node, relation, of: select, join, &layout)
                } else {
                    node = self.join(node, relation, of: select, join, used: used[relation], &layout, &lags)
                }
            }
        }
        let final = layout
        return (node, { final.position($0) })
    }

    /// The rows of one stream with its functions with OVER.
    private func leaf(
        _ relation: Int, of select: SelectBinder, used: Set<Int>, _ layout: inout RowLayout
    ) -> PlanNode {
        var node: PlanNode
        var part = RowLayout.Part(start: layout.width, width: 0)
        switch select.relations[relation].kind {
        case .source(let source):
            node = .source(sourcePositions[source] ?? 0)
            part.positions = fieldPositions[source]
            part.width = fieldPositions[source].count
        case .step(let step):
            node = .step(stepPositions[step] ?? 0)
            part.width = binder.steps[step].select?.items.count ?? 0
        default: node = .source(0)
        }
        if let plan = select.relations[relation].absence {
            let inner = part
            node = .absence(node, plan.renumbered { inner.local($0 % ColumnID.relationStride) })
            part.absence = part.width
            part.width += AbsencePlan.columnCount
        }
        let calls = select.overCalls.indices.filter { layout.overRelations[$0] == relation }
        if !calls.isEmpty {
            let inner = part
            node = .over(
                node,
                calls: calls.map { select.overCalls[$0].renumbered { inner.local($0 % ColumnID.relationStride) } })
            for call in calls {
                part.overs[call] = part.width
                part.width += 1
            }
        }
        if used.contains(ColumnID.relationTime) {
            let range = select.relations[relation].range
            let columns = (0..<part.width).map { column in
                ProjectItem(.named("column\(column)"), Expression(.column(column), range: range))
            }
            let name = "time of \(select.relations[relation].name)"
            node = .project(node, items: columns + [ProjectItem(.named(name), Expression(.eventTime, range: range))])
            part.time = part.width
            part.width += 1
        }
        layout.parts.append(part)
        return node
    }

    private func join(
        _ left: PlanNode, _ relation: Int, of select: SelectBinder, _ join: BoundJoin, used: Set<Int>,
        _ layout: inout RowLayout, _ lags: inout [Int: Int64]
    ) -> PlanNode {
        let before = layout
        let right = leaf(relation, of: select, used: used, &layout)
        let after = layout
        let own = after.parts[relation]
        let isComposite = lags.count > 1
        let bounds = join.bounds.map { bound in
            JoinPlan.Bound(
                leftTime: isComposite ? before.position(ColumnID.time(of: bound.relation)) : nil, unit: bound.unit,
                low: bound.low, high: bound.high, leftLag: isComposite ? lags[bound.relation] ?? 0 : 0)
        }
        // The new row's time is at most so much later, and the new stream's time at most so much earlier.
        let ahead = join.bounds.map { ($0.high + 1) * $0.unit }.min() ?? 0
        let behind = join.bounds.map { (lags[$0.relation] ?? 0) + (1 - $0.low) * $0.unit }.min() ?? 0
        for known in lags.keys { lags[known, default: 0] += max(0, ahead) }
        lags[relation] = max(0, behind) + max(0, ahead)
        let plan = JoinPlan(
            isLeft: join.isLeft, bounds: bounds,
            leftKeys: join.keys.map { $0.left.renumbered { before.position($0) } },
            rightKeys: join.keys.map { $0.right.renumbered { own.local($0 % ColumnID.relationStride) } },
            residual: join.residual?.renumbered { after.position($0) })
        return .join(left, right, plan)
    }

    private func lookup(
        _ input: PlanNode, _ relation: Int, of select: SelectBinder, _ join: BoundJoin, _ layout: inout RowLayout
    ) -> PlanNode {
        let before = layout
        let fields = select.relations[relation].fields
        layout.parts.append(RowLayout.Part(start: layout.width, width: fields.count))
        let after = layout
        let plan = LookupPlan(
            reference: select.relations[relation].input, isLeft: join.isLeft, fields: fields,
            keys: join.keys.map { $0.left.renumbered { before.position($0) } },
            referenceKeys: join.keys.map { $0.right.renumbered { $0 % ColumnID.relationStride } },
            residual: join.residual?.renumbered { after.position($0) })
        return .lookup(input, plan)
    }

    private func apply(
        _ input: PlanNode, _ relation: Int, of select: SelectBinder, _ isOuter: Bool, _ argument: Expression,
        used: Set<Int>, _ layout: inout RowLayout
    ) -> PlanNode {
        guard case .apply(let function) = select.relations[relation].kind else { return input }
        let before = layout
        let columns = ApplyPlan.Column.allCases.filter { used.contains($0.rawValue) }
        var part = RowLayout.Part(start: layout.width, width: columns.count, positions: [:])
        for (position, column) in columns.enumerated() { part.positions?[column.rawValue] = position }
        layout.parts.append(part)
        let bound = argument.renumbered { before.position($0) }
        return .apply(input, ApplyPlan(function: function, isOuter: isOuter, argument: bound, columns: columns))
    }
}
