// Recursive descent over tokens. A syntax error is thrown to the nearest place where reading can go on (the closing
// parenthesis of a step, the start of the next statement), so that a text shows every error at once.

import OgawaCore

/// Reads tokens into a syntax tree.
struct Parser {
    let tokens: [Token]
    var index = 0
    var diagnostics: [Diagnostic] = []
    var depth = 0
    /// Inside TIMESTAMP BY, where OVER names substreams and does not belong to a call.
    var isInTimestamp = false
    /// A word that was taken as an alias although AS was missing: a mistyped keyword, perhaps.
    var lastImplicitAlias: Int?

    init(tokens: [Token]) {
        self.tokens = tokens
    }

    // MARK: Tokens

    var current: Token { tokens[index] }

    func peek(_ offset: Int = 1) -> Token { tokens[min(index + offset, tokens.count - 1)] }

    @discardableResult
    mutating func advance() -> Token {
        let token = tokens[index]
        if index < tokens.count - 1 { index += 1 }
        return token
    }

    func isAt(_ keyword: Keyword) -> Bool { current.keyword == keyword }

    func isAt(_ symbol: Symbol) -> Bool { current.kind == .symbol(symbol) }

    mutating func eat(_ keyword: Keyword) -> Bool {
        guard isAt(keyword) else { return false }
        advance()
        return true
    }

    mutating func eat(_ symbol: Symbol) -> Bool {
        guard isAt(symbol) else { return false }
        advance()
        return true
    }

    @discardableResult
    mutating func expect(_ keyword: Keyword, _ place: String) throws(Diagnostic) -> Token {
        guard isAt(keyword) else { throw unexpected(expected: [keyword], "\(keyword.rawValue) \(place)") }
        return advance()
    }

    @discardableResult
    mutating func expect(_ symbol: Symbol, _ place: String) throws(Diagnostic) -> Token {
        guard isAt(symbol) else { throw unexpected(expected: [], "'\(symbol.rawValue)' \(place)") }
        return advance()
    }

    /// The range from a token to the last one read.
    func range(from start: SourceRange) -> SourceRange {
        start.union(SourceRange(start.lowerBound, tokens[max(0, index - 1)].range.upperBound))
    }

    // MARK: Errors

    func failure(_ code: String, _ message: String, hint: String? = nil, at range: SourceRange) -> Diagnostic {
        Diagnostic(code: code, message: message, hint: hint, range: range)
    }

    /// The error for a token that does not fit, naming what would.
    func unexpected(expected: [Keyword], _ wanted: String) -> Diagnostic {
        if current.kind == .invalid { return Diagnostic(code: Self.reported, message: "", range: current.range) }
        if let alias = lastImplicitAlias, alias == index - 1 {
            let token = tokens[alias]
            if let keyword = nearestName(to: token.text, in: expected.map(\.rawValue)) {
                return failure(
                    "unexpected-word", "unexpected '\(token.text)', expected \(wanted)",
                    hint: "did you mean \(keyword)?", at: token.range)
            }
        }
        var hint: String?
        if current.kind == .word, let keyword = nearestName(to: current.text, in: expected.map(\.rawValue)),
            !sameName(keyword, current.text)
        {
            hint = "did you mean \(keyword)?"
        } else if let keyword = current.keyword, Keyword.reserved.contains(keyword) {
            if index > 0, tokens[index - 1].kind == .symbol(.comma) {
                hint = "remove the comma before \(keyword.rawValue)"
            } else if !Keyword.startsClause.contains(keyword) {
                hint = "a field with that name is written [\(current.text)]"
            }
        }
        return failure("unexpected-word", "unexpected \(name(of: current)), expected \(wanted)", hint: hint, at: place)
    }

    /// Marks an error that the lexer has told already.
    static let reported = "reported"

    /// The current token's range; at the end of the text, the end of the last token.
    var place: SourceRange {
        guard current.kind == .end, index > 0 else { return current.range }
        let end = tokens[index - 1].range.upperBound
        return SourceRange(end, end)
    }

    func name(of token: Token) -> String {
        switch token.kind {
        case .end: "end of the text"
        case .text: "text '\(shortened(token.text))'"
        case .integer, .decimal: "number \(shortened(token.text))"
        case .word: token.keyword == nil ? "'\(shortened(token.text))'" : token.text.uppercased()
        default: "'\(shortened(token.text))'"
        }
    }

    func shortened(_ text: String) -> String { text.count > 40 ? String(text.prefix(40)) + "…" : text }

    mutating func record(_ diagnostic: Diagnostic) {
        guard diagnostic.code != Self.reported else { return }
        diagnostics.append(diagnostic)
    }

    /// Runs a part of the grammar one level deeper.
    mutating func nested<Result>(
        _ body: (inout Parser) throws(Diagnostic) -> Result
    ) throws(Diagnostic) -> Result {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Limits.nesting else {
            throw failure(
                "nested-too-deeply", "this is nested more than \(Limits.nesting) levels deep",
                hint: "compute a part of it in a step of WITH", at: place)
        }
        return try body(&self)
    }

