// The plan as text, for `ogawa explain`, for tests, and as the key by which equal calls are found.

import OgawaCore

extension SourceField {
    /// The field as the text would name it.
    package var shown: String {
        switch self {
        case .body(let path): path.isEmpty ? "*" : path.map(quoted).joined(separator: ".")
        case .key: "key()"
        case .partition: "partition()"
        case .offset: "offset()"
        case .enqueuedTime: "enqueued()"
        case .property(let path): "property(\(path.joined(separator: ".")))"
        }
    }
}

func quoted(_ name: String) -> String {
    let isPlain = name.utf8.allSatisfy { byte in
        (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte == 0x5f || byte >= 0x80
    }
    return isPlain ? name : "[\(name)]"
}

func quotedText(_ text: String) -> String {
    "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
}

extension Value {
    var shown: String {
        switch self {
        case .null: "NULL"
        case .bigint(let number): String(number)
        case .float(let number): String(number)
        case .bit(let flag): flag ? "TRUE" : "FALSE"
        case .text(let text): quotedText(text)
        case .datetime(let time): "datetime \(time.ticks)"
        case .record(let json), .array(let json): json
        }
    }
}

extension Expression {
    /// The expression with its columns' names; a column without one shows its number.
    package func shown(_ names: [String]) -> String {
        switch kind {
        case .literal(let value): value.shown
        case .column(let column): names.indices.contains(column) ? names[column] : "#\(column)"
        case .eventTime: "System.Timestamp()"
        case .field(let value, let path): value.shown(names) + path.map { "." + quoted($0) }.joined()
        case .unary(let operation, let value):
            operation == .not ? "NOT (\(value.shown(names)))" : "\(operation.rawValue)(\(value.shown(names)))"
        case .binary(let operation, let left, let right):
            "(\(left.shown(names)) \(operation.rawValue) \(right.shown(names)))"
        case .caseWhen(let branches, let otherwise):
            "CASE "
                + branches.map { "WHEN \($0.condition.shown(names)) THEN \($0.result.shown(names)) " }.joined()
                + "ELSE \(otherwise.shown(names)) END"
        case .cast(let value, let tag, let isTry):
            "\(isTry ? "TRY_CAST" : "CAST")(\(value.shown(names)) AS \(tag.typeName))"
        case .isNull(let value, let negated): "(\(value.shown(names)) IS \(negated ? "NOT " : "")NULL)"
        case .like(let value, let pattern, let negated):
            "(\(value.shown(names)) \(negated ? "NOT " : "")LIKE \(pattern.shown(names)))"
        case .isIn(let value, let list, let negated):
            "(\(value.shown(names)) \(negated ? "NOT " : "")IN (\(shownList(list, names))))"
        case .call(let name, let arguments): "\(name)(\(shownList(arguments, names)))"
        }
    }
}

func shownList(_ list: [Expression], _ names: [String]) -> String {
    list.map { $0.shown(names) }.joined(separator: ", ")
}

/// Ticks as the largest unit that divides them.
func shownTicks(_ ticks: Int64) -> String {
    for part in [DatePart.day, .hour, .minute, .second, .millisecond] {
        guard let unit = part.ticks, ticks % unit == 0 else { continue }
        return "\(part.rawValue) \(ticks / unit)"
    }
    return "tick \(ticks)"
}

extension Program {
    /// The plan as indented text: sources with the fields that are read, then steps and outputs, each from its last node down.
    package var dump: String {
        var lines: [String] = []
        for (index, source) in sources.enumerated() {
            let names = source.fields.map(\.shown)
            lines.append("source \(index): \(source.input)")
            lines.append("  time: \(source.timestamp?.shown(names) ?? "enqueued")")
            lines.append("  fields: \(names.isEmpty ? "none" : names.joined(separator: ", "))")
            let declared = source.declaredTypes.map { "\(quoted($0.name)) \($0.type.typeName)" }
            if !declared.isEmpty { lines.append("  only events with: \(declared.joined(separator: ", "))") }
        }
        for (index, step) in steps.enumerated() {
            lines.append("step \(index)")
            describe(step, indent: "  ", into: &lines)
        }
        for statement in statements {
            lines.append("output \(statement.output)")
            describe(statement.plan, indent: "  ", into: &lines)
        }
        return lines.joined(separator: "\n")
    }

    /// Names for the columns of a node's rows, as the dump writes them.
    package func columnNames(of node: PlanNode) -> [String] {
        switch node {
        case .source(let index): sources[index].fields.map(\.shown)
        case .late: ["reason", "eventTime", "arrival", "*"]
        case .step(let index): columnNames(of: steps[index])
        case .filter(let input, _): columnNames(of: input)
        case .project(_, let items): items.map(\.kind.shown)
        case .over(let input, let calls):
            columnNames(of: input) + calls.indices.map { "over\($0)" }
        case .aggregate(let input, let plan):
            plan.keys.map { $0.shown(columnNames(of: input)) }
                + plan.aggregates.map { $0.shown(columnNames(of: input)) }
                + ["window_start()", "window_end()", "System.Window().Id"]
        case .union(let inputs): inputs.first.map(columnNames) ?? []
        case .join(let left, let right, _): columnNames(of: left) + columnNames(of: right)
        case .lookup(let input, let plan): columnNames(of: input) + plan.shownFields
        case .apply(let input, let plan): columnNames(of: input) + plan.shownColumns
        case .match(_, let plan): plan.measures
        case .absence(let input, _): columnNames(of: input) + ["is_silent()", "last_seen()"]
        }
    }

    private func describe(_ node: PlanNode, indent: String, into lines: inout [String]) {
        let names = node.inputs.first.map(columnNames) ?? []
        switch node {
        case .source(let index): lines.append("\(indent)source \(index)")
        case .late(let index): lines.append("\(indent)late events of source \(index)")
        case .step(let index): lines.append("\(indent)step \(index)")
        case .filter(_, let predicate): lines.append("\(indent)filter \(predicate.shown(names))")
        case .project(_, let items):
            let shown = items.map { item in
                let value = item.expression.shown(names)
                return item.kind.shown == value ? value : "\(item.kind.shown) = \(value)"
            }
            lines.append("\(indent)project \(shown.joined(separator: ", "))")
        case .over(_, let calls):
            for (index, call) in calls.enumerated() { lines.append("\(indent)over\(index) = \(call.shown(names))") }
        case .aggregate(_, let plan):
            let keys = plan.keys.isEmpty ? "all" : shownList(plan.keys, names)
            let calls = plan.aggregates.map { $0.shown(names) }.joined(separator: ", ")
            lines.append("\(indent)aggregate \(plan.window.shown(names)) by \(keys): \(calls.isEmpty ? "none" : calls)")
        case .union: lines.append("\(indent)union in order of time")
        case .join(let left, let right, let plan):
            lines += plan.shown(left: columnNames(of: left), right: columnNames(of: right)).map { indent + $0 }
        case .lookup(_, let plan): lines += plan.shown(names).map { indent + $0 }
        case .apply(_, let plan): lines.append(indent + plan.shown(names))
        case .absence(_, let plan): lines.append("\(indent)absence \(plan.shown(names))")
        case .match(_, let plan): lines += plan.shown(names).map { indent + $0 }
        }
        for input in node.inputs { describe(input, indent: indent + "  ", into: &lines) }
    }
}

extension ProjectItem.Kind {
    fileprivate var shown: String {
        switch self {
        case .named(let name): quoted(name)
        case .spread(let excluded):
            excluded.isEmpty ? "*" : "* EXCEPT (\(excluded.map(quoted).joined(separator: ", ")))"
        }
    }
}
