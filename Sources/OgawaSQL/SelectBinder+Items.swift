import OgawaCore

// The select list.
extension SelectBinder {
    func bindItems() {
        let explicit = explicitNames()
        var taken = Set(explicit.map(\.text))
        var projected: Set<String> = []
        var unnamedCount = 0
        for item in syntax.items {
            switch item {
            case .star(let excluded, let range):
                bind(star: excluded, range: range, explicit: taken, projected: &projected)
            case .qualifiedStar(let path, let excluded, let range):
                bind(star: path, excluded, range: range, explicit: taken, projected: &projected)
            case .expression(let expression, let alias):
                let place = Place(clause: .select, isGrouped: isGrouped, aliasLimit: aliases.count)
                let bound = bind(expression, place)
                var name = alias?.text ?? expression.plainColumn?.text
                if let name {
                    report(duplicate: name, projected, at: alias?.range ?? expression.range)
                } else {
                    let derived = expression.derivedName(unnamed: &unnamedCount)
                    name = unique(derived, taken)
                    taken.insert(name ?? derived)
                }
                let column = name ?? ""
                projected.insert(column)
                items.append(ProjectItem(.named(column), bound))
                if let alias { add(alias: alias, expression) }
            }
        }
    }

    private func add(alias: Syntax.Name, _ expression: Syntax.Expression) {
        if aliasIndices[alias.text] == nil { aliasIndices[alias.text] = aliases.count }
        aliases.append(Alias(name: alias.text, expression: expression))
    }

    /// Names that the text gives to columns.
    private func explicitNames() -> [Syntax.Name] {
        syntax.items.compactMap { item in
            guard case .expression(let expression, let alias) = item else { return nil }
            return alias ?? expression.plainColumn
        }
    }

    private func report(duplicate name: String, _ projected: Set<String>, at range: SourceRange) {
        guard projected.contains(name) else { return }
        binder.error(
            "duplicate-column", "two columns are named '\(name)'", hint: "give one of them another name with AS",
            at: range)
    }

    private func unique(_ name: String, _ taken: Set<String>) -> String {
        guard taken.contains(name) else { return name }
        var number = derivedCounts[name, default: 2]
        while taken.contains("\(name)\(number)") { number += 1 }
        derivedCounts[name] = number + 1
        return "\(name)\(number)"
    }

    // MARK: Spreads

    /// `*`: every column of the input; names that the list gives itself win.
    private func bind(
        star excluded: [Syntax.Name], range: SourceRange, explicit: Set<String>, projected: inout Set<String>
    ) {
        guard relations.count == 1 else {
            binder.error(
                "star-in-join", "'*' with several inputs does not say whose columns are meant",
                hint: "write " + relations.map { "\($0.name).*" }.joined(separator: ", "), at: range)
            return
        }
        bind(allOf: 0, excluded, range: range, explicit: explicit, projected: &projected)
    }

    private func bind(
        star path: [Syntax.Name], _ excluded: [Syntax.Name], range: SourceRange, explicit: Set<String>,
        projected: inout Set<String>
    ) {
        let relation = relations.firstIndex { sameName($0.name, path[0].text) }
        if path.count == 1, let relation {
            bind(allOf: relation, excluded, range: range, explicit: explicit, projected: &projected)
            return
        }
        let syntax = Syntax.Expression(kind: .path(path), range: range, height: 1)
        let value = bind(syntax, Place(clause: .select, isGrouped: isGrouped, aliasLimit: aliases.count))
        var origin = SpreadOrigin.value(value)
        if !isGrouped, case .column(let number) = value.kind {
            let relation = number / ColumnID.relationStride
            let column = number % ColumnID.relationStride
            switch relations.indices.contains(relation) ? relations[relation].kind : .opaque {
            case .source(let source):
                if column < binder.sources[source].fields.count,
                    case .body(let prefix) = binder.sources[source].fields[column]
                {
                    origin = .source(source, prefix: prefix, relation: relation)
                }
            case .reference:
                if relations[relation].fields.indices.contains(column) {
                    origin = .reference(prefix: relations[relation].fields[column], relation: relation)
                }
            case .step, .apply, .opaque: break
            }
        }
        append(spread: value, excluding: excluded.map(\.text), origin)
    }

