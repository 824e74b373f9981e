import OgawaCore

// Aggregates of a group.
extension SelectBinder {
    func bind(group info: AggregateInfo, _ call: Syntax.Call, range: SourceRange) -> Expression {
        let place = Place(clause: .select, aggregate: info.name)
        let before = binder.errors.count
        let condition = call.filter.map { bind($0, place) }
        var order = (call.over?.order ?? []).map { key in
            SortKey(expression: bind(key.expression, place), isDescending: key.isDescending)
        }
        let found = bind(argumentOf: info, call, place)
        checkOrder(of: info, call)
        let parameter = parameter(of: info, call)
        guard let function = info.function, let found, binder.errors.count == before else { return broken(range) }
        var argument = found
        switch function {
        case .continuousPercentile, .discretePercentile: argument = order.first?.expression
        case .topOne, .collect: argument = found ?? wholeRow(range: range)
        case .collectTop: argument = call.arguments.count > 1 ? found : wholeRow(range: range)
        default: break
        }
        let comparesText = argument.map { isText($0, ofInput: true) } ?? false
        var keepsNull = false
        if let condition {
            // Rows without the condition must not fail, and aggregates that pass over NULL need to know no more.
            let value = argument ?? Expression(.literal(.bigint(1)), range: range)
            argument = value.when(condition)
            order = order.map {
                SortKey(expression: $0.expression.when(condition), isDescending: $0.isDescending)
            }
            keepsNull = [.topOne, .collectTop, .collect, .first, .last].contains(function)
        }
        let isBest = function == .minimum || function == .maximum
        let aggregate = AggregateCall(
            function: function, argument: argument, isDistinct: call.isDistinct && !isBest,
            filter: keepsNull ? condition : nil, order: order, parameter: parameter,
            comparesText: isBest && comparesText, range: range)
        return Expression(.column(keys.count + index(of: aggregate)), range: range)
    }

    private func checkOrder(of info: AggregateInfo, _ call: Syntax.Call) {
        guard info.isOrdered else { return }
        guard let over = call.over, !over.order.isEmpty else {
            binder.error(
                "missing-order", "\(info.name) needs OVER (ORDER BY …)",
                hint: "write \(info.name)(…) OVER (ORDER BY value DESC)", at: call.range)
            return
        }
        if info.name.hasPrefix("PERCENTILE"), over.order.count > 1 {
            binder.error(
                "invalid-argument", "\(info.name) is a share of the values of one expression",
                hint: "leave one expression in ORDER BY", at: over.order[1].expression.range)
        }
        if let extra = over.partitionKeys.first ?? over.condition {
            binder.error(
                "misplaced-over", "of a group, \(info.name) takes ORDER BY only",
                hint: "keys belong in GROUP BY, conditions in FILTER (WHERE …)", at: extra.range)
        }
    }

    /// The share of a percentile, the length of CollectTop; 0 where there is none.
    private func parameter(of info: AggregateInfo, _ call: Syntax.Call) -> Double {
        guard let first = call.arguments.first else { return 0 }
        if info.name.hasPrefix("PERCENTILE") {
            switch first.kind {
            case .integer(let number) where number == 0 || number == 1: return Double(number)
            case .float(let number) where number >= 0 && number <= 1: return number
            default:
                binder.error(
                    "invalid-argument", "\(info.name) takes a number from 0 to 1", hint: "the median is 0.5",
                    at: first.range)
            }
        } else if info.name == "CollectTop" {
            if case .integer(let number) = first.kind, number >= 1, number <= Limits.collectedCount {
                return Double(number)
            }
            binder.error(
                "invalid-argument",
                "the first argument of CollectTop is a whole number from 1 to \(Limits.collectedCount)",
                hint: "write CollectTop(3, value) OVER (ORDER BY value DESC)", at: first.range)
        }
        return 0
    }

    // MARK: Whole rows

    /// The row of FROM as one record; of several inputs, a record of each under its name.
    func wholeRow(range: SourceRange) -> Expression {
        if relations.count == 1 { return wholeRow(of: 0, range: range) }
        let members = relations.indices.flatMap { index in
            [Expression(.literal(.text(relations[index].name)), range: range), wholeRow(of: index, range: range)]
        }
        return Expression(.call(RecordCall.name, members), range: range)
    }

