// YAML with places: Yams parses, and its marks (line and column in scalars) become byte ranges of the text.

import OgawaCore
import Yams

/// A parsed YAML text that can tell where each node stands.
package struct YAMLText {
    package let source: SourceText
    /// nil where the text holds nothing but comments.
    package let root: Node?
    private let lineStarts: [String.UTF8View.Index]

    /// Parses one document.
    ///
    /// **Errors.** ``DiagnosticList`` with code `yaml-syntax` or `duplicate-key`.
    package init(_ source: SourceText) throws(DiagnosticList) {
        self.source = source
        let utf8 = source.text.utf8
        var starts = [utf8.startIndex]
        for index in utf8.indices where utf8[index] == UInt8(ascii: "\n") { starts.append(utf8.index(after: index)) }
        lineStarts = starts
        do {
            root = try Yams.compose(yaml: source.text)
        } catch {
            root = nil
            throw DiagnosticList(source: source, diagnostics: [YAMLText.diagnostic(error, starts, source)])
        }
    }

    /// The byte range of a scalar as written, or the first character of a mapping or sequence.
    package func range(of node: Node) -> SourceRange {
        guard let mark = node.mark else { return SourceRange(0, 0) }
        let start = YAMLText.position(mark, lineStarts, source)
        guard case .scalar(let scalar) = node else { return SourceRange(start, start + 1) }
        let rest = source.text.utf8.dropFirst(start).prefix { $0 != UInt8(ascii: "\n") }
        let written = Array(scalar.string.utf8)
        if rest.starts(with: written) { return SourceRange(start, start + max(1, written.count)) }
        guard let quote = rest.first, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'"),
            let close = rest.dropFirst().firstIndex(of: quote)
        else { return SourceRange(start, start + 1) }
        return SourceRange(start, start + rest.distance(from: rest.startIndex, to: close) + 1)
    }

    private static func position(_ mark: Mark, _ starts: [String.UTF8View.Index], _ source: SourceText) -> Int {
        let text = source.text
        guard mark.line >= 1, mark.line <= starts.count else { return text.utf8.count }
        let start = starts[mark.line - 1]
        let scalars = text.unicodeScalars
        let index = scalars.index(start, offsetBy: max(0, mark.column - 1), limitedBy: text.endIndex) ?? text.endIndex
        return text.utf8.distance(from: text.startIndex, to: index)
    }

    private static func diagnostic(
        _ error: any Error, _ starts: [String.UTF8View.Index], _ source: SourceText
    ) -> Diagnostic {
        func make(_ problem: String, _ context: YamlError.Context?, _ mark: Mark) -> Diagnostic {
            let start = position(mark, starts, source)
            let words = context.map { " (\($0.text))" } ?? ""
            let hasTab = problem.contains("cannot start any token")
            return Diagnostic(
                code: "yaml-syntax", message: "not valid YAML: \(problem)\(words)",
                hint: hasTab ? "indent with blanks and put a value that begins with this character in quotes" : nil,
                range: SourceRange(start, start + 1))
        }
        guard let error = error as? YamlError else {
            return Diagnostic(code: "yaml-syntax", message: "not valid YAML: \(error)", range: SourceRange(0, 0))
        }
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            return make(problem, context, mark)
        case .duplicatedKeysInMapping(let names, let context):
            let start = position(context.mark, starts, source)
            let listed = names.map { "'\($0)'" }.joined(separator: ", ")
            return Diagnostic(
                code: "duplicate-key", message: "the key \(listed) occurs twice in one mapping",
                hint: "keep one of them", range: SourceRange(start, start + 1))
        case .reader(let problem, let offset, _, _):
            let start = min(offset ?? 0, source.text.utf8.count)
            return Diagnostic(
                code: "yaml-syntax", message: "not valid YAML: \(problem)", range: SourceRange(start, start + 1))
        default:
            return Diagnostic(code: "yaml-syntax", message: "not valid YAML: \(error)", range: SourceRange(0, 0))
        }
    }
}
