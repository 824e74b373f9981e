import OgawaCore

// Expressions that are not calls.
extension SelectBinder {
    /// Stands for an expression that an error was reported for.
    func broken(_ range: SourceRange) -> Expression { Expression(.literal(.null), range: range) }

    /// Binds an expression; after an error it gives NULL and goes on.
    func bind(_ syntax: Syntax.Expression, _ outer: Place) -> Expression {
        let range = syntax.range
        let place = outer.below
        guard binder.countNode(at: range) else { return broken(range) }
        guard place.depth <= Limits.boundDepth else {
            binder.error(
                "nested-too-deeply", "with its aliases put in, this expression is more than \(Limits.boundDepth) deep",
                hint: "compute a part of it in a step of WITH", at: range)
            return broken(range)
        }
        if place.isGrouped, place.aggregate == nil, let key = groupKey(of: syntax) {
            return Expression(.column(key), range: range)
        }
        if matchScope != nil, let bound = bind(ofMatch: syntax, place) { return bound }
        switch syntax.kind {
        case .null: return Expression(.literal(.null), range: range)
        case .integer(let number): return Expression(.literal(.bigint(number)), range: range)
        case .float(let number): return Expression(.literal(.float(number)), range: range)
        case .text(let text): return Expression(.literal(.text(text)), range: range)
        case .bit(let flag): return Expression(.literal(.bit(flag)), range: range)
        case .path(let names): return bind(path: names, range: range, place)
        case .member(let value, let names): return bind(member: names, of: value, range: range, place)
        case .call(let call): return bind(call: call, range: range, place)
        default: return bind(operation: syntax, place)
        }
    }

    /// The number of the GROUP BY key that an expression repeats.
    private func groupKey(of syntax: Syntax.Expression) -> Int? {
        if syntax.isSystemTimestamp { return nil }
        let forms = comparison
        return keys.firstIndex { forms.isSame(syntax, $0.syntax) }
    }

    var comparison: FormComparison {
        var isExact = false
        if case .source? = relations.first?.kind { isExact = true }
        return FormComparison(qualifiers: relations.map(\.name), isExact: isExact)
    }

    private func bind(operation syntax: Syntax.Expression, _ place: Place) -> Expression {
        let range = syntax.range
        let kind: Expression.Kind
        switch syntax.kind {
        case .unary(let operation, let value):
            kind = .unary(operation, bind(value, place))
        case .binary(let operation, let left, let right):
            warnAboutQuotes(operation, left, right, place)
            warnAboutNull(operation, left, right)
            kind = .binary(operation, bind(left, place), bind(right, place))
        case .caseWhen(let operand, let branches, let otherwise):
            return bind(caseOf: operand, branches, otherwise, range: range, place)
        case .cast(let value, let type, let isTry):
            let bound = bind(value, place)
            guard let tag = binder.bind(type: type, inCast: true) else { return broken(range) }
            kind = .cast(bound, to: tag, isTry: isTry)
        case .isNull(let value, let negated):
            kind = .isNull(bind(value, place), negated: negated)
        case .like(let value, let pattern, let negated):
            warnAboutQuotes(.equal, value, pattern, place)
            kind = .like(bind(value, place), pattern: bind(pattern, place), negated: negated)
        case .between(let value, let low, let high, let negated):
            kind = bind(between: value, low, high, negated: negated, place)
        case .isIn(let value, let list, let negated):
            for element in list { warnAboutQuotes(.equal, value, element, place) }
            kind = .isIn(bind(value, place), list.map { bind($0, place) }, negated: negated)
        default:
            return broken(range)
        }
        return Expression(kind, range: range)
    }

    /// BETWEEN as two comparisons; NOT BETWEEN as their opposites, so that it is false for NULL as every comparison is.
    private func bind(
        between value: Syntax.Expression, _ low: Syntax.Expression, _ high: Syntax.Expression, negated: Bool,
        _ place: Place
    ) -> Expression.Kind {
        let range = value.range.union(high.range)
        let lower = Expression(
            .binary(negated ? .less : .greaterOrEqual, bind(value, place), bind(low, place)), range: range)
        let upper = Expression(
            .binary(negated ? .greater : .lessOrEqual, bind(value, place), bind(high, place)), range: range)
        return .binary(negated ? .or : .and, lower, upper)
    }