    private func wholeRow(of relation: Int, range: SourceRange) -> Expression {
        switch relations[relation].kind {
        case .source(let source):
            return column(binder.column(.body(path: []), of: source), of: relation, range: range)
        case .step(let index):
            let step = binder.steps[index]
            guard let select = step.select else { return broken(range) }
            var members: [Expression] = []
            for (column, item) in select.items.prefix(step.visibleCount).enumerated() {
                let value = self.column(column, of: relation, range: range)
                switch item.kind {
                case .named(let name): members += [Expression(.literal(.text(name)), range: range), value]
                case .spread(let excluded):
                    let names = excluded.map { Expression(.literal(.text($0)), range: range) }
                    members += [
                        Expression(.literal(.null), range: range),
                        names.isEmpty
                            ? value : Expression(.call(RecordCall.withoutName, [value] + names), range: range),
                    ]
                }
            }
            return Expression(.call(RecordCall.name, members), range: range)
        case .apply: return column(0, of: relation, range: range)
        case .reference:
            binder.error(
                "star-in-join", "a row of reference data has no record of its own here",
                hint: "name the columns that are meant", at: range)
            return broken(range)
        case .opaque: return broken(range)
        }
    }

    // MARK: Text

    /// Whether an expression gives text for sure, which MIN and MAX then compare as text.
    ///
    /// Fields of events have no type, so that their text counts as text only where it is cast.
    func isText(_ expression: Expression, ofInput: Bool) -> Bool {
        switch expression.kind {
        case .literal(.text), .cast(_, to: .text, _): return true
        case .caseWhen(let branches, let otherwise):
            let results = (branches.map(\.result) + [otherwise]).filter { !$0.isNullLiteral }
            return !results.isEmpty && results.allSatisfy { isText($0, ofInput: ofInput) }
        case .call("COALESCE", let values):
            let results = values.filter { !$0.isNullLiteral }
            return !results.isEmpty && results.allSatisfy { isText($0, ofInput: ofInput) }
        case .call("NULLIF", let values): return values.first.map { isText($0, ofInput: ofInput) } ?? false
        case .call(let name, _):
            let isCounting = ["LEN", "CHARINDEX", "PATINDEX", "UNICODE", "REGEXMATCH", "JSON_PARSE"].contains(name)
            return !isCounting && ScalarCatalog.function(named: name)?.category == .text
        case .column(let column): return isText(column: column, ofInput: ofInput)
        default: return false
        }
    }

    private func isText(column: Int, ofInput: Bool) -> Bool {
        guard ofInput else {
            if keys.indices.contains(column) { return isText(keys[column].expression, ofInput: true) }
            guard aggregates.indices.contains(column - keys.count) else { return false }
            let call = aggregates[column - keys.count]
            switch call.function {
            case .minimum, .maximum: return call.comparesText
            case .first, .last, .topOne: return call.argument.map { isText($0, ofInput: true) } ?? false
            default: return false
            }
        }
        guard relations.count == 1, case .step(let index) = relations[0].kind, let select = binder.steps[index].select,
            select.items.indices.contains(column)
        else { return false }
        return select.isText(select.items[column].expression, ofInput: !select.isGrouped)
    }
}

/// Calls that the binder makes and no text can: records from parts.
package enum RecordCall {
    /// Names and values by turns; where a name is NULL, the fields of the value stand for themselves.
    package static let name = "RECORD OF"
    /// A record and the names of fields that it loses.
    package static let withoutName = "RECORD WITHOUT"
}

extension Expression {
    fileprivate var isNullLiteral: Bool {
        if case .literal(.null) = kind { return true }
        return false
    }

    /// This where a condition holds, else NULL.
    fileprivate func when(_ condition: Expression) -> Expression {
        let otherwise = Expression(.literal(.null), range: range)
        return Expression(
            .caseWhen([CaseBranch(condition: condition, result: self)], otherwise: otherwise), range: range)
    }
}
