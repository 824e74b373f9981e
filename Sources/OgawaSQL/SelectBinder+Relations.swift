import OgawaCore

// Names where FROM has several relations: each has its own range of column numbers, and a name without a qualifier must fit one of them only.
extension SelectBinder {
    /// How surely a relation has a column.
    private enum Certainty {
        case yes
        case maybe
        case no
        /// Nothing is known after an error.
        case unknown
    }

    /// The number of a relation's column among all columns of FROM.
    func column(_ column: Int, of relation: Int, range: SourceRange) -> Expression {
        Expression(.column(relation * ColumnID.relationStride + column), range: range)
    }

    /// The relation that a name without a qualifier belongs to; nil after an error.
    func owner(of name: Syntax.Name) -> Int? {
        guard relations.count != 1 else { return 0 }
        var sure: [Int] = []
        var possible: [Int] = []
        for (index, relation) in relations.enumerated() {
            switch certainty(of: name, in: relation) {
            case .yes: sure.append(index)
            case .maybe: possible.append(index)
            case .no: continue
            case .unknown: return nil
            }
        }
        if sure.count == 1, possible.isEmpty || isApply(sure[0]) { return sure[0] }
        if sure.isEmpty, possible.count == 1 { return possible[0] }
        let owners = (sure + possible).sorted().map { relations[$0].name }
        if owners.isEmpty {
            binder.error("unknown-column", "no input of FROM has a column '\(name.text)'", at: name.range)
        } else {
            binder.error(
                "ambiguous-column", "'\(name.text)' may be a column of \(owners.joined(separator: " and of "))",
                hint: "write " + owners.map { "\($0).\(name.text)" }.joined(separator: " or "), at: name.range)
        }
        return nil
    }

    private func isApply(_ index: Int) -> Bool {
        if case .apply = relations[index].kind { return true }
        return false
    }

    private func certainty(of name: Syntax.Name, in relation: Relation) -> Certainty {
        switch relation.kind {
        case .opaque: return .unknown
        case .source, .reference: return .maybe
        case .apply(let function):
            return function.fieldNames.contains { sameName($0, name.text) } ? .yes : .no
        case .step(let index):
            let step = binder.steps[index]
            if step.select == nil { return .unknown }
            if step.column(named: name.text) != nil { return .yes }
            return step.spreads.isEmpty ? .no : .maybe
        }
    }

    // MARK: Reference data and APPLY

    /// The column of a path of reference data.
    func resolve(path: [String], inReference index: Int, range: SourceRange) -> Expression {
        let known = relations[index].fields.firstIndex(of: path)
        if known == nil { relations[index].fields.append(path) }
        return column(known ?? relations[index].fields.count - 1, of: index, range: range)
    }

    /// A field of what APPLY gives for one element.
    func resolve(
        _ names: [Syntax.Name], inApply function: ApplyPlan.Function, _ index: Int, range: SourceRange
    ) -> Expression {
        guard let field = function.fieldNames.firstIndex(where: { sameName($0, names[0].text) }) else {
            binder.error(
                "unknown-column", "'\(relations[index].name)' has no column '\(names[0].text)'",
                hint: binder.suggestion(for: names[0].text, in: function.fieldNames, what: "its columns"),
                at: names[0].range)
            return broken(range)
        }
        let value = column(field, of: index, range: range)
        let rest = names.dropFirst().map(\.text)
        return rest.isEmpty ? value : Expression(.field(value, path: rest), range: range)
    }

    /// The whole result record of APPLY, where its name stands alone.
    func wholeApply(_ names: [Syntax.Name], range: SourceRange) -> Expression? {
        guard names.count == 1, relations.count > 1,
            let index = relations.firstIndex(where: { sameName($0.name, names[0].text) }), isApply(index)
        else { return nil }
        return column(ApplyPlan.Column.record.rawValue, of: index, range: range)
    }

    // MARK: Times

    /// The time of an input that DATEDIFF names; nil where the argument is no input's name.
    func relationTime(
        _ argument: Syntax.Expression, of function: ScalarFunction, _ place: Place
    ) -> Expression? {
        guard function.name == "DATEDIFF", relations.count > 1, case .path(let names) = argument.kind, names.count == 1,
            let index = relations.firstIndex(where: { sameName($0.name, names[0].text) })
        else { return nil }
        guard relations[index].streamReason != nil else {
            if case .opaque = relations[index].kind { return broken(argument.range) }
            let what = isApply(index) ? "an element of APPLY" : "reference data"
            binder.error(
                "no-time", "'\(names[0].text)' is \(what), which has no time of its own",
                hint: "DATEDIFF takes the names of streams", at: argument.range)
            return broken(argument.range)
        }
        if place.analytic != nil || (place.isGrouped && place.aggregate == nil) {
            binder.error(
                "misplaced-datediff",
                "DATEDIFF of inputs belongs to a pair of rows, which is made \(place.analytic == nil ? "before GROUP BY" : "after OVER")",
                hint: place.analytic == nil ? "put it inside an aggregate such as MAX(…)" : "use System.Timestamp()",
                at: argument.range)
            return broken(argument.range)
        }
        return Expression(.column(ColumnID.time(of: index)), range: argument.range)
    }

    /// COUNT of an input in a join counts the rows that it took part in; nil where that is every row.
    func presence(of argument: Syntax.Expression) -> Expression? {
        guard relations.count > 1, case .path(let names) = argument.kind, names.count == 1,
            let index = relations.firstIndex(where: { sameName($0.name, names[0].text) })
        else { return nil }
        switch relations[index].kind {
        case .source, .step: return Expression(.column(ColumnID.time(of: index)), range: argument.range)
        case .reference: return resolve(path: [], inReference: index, range: argument.range)
        case .apply, .opaque: return wholeApply(names, range: argument.range)
        }
    }

    // MARK: Types

    /// Whether an expression is surely a datetime.
    func isDatetime(_ expression: Expression) -> Bool {
        switch expression.kind {
        case .eventTime, .literal(.datetime), .cast(_, to: .datetime, _): return true
        case .call(let name, _): return name == "DATEADD" || name == "DATETIMEFROMPARTS"
        case .column(let column):
            let relation = column / ColumnID.relationStride
            let local = column % ColumnID.relationStride
            if local == ColumnID.relationTime || column == ColumnID.windowStart || column == ColumnID.windowEnd {
                return true
            }
            guard relations.indices.contains(relation), case .step(let step) = relations[relation].kind,
                let select = binder.steps[step].select, select.items.indices.contains(local)
            else { return false }
            return select.isDatetime(item: select.items[local].expression)
        default: return false
        }
    }

    /// Whether an item of the select list is a datetime; above GROUP BY it reads keys and aggregates.
    private func isDatetime(item: Expression) -> Bool {
        guard isGrouped, case .column(let column) = item.kind, column < ColumnID.windowStart else {
            return isDatetime(item)
        }
        if keys.indices.contains(column) { return isDatetime(keys[column].expression) }
        let index = column - keys.count
        guard aggregates.indices.contains(index), [.minimum, .maximum].contains(aggregates[index].function) else {
            return false
        }
        return aggregates[index].argument.map { isDatetime($0) } ?? false
    }
}