    private func bind(
        caseOf operand: Syntax.Expression?, _ branches: [Syntax.Branch], _ otherwise: Syntax.Expression?,
        range: SourceRange, _ place: Place
    ) -> Expression {
        let bound = branches.map { branch in
            var condition = bind(branch.condition, place)
            if let operand {
                condition = Expression(
                    .binary(.equal, bind(operand, place), condition), range: branch.condition.range)
            }
            return CaseBranch(condition: condition, result: bind(branch.result, place))
        }
        guard let otherwise else {
            binder.error(
                "case-without-else", "CASE has no ELSE", hint: "add ELSE NULL for rows that no WHEN fits",
                at: SourceRange(max(range.lowerBound, range.upperBound - 3), range.upperBound))
            return broken(range)
        }
        return Expression(.caseWhen(bound, otherwise: bind(otherwise, place)), range: range)
    }

    /// A comparison with NULL is false whatever the other side is.
    private func warnAboutNull(_ operation: BinaryOperator, _ left: Syntax.Expression, _ right: Syntax.Expression) {
        guard [.equal, .notEqual, .less, .greater, .lessOrEqual, .greaterOrEqual].contains(operation) else { return }
        for side in [left, right] {
            guard case .null = side.kind else { continue }
            binder.warn(
                "null-comparison", "a comparison with NULL is always false",
                hint: operation == .notEqual ? "write IS NOT NULL" : "write IS NULL", at: side.range)
            return
        }
    }

    /// "text" compared like a text is nearly always meant as 'text'.
    private func warnAboutQuotes(
        _ operation: BinaryOperator, _ left: Syntax.Expression, _ right: Syntax.Expression, _ place: Place
    ) {
        guard [.equal, .notEqual, .less, .greater, .lessOrEqual, .greaterOrEqual].contains(operation), fieldsAreOpen
        else { return }
        for (side, other) in [(right, left), (left, right)] {
            guard case .path(let names) = side.kind, names.count == 1, names[0].quote == .double else { continue }
            switch other.kind {
            case .path, .call, .member: break
            default: continue
            }
            binder.warn(
                "double-quotes", "\"\(names[0].text)\" is the field of that name, not a text",
                hint: "did you mean the text '\(names[0].text)'? Double quotes name a field", at: names[0].range)
            return
        }
    }

    // MARK: Names

    private func bind(path names: [Syntax.Name], range: SourceRange, _ place: Place) -> Expression {
        if names.count == 2, names[0].isWord("System"), names[1].isWord("Timestamp") {
            return bindTimestamp(range: range, place)
        }
        if let expression = bind(alias: names, range: range, place) { return expression }
        if !place.isGrouped || place.aggregate != nil, let record = wholeApply(names, range: range) { return record }
        if place.isGrouped, place.aggregate == nil { return bind(groupedPath: names, range: range, place) }
        return resolve(names, range: range, place)
    }

    /// An alias that stands further left in the select list; nil where the name is a field.
    private func bind(alias names: [Syntax.Name], range: SourceRange, _ place: Place) -> Expression? {
        let name = names[0].text
        guard let index = aliasIndices[name], index < place.aliasLimit, !fieldNames.contains(name) else { return nil }
        if relations.contains(where: { sameName($0.name, name) }), names.count > 1 { return nil }
        if hasColumn(name) { return nil }
        var inner = place
        inner.aliasLimit = index
        let value = bind(aliases[index].expression, inner)
        guard names.count > 1 else { return Expression(value.kind, range: range) }
        return Expression(.field(value, path: names.dropFirst().map(\.text)), range: range)
    }

    /// Whether a step of FROM has a column of that name for sure.
    func hasColumn(_ name: String) -> Bool {
        relations.contains { relation in
            guard case .step(let index) = relation.kind else { return false }
            return binder.steps[index].column(named: name) != nil
        }
    }

    /// A name above GROUP BY: only keys and what is taken from them exist there.
    private func bind(groupedPath names: [Syntax.Name], range: SourceRange, _ place: Place) -> Expression {
        let forms = comparison
        for (index, key) in keys.enumerated() {
            guard case .path(let prefix) = key.syntax.kind, !key.syntax.isSystemTimestamp,
                let rest = forms.rest(of: names, after: prefix), !rest.isEmpty
            else { continue }
            let column = Expression(.column(index), range: range)
            return Expression(.field(column, path: rest.map(\.text)), range: range)
        }
        let shown = names.map(\.text).joined(separator: ".")
        binder.error(
            "not-grouped", "'\(shown)' is neither a key of GROUP BY nor inside an aggregate function",
            hint: hint(forUngrouped: names) ?? "add \(shown) to GROUP BY, or take MAX(\(shown)), AVG(\(shown)) …",
            at: range)
        return broken(range)
    }

