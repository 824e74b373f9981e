import OgawaCore

// What FROM may have beside one input. It is checked, but not computed yet.
extension SelectBinder {
    func bind(_ join: Syntax.Join) {
        let before = binder.errors.count
        add(join.source)
        let right = relations[relations.count - 1]
        _ = bind(join.condition, Place(clause: .join))
        if let left = relations.first, case .reference = left.kind {
            binder.error(
                "reference-on-the-left", "'\(left.name)' is reference data and stands on the left of a join",
                hint: "read the stream first: FROM stream JOIN \(left.name) ON …", at: left.range)
        } else if let reason = right.streamReason {
            checkBound(join, right, reason)
        }
        if binder.errors.count == before { binder.notYet(join.isLeft ? "LEFT JOIN" : "JOIN", at: join.range) }
    }

    /// Every stream of a join is bounded in time against another one.
    private func checkBound(_ join: Syntax.Join, _ right: Relation, _ reason: String) {
        let others = relations.dropLast().filter { $0.streamReason != nil }
        guard !others.isEmpty, !bounds(right, others, in: join.condition) else { return }
        let left = others[others.count - 1].name
        binder.error(
            "unbounded-join",
            "a join of two streams needs a bound in time; '\(right.name)' is read as a stream, because \(reason)",
            hint: "add AND DATEDIFF(second, \(left), \(right.name)) BETWEEN 0 AND 10 to ON", at: join.source.range)
    }

    private func bounds(_ right: Relation, _ others: [Relation], in condition: Syntax.Expression) -> Bool {
        if case .call(let call) = condition.kind, call.isNamed(nil, "DATEDIFF"), call.arguments.count == 3 {
            let names = call.arguments.dropFirst().compactMap { argument -> String? in
                guard case .path(let path) = argument.kind, path.count == 1 else { return nil }
                return path[0].text
            }
            let hasRight = names.contains { sameName($0, right.name) }
            let hasOther = names.contains { name in others.contains { sameName($0.name, name) } }
            if hasRight, hasOther { return true }
        }
        return condition.children.contains { bounds(right, others, in: $0) }
    }

    func bind(_ apply: Syntax.Apply) {
        defer { relations.append(Relation(name: apply.alias.text, kind: .opaque, range: apply.range)) }
        guard case .call(let call) = apply.function.kind else { return }
        let name = call.function.text
        guard call.name.count == 1, let function = ScalarCatalog.function(named: name), function.isForApply else {
            binder.error(
                "invalid-apply", "APPLY takes GetArrayElements or GetRecordProperties, not \(name)",
                hint: nearestName(to: name, in: ["GetArrayElements", "GetRecordProperties"]).map {
                    "did you mean \($0)?"
                },
                at: apply.function.range)
            return
        }
        let before = binder.errors.count
        if call.arguments.count != 1 {
            binder.error(
                "wrong-argument-count", "\(function.name) takes 1 argument, not \(call.arguments.count)", at: call.range
            )
        }
        bindAll(call.arguments, Place(clause: .apply))
        if binder.errors.count == before {
            binder.notYet(apply.isOuter ? "OUTER APPLY" : "CROSS APPLY", at: apply.range)
        }
    }

    func bind(_ match: Syntax.MatchRecognize) {
        let before = binder.errors.count
        bindAll(match.partitionKeys, Place(clause: .partition))
        if let limit = match.limit {
            _ = binder.ticks(of: limit)
        } else {
            binder.error(
                "missing-limit", "MATCH_RECOGNIZE needs LIMIT DURATION(unit, n), because a stream does not end",
                hint: "begin with MATCH_RECOGNIZE (LIMIT DURATION(minute, 10) …", at: match.range)
        }
        let variables = match.pattern.variables
        for definition in match.definitions
        where !variables.contains(where: { sameName($0.text, definition.name.text) }) {
            binder.error(
                "unknown-variable", "DEFINE names '\(definition.name.text)', which is not in the pattern",
                hint: binder.suggestion(
                    for: definition.name.text, in: variables.map(\.text), what: "variables of the pattern"),
                at: definition.name.range)
        }
        for variable in variables where !match.definitions.contains(where: { sameName($0.name.text, variable.text) }) {
            binder.error(
                "unknown-variable", "the pattern's variable '\(variable.text)' has no condition in DEFINE",
                hint: "add \(variable.text) AS condition", at: variable.range)
        }
        relations = [Relation(name: match.alias?.text ?? "", kind: .opaque, range: match.range)]
        if binder.errors.count == before { binder.notYet("MATCH_RECOGNIZE", at: match.range) }
    }

    /// The rules of TIMESTAMP BY … OVER.
    func checkSubstreams(_ from: Syntax.From) {
        let joined = from.parts.compactMap { part -> Syntax.Source? in
            guard case .join(let join) = part else { return nil }
            return join.source
        }
        let before = binder.errors.count
        let streams = ([from.source] + joined).filter { source in
            relations.contains { relation in
                guard case .source = relation.kind else { return false }
                return relation.range == source.range
            }
        }
        guard let first = streams.first(where: { !$0.substreamKeys.isEmpty }) else { return }
        if let bare = streams.first(where: \.substreamKeys.isEmpty) {
            binder.error(
                "substreams-on-all",
                "TIMESTAMP BY … OVER stands on all inputs or on none; '\(bare.name.text)' has none",
                hint: "add OVER to it", at: bare.range)
        }
        if let grouping = syntax.grouping {
            let forms = comparison
            for key in first.substreamKeys where !grouping.contains(where: { forms.isSame($0, key) }) {
                binder.error(
                    "substream-key", "the key of TIMESTAMP BY … OVER must be a key of GROUP BY",
                    hint: "add it to GROUP BY", at: key.range)
            }
        }
        if binder.errors.count == before {
            binder.notYet("TIMESTAMP BY … OVER", at: first.timestampRange ?? first.range)
        }
    }
}

extension Syntax.MatchRecognize.Pattern {
    /// Every variable, each once.
    var variables: [Syntax.Name] {
        var found: [Syntax.Name] = []
        collect(into: &found)
        return found
    }

    private func collect(into found: inout [Syntax.Name]) {
        switch self {
        case .anything: return
        case .variable(let name):
            if !found.contains(where: { sameName($0.text, name.text) }) { found.append(name) }
        case .sequence(let parts), .alternation(let parts): for part in parts { part.collect(into: &found) }
        case .repetition(let part, _, _): part.collect(into: &found)
        }
    }
}
