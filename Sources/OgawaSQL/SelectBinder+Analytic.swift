import OgawaCore

// Calls with OVER: aggregates of the rows near each row, and functions of other rows. They are computed for each event of FROM, before
// WHERE and GROUP BY.
extension SelectBinder {
    /// Binds an aggregate with OVER and a limit.
    func bind(
        running info: AggregateInfo, _ call: Syntax.Call, _ over: Syntax.Over, range: SourceRange, _ place: Place
    ) -> Expression {
        bind(overCall: info.name, call, range: range, place)
    }

    func bind(
        analytic name: String, _ call: Syntax.Call, range: SourceRange, _ place: Place
    ) -> Expression {
        guard name != "LAST" || call.over != nil || !isGrouped else {
            // Without OVER it is the last value of a group.
            let info = AggregateInfo(name: "LAST", arguments: 1...1, function: .last)
            return bind(aggregate: info, call, range: range, place)
        }
        return bind(overCall: name, call, range: range, place)
    }

    private func bind(
        overCall name: String, _ call: Syntax.Call, range: SourceRange, _ place: Place
    ) -> Expression {
        guard let shape = AnalyticShape.of(name), checkAnalyticPlace(name, range: range, place) else {
            return broken(range)
        }
        let before = binder.errors.count
        var inner = place
        inner.isGrouped = false
        inner.analytic = name
        let keys = call.over?.partitionKeys.map { bind($0, inner) } ?? []
        let condition = call.over?.condition.map { bind($0, inner) }
        let order = bind(orderOf: call, name, shape, inner)
        checkExtras(of: call, name)
        let function = bind(function: name, call, shape)
        let arguments = bind(argumentsOf: call, name, shape, inner)
        let frame = bind(frameOf: call, name, shape)
        guard binder.errors.count == before, let function, let frame else { return broken(range) }
        if frame == .all, !order.isEmpty {
            binder.error(
                "missing-limit", "\(name) with ORDER BY needs a limit, because a stream does not end",
                hint: "write OVER (… LIMIT DURATION(minute, 10))", at: call.over?.range ?? call.range)
            return broken(range)
        }
        guard checkInputs(of: name, arguments + keys + order.map(\.expression) + (condition.map { [$0] } ?? []), range)
        else { return broken(range) }
        let result = OverCall(
            function: function, arguments: arguments, partitionKeys: keys, order: order, frame: frame,
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

    // MARK: Checks

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
        guard [.timestamp, .join, .partition, .apply, .absence, .match].contains(place.clause) else { return true }
        binder.error(
            "misplaced-over", "\(name) with OVER does not stand in \(place.clause.rawValue)",
            hint: "compute it in a step of WITH", at: range)
        return false
    }

    /// Checks that a call reads one stream, because it is computed before joins.
    private func checkInputs(of name: String, _ expressions: [Expression], _ range: SourceRange) -> Bool {
        let read = expressions.reduce(into: Set<Int>()) { $0.formUnion($1.relationsRead) }.sorted()
        let names = read.filter(relations.indices.contains).map { relations[$0] }
        let hint = "compute it in a step of WITH that reads the joined rows"
        if names.count > 1 {
            binder.error(
                "over-several-inputs",
                "\(name) with OVER reads '\(names[0].name)' and '\(names[1].name)', but is computed before they are joined",
                hint: hint, at: range)
            return false
        }
        switch names.first?.kind {
        case .reference?, .apply?:
            binder.error(
                "over-several-inputs",
                "\(name) with OVER reads '\(names[0].name)', but is computed on the events of a stream before that is joined",
                hint: hint, at: range)
            return false
        default: return true
        }
    }

    private func checkExtras(of call: Syntax.Call, _ name: String) {
        if call.isDistinct {
            binder.error(
                "distinct-over", "DISTINCT and OVER do not go together", hint: "count distinct values in a window",
                at: call.range)
        }
        if let filter = call.filter {
            binder.error(
                "misplaced-filter", "\(name) with OVER takes WHEN in place of FILTER",
                hint: "write OVER (… WHEN condition)", at: filter.range)
        }
    }

    private func bind(
        orderOf call: Syntax.Call, _ name: String, _ shape: AnalyticShape, _ place: Place
    ) -> [OverCall.Order] {
        let order = call.over?.order ?? []
        if let first = order.first, shape.order == .none {
            binder.error(
                "misplaced-order", "\(name) does not depend on an order", hint: "leave ORDER BY out",
                at: first.expression.range)
        } else if order.isEmpty, shape.order == .one || shape.order == .required {
            binder.error(
                "missing-order", "\(name) needs OVER (ORDER BY …)",
                hint: "write \(name)(…) OVER (ORDER BY value DESC LIMIT DURATION(minute, 10))", at: call.range)
        } else if order.count > 1, shape.order == .one {
            binder.error(
                "invalid-order", "\(name) takes one value to order by", at: order[1].expression.range)
        } else if order.count > 16 {
            binder.error("invalid-order", "ORDER BY takes at most 16 values", at: order[16].expression.range)
        }
        return order.map { OverCall.Order(bind($0.expression, place), isDescending: $0.isDescending) }
    }

    // MARK: Function and arguments

    /// The function with what is fixed in the text; nil after an error.
    private func bind(function name: String, _ call: Syntax.Call, _ shape: AnalyticShape) -> AnalyticFunction? {
        let count = call.arguments.count
        if name == "ISFIRST", !shape.arguments.contains(count) || call.hasStar {
            binder.error(
                "wrong-argument-count", "ISFIRST takes a unit and a number, as in ISFIRST(minute, 10)", at: call.range)
            return nil
        }
        let isStar = call.hasStar && shape.takesStar && count < shape.arguments.upperBound
        guard shape.arguments.contains(count) || isStar, isStar || !call.hasStar else {
            let isWrongStar = call.hasStar
            binder.error(
                "wrong-argument-count",
                isWrongStar ? "\(name) does not take '*'" : "\(name) takes \(shape.argumentCount), not \(count)",
                hint: name == "COUNT" ? "COUNT(*) counts rows" : nil, at: call.range)
            return nil
        }
        switch name.uppercased() {
        case "COUNT": return .count
        case "SUM": return .sum
        case "AVG": return .average
        case "MIN": return .minimum
        case "MAX": return .maximum
        case "STDEV": return .deviation(isSample: true, isRoot: true)
        case "STDEVP": return .deviation(isSample: false, isRoot: true)
        case "VAR": return .deviation(isSample: true, isRoot: false)
        case "VARP": return .deviation(isSample: false, isRoot: false)
        case "PERCENTILE_CONT", "PERCENTILE_DISC": return percentile(name, call)
        case "TOPONE": return .topOne
        case "COLLECT": return .collect
        case "COLLECTTOP": return collectTop(call)
        case "FIRST": return .first
        case "LAST": return .last
        case "LAG": return lag(call)
        case "ISFIRST":
            return binder.ticks(unit: call.arguments[0], count: call.arguments[1]).map { .isFirst(interval: $0) }
        case "ROW_NUMBER": return .rowNumber
        case "HAD_CHANGED": return .hadChanged
        case "CHANGED": return .changed
        case "ANOMALYDETECTION_SPIKEANDDIP", "ANOMALYDETECTION_CHANGEPOINT": return bind(anomaly: name, call)
        default:
            binder.notYet(name, at: call.range)
            return nil
        }
    }

    private func percentile(_ name: String, _ call: Syntax.Call) -> AnalyticFunction? {
        let share: Double? =
            switch call.arguments.first?.kind {
            case .integer(let number)?: Double(number)
            case .float(let number)?: number
            default: nil
            }
        guard let share, share >= 0, share <= 1 else {
            binder.error(
                "invalid-argument", "\(name) takes a number from 0 to 1", hint: "the median is 0.5",
                at: call.arguments.first?.range ?? call.range)
            return nil
        }
        return .percentile(share: share, isContinuous: name.uppercased() == "PERCENTILE_CONT")
    }

    private func collectTop(_ call: Syntax.Call) -> AnalyticFunction? {
        guard case .integer(let count)? = call.arguments.first?.kind, count >= 1, count <= Limits.precedingRowCount
        else {
            binder.error(
                "invalid-argument", "CollectTop takes a whole number from 1 to \(Limits.precedingRowCount)",
                hint: "write CollectTop(3) OVER (ORDER BY …)", at: call.arguments.first?.range ?? call.range)
            return nil
        }
        return .collectTop(count: Int(count))
    }

    private func lag(_ call: Syntax.Call) -> AnalyticFunction? {
        // After `*` the list starts with the offset.
        let position = call.hasStar ? 0 : 1
        guard call.arguments.count > position else { return .lag(offset: 1) }
        guard case .integer(let offset) = call.arguments[position].kind, offset >= 1,
            offset <= Limits.precedingRowCount
        else {
            binder.error(
                "invalid-argument", "the offset of LAG is a whole number from 1",
                hint: "LAST reads the current event", at: call.arguments[position].range)
            return nil
        }
        return .lag(offset: Int(offset))
    }

    /// The values that the function reads of each row, and after them its default.
    private func bind(
        argumentsOf call: Syntax.Call, _ name: String, _ shape: AnalyticShape, _ place: Place
    ) -> [Expression] {
        var rest = call.arguments[...]
        switch name.uppercased() {
        case "ISFIRST", "PERCENTILE_CONT", "PERCENTILE_DISC", "ROW_NUMBER": return []
        case "COUNT":
            if call.hasStar || isRelationName(rest) { return [] }
        case "COLLECTTOP": rest = rest.dropFirst()
        case "ANOMALYDETECTION_SPIKEANDDIP", "ANOMALYDETECTION_CHANGEPOINT": rest = rest.prefix(1)
        case "LAG":
            // The offset is part of the function.
            if call.hasStar {
                rest = rest.dropFirst()
            } else if rest.count > 1 {
                rest.remove(at: 1)
            }
        default: break
        }
        var arguments = rest.map { bind($0, place) }
        let isWholeRow = call.hasStar || (shape.takesStar || name == "CollectTop") && rest.isEmpty
        if isWholeRow { arguments.insert(rowRecord(at: call.range), at: 0) }
        return arguments
    }

    /// COUNT(stream) counts its rows.
    private func isRelationName(_ arguments: ArraySlice<Syntax.Expression>) -> Bool {
        guard arguments.count == 1, case .path(let names)? = arguments.first?.kind, names.count == 1 else {
            return false
        }
        return relations.contains { sameName($0.name, names[0].text) }
    }

    /// The whole event, or row of a step, as a record.
    private func rowRecord(at range: SourceRange) -> Expression {
        guard relations.count == 1 else {
            binder.error(
                "star-in-join", "'*' with several inputs does not say whose columns are meant",
                hint: "compute it in a step of WITH that reads one input", at: range)
            return broken(range)
        }
        return wholeRow(range: range)
    }

    // MARK: Frames

    private func bind(frameOf call: Syntax.Call, _ name: String, _ shape: AnalyticShape) -> OverCall.Frame? {
        guard let over = call.over else {
            if shape.isOverOptional { return .all }
            reportMissingLimit(of: name, shape, at: call.range)
            return nil
        }
        if let limit = over.limit, shape.limit == .none {
            binder.error(
                "misplaced-limit", "\(name) has its interval in its arguments and takes no LIMIT DURATION",
                at: limit.range)
            return nil
        }
        if let rows = over.rows, shape.limit != .durationOrRows {
            let hasInterval = shape.limit == .none
            binder.error(
                "misplaced-limit",
                hasInterval
                    ? "\(name) has its interval in its arguments and takes no ROWS"
                    : "\(name) takes LIMIT DURATION, not ROWS",
                hint: hasInterval ? "leave ROWS out" : "write OVER (… LIMIT DURATION(minute, 10))", at: rows.range)
            return nil
        }
        if over.limit != nil, let rows = over.rows {
            binder.error(
                "two-limits", "OVER has LIMIT DURATION and ROWS; one of them limits the rows", at: rows.range)
            return nil
        }
        if let limit = over.limit { return binder.ticks(of: limit).map { .duration(ticks: $0) } }
        if shape.limit == .none || shape.limit == .optionalDuration { return .all }
        guard let rows = over.rows else {
            reportMissingLimit(of: name, shape, at: over.range)
            return nil
        }
        guard case .integer(let count) = rows.kind, count >= 0, count <= Limits.precedingRowCount else {
            binder.error(
                "invalid-argument", "ROWS takes a whole number from 0 to \(Limits.precedingRowCount)", at: rows.range)
            return nil
        }
        return .rows(preceding: Int(count))
    }

    private func reportMissingLimit(of name: String, _ shape: AnalyticShape, at range: SourceRange) {
        guard shape.limit == .durationOrRows, name != "LAST" else {
            let what = shape.limit == .optionalDuration ? "(PARTITION BY …)" : "(… LIMIT DURATION(unit, n))"
            let form = name == "ROW_NUMBER" ? "(PARTITION BY id)" : "(LIMIT DURATION(minute, 10))"
            binder.error(
                "missing-limit",
                shape.limit == .optionalDuration
                    ? "\(name) needs OVER \(what)"
                    : "\(name) needs OVER \(what), because a stream does not end",
                hint: "write \(name)(\(shape.arguments.upperBound == 0 ? "" : "…")) OVER \(form)", at: range)
            return
        }
        binder.error(
            "missing-limit", "\(name) with OVER needs a limit, because a stream does not end",
            hint: "write OVER (… LIMIT DURATION(second, 60)) or OVER (… ROWS 9 PRECEDING)", at: range)
    }
}
