import OgawaCore

/// Reads a text into a syntax tree; throws every syntax error found.
package func parse(_ source: SourceText) throws(DiagnosticList) -> Script {
    let (script, diagnostics) = parseAll(source)
    guard diagnostics.isEmpty else { throw DiagnosticList(source: source, diagnostics: diagnostics) }
    return script
}

/// The tree of what could be read, and every syntax error.
func parseAll(_ source: SourceText) -> (Script, [Diagnostic]) {
    var lexer = Lexer(source.text)
    lexer.run()
    var parser = Parser(tokens: lexer.tokens)
    let script = parser.parseScript()
    let found = (lexer.diagnostics + parser.diagnostics).sorted { $0.range.lowerBound < $1.range.lowerBound }
    return (script, found)
}

extension SourceText {
    /// The text without what has no meaning: its tokens with one space between them.
    ///
    /// Texts that differ in comments, line breaks or indentation only have the same form, and compute the same.
    package var meaningfulForm: String {
        var lexer = Lexer(text)
        lexer.run()
        return lexer.tokens.map { token in
            switch token.kind {
            case .word, .integer, .decimal: token.text
            case .symbol(let symbol): symbol.rawValue
            case .quotedName: "[\(token.text)]"
            case .text: "'\(token.text)'"
            case .invalid, .end: ""
            }
        }.joined(separator: " ")
    }
}
