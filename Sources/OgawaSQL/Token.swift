import OgawaCore

/// One lexical element of a text.
struct Token: Sendable {
    enum Kind: Equatable, Sendable {
        /// An unquoted name or keyword.
        case word
        /// A name in `[ ]` or `" "`.
        case quotedName(isDoubleQuoted: Bool)
        case text
        case integer
        case decimal
        case symbol(Symbol)
        /// Something the lexer has reported already.
        case invalid
        case end
    }

    var kind: Kind
    var range: SourceRange
    /// A word as written, a quoted name or text without quotes and escapes, a number's digits.
    var text: String
    /// The keyword that a word may be; field names such as `timestamp` are words as well.
    var keyword: Keyword?

    /// Whether the token can name something.
    var isName: Bool {
        switch kind {
        case .word, .quotedName: true
        default: false
        }
    }
}

/// Operators and punctuation.
enum Symbol: String, Sendable {
    case plus = "+"
    case minus = "-"
    case star = "*"
    case slash = "/"
    case percent = "%"
    case ampersand = "&"
    case bar = "|"
    case caret = "^"
    case tilde = "~"
    case equal = "="
    case notEqual = "<>"
    case bangEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case notGreater = "!>"
    case notLess = "!<"
    case open = "("
    case close = ")"
    case openBrace = "{"
    case closeBrace = "}"
    case comma = ","
    case dot = "."
    case semicolon = ";"
    case question = "?"
    case dollar = "$"
}

/// Words with a meaning somewhere in the language; most of them are ordinary names elsewhere.
enum Keyword: String, Sendable, CaseIterable {
    case after = "AFTER"
    case all = "ALL"
    case and = "AND"
    case apply = "APPLY"
    case `as` = "AS"
    case asc = "ASC"
    case between = "BETWEEN"
    case by = "BY"
    case `case` = "CASE"
    case cast = "CAST"
    case create = "CREATE"
    case cross = "CROSS"
    case current = "CURRENT"
    case define = "DEFINE"
    case desc = "DESC"
    case distinct = "DISTINCT"
    case duration = "DURATION"
    case `else` = "ELSE"
    case end = "END"
    case except = "EXCEPT"
    case exists = "EXISTS"
    case `false` = "FALSE"
    case filter = "FILTER"
    case from = "FROM"
    case full = "FULL"
    case group = "GROUP"
    case having = "HAVING"
    case `in` = "IN"
    case inner = "INNER"
    case intersect = "INTERSECT"
    case into = "INTO"
    case `is` = "IS"
    case join = "JOIN"
    case left = "LEFT"
    case like = "LIKE"
    case limit = "LIMIT"
    case match = "MATCH"
    case matchRecognize = "MATCH_RECOGNIZE"
    case measures = "MEASURES"
    case next = "NEXT"
    case not = "NOT"
    case null = "NULL"
    case on = "ON"
    case or = "OR"
    case order = "ORDER"
    case outer = "OUTER"
    case over = "OVER"
    case partition = "PARTITION"
    case pattern = "PATTERN"
    case preceding = "PRECEDING"
    case right = "RIGHT"
    case row = "ROW"
    case rows = "ROWS"
    case select = "SELECT"
    case skip = "SKIP"
    case table = "TABLE"
    case then = "THEN"
    case timestamp = "TIMESTAMP"
    case to = "TO"
    case top = "TOP"
    case `true` = "TRUE"
    case tryCast = "TRY_CAST"
    case union = "UNION"
    case when = "WHEN"
    case `where` = "WHERE"
    case with = "WITH"

    /// Keywords by their upper-case spelling.
    static let named: [String: Keyword] = Dictionary(
        uniqueKeysWithValues: allCases.map { ($0.rawValue, $0) })

    /// Words that cannot name a field or alias without quotes.
    static let reserved: Set<Keyword> = [
        .and, .as, .between, .by, .case, .else, .end, .from, .group, .having, .in, .into, .is, .join, .like, .not,
        .null,
        .on, .or, .select, .then, .union, .when, .where,
    ]

    /// Reserved words that begin or join clauses: where one surprises, something before it is missing.
    static let startsClause: Set<Keyword> = [
        .and, .as, .else, .end, .from, .into, .or, .select, .then, .union, .when, .where,
    ]

    /// Words that end an expression, so that they are no alias without AS.
    static let endsItem: Set<Keyword> = reserved.union([
        .create, .cross, .except, .full, .inner, .intersect, .left, .limit, .matchRecognize, .order, .outer, .over,
        .right,
        .with,
    ])
}
