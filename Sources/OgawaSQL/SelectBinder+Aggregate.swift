import OgawaCore

// Functions of many rows: aggregates of groups, and calls with OVER.
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

    private func bind(group info: AggregateInfo, _ call: Syntax.Call, range: SourceRange) -> Expression {
        let place = Place(clause: .select, aggregate: info.name)
        let condition = call.filter.map { bind($0, place) }
        for order in call.over?.order ?? [] { _ = bind(order.expression, place) }
        guard let argument = bind(argumentOf: info, call, place) else { return broken(range) }
        if info.isOrdered, call.over?.order.isEmpty != false {
            binder.error(
                "missing-order", "\(info.name) needs OVER (ORDER BY …)",
                hint: "write \(info.name)(…) OVER (ORDER BY value DESC)", at: call.range)
            return broken(range)
        }
        checkPercentile(info, call)
        guard let function = info.function else {
            binder.notYet(info.name, at: range)
            return broken(range)
        }
        var aggregate = AggregateCall(
            function: function, argument: argument, isDistinct: call.isDistinct, range: range)
        if let condition {
            // Every aggregate passes over NULL, so that FILTER is a CASE.
            let value = aggregate.argument ?? Expression(.literal(.bigint(1)), range: range)
            let branch = CaseBranch(condition: condition, result: value)
            let otherwise = Expression(.literal(.null), range: range)
            aggregate.argument = Expression(.caseWhen([branch], otherwise: otherwise), range: range)
        }
        return Expression(.column(keys.count + index(of: aggregate)), range: range)
    }

    private func index(of aggregate: AggregateCall) -> Int {
        let key = aggregate.shown([])
        if let known = aggregateIndices[key] { return known }
        aggregates.append(aggregate)
        aggregateIndices[key] = aggregates.count - 1
        return aggregates.count - 1
    }

    private func checkPercentile(_ info: AggregateInfo, _ call: Syntax.Call) {
        guard info.name.hasPrefix("PERCENTILE"), let share = call.arguments.first else { return }
        switch share.kind {
        case .integer(let number) where number == 0 || number == 1: return
        case .float(let number) where number >= 0 && number <= 1: return
        default:
            binder.error(
                "invalid-argument", "\(info.name) takes a number from 0 to 1", hint: "the median is 0.5",
                at: share.range)
        }
    }

    /// The argument, or nil after an error; its expression is nil for COUNT(*).
    private func bind(
        argumentOf info: AggregateInfo, _ call: Syntax.Call, _ place: Place
    ) -> Expression?? {
        if call.isDistinct, info.name != "COUNT" {
            binder.error("misplaced-distinct", "DISTINCT belongs to COUNT, not to \(info.name)", at: call.range)
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
            return .some(nil)
        }
        let bound = call.arguments.map { bind($0, place) }
        return .some(bound.last)
    }

    /// COUNT(stream) counts its rows.
    private func isRelationName(_ argument: Syntax.Expression) -> Bool {
        guard case .path(let names) = argument.kind, names.count == 1 else { return false }
        return relations.contains { sameName($0.name, names[0].text) }
    }

    // MARK: OVER

    /// Checks that a function with OVER may stand here.
    private func checkAnalyticPlace(_ name: String, range: SourceRange, _ place: Place) -> Bool {
        if let outer = place.analytic {
            binder.error(
                "nested-analytic", "\(name) with OVER stands inside \(outer) with OVER",
                hint: "compute the inner one in a step of WITH first", at: range)
            return false
        }
        if place.isGrouped, place.aggregate == nil {
            binder.error(
                "not-grouped", "\(name) with OVER is computed for each event, before GROUP BY",
                hint: "put it inside an aggregate such as MAX(…), or compute it in a step of WITH", at: range)
            return false
        }
        guard [.timestamp, .join, .partition, .apply].contains(place.clause) else { return true }
        binder.error(
            "misplaced-over", "\(name) with OVER does not stand in \(place.clause.rawValue)",
            hint: "compute it in a step of WITH", at: range)
        return false
    }

    private func bind(
        running info: AggregateInfo, _ call: Syntax.Call, _ over: Syntax.Over, range: SourceRange, _ place: Place
    ) -> Expression {
        let name = info.name
        guard checkAnalyticPlace(name, range: range, place) else { return broken(range) }
        var inner = place
        inner.isGrouped = false
        inner.analytic = name
        let keys = over.partitionKeys.map { bind($0, inner) }
        let condition = over.condition.map { bind($0, inner) }
        if let filter = call.filter {
            binder.error(
                "misplaced-filter", "\(name) with OVER takes WHEN in place of FILTER",
                hint: "write OVER (… WHEN condition)", at: filter.range)
        }
        if !info.isOrdered, let order = over.order.first {
            binder.error(
                "misplaced-order", "\(name) does not depend on an order", hint: "leave ORDER BY out",
                at: order.expression.range)
        }
        for order in over.order { _ = bind(order.expression, inner) }
        let argument = bind(argumentOf: info, call, inner)
        guard let frame = bind(frameOf: over, name), let argument else { return broken(range) }
        guard let function = info.function else {
            binder.notYet("\(name) with OVER", at: range)
            return broken(range)
        }
        let result = OverCall(
            function: function, argument: argument, partitionKeys: keys, frame: frame,
            condition: condition, range: range)
        return Expression(.column(ColumnID.overBase + index(of: result)), range: range)
    }

    private func index(of call: OverCall) -> Int {
        let key = call.shown([])
        if let known = overIndices[key] { return known }
        overCalls.append(call)
        overIndices[key] = overCalls.count - 1
        return overCalls.count - 1
    }

    private func bind(frameOf over: Syntax.Over, _ name: String) -> OverCall.Frame? {
        if over.limit != nil, let rows = over.rows {
            binder.error(
                "two-limits", "OVER has LIMIT DURATION and ROWS; one of them limits the rows", at: rows.range)
            return nil
        }
        if let limit = over.limit { return binder.ticks(of: limit).map { .duration(ticks: $0) } }
        guard let rows = over.rows else {
            binder.error(
                "missing-limit", "\(name) with OVER needs a limit, because a stream does not end",
                hint: "write OVER (… LIMIT DURATION(second, 60)) or OVER (… ROWS 9 PRECEDING)", at: over.range)
            return nil
        }
        guard case .integer(let count) = rows.kind, count >= 0, count <= Limits.precedingRowCount else {
            binder.error(
                "invalid-argument", "ROWS takes a whole number from 0 to \(Limits.precedingRowCount)", at: rows.range)
            return nil
        }
        return .rows(preceding: Int(count))
    }

    // MARK: Analytic functions

    func bind(
        analytic name: String, _ call: Syntax.Call, range: SourceRange, _ place: Place
    ) -> Expression {
        guard name != "LAST" || call.over != nil || !isGrouped else {
            // Without OVER it is the last value of a group.
            let info = AggregateInfo(name: "LAST", arguments: 1...1)
            return bind(aggregate: info, call, range: range, place)
        }
        guard checkAnalyticPlace(name, range: range, place) else { return broken(range) }
        let before = binder.errors.count
        var inner = place
        inner.isGrouped = false
        inner.analytic = name
        var arguments = call.arguments
        if name == "ISFIRST" {
            checkInterval(call)
            arguments = []
        } else {
            checkArguments(of: name, call)
        }
        bindAll(arguments, inner)
        if let over = call.over {
            bindAll(over.partitionKeys + over.order.map(\.expression) + (over.condition.map { [$0] } ?? []), inner)
            if let limit = over.limit { _ = binder.ticks(of: limit) }
        }
        checkLimit(of: name, call)
        if binder.errors.count == before { binder.notYet(name, at: range) }
        return broken(range)
    }

    /// ISFIRST(unit, n).
    private func checkInterval(_ call: Syntax.Call) {
        guard call.arguments.count == 2 else {
            binder.error(
                "wrong-argument-count", "ISFIRST takes a unit and a number, as in ISFIRST(minute, 10)", at: call.range)
            return
        }
        _ = binder.ticks(unit: call.arguments[0], count: call.arguments[1])
    }

    private func checkArguments(of name: String, _ call: Syntax.Call) {
        let counts: ClosedRange<Int> =
            switch name {
            case "LAG": 1...3
            case "LAST": 1...2
            case "ROW_NUMBER": 0...0
            case "AnomalyDetection_SpikeAndDip": 4...4
            case "AnomalyDetection_ChangePoint": 3...3
            case "HAD_CHANGED", "CHANGED": 1...64
            default: 1...1
            }
        let isRow = call.hasStar && (name == "LAG" || name == "LAST")
        if !isRow, !counts.contains(call.arguments.count) {
            let wanted =
                counts.lowerBound == counts.upperBound
                ? plural(counts.upperBound, "argument")
                : "\(counts.lowerBound) to \(plural(counts.upperBound, "argument"))"
            binder.error(
                "wrong-argument-count", "\(name) takes \(wanted), not \(call.arguments.count)", at: call.range)
        }
        guard name == "LAG", call.arguments.count > 1 else { return }
        guard case .integer(let offset) = call.arguments[1].kind, offset >= 1 else {
            binder.error(
                "invalid-argument", "the offset of LAG is a whole number from 1", hint: "LAST reads the current event",
                at: call.arguments[1].range)
            return
        }
    }

    private func checkLimit(of name: String, _ call: Syntax.Call) {
        switch name {
        case "ISFIRST":
            guard let limit = call.over?.limit else { return }
            binder.error(
                "misplaced-limit", "ISFIRST has its interval in its arguments and takes no LIMIT DURATION",
                at: limit.range)
        case "ROW_NUMBER", "HAD_CHANGED", "CHANGED":
            return
        default:
            guard call.over?.limit == nil else { return }
            binder.error(
                "missing-limit", "\(name) needs OVER (… LIMIT DURATION(unit, n)), because a stream does not end",
                hint: "write \(name)(…) OVER (LIMIT DURATION(minute, 10))", at: call.over?.range ?? call.range)
        }
    }
}