    // MARK: Statements

    /// Reads the whole text.
    mutating func parseScript() -> Script {
        var script = Script()
        while current.kind != .end {
            if eat(.semicolon) { continue }
            let start = index
            do throws(Diagnostic) {
                try parseStatement(into: &script)
            } catch {
                record(error)
                recover(from: start)
            }
        }
        return script
    }

    private mutating func parseStatement(into script: inout Script) throws(Diagnostic) {
        switch current.keyword {
        case .select:
            script.statements.append(try parseQuery())
        case .with:
            try parseSteps(into: &script)
        case .create:
            script.tables.append(try parseTable())
        default:
            if isAt(.open), peek().keyword == .select {
                throw failure(
                    "unexpected-word", "a SELECT does not stand in parentheses",
                    hint: "name it in WITH and read the name", at: current.range)
            }
            throw unexpected(expected: [.select, .with, .create], "SELECT, WITH or CREATE TABLE")
        }
    }

    /// Skips to what looks like the next statement.
    private mutating func recover(from start: Int) {
        if index == start { advance() }
        while current.kind != .end {
            if eat(.semicolon) { return }
            if let keyword = current.keyword, [.select, .with, .create].contains(keyword) {
                let before = tokens[max(0, index - 1)]
                let isContinuation =
                    before.keyword == .union || before.keyword == .all || before.kind == .symbol(.open)
                if !isContinuation { return }
            }
            advance()
        }
    }

    private mutating func parseSteps(into script: inout Script) throws(Diagnostic) {
        advance()
        repeat {
            let name = try parseName("a step's name")
            var step = Syntax.Step(name: name, query: nil, range: name.range)
            var open = index
            do throws(Diagnostic) {
                try expect(.as, "after the step's name")
                open = index
                try expect(.open, "before the step's SELECT")
                step.query = try parseQuery()
                try expect(.close, "after the step's SELECT")
            } catch {
                record(error)
                step.query = nil
                guard tokens[open].kind == .symbol(.open), let close = closing(of: open) else {
                    script.steps.append(step)
                    throw Diagnostic(code: Self.reported, message: "", range: error.range)
                }
                index = close
                advance()
            }
            step.range = range(from: name.range)
            script.steps.append(step)
        } while eat(.comma)
        guard isAt(.select) || isAt(.semicolon) || current.kind == .end || isAt(.with) else {
            throw unexpected(expected: [.select], "',' and another step, or SELECT")
        }
        if current.kind == .end {
            throw failure(
                "no-select", "WITH is not followed by a SELECT", hint: "add SELECT … FROM a step", at: place)
        }
    }

    /// The index of the parenthesis that closes the one at an index.
    private func closing(of open: Int) -> Int? {
        var level = 0
        for position in open..<tokens.count {
            switch tokens[position].kind {
            case .symbol(.open): level += 1
            case .symbol(.close):
                level -= 1
                if level == 0 { return position }
            default: break
            }
        }
        return nil
    }

    private mutating func parseTable() throws(Diagnostic) -> Syntax.TableDeclaration {
        let start = advance().range
        try expect(.table, "after CREATE")
        let name = try parseName("the input's name")
        try expect(.open, "before the columns")
        var columns: [Syntax.TableDeclaration.Column] = []
        repeat {
            let column = try parseName("a column's name")
            columns.append(Syntax.TableDeclaration.Column(name: column, type: try parseTypeName()))
        } while eat(.comma)
        try expect(.close, "after the columns")
        return Syntax.TableDeclaration(name: name, columns: columns, range: range(from: start))
    }

    // MARK: Names

    /// Reads a name that is not a reserved word.
    mutating func parseName(_ what: String) throws(Diagnostic) -> Syntax.Name {
        if let keyword = current.keyword, Keyword.reserved.contains(keyword) {
            throw unexpected(expected: [], what)
        }
        return try parseAnyName(what)
    }

    /// Reads a name that may be spelled like a keyword.
    mutating func parseAnyName(_ what: String) throws(Diagnostic) -> Syntax.Name {
        guard current.isName else { throw unexpected(expected: [], what) }
        let token = advance()
        let quote: Syntax.Name.Quote =
            switch token.kind {
            case .quotedName(let isDoubleQuoted): isDoubleQuoted ? .double : .brackets
            default: .none
            }
        return Syntax.Name(text: token.text, quote: quote, range: token.range)
    }

    mutating func parseTypeName() throws(Diagnostic) -> Syntax.TypeName {
        let name = try parseName("a type such as bigint, float, nvarchar(max), datetime or bit")
        var argument: String?
        if eat(.open) {
            let token = advance()
            guard token.kind == .word || token.kind == .integer else {
                index -= 1
                throw unexpected(expected: [], "max")
            }
            argument = token.text
            try expect(.close, "after the type's size")
        }
        return Syntax.TypeName(text: name.text, argument: argument, range: range(from: name.range))
    }
}
