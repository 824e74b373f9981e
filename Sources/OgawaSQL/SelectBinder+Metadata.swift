import OgawaCore

// Calls whose arguments are not plain expressions.
extension SelectBinder {
    /// Binds an argument of a scalar function.
    ///
    /// `"name"` as the name in GetRecordPropertyValue is a text, as the reference writes it, unless a step has such a column.
    func bind(
        _ argument: Syntax.Expression, of function: ScalarFunction, at index: Int, _ place: Place
    ) -> Expression {
        if index == 1, function.name == "GetRecordPropertyValue", case .path(let names) = argument.kind,
            names.count == 1,
            names[0].quote == .double, !hasColumn(names[0].text)
        {
            return Expression(.literal(.text(names[0].text)), range: argument.range)
        }
        return bind(argument, place)
    }

    /// Finds in literals what would fail in every row.
    func check(_ arguments: [Expression], of function: ScalarFunction) {
        guard function.name == "TRANSLATE", arguments.count == 3, case .literal(.text(let from)) = arguments[1].kind,
            case .literal(.text(let to)) = arguments[2].kind, from.unicodeScalars.count != to.unicodeScalars.count
        else { return }
        binder.error(
            "translate-lengths",
            "TRANSLATE takes as many translations as characters, found \(to.unicodeScalars.count) and \(from.unicodeScalars.count)",
            hint: "the second and the third argument have the same length",
            at: arguments[1].range.union(arguments[2].range))
    }

    /// GetMetadataPropertyValue(input, 'path').
    func bind(metadata call: Syntax.Call, range: SourceRange, _ place: Place) -> Expression {
        guard case .path(let names) = call.arguments[0].kind, names.count == 1,
            let index = relations.firstIndex(where: { sameName($0.name, names[0].text) })
        else {
            let known = relations.map(\.name).joined(separator: ", ")
            binder.error(
                "unknown-input", "the first argument of GetMetadataPropertyValue is an input of FROM",
                hint: "inputs here: \(known)", at: call.arguments[0].range)
            return broken(range)
        }
        guard case .text(let text) = call.arguments[1].kind, let path = MetadataPath(text)?.parts else {
            binder.error(
                "invalid-metadata-path",
                "the second argument of GetMetadataPropertyValue names a property in a literal text",
                hint: "write 'EventId', '[User].[name]' or 'IoTHub.ConnectionDeviceId'", at: call.arguments[1].range)
            return broken(range)
        }
        if let last = path.last, sameName(last, "EventProcessedUtcTime") {
            binder.error(
                "processing-time", "EventProcessedUtcTime differs at every run, so that no result may depend on it",
                hint: "use System.Timestamp() or EventEnqueuedUtcTime", at: call.arguments[1].range)
            return broken(range)
        }
        let relation = relations[index]
        guard case .source(let source) = relation.kind else {
            if case .opaque = relation.kind { return broken(range) }
            binder.error(
                "misplaced-metadata", "'\(relation.name)' is no stream: only its events have properties",
                hint: "read the property in the step that reads the stream", at: call.arguments[0].range)
            return broken(range)
        }
        if place.isGrouped, place.aggregate == nil {
            binder.error(
                "not-grouped", "GetMetadataPropertyValue is neither a key of GROUP BY nor inside an aggregate function",
                hint: "add the call to GROUP BY", at: range)
            return broken(range)
        }
        return column(binder.column(.property(path: path), of: source), of: index, range: range)
    }
}

/// `[User].[line]` or `IoTHub.EnqueuedTime`, taken apart.
struct MetadataPath {
    let parts: [String]

    /// nil where it is empty or a bracket has no end.
    init?(_ text: String) {
        var parts: [String] = []
        var rest = text[...]
        while !rest.isEmpty {
            var part: Substring
            if rest.first == "[" {
                guard let close = rest.firstIndex(of: "]") else { return nil }
                part = rest[rest.index(after: rest.startIndex)..<close]
                rest = rest[rest.index(after: close)...]
                guard rest.isEmpty || rest.first == "." else { return nil }
            } else {
                part = rest.prefix { $0 != "." }
                rest = rest.dropFirst(part.count)
            }
            guard !part.isEmpty else { return nil }
            parts.append(String(part))
            guard rest.isEmpty || rest.count > 1 else { return nil }
            rest = rest.dropFirst()
        }
        guard !parts.isEmpty else { return nil }
        self.parts = parts
    }
}