    private func append(spread value: Expression, excluding: [String], _ origin: SpreadOrigin) {
        spreadOrigins[items.count] = origin
        items.append(ProjectItem(.spread(excluding: excluding), value))
    }

    private func bind(
        allOf relation: Int, _ excluded: [Syntax.Name], range: SourceRange, explicit: Set<String>,
        projected: inout Set<String>
    ) {
        guard !isGrouped else {
            binder.error(
                "not-grouped", "'*' does not stand in a SELECT with GROUP BY",
                hint: "list the keys and aggregates", at: range)
            return
        }
        switch relations[relation].kind {
        case .opaque: break
        case .reference:
            append(
                spread: resolve(path: [], inReference: relation, range: range), excluding: excluded.map(\.text),
                .reference(prefix: [], relation: relation))
        case .apply(let function):
            for (index, name) in function.fieldNames.enumerated() {
                let isExcluded = excluded.contains { sameName($0.text, name) }
                if isExcluded || explicit.contains(name) || !projected.insert(name).inserted { continue }
                items.append(ProjectItem(.named(name), column(index, of: relation, range: range)))
            }
        case .source(let source):
            let body = binder.column(.body(path: []), of: source)
            append(
                spread: column(body, of: relation, range: range), excluding: excluded.map(\.text),
                .source(source, prefix: [], relation: relation))
        case .step(let index):
            bind(allOfStep: index, relation, excluded, range: range, explicit: explicit, projected: &projected)
        }
    }

    private func bind(
        allOfStep index: Int, _ relation: Int, _ excluded: [Syntax.Name], range: SourceRange, explicit: Set<String>,
        projected: inout Set<String>
    ) {
        let step = binder.steps[index]
        guard let select = step.select else { return }
        for name in excluded where step.column(named: name.text) == nil && step.spreads.isEmpty {
            binder.error(
                "unknown-column", "step '\(step.name.text)' has no column '\(name.text)' to leave out",
                hint: binder.suggestion(for: name.text, in: step.columnNames, what: "its columns"), at: name.range)
        }
        for (column, item) in select.items.prefix(step.visibleCount).enumerated() {
            guard binder.countNode(at: range) else { return }
            let value = self.column(column, of: relation, range: range)
            switch item.kind {
            case .named(let name):
                let isExcluded = excluded.contains { sameName($0.text, name) }
                if isExcluded || explicit.contains(name) || !projected.insert(name).inserted { continue }
                items.append(ProjectItem(.named(name), value))
            case .spread(let inner):
                // A column that was left out here must not come back from the record below it.
                let hidden = step.columnNames.filter { name in excluded.contains { sameName($0.text, name) } }
                let names = inner + excluded.map(\.text).filter { !inner.contains($0) }
                append(
                    spread: value, excluding: names + hidden.filter { !names.contains($0) },
                    .step(index, item: column, relation: relation))
            }
        }
    }
}

extension Syntax.Expression {
    /// The last part of a plain column's path, which names the column.
    var plainColumn: Syntax.Name? {
        switch kind {
        case .path(let names): isSystemTimestamp ? nil : names.last
        case .member(_, let names): names.last
        default: nil
        }
    }

    /// The name of a column without AS: a function's name in lower case, or `column` and a number.
    func derivedName(unnamed count: inout Int) -> String {
        switch kind {
        case .call(let call): return call.function.text.lowercased()
        case .cast(_, _, let isTry): return isTry ? "try_cast" : "cast"
        case .path(let names): return names.last?.text.lowercased() ?? "column"
        default:
            count += 1
            return "column\(count)"
        }
    }
}
