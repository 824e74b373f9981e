// Errors that point into a text of the user: SQL, ogawa.yaml, a test case.

/// A half-open range of UTF-8 byte positions in a source text.
public struct SourceRange: Hashable, Sendable {
    public var lowerBound: Int
    public var upperBound: Int

    public init(_ lowerBound: Int, _ upperBound: Int) {
        self.lowerBound = lowerBound
        self.upperBound = max(lowerBound, upperBound)
    }

    /// The smallest range that holds both.
    public func union(_ other: SourceRange) -> SourceRange {
        SourceRange(min(lowerBound, other.lowerBound), max(upperBound, other.upperBound))
    }
}

/// One finding about a source text: what is wrong, where, and what to do.
public struct Diagnostic: Error, Hashable, Sendable {
    /// How much the finding matters.
    public enum Severity: String, Sendable {
        case error
        case warning
    }

    public var severity: Severity
    /// A stable kebab-case word, such as `unknown-input`, for programs and docs/errors.md.
    public var code: String
    /// What is wrong, naming the found and the expected thing.
    public var message: String
    /// The next action, for example the nearest known name.
    public var hint: String?
    public var range: SourceRange

    public init(
        _ severity: Severity = .error, code: String, message: String, hint: String? = nil, range: SourceRange
    ) {
        self.severity = severity
        self.code = code
        self.message = message
        self.hint = hint
        self.range = range
    }
}

/// Findings about one source text, to be thrown together.
public struct DiagnosticList: Error, Sendable, CustomStringConvertible {
    public var source: SourceText
    public var diagnostics: [Diagnostic]

    public init(source: SourceText, diagnostics: [Diagnostic]) {
        self.source = source
        self.diagnostics = diagnostics
    }

    /// Every finding with file, line, column, the line itself and a caret.
    public var description: String { diagnostics.map(source.render).joined(separator: "\n") }
}

/// A text with a name, which turns byte positions into lines and columns.
public struct SourceText: Sendable {
    /// The file's path as the user knows it, or a word such as `<query>`.
    public let name: String
    public let text: String
    private let lineStarts: [Int]

    public init(name: String, text: String) {
        self.name = name
        self.text = text
        var starts = [0]
        for (index, byte) in text.utf8.enumerated() where byte == UInt8(ascii: "\n") { starts.append(index + 1) }
        lineStarts = starts
    }

    /// Line and column (in characters), both from 1, of a byte position; past the end means the end.
    public func location(of position: Int) -> (line: Int, column: Int) {
        let line = lineIndex(of: position)
        let prefix = text.utf8.dropFirst(lineStarts[line]).prefix(max(0, position - lineStarts[line]))
        return (line + 1, String(decoding: prefix, as: UTF8.self).count + 1)
    }

    /// `name:line:column: error: message`, the line, a caret under the range, and the hint.
    public func render(_ diagnostic: Diagnostic) -> String {
        let (line, column) = location(of: diagnostic.range.lowerBound)
        var text = "\(name):\(line):\(column): \(diagnostic.severity.rawValue): \(diagnostic.message)"
        let content = self.line(line - 1)
        if !content.isEmpty {
            let number = String(line)
            let blank = content.prefix(column - 1).map { $0 == "\t" ? "\t" : " " }.joined()
            let sourceLine = lineIndex(of: max(diagnostic.range.lowerBound, diagnostic.range.upperBound - 1))
            let end = sourceLine == line - 1 ? location(of: diagnostic.range.upperBound).column : content.count + 1
            let width = max(1, min(end - column, max(1, content.count - column + 1)))
            text += "\n \(number) | \(content)"
            text += "\n \(String(repeating: " ", count: number.count)) | \(blank)"
            text += String(repeating: "^", count: width)
        }
        if let hint = diagnostic.hint { text += "\n hint: \(hint)" }
        return text
    }

    private func line(_ index: Int) -> String {
        let start = lineStarts[index]
        let end = index + 1 < lineStarts.count ? lineStarts[index + 1] - 1 : text.utf8.count
        var line = String(decoding: text.utf8.dropFirst(start).prefix(end - start), as: UTF8.self)
        if line.last == "\r" { line.removeLast() }
        return line
    }

    private func lineIndex(of position: Int) -> Int {
        var low = 0
        var high = lineStarts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= position { low = middle } else { high = middle }
        }
        return low
    }
}
