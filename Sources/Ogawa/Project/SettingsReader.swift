// Walks settings and collects findings: every mistake of a file is told in one go, each at its place.

import OgawaCore
import Yams

/// One key of a mapping with its value.
struct SettingsEntry {
    var key: String
    var keyRange: SourceRange
    var value: Node
}

/// Reads typed values from YAML nodes; a wrong one becomes a ``Diagnostic`` and reads as nil.
struct SettingsReader {
    let yaml: YAMLText
    let environment: [String: String]
    private(set) var diagnostics: [Diagnostic] = []

    init(yaml: YAMLText, environment: [String: String]) {
        self.yaml = yaml
        self.environment = environment
    }

    func range(of node: Node) -> SourceRange { yaml.range(of: node) }

    mutating func report(_ code: String, _ message: String, hint: String? = nil, at range: SourceRange) {
        diagnostics.append(Diagnostic(code: code, message: message, hint: hint, range: range))
    }

    /// The entries of a mapping; an absent value (`key:` alone) is an empty mapping.
    mutating func entries(_ node: Node, _ what: String, form: String) -> [SettingsEntry] {
        guard case .mapping(let mapping) = node else {
            if isNothing(node) { return [] }
            report(
                "bad-value", "\(what) must be a mapping, not \(describe(node))", hint: "write \(form)",
                at: range(of: node))
            return []
        }
        var result: [SettingsEntry] = []
        for (key, value) in mapping {
            guard case .scalar(let scalar) = key else {
                report("bad-key", "a key of \(what) must be a word", at: range(of: key))
                continue
            }
            result.append(SettingsEntry(key: scalar.string, keyRange: range(of: key), value: value))
        }
        return result
    }

    /// Reports a key that nothing knows, with the nearest one that is known.
    mutating func unknown(_ entry: SettingsEntry, of what: String, known: [String]) {
        let hint =
            nearestName(to: entry.key, in: known).map { "did you mean '\($0)'?" }
            ?? "known keys: \(known.joined(separator: ", "))"
        report("unknown-key", "\(what) has no setting '\(entry.key)'", hint: hint, at: entry.keyRange)
    }

    /// A scalar's text with the environment filled in.
    mutating func text(_ node: Node, _ what: String, expected: String) -> String? {
        guard case .scalar(let scalar) = node, !isNothing(node) else {
            report("bad-value", "\(what) must be \(expected), not \(describe(node))", at: range(of: node))
            return nil
        }
        switch EnvironmentExpansion.expand(scalar.string, environment: environment) {
        case .text(let text): return text
        case .unset(let name):
            report(
                "unset-variable", "\(what) uses ${\(name)}, and the environment has no \(name)",
                hint: "set it, or give a default: ${\(name):-value}", at: range(of: node))
        case .malformed:
            report(
                "bad-value", "\(what) has '${' without a name and '}'",
                hint: "write ${NAME} or ${NAME:-default}; $${ stands for a plain ${", at: range(of: node))
        }
        return nil
    }

    mutating func duration(_ node: Node, _ what: String) -> Duration? {
        let form = Duration.quantityForm
        return parsed(node, what, expected: form) { Duration(quantity: $0) }
    }

    mutating func byteCount(_ node: Node, _ what: String) -> Int64? {
        parsed(node, what, expected: ByteQuantity.form) { ByteQuantity.parse($0).flatMap { $0 > 0 ? $0 : nil } }
    }

    mutating func integer(_ node: Node, _ what: String, in range: ClosedRange<Int>) -> Int? {
        parsed(node, what, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)") {
            Int($0).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// A word out of a list.
    mutating func choice(_ node: Node, _ what: String, _ choices: [String]) -> String? {
        let expected = choices.count == 1 ? "'\(choices[0])'" : "one of \(choices.joined(separator: ", "))"
        guard let found = text(node, what, expected: expected) else { return nil }
        if choices.contains(found) { return found }
        let hint = nearestName(to: found, in: choices).map { "did you mean '\($0)'?" }
        report("bad-value", "\(what) is '\(found)', expected \(expected)", hint: hint, at: range(of: node))
        return nil
    }

    /// A value that `parse` understands.
    mutating func parsed<Result>(
        _ node: Node, _ what: String, expected: String, _ parse: (String) -> Result?
    ) -> Result? {
        guard let found = text(node, what, expected: expected) else { return nil }
        if let value = parse(found) { return value }
        report("bad-value", "\(what) is '\(found)', expected \(expected)", at: range(of: node))
        return nil
    }

    private func isNothing(_ node: Node) -> Bool {
        guard case .scalar(let scalar) = node else { return false }
        return scalar.style == .plain && (scalar.string.isEmpty || scalar.string == "~" || scalar.string == "null")
    }

    private func describe(_ node: Node) -> String {
        switch node {
        case .scalar(let scalar): isNothing(node) ? "nothing" : "'\(scalar.string)'"
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }
}