    /// Names the key that differs only by case.
    private func hint(forUngrouped names: [Syntax.Name]) -> String? {
        let caseless = FormComparison(qualifiers: relations.map(\.name), isExact: false)
        for key in keys {
            guard case .path(let path) = key.syntax.kind, caseless.rest(of: names, after: path) != nil else { continue }
            let shown = path.map(\.text).joined(separator: ".")
            return "GROUP BY has '\(shown)': fields of events differ by case"
        }
        return nil
    }

    /// System.Timestamp(): the row's time; above GROUP BY the window's end.
    func bindTimestamp(range: SourceRange, _ place: Place) -> Expression {
        if place.clause == .timestamp {
            binder.error(
                "timestamp-of-itself", "TIMESTAMP BY defines System.Timestamp() and cannot read it",
                hint: "name a field of the event, or leave TIMESTAMP BY out to use the time of arrival", at: range)
            return broken(range)
        }
        if place.isGrouped, place.aggregate == nil {
            return Expression(.column(ColumnID.windowEnd), range: range)
        }
        return Expression(.eventTime, range: range)
    }

    private func bind(
        member names: [Syntax.Name], of value: Syntax.Expression, range: SourceRange, _ place: Place
    ) -> Expression {
        if case .call(let call) = value.kind, call.isNamed("System", "Window") {
            guard names.count == 1, names[0].isWord("Id") else {
                binder.error(
                    "unknown-field", "System.Window() has no field '\(names[0].text)'", hint: "its only field is Id",
                    at: names[0].range)
                return broken(range)
            }
            if place.isGrouped, place.aggregate == nil, window?.all.contains(where: { $0.id != nil }) == true {
                return Expression(.column(ColumnID.windowID), range: range)
            }
            // Only windows inside Windows() have an id.
            return Expression(.literal(.null), range: range)
        }
        return Expression(.field(bind(value, place), path: names.map(\.text)), range: range)
    }

    // MARK: Fields of the input

    private func resolve(_ names: [Syntax.Name], range: SourceRange, _ place: Place) -> Expression {
        if names.count > 1, let index = relations.firstIndex(where: { sameName($0.name, names[0].text) }) {
            return resolve(Array(names.dropFirst()), in: index, range: range)
        }
        if names.count > 1, let relation = relations.first(where: { sameName($0.hiddenName ?? "", names[0].text) }) {
            binder.error(
                "hidden-input", "'\(names[0].text)' is called '\(relation.name)' in this SELECT",
                hint: "write \(relation.name).\(names[1].text)", at: names[0].range)
            return broken(range)
        }
        guard let index = owner(of: names[0]) else { return broken(range) }
        fieldNames.insert(names[0].text)
        return resolve(names, in: index, range: range)
    }

    private func resolve(_ names: [Syntax.Name], in relation: Int, range: SourceRange) -> Expression {
        switch relations[relation].kind {
        case .opaque: broken(range)
        case .reference: resolve(path: names.map(\.text), inReference: relation, range: range)
        case .apply(let function): resolve(names, inApply: function, relation, range: range)
        case .source(let source): resolve(names, inSource: source, relation, range: range)
        case .step(let step): resolve(names, inStep: step, relation, range: range)
        }
    }

    private func resolve(
        _ names: [Syntax.Name], inSource source: Int, _ relation: Int, range: SourceRange
    ) -> Expression {
        let path = names.map(\.text)
        let first = names[0]
        if names.count == 1, first.isWord("EventProcessedUtcTime") {
            binder.error(
                "processing-time", "EventProcessedUtcTime differs at every run, so that no result may depend on it",
                hint: "use System.Timestamp() or EventEnqueuedUtcTime; a field of that name is written [\(first.text)]",
                at: range)
            return broken(range)
        }
        let body = column(binder.column(.body(path: path), of: source), of: relation, range: range)
        let system: SourceField? =
            first.isWord("EventEnqueuedUtcTime") ? .enqueuedTime : first.isWord("PartitionId") ? .partition : nil
        guard names.count == 1, let system else { return body }
        // Whether an event has a field of that name is known only when it comes; the field wins.
        let own = column(binder.column(system, of: source), of: relation, range: range)
        return Expression(.call("COALESCE", [body, own]), range: range)
    }

