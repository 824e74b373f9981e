import OgawaCore

// Aggregates of groups; calls with OVER are in SelectBinder+Analytic.swift.
extension SelectBinder {
    // MARK: Aggregates of a group

    func bind(
        aggregate info: AggregateInfo, _ call: Syntax.Call, range: SourceRange, _ place: Place
    ) -> Expression {
        if let over = call.over {
            if call.isDistinct {
                binder.error(
                    "distinct-over", "DISTINCT and OVER do not go together", hint: "count distinct values in a window",
                    at: call.range)
                return broken(range)
            }
            let isRunning = !info.isOrdered || over.limit != nil || over.rows != nil
            if isRunning { return bind(running: info, call, over, range: range, place) }
        }
        guard checkPlace(of: info, call, range: range, place) else {
            return broken(range)
        }
        return bind(group: info, call, range: range)
    }

    private func checkPlace(
        of info: AggregateInfo, _ call: Syntax.Call, range: SourceRange, _ place: Place
    ) -> Bool {
        let name = info.name
        if let outer = place.aggregate ?? place.analytic {
            binder.error(
                "nested-aggregate", "\(name) stands inside \(outer)", hint: "compute \(name) in a step of WITH first",
                at: range)
        } else if place.clause == .predicate {
            binder.error(
                "misplaced-aggregate", "\(name) in WHERE: rows are filtered before they are grouped",
                hint: "use HAVING, or \(name)(…) OVER (LIMIT DURATION(second, 60))", at: range)
        } else if place.clause != .select, place.clause != .having {
            binder.error(
                "misplaced-aggregate", "\(name) does not stand in \(place.clause.rawValue)",
                hint: "aggregates stand in the select list and HAVING", at: range)
        } else if !isGrouped {
            binder.error(
                "no-window", "\(name) needs GROUP BY with a window, because a stream does not end",
                hint: "add GROUP BY TumblingWindow(minute, 1), or write \(name)(…) OVER (LIMIT DURATION(minute, 1))",
                at: range)
        } else {
            return true
        }
        return false
    }

    func index(of aggregate: AggregateCall) -> Int {
        let key = aggregate.shown([])
        if let known = aggregateIndices[key] { return known }
        aggregates.append(aggregate)
        aggregateIndices[key] = aggregates.count - 1
        return aggregates.count - 1
    }

    /// The argument, or nil after an error; its expression is nil for COUNT(*).
    func bind(
        argumentOf info: AggregateInfo, _ call: Syntax.Call, _ place: Place
    ) -> Expression?? {
        if call.isDistinct, !["COUNT", "SUM", "AVG", "MIN", "MAX"].contains(info.name) {
            binder.error(
                "misplaced-distinct", "DISTINCT belongs to COUNT, SUM, AVG, MIN and MAX, not to \(info.name)",
                at: call.range)
            return nil
        }
        if call.hasStar {
            guard info.name == "COUNT" else {
                binder.error(
                    "wrong-argument-count", "only COUNT takes '*', not \(info.name)", at: call.range)
                return nil
            }
            return .some(nil)
        }
        guard info.arguments.contains(call.arguments.count) else {
            let count = info.arguments.upperBound
            let wanted =
                info.arguments.lowerBound == count
                ? plural(count, "argument") : "\(info.arguments.lowerBound) or \(plural(count, "argument"))"
            binder.error(
                "wrong-argument-count", "\(info.name) takes \(wanted), not \(call.arguments.count)",
                hint: info.name == "COUNT" ? "COUNT(*) counts rows" : nil, at: call.range)
            bindAll(call.arguments, place)
            return nil
        }
        if info.name == "COUNT", !call.isDistinct, let argument = call.arguments.first, isRelationName(argument) {
            return .some(presence(of: argument))
        }
        let bound = call.arguments.map { bind($0, place) }
        return .some(bound.last)
    }

    /// COUNT(stream) counts its rows.
    private func isRelationName(_ argument: Syntax.Expression) -> Bool {
        guard case .path(let names) = argument.kind, names.count == 1 else { return false }
        return relations.contains { sameName($0.name, names[0].text) }
    }
}
