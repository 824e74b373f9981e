// Bytes to tokens. The lexer never gives up: what it cannot read becomes an `.invalid` token and a diagnostic, and reading
// goes on behind it, so that one text shows all its errors at once.

import OgawaCore

/// Limits of a text, so that a hostile one costs neither time nor memory.
enum Limits {
    static let sourceByteCount = 1 << 20
    static let tokenCount = 100_000
    /// Parentheses, CASE, NOT and calls inside each other.
    static let nesting = 64
    /// Operators on top of each other, as `1 + 1 + …` makes them.
    static let expressionHeight = 200
    /// Depth of a bound expression, after aliases stand for their expressions.
    static let boundDepth = 400
    /// Bound expression nodes of a text.
    static let boundNodeCount = 200_000
    static let stepCount = 256
    static let statementCount = 1024
    /// Inputs that one SELECT may join or unfold.
    static let joinCount = 32
    static let columnCount = 4096
    static let groupKeyCount = 64
    /// Findings shown for one text.
    static let diagnosticCount = 100
    /// Rows that `ROWS n PRECEDING` may ask for.
    static let precedingRowCount: Int64 = 1_000_000
    /// The greatest length of CollectTop.
    static let collectedCount: Int64 = 10_000
    /// Windows in one Windows().
    static let windowCount = 64
}

/// Splits a text into tokens; the last one is always `.end`.
struct Lexer {
    private let bytes: [UInt8]
    private var index = 0
    private(set) var tokens: [Token] = []
    private(set) var diagnostics: [Diagnostic] = []

    init(_ text: String) {
        bytes = Array(text.utf8)
    }

    /// Reads the whole text.
    mutating func run() {
        guard bytes.count <= Limits.sourceByteCount else {
            report(
                "text-too-large", "the text has \(bytes.count) bytes; at most \(Limits.sourceByteCount) are read",
                hint: "split it into several functions", from: 0, to: 0)
            addEnd()
            return
        }
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { index = 3 }
        while skipBlanks() {
            guard tokens.count < Limits.tokenCount else {
                report(
                    "text-too-large", "the text has more than \(Limits.tokenCount) words and signs",
                    hint: "split it into several functions", from: index, to: index + 1)
                break
            }
            readToken()
        }
        addEnd()
    }

    private mutating func addEnd() {
        tokens.append(Token(kind: .end, range: SourceRange(bytes.count, bytes.count), text: ""))
    }

    private mutating func report(_ code: String, _ message: String, hint: String? = nil, from start: Int, to end: Int) {
        diagnostics.append(Diagnostic(code: code, message: message, hint: hint, range: SourceRange(start, end)))
    }

    private func byte(_ offset: Int = 0) -> UInt8 {
        let position = index + offset
        return position < bytes.count ? bytes[position] : 0
    }

    private func string(_ start: Int, _ end: Int) -> String {
        String(decoding: bytes[start..<min(end, bytes.count)], as: UTF8.self)
    }

    // MARK: Blanks and comments

    /// Moves to the next token; false at the end of the text.
    private mutating func skipBlanks() -> Bool {
        while index < bytes.count {
            let next = byte()
            if next == 0x20 || (next >= 0x09 && next <= 0x0d) {
                index += 1
            } else if next == 0xc2, byte(1) == 0xa0 {
                index += 2
            } else if next == 0xe3, byte(1) == 0x80, byte(2) == 0x80 {
                index += 3
            } else if next == UInt8(ascii: "-"), byte(1) == UInt8(ascii: "-") {
                while index < bytes.count, byte() != 0x0a { index += 1 }
            } else if next == UInt8(ascii: "/"), byte(1) == UInt8(ascii: "*") {
                skipComment()
            } else {
                return true
            }
        }
        return false
    }

    private mutating func skipComment() {
        let start = index
        var depth = 0
        while index < bytes.count {
            if byte() == UInt8(ascii: "/"), byte(1) == UInt8(ascii: "*") {
                depth += 1
                index += 2
            } else if byte() == UInt8(ascii: "*"), byte(1) == UInt8(ascii: "/") {
                depth -= 1
                index += 2
                if depth == 0 { return }
            } else {
                index += 1
            }
        }
        report("unterminated-comment", "this comment has no end", hint: "close it with */", from: start, to: start + 2)
    }

    // MARK: Tokens

