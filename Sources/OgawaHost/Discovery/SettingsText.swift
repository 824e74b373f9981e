import OgawaCore
import Yams

/// Settings as people write them: JSON with comments, YAML, and a section at the head of a source file.
package enum SettingsText {
    /// YAML as a JSON value; tags of CloudFormation (`!Ref`, `!Sub`) leave their text.
    ///
    /// **Errors.** ``DiscoveryProblem`` with line and column.
    package static func yaml(_ text: String, source: String) throws(DiscoveryProblem) -> JSONValue {
        do {
            guard let node = try Yams.compose(yaml: text) else { return .null }
            return value(of: node, depth: 0)
        } catch {
            throw DiscoveryProblem(source, "\(error)")
        }
    }

    /// JSON, with the comments and commas that editors let pass.
    static func json(_ bytes: [UInt8], source: String) throws(DiscoveryProblem) -> JSONValue {
        do { return try JSONValue(parsing: bytes, relaxed: true) } catch {
            throw DiscoveryProblem(source, "is no JSON: \(error)")
        }
    }

    /// The YAML between two comment lines of `---` at the head of a source file; nil where there is none.
    static func frontSection(of text: String, source: String) throws(DiscoveryProblem) -> JSONValue? {
        var lines: [String] = []
        var isInside = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).prefix(200) {
            let bare = line.trimmed
            if bare.hasPrefix("#!") || (!isInside && bare.isEmpty) { continue }
            guard let mark = ["//", "#", "--"].first(where: { bare.hasPrefix($0) && bare != "---" }) else { return nil }
            let content = bare.dropFirst(mark.count)
            if content.trimmed == "---" {
                if isInside { return try yaml(lines.joined(separator: "\n"), source: source) }
                isInside = true
            } else if isInside {
                // One blank behind the mark belongs to the comment, the others are YAML's.
                lines.append(String(content.first == " " ? content.dropFirst() : content))
            }
        }
        return nil
    }

    private static func value(of node: Node, depth: Int) -> JSONValue {
        guard depth < 100 else { return .null }
        switch node {
        case .scalar(let scalar):
            guard scalar.style == .plain else { return .text(scalar.string) }
            switch scalar.string {
            case "", "~", "null": return .null
            case "true", "True": return true
            case "false", "False": return false
            default:
                if let whole = Int64(scalar.string) { return .integer(whole) }
                if scalar.string.first.map({ $0.isNumber || $0 == "-" }) == true, let double = Double(scalar.string) {
                    return .number(double)
                }
                return .text(scalar.string)
            }
        case .sequence(let sequence): return .array(sequence.map { value(of: $0, depth: depth + 1) })
        case .mapping(let mapping):
            return .object(mapping.map { .init($0.key.string ?? "", value(of: $0.value, depth: depth + 1)) })
        default: return .null
        }
    }
}