    private func resolve(
        _ names: [Syntax.Name], inStep index: Int, _ relation: Int, range: SourceRange
    ) -> Expression {
        let step = binder.steps[index]
        guard let select = step.select else { return broken(range) }
        let rest = names.dropFirst().map(\.text)
        if let column = step.column(named: names[0].text) {
            let expression = self.column(column, of: relation, range: range)
            return rest.isEmpty ? expression : Expression(.field(expression, path: rest), range: range)
        }
        let path = names.map(\.text)
        let columns = step.spreads.compactMap { item -> Expression? in
            guard case .spread(let excluded) = select.items[item].kind, !excluded.contains(path[0]) else { return nil }
            return column(select.column(forField: path, ofSpread: item, range: range), of: relation, range: range)
        }
        if columns.count == 1 { return columns[0] }
        if columns.count > 1 { return Expression(.call("COALESCE", columns), range: range) }
        reportUnknown(names[0], step)
        return broken(range)
    }

    private func reportUnknown(_ name: Syntax.Name, _ step: BoundStep) {
        var hint = binder.suggestion(for: name.text, in: step.columnNames, what: "its columns")
        if name.quote == .double, nearestName(to: name.text, in: step.columnNames) == nil {
            hint = "did you mean the text '\(name.text)'? Double quotes name a column"
        }
        let reason = step.spreads.isEmpty ? "has no column" : "leaves out the column"
        binder.error("unknown-column", "step '\(step.name.text)' \(reason) '\(name.text)'", hint: hint, at: name.range)
    }

    /// The column of a step for one field of a spread item, added when it is first read.
    func column(forField path: [String], ofSpread item: Int, range: SourceRange) -> Int {
        let key = "\(item)\u{0}" + path.joined(separator: "\u{0}")
        if let known = spreadColumns[key] { return known }
        let value: Expression =
            switch spreadOrigins[item] {
            case .source(let source, let prefix, let relation):
                column(binder.column(.body(path: prefix + path), of: source), of: relation, range: range)
            case .step(let step, let inner, let relation):
                if let select = binder.steps[step].select {
                    column(select.column(forField: path, ofSpread: inner, range: range), of: relation, range: range)
                } else {
                    broken(range)
                }
            case .reference(let prefix, let relation):
                resolve(path: prefix + path, inReference: relation, range: range)
            case .value(let value): Expression(.field(value, path: path), range: range)
            case nil: broken(range)
            }
        items.append(ProjectItem(.named(path.joined(separator: ".")), value))
        // All SELECTs of a UNION have the same columns in the same places.
        for peer in unionPeers { _ = peer.column(forField: path, ofSpread: item, range: range) }
        spreadColumns[key] = items.count - 1
        return items.count - 1
    }
}

extension Binder {
    /// The type of a name; nil after an error.
    func bind(type: Syntax.TypeName, inCast: Bool) -> ValueTag? {
        let names: [(String, ValueTag)] = [
            ("bigint", .bigint), ("float", .float), ("nvarchar", .text), ("datetime", .datetime), ("bit", .bit),
            ("record", .record), ("array", .array),
        ]
        let shown = type.text + (type.argument.map { "(\($0))" } ?? "")
        guard let match = names.first(where: { sameName($0.0, type.text) }) else {
            let foreign = [
                "int": "bigint", "integer": "bigint", "smallint": "bigint", "tinyint": "bigint", "long": "bigint",
                "double": "float", "real": "float", "decimal": "float", "numeric": "float", "number": "float",
                "varchar": "nvarchar(max)", "char": "nvarchar(max)", "text": "nvarchar(max)",
                "string": "nvarchar(max)", "nchar": "nvarchar(max)", "bool": "bit", "boolean": "bit",
                "timestamp": "datetime", "datetime2": "datetime", "date": "datetime", "object": "record",
                "json": "record",
            ]
            let known = names.map { $0.1.typeName }
            let near = foreign[type.text.lowercased()].map { "write \($0)" }
            error(
                "unknown-type", "there is no type '\(shown)'",
                hint: near ?? suggestion(for: type.text, in: known, what: "types"), at: type.range)
            return nil
        }
        guard let argument = type.argument else { return match.1 }
        guard match.1 == .text, sameName(argument, "max") else {
            error(
                "unknown-type", "there is no type '\(shown)'",
                hint: match.1 == .text ? "text has no length: write nvarchar(max)" : "write \(match.1.typeName)",
                at: type.range)
            return nil
        }
        return match.1
    }
}
