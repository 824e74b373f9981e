import OgawaCore
import Yams

/// Turns the text of a case into a ``CaseFile``; every mistake is told at the top-level key that it is under.
struct CaseParser {
    private struct Entry {
        var name: String
        var range: SourceRange
        var value: JSONValue
    }

    private static let keys = [
        "name", "feature", "level", "query", "file", "inputs", "reference", "policy", "timestamp_by_default", "expect",
        "error_stage", "ordered", "unordered_arrays", "tolerance", "match", "compare", "note", "doc",
    ]

    private let source: SourceText
    private let path: String
    private var entries: [Entry] = []
    private var diagnostics: [Diagnostic] = []

    init(source: SourceText, path: String) {
        self.source = source
        self.path = path
    }

    mutating func parse() throws -> CaseFile {
        entries = try path.hasSuffix(".json") ? jsonEntries() : yamlEntries()
        for entry in entries where !CaseParser.keys.contains(entry.name) {
            let hint = nearestName(to: entry.name, in: CaseParser.keys).map { "did you mean '\($0)'?" }
            report("unknown-key", "a case has no field '\(entry.name)'", hint: hint, at: entry.range)
        }
        let stem = path.split(separator: "/").last?.split(separator: ".").first.map(String.init)
        var file = CaseFile(
            name: text("name") ?? stem ?? path, feature: text("feature") ?? "", level: text("level") ?? "core",
            query: try query(), inputs: inputs(), reference: reference(), action: .adjust, expect: expectation(),
            comparison: comparison())
        readPolicy(&file)
        if !diagnostics.isEmpty { throw DiagnosticList(source: source, diagnostics: diagnostics) }
        return file
    }

    private mutating func report(_ code: String, _ message: String, hint: String? = nil, at range: SourceRange) {
        diagnostics.append(Diagnostic(code: code, message: message, hint: hint, range: range))
    }

    private func jsonEntries() throws -> [Entry] {
        do {
            return try JSONValue.parseObject(source.text).map {
                Entry(name: $0.member.name, range: $0.range, value: $0.member.value)
            }
        } catch {
            let range = SourceRange(error.position, error.position + 1)
            let finding = Diagnostic(code: "json-syntax", message: "not valid JSON: \(error.message)", range: range)
            throw DiagnosticList(source: source, diagnostics: [finding])
        }
    }

    private func yamlEntries() throws -> [Entry] {
        let yaml = try YAMLText(source)
        guard case .mapping(let mapping)? = yaml.root else {
            let finding = Diagnostic(
                code: "bad-value", message: "a case must be a mapping with query, inputs and expect",
                range: SourceRange(0, 0))
            throw DiagnosticList(source: source, diagnostics: [finding])
        }
        return try mapping.map { key, value in
            guard case .scalar(let name) = key, let json = JSONValue(yaml: value) else {
                let finding = Diagnostic(
                    code: "bad-value", message: "only words can be keys, and values nest at most 200 deep",
                    range: yaml.range(of: key))
                throw DiagnosticList(source: source, diagnostics: [finding])
            }
            return Entry(name: name.string, range: yaml.range(of: key), value: json)
        }
    }

    private func entry(_ name: String) -> Entry? { entries.first { $0.name == name } }

    private mutating func text(_ name: String) -> String? {
        guard let entry = entry(name) else { return nil }
        if case .string(let text) = entry.value { return text }
        report("bad-value", "\(name) must be a text", at: entry.range)
        return nil
    }

    private mutating func flag(_ name: String, default fallback: Bool) -> Bool {
        guard let entry = entry(name) else { return fallback }
        if case .bool(let flag) = entry.value { return flag }
        report("bad-value", "\(name) must be true or false", at: entry.range)
        return fallback
    }

    private mutating func query() throws -> SourceText {
        if let entry = entry("file") {
            guard let file = text("file") else { return source }
            let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
            let queryPath = TextFile.join(folder, file)
            do {
                return SourceText(name: queryPath, text: try TextFile.read(queryPath))
            } catch {
                report(
                    "not-found", "\(error.message)", hint: "file is relative to the case's own folder", at: entry.range)
                return source
            }
        }
        guard let query = text("query") else {
            if entry("query") == nil {
                report(
                    "missing-key", "the case has no query",
                    hint: "write query: with SQL, or file: with the path of a function",
                    at: SourceRange(0, 0))
            }
            return source
        }
        return SourceText(name: "\(path) (query)", text: query)
    }

