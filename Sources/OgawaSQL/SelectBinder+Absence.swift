import OgawaCore

// ABSENCE: FROM telemetry TIMESTAMP BY t ABSENCE(second, 60) OVER (PARTITION BY deviceId WHEN condition).

extension ColumnID {
    /// What ``PlanNode/absence(_:_:)`` adds to the columns of a relation.
    static let isSilent = 900_001
    static let lastSeen = 900_002
}

extension SelectBinder {
    private static let form = "ABSENCE(second, 60) OVER (PARTITION BY deviceId)"

    /// Binds ABSENCE of an input that is not among the relations yet.
    func bindAbsence(of source: Syntax.Source, relation: inout Relation) {
        guard let syntax = source.absence else { return }
        guard relation.streamReason != nil else {
            guard case .reference = relation.kind else { return }
            binder.error(
                "misplaced-absence", "'\(relation.name)' is reference data, which has no events to wait for",
                at: syntax.range)
            return
        }
        guard case .call(let call) = syntax.kind, call.name.count == 1, sameName(call.function.text, "ABSENCE") else {
            binder.error(
                "invalid-absence", "ABSENCE stands alone after an input", hint: "write \(Self.form)", at: syntax.range)
            return
        }
        guard !call.hasStar, !call.isDistinct, call.filter == nil, call.arguments.count == 2 else {
            binder.error(
                "wrong-argument-count", "ABSENCE takes a unit and a number, as in ABSENCE(second, 60)",
                hint: call.filter == nil ? nil : "write OVER (… WHEN condition) in place of FILTER", at: call.range)
            return
        }
        let ticks = binder.ticks(unit: call.arguments[0], count: call.arguments[1])
        if let over = call.over { refuseParts(of: over) }
        let others = relations
        relations = [relation]
        let place = Place(clause: .absence)
        let keys = call.over?.partitionKeys.map { bind($0, place) } ?? []
        let condition = call.over?.condition.map { bind($0, place) }
        relations = others
        guard let ticks else { return }
        let offset = others.count * ColumnID.relationStride
        relation.absence = AbsencePlan(ticks: ticks, keys: keys, condition: condition, range: syntax.range)
            .renumbered { $0 + offset }
    }

    private func refuseParts(of over: Syntax.Over) {
        for range in [over.order.first?.expression.range, over.limit?.range, over.rows?.range].compactMap({ $0 }) {
            binder.error(
                "invalid-absence", "OVER of ABSENCE takes PARTITION BY and WHEN only",
                hint: "write \(Self.form)", at: range)
        }
    }

    /// Binds is_silent() and last_seen().
    func bind(absence name: String, range: SourceRange, _ place: Place) -> Expression {
        let found = relations.indices.filter { relations[$0].absence != nil }
        guard let relation = found.first else {
            binder.error(
                "no-absence", "\(name)() needs ABSENCE after an input of FROM",
                hint: "write FROM input \(Self.form)", at: range)
            return broken(range)
        }
        if found.count > 1 {
            binder.error(
                "ambiguous-absence", "several inputs here have ABSENCE, so that \(name)() does not say which is meant",
                hint: "compute it in a step of WITH that reads one input", at: range)
            return broken(range)
        }
        if place.isGrouped, place.aggregate == nil {
            binder.error(
                "not-grouped", "\(name)() is neither a key of GROUP BY nor inside an aggregate function",
                hint: "add \(name)() to GROUP BY, or take MAX(\(name)())", at: range)
            return broken(range)
        }
        return column(name == "is_silent" ? ColumnID.isSilent : ColumnID.lastSeen, of: relation, range: range)
    }
}