    private mutating func readToken() {
        let next = byte()
        switch next {
        case UInt8(ascii: "'"):
            readQuoted(close: next, kind: .text, code: "unterminated-text", what: "this text has no closing '")
        case UInt8(ascii: "\""):
            readQuoted(
                close: next, kind: .quotedName(isDoubleQuoted: true), code: "unterminated-name",
                what: "this name has no closing \"")
        case UInt8(ascii: "["):
            readQuoted(
                close: UInt8(ascii: "]"), kind: .quotedName(isDoubleQuoted: false), code: "unterminated-name",
                what: "this name has no closing ]")
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            readNumber()
        case UInt8(ascii: ".") where Self.isDigit(byte(1)) && !followsName():
            readNumber()
        default:
            if Self.startsWord(next), !startsForeignSign() { readWord() } else { readSymbol() }
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    private static func startsWord(_ byte: UInt8) -> Bool {
        (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "#")
            || byte >= 0x80
    }

    private static func continuesWord(_ byte: UInt8) -> Bool {
        startsWord(byte) || isDigit(byte) || byte == UInt8(ascii: "$") || byte == UInt8(ascii: "@")
    }

    /// Whether a dot here belongs to a path such as `a.1` and not to a number such as `.5`.
    private func followsName() -> Bool {
        guard let last = tokens.last, last.range.upperBound == index else { return false }
        return last.isName || last.kind == .symbol(.close)
    }

    /// Curly quotes and no-break or wide blanks, which editors slip in.
    private func startsForeignSign() -> Bool {
        if byte() == 0xe2, byte(1) == 0x80 { return byte(2) >= 0x80 && byte(2) <= 0x9f }
        return (byte() == 0xc2 && byte(1) == 0xa0) || (byte() == 0xe3 && byte(1) == 0x80 && byte(2) == 0x80)
    }

    private mutating func readWord() {
        let start = index
        while index < bytes.count, Self.continuesWord(byte()), !startsForeignSign() { index += 1 }
        let text = string(start, index)
        let keyword = text.utf8.count <= 16 ? Keyword.named[text.uppercased()] : nil
        tokens.append(Token(kind: .word, range: SourceRange(start, index), text: text, keyword: keyword))
    }

    private mutating func readQuoted(close: UInt8, kind: Token.Kind, code: String, what: String) {
        let start = index
        var content: [UInt8] = []
        index += 1
        while index < bytes.count {
            let next = byte()
            index += 1
            guard next == close else {
                content.append(next)
                continue
            }
            guard byte() == close, index < bytes.count else {
                finishQuoted(String(decoding: content, as: UTF8.self), kind: kind, start: start)
                return
            }
            content.append(close)
            index += 1
        }
        // Only the opening line is skipped: what follows may hold errors of its own.
        index = start + 1
        while index < bytes.count, byte() != 0x0a { index += 1 }
        report(code, what, hint: "a quote inside is written twice", from: start, to: start + 1)
        tokens.append(Token(kind: .invalid, range: SourceRange(start, index), text: ""))
    }

    private mutating func finishQuoted(_ text: String, kind: Token.Kind, start: Int) {
        var kind = kind
        if text.isEmpty, kind != .text {
            report("empty-name", "a quoted name is empty", hint: "an empty text is ''", from: start, to: index)
            kind = .invalid
        }
        tokens.append(Token(kind: kind, range: SourceRange(start, index), text: text))
    }

    private mutating func readNumber() {
        let start = index
        var isDecimal = false
        while Self.isDigit(byte()) { index += 1 }
        if byte() == UInt8(ascii: "."), !Self.startsWord(byte(1)) || byte(1) | 0x20 == UInt8(ascii: "e") {
            isDecimal = true
            index += 1
            while Self.isDigit(byte()) { index += 1 }
        }
        if byte() | 0x20 == UInt8(ascii: "e") {
            let sign = byte(1) == UInt8(ascii: "+") || byte(1) == UInt8(ascii: "-") ? 1 : 0
            if Self.isDigit(byte(1 + sign)) {
                isDecimal = true
                index += 1 + sign
                while Self.isDigit(byte()) { index += 1 }
            }
        }
        guard index < bytes.count, Self.startsWord(byte()), !startsForeignSign() else {
            let kind: Token.Kind = isDecimal ? .decimal : .integer
            tokens.append(Token(kind: kind, range: SourceRange(start, index), text: string(start, index)))
            return
        }
        while index < bytes.count, Self.continuesWord(byte()), !startsForeignSign() { index += 1 }
        let text = string(start, index)
        report(
            "invalid-number", "'\(text)' is neither a number nor a name",
            hint: "a field whose name starts with a digit is written [\(text)]", from: start, to: index)
        tokens.append(Token(kind: .invalid, range: SourceRange(start, index), text: text))
    }

    private mutating func readSymbol() {
        let start = index
        let pair = string(index, index + 2)
        if byte(1) < 0x80, let symbol = Symbol(rawValue: pair), pair.utf8.count == 2 {
            index += 2
            tokens.append(Token(kind: .symbol(symbol), range: SourceRange(start, index), text: pair))
            return
        }
        let foreign = ["==": "=", "&&": "AND", "||": "CONCAT(a, b), or OR between conditions"]
        if let replacement = foreign[pair] {
            index += 2
            report(
                "unknown-operator", "there is no operator \(pair)", hint: "write \(replacement)", from: start, to: index
            )
            tokens.append(Token(kind: .invalid, range: SourceRange(start, index), text: pair))
            return
        }
        let single = string(index, index + 1)
        if byte() < 0x80, let symbol = Symbol(rawValue: single) {
            index += 1
            tokens.append(Token(kind: .symbol(symbol), range: SourceRange(start, index), text: single))
            return
        }
        readUnknown()
    }

    private mutating func readUnknown() {
        let start = index
        index += 1
        while index < bytes.count, bytes[index] & 0xc0 == 0x80 { index += 1 }
        let text = string(start, index)
        var hint: String?
        if ["\u{201c}", "\u{201d}", "\u{2018}", "\u{2019}"].contains(text) {
            hint = "text stands between straight quotes: 'text'"
        } else if text == "@" {
            hint = "variables are not part of stream SQL"
        } else if text == "!" {
            hint = "write NOT, <>, !< or !>"
        }
        let shown = byteIsControl(start) ? "a control character" : "'\(text)'"
        report("unknown-character", "\(shown) does not belong here", hint: hint, from: start, to: index)
        tokens.append(Token(kind: .invalid, range: SourceRange(start, index), text: text))
    }

    private func byteIsControl(_ position: Int) -> Bool { bytes[position] < 0x20 || bytes[position] == 0x7f }
}
