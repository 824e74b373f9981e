import OgawaCore

// Function calls.
extension SelectBinder {
    func bind(call: Syntax.Call, range: SourceRange, _ place: Place) -> Expression {
        if call.prefix != nil { return bind(prefixed: call, range: range, place) }
        let name = call.function
        guard let kind = FunctionCatalog.kind(of: name.text) else {
            let foreign = FunctionCatalog.foreignNames[name.text.uppercased()].map { "use \($0)" }
            binder.error(
                "unknown-function", "there is no function '\(name.text)'",
                hint: foreign ?? binder.suggestion(for: name.text, in: FunctionCatalog.allNames, what: "functions"),
                at: name.range)
            bindAll(call.arguments, place)
            return broken(range)
        }
        switch kind {
        case .scalar(let function): return bind(scalar: function, call, range: range, place)
        case .aggregate(let aggregate): return bind(aggregate: aggregate, call, range: range, place)
        case .analytic(let analytic): return bind(analytic: analytic, call, range: range, place)
        case .bound(let special): return bind(special: special, call, range: range, place)
        case .window:
            binder.error(
                "misplaced-window", "\(name.text) is a window and stands in GROUP BY only", at: name.range)
            return broken(range)
        }
    }

    /// Binds expressions only to find the errors in them.
    func bindAll(_ expressions: [Syntax.Expression], _ place: Place) {
        for expression in expressions { _ = bind(expression, place) }
    }

    // MARK: Prefixes

    private func bind(prefixed call: Syntax.Call, range: SourceRange, _ place: Place) -> Expression {
        let prefix = call.prefix ?? ""
        let name = call.function.text
        if sameName(prefix, "System") {
            if sameName(name, "Timestamp") {
                refuseExtras(of: call, "System.Timestamp")
                if call.hasStar || !call.arguments.isEmpty {
                    binder.error(
                        "wrong-argument-count", "System.Timestamp() takes no arguments",
                        hint: "for another type write CAST(System.Timestamp() AS nvarchar(max))", at: call.range)
                }
                return bindTimestamp(range: range, place)
            }
            if sameName(name, "Window") {
                binder.error(
                    "unknown-field", "System.Window() is a record that only its field Id is read of",
                    hint: "write System.Window().Id", at: range)
                return broken(range)
            }
            binder.error(
                "unknown-function", "there is no function 'System.\(name)'",
                hint: binder.suggestion(for: name, in: ["Timestamp", "Window"], what: "functions of System"),
                at: call.function.range)
        } else if sameName(prefix, "udf") || sameName(prefix, "uda") {
            binder.notYet(
                "\(prefix).\(name), \(sameName(prefix, "udf") ? "a function" : "an aggregate") of your own,", at: range)
        } else if FunctionCatalog.kind(of: name) != nil {
            binder.error(
                "prefixed-built-in", "\(name) is built in and takes no prefix '\(prefix).'", hint: "write \(name)(…)",
                at: call.name[0].range.union(call.function.range))
        } else {
            binder.error(
                "unknown-function", "there is no function '\(prefix).\(name)'",
                hint: "functions of your own are called udf.\(name)(…)",
                at: call.name[0].range.union(call.function.range))
        }
        var inner = place
        if sameName(prefix, "uda") { (inner.isGrouped, inner.aggregate) = (false, "\(prefix).\(name)") }
        bindAll(call.arguments, inner)
        return broken(range)
    }

    // MARK: Scalars

    /// Reports OVER, FILTER, DISTINCT and `*` on functions that have none of them.
    private func refuseExtras(of call: Syntax.Call, _ name: String) {
        if let over = call.over {
            binder.error(
                "misplaced-over", "\(name) works on one row and takes no OVER", hint: "leave OVER out", at: over.range)
        }
        if let filter = call.filter {
            binder.error(
                "misplaced-filter", "FILTER belongs to aggregate functions, not to \(name)", at: filter.range)
        }
        if call.isDistinct {
            binder.error(
                "misplaced-distinct", "DISTINCT belongs to COUNT, not to \(name)", at: call.range)
        }
    }

    private func bind(
        scalar function: ScalarFunction, _ call: Syntax.Call, range: SourceRange, _ place: Place
    ) -> Expression {
        refuseExtras(of: call, function.name)
        if function.isForApply {
            binder.error(
                "misplaced-apply", "\(function.name) gives rows and stands in APPLY only",
                hint: "write FROM … CROSS APPLY \(function.name)(…) AS element", at: call.range)
            return broken(range)
        }
        let count = call.arguments.count
        guard !call.hasStar, count >= function.minimumArguments, count <= function.maximumArguments ?? .max else {
            let found = call.hasStar ? "'*'" : "\(count)"
            binder.error(
                "wrong-argument-count", "\(function.name) takes \(function.argumentCount), not \(found)", at: call.range
            )
            bindAll(function.takesDatePart ? Array(call.arguments.dropFirst()) : call.arguments, place)
            return broken(range)
        }
        if function.category == .metadata { return bind(metadata: call, range: range, place) }
        var arguments: [Expression] = []
        var rest = call.arguments[...]
        if function.takesDatePart, let part = rest.popFirst() {
            arguments.append(bind(datePart: part, of: function.name))
        }
        for argument in rest {
            arguments.append(
                relationTime(argument, of: function, place)
                    ?? bind(argument, of: function, at: arguments.count, place))
        }
        check(arguments, of: function)
        guard function.isImplemented else {
            binder.notYet(function.name, at: call.range)
            return broken(range)
        }
        return Expression(.call(function.name.uppercased(), arguments), range: range)
    }

    private func bind(datePart argument: Syntax.Expression, of function: String) -> Expression {
        let range = argument.range
        if case .path(let names) = argument.kind, names.count == 1 {
            if let part = DatePart(named: names[0].text) {
                return Expression(.literal(.text(part.rawValue)), range: range)
            }
            binder.error(
                "unknown-date-part", "there is no part of a date '\(names[0].text)'",
                hint: binder.suggestion(
                    for: names[0].text, in: DatePart.allCases.map(\.rawValue), what: "parts of a date"), at: range)
            return broken(range)
        }
        var hint = "write \(function)(second, …)"
        if case .text(let text) = argument.kind, let part = DatePart(named: text) {
            hint = "write \(part.rawValue) without quotes"
        }
        binder.error(
            "unknown-date-part", "the first argument of \(function) is a part of a date such as second", hint: hint,
            at: range)
        return broken(range)
    }

    // MARK: The window's edges

    private func bind(
        special name: String, _ call: Syntax.Call, range: SourceRange, _ place: Place
    ) -> Expression {
        if name == "Classifier" {
            binder.error(
                "misplaced-classifier", "Classifier() stands in the MEASURES of MATCH_RECOGNIZE only", at: range)
            return broken(range)
        }
        refuseExtras(of: call, name)
        if call.hasStar || !call.arguments.isEmpty {
            binder.error("wrong-argument-count", "\(name)() takes no arguments", at: call.range)
            return broken(range)
        }
        if name == "is_silent" || name == "last_seen" { return bind(absence: name, range: range, place) }
        guard place.isGrouped, place.aggregate == nil else {
            binder.error(
                "no-window", "\(name)() needs a window in GROUP BY, and stands in the select list or HAVING",
                hint: isGrouped ? nil : "add GROUP BY with a window such as TumblingWindow(minute, 1)", at: range)
            return broken(range)
        }
        let column = sameName(name, "window_start") ? ColumnID.windowStart : ColumnID.windowEnd
        return Expression(.column(column), range: range)
    }
}