    private mutating func lists(_ name: String) -> [(name: String, rows: [JSONValue], range: SourceRange)] {
        guard let entry = entry(name) else { return [] }
        guard let members = entry.value.members else {
            report("bad-value", "\(name) must map names to lists of objects", at: entry.range)
            return []
        }
        return members.compactMap { member in
            guard case .array(let rows) = member.value, rows.allSatisfy({ $0.members != nil }) else {
                report("bad-value", "'\(member.name)' in \(name) must be a list of objects", at: entry.range)
                return nil
            }
            return (member.name, rows, entry.range)
        }
    }

    private mutating func inputs() -> [CaseInput] {
        if entry("inputs") == nil {
            report(
                "missing-key", "the case has no inputs", hint: "write inputs: { telemetry: [ … ] }",
                at: SourceRange(0, 0))
        }
        return lists("inputs").map { list in
            var events: [CaseEvent] = []
            for (index, row) in list.rows.enumerated() {
                var event = CaseEvent(json: "")
                var payload: [JSONMember] = []
                for member in row.members ?? [] {
                    switch (member.name, member.value) {
                    case ("_arrival", .string(let text)):
                        event.arrival = Timestamp(text)
                        if event.arrival == nil {
                            report(
                                "bad-value",
                                "_arrival of event \(index + 1) of '\(list.name)' is '\(text)', expected ISO 8601",
                                at: list.range)
                        }
                    case ("_metadata", let value): event.metadata = value.text
                    case (let name, _) where name.hasPrefix("_"): continue
                    default: payload.append(member)
                    }
                }
                event.json = JSONValue.object(payload).text
                events.append(event)
            }
            return CaseInput(name: list.name, events: events)
        }
    }

    private mutating func reference() -> [CaseReference] {
        lists("reference").map { CaseReference(name: $0.name, rows: $0.rows.map(\.text)) }
    }

    private mutating func expectation() -> CaseExpectation {
        guard let entry = entry("expect") else {
            report(
                "missing-key", "the case says not what to expect", hint: "write expect: { OUTPUT: [ … ] }",
                at: SourceRange(0, 0))
            return .rows([])
        }
        if entry.value["error"] == .bool(true) { return .error(stage: text("error_stage")) }
        return .rows(lists("expect").map { CaseOutput(name: $0.name, rows: $0.rows) })
    }

    private mutating func comparison() -> RowComparison {
        var comparison = RowComparison()
        comparison.isOrdered = flag("ordered", default: true)
        comparison.isSubsetMatch = text("match") == "subset"
        comparison.comparesExactly = text("compare") == "exact"
        if let entry = entry("unordered_arrays") {
            if case .array(let names) = entry.value {
                for case .string(let name) in names { comparison.unorderedArrays.insert(name) }
            } else {
                report("bad-value", "unordered_arrays must be a list of column names", at: entry.range)
            }
        }
        for member in entry("tolerance")?.value.members ?? [] {
            switch member.value["relative"] {
            case .float(let number)?: comparison.tolerance[member.name] = number
            case .integer(let number)?: comparison.tolerance[member.name] = Double(number)
            default:
                report(
                    "bad-value", "tolerance of '\(member.name)' must be { relative: NUMBER }",
                    at: entry("tolerance")?.range ?? SourceRange(0, 0))
            }
        }
        return comparison
    }

    private mutating func readPolicy(_ file: inout CaseFile) {
        guard let entry = entry("policy") else { return }
        for member in entry.value.members ?? [] {
            guard case .string(let text) = member.value else {
                report("bad-value", "\(member.name) in policy must be a text", at: entry.range)
                continue
            }
            switch member.name {
            case "late_arrival": file.lateArrival = duration(text, member.name, entry.range)
            case "out_of_order": file.outOfOrder = duration(text, member.name, entry.range)
            case "action":
                guard let action = OrderingAction(rawValue: text) else {
                    report("bad-value", "action in policy is '\(text)', expected adjust or drop", at: entry.range)
                    continue
                }
                file.action = action
            default:
                let known = ["late_arrival", "out_of_order", "action"]
                let hint = nearestName(to: member.name, in: known).map { "did you mean '\($0)'?" }
                report("unknown-key", "policy has no setting '\(member.name)'", hint: hint, at: entry.range)
            }
        }
    }

    private mutating func duration(_ text: String, _ name: String, _ range: SourceRange) -> Duration? {
        if let duration = Duration(quantity: text) { return duration }
        report("bad-value", "\(name) in policy is '\(text)', expected \(Duration.quantityForm)", at: range)
        return nil
    }
}
