import OgawaCore

// SELECT and its clauses.
extension Parser {
    mutating func parseQuery() throws(Diagnostic) -> Syntax.Query {
        let start = current.range
        var selects = [try parseSelect()]
        while eat(.union) {
            _ = eat(.all)
            selects.append(try parseSelect())
        }
        return Syntax.Query(selects: selects, range: range(from: start))
    }

    private mutating func parseSelect() throws(Diagnostic) -> Syntax.Select {
        let keyword = try expect(.select, "at the start of a query").range
        try refuseDistinctAndTop()
        var select = Syntax.Select(items: [try parseItem()], keywordRange: keyword, range: keyword)
        while eat(.comma) { select.items.append(try parseItem()) }
        if eat(.into) { select.into = try parseName("an output's name after INTO") }
        if eat(.from) {
            select.from = try parseFrom()
        } else if !endsSelect, !isAt(.where), !isAt(.group), !isAt(.having) {
            let expected: [Keyword] = select.into == nil ? [.from, .into, .as] : [.from]
            throw unexpected(expected: expected, select.into == nil ? "',', INTO or FROM" : "FROM")
        }
        try parseClauses(of: &select)
        select.range = range(from: keyword)
        return select
    }

    private mutating func parseClauses(of select: inout Syntax.Select) throws(Diagnostic) {
        if eat(.where) { select.predicate = try parseExpression() }
        if isAt(.group) {
            let start = advance().range
            try expect(.by, "after GROUP")
            select.groupRange = range(from: start)
            var keys = [try parseExpression()]
            while eat(.comma) { keys.append(try parseExpression()) }
            select.grouping = keys
        }
        if eat(.having) { select.having = try parseExpression() }
        guard !endsSelect else { return }
        try refuseForeignClause()
        let expected: [Keyword] =
            select.having != nil
            ? [.union]
            : select.grouping != nil
                ? [.having, .union]
                : select.predicate != nil
                    ? [.group, .having, .union] : [.where, .group, .having, .union, .join, .timestamp, .partition]
        var wanted = expected.map { $0 == .group ? "GROUP BY" : $0.rawValue }
        wanted.removeAll { ["TIMESTAMP", "PARTITION", "JOIN"].contains($0) }
        throw unexpected(expected: expected, wanted.joined(separator: ", ") + " or the end of the statement")
    }

    /// Whether the SELECT is complete here.
    private var endsSelect: Bool {
        switch current.kind {
        case .end, .symbol(.semicolon), .symbol(.close): true
        default: [.select, .union, .with, .create].contains(current.keyword)
        }
    }

    // MARK: What other dialects have

    private func notInLanguage(_ what: String, _ hint: String, at range: SourceRange) -> Diagnostic {
        failure("not-in-language", "\(what) is not part of stream SQL", hint: hint, at: range)
    }

    private func refuseDistinctAndTop() throws(Diagnostic) {
        let next = peek()
        if isAt(.distinct), next.isName || next.kind == .symbol(.star) || next.kind == .symbol(.open),
            next.keyword != .from, next.keyword != .into, next.keyword != .as
        {
            throw notInLanguage(
                "SELECT DISTINCT", "group by the columns and a window, or write COUNT(DISTINCT x)", at: current.range)
        }
        if isAt(.top), next.kind == .integer || next.kind == .symbol(.open) {
            throw notInLanguage(
                "TOP", "TopOne() and CollectTop(n) OVER (ORDER BY …) give the first of a window", at: current.range)
        }
    }

    private func refuseForeignClause() throws(Diagnostic) {
        switch current.keyword {
        case .order:
            throw notInLanguage(
                "ORDER BY at the end of a SELECT", "a stream has no end to sort at: rows come in order of time",
                at: current.range)
        case .limit:
            throw notInLanguage("LIMIT", "a stream does not end; use WHERE or a window", at: current.range)
        case .except, .intersect:
            throw notInLanguage(
                current.text.uppercased(), "UNION is the only operator between SELECTs", at: current.range)
        case .into:
            throw failure(
                "misplaced-into", "INTO stands before FROM", hint: "write SELECT … INTO output FROM input",
                at: current.range)
        default:
            return
        }
    }

    // MARK: Select list

    private mutating func parseItem() throws(Diagnostic) -> Syntax.SelectItem {
        if isAt(.star) {
            let start = advance().range
            let names = try parseExclusions()
            return .star(excluding: names, range: range(from: start))
        }
        if current.isName, peek().kind == .symbol(.equal) {
            let alias = try parseName("a column's name")
            advance()
            return .expression(try parseExpression(), alias: alias)
        }
        if let path = try parseQualifiedStar() {
            let names = try parseExclusions()
            let start = path.first?.range ?? place
            return .qualifiedStar(path, excluding: names, range: range(from: start))
        }
        let expression = try parseExpression()
        return .expression(expression, alias: try parseAlias(isItem: true))
    }

    /// Reads `a.b.*`, if it stands here.
    private mutating func parseQualifiedStar() throws(Diagnostic) -> [Syntax.Name]? {
        var offset = 0
        while peek(offset).isName, peek(offset + 1).kind == .symbol(.dot) {
            if peek(offset + 2).kind == .symbol(.star) {
                var path = [try parseName("an alias or field")]
                while eat(.dot), !isAt(.star) { path.append(try parseAnyName("a field")) }
                advance()
                return path
            }
            offset += 2
        }
        return nil
    }

    private mutating func parseExclusions() throws(Diagnostic) -> [Syntax.Name] {
        guard isAt(.except), peek().kind == .symbol(.open) else { return [] }
        advance()
        advance()
        var names = [try parseAnyName("a field to leave out")]
        while eat(.comma) { names.append(try parseAnyName("a field to leave out")) }
        try expect(.close, "after the fields to leave out")
        return names
    }

    /// Reads `AS name` or a bare name.
    mutating func parseAlias(isItem: Bool = false) throws(Diagnostic) -> Syntax.Name? {
        if eat(.as) {
            if current.kind == .text {
                throw failure(
                    "unexpected-word", "a column's name is not text", hint: "write AS [\(shortened(current.text))]",
                    at: current.range)
            }
            return try parseName("a name after AS")
        }
        guard current.isName, isItem || !isAtAbsence else { return nil }
        if let keyword = current.keyword {
            if Keyword.endsItem.contains(keyword) { return nil }
            if keyword == .timestamp || keyword == .partition, peek().keyword == .by { return nil }
        }
        if case .quotedName(isDoubleQuoted: false) = current.kind, current.text.allSatisfy(\.isNumber),
            index > 0, tokens[index - 1].range.upperBound == current.range.lowerBound
        {
            throw failure(
                "unexpected-word", "array elements are not read with [ ]",
                hint: "write GetArrayElement(array, \(current.text))", at: current.range)
        }
        if isItem, current.kind == .word, current.keyword == nil { lastImplicitAlias = index }
        if !isItem, current.kind == .word { lastImplicitAlias = index }
        return try parseName("a name")
    }

    // MARK: FROM

    private mutating func parseFrom() throws(Diagnostic) -> Syntax.From {
        var from = Syntax.From(source: try parseSource(), parts: [])
        while true {
            switch current.keyword {
            case .join, .inner, .left:
                from.parts.append(.join(try parseJoin()))
            case .right, .full:
                throw notInLanguage(
                    "\(current.text.uppercased()) JOIN", "swap the two inputs and use LEFT JOIN", at: current.range)
            case .cross, .outer:
                from.parts.append(.apply(try parseApply()))
            case .matchRecognize:
                from.matchRecognize = try parseMatchRecognize()
            default:
                guard isAt(.comma) else { return from }
                throw notInLanguage(
                    "a list of inputs in FROM", "write a JOIN b ON … DATEDIFF(second, a, b) BETWEEN 0 AND 10",
                    at: current.range)
            }
        }
    }

    private mutating func parseSource() throws(Diagnostic) -> Syntax.Source {
        if isAt(.open) {
            throw notInLanguage("a SELECT inside FROM", "name it in WITH and read the name", at: current.range)
        }
        let name = try parseName("an input or step after FROM")
        var source = Syntax.Source(
            name: name, substreamKeys: [], partitionKeys: [], range: name.range)
        if isAt(.dot) {
            throw failure(
                "unexpected-word", "an input's name has one part",
                hint: "a name with a dot is written [\(name.text).\(shortened(peek().text))]", at: current.range)
        }
        source.alias = try parseAlias()
        while true {
            if isAt(.timestamp), peek().keyword == .by {
                try parseTimestamp(of: &source)
            } else if isAt(.partition), peek().keyword == .by {
                advance()
                advance()
                source.partitionKeys = try parseList()
                if eat(.into) { source.partitionCount = try parseExpression() }
            } else if isAtAbsence {
                try parseAbsence(of: &source)
            } else {
                break
            }
        }
        source.range = range(from: name.range)
        return source
    }

    /// Whether `ABSENCE (` stands here.
    private var isAtAbsence: Bool {
        current.kind == .word && sameName(current.text, "ABSENCE") && peek().kind == .symbol(.open)
    }

    private mutating func parseAbsence(of source: inout Syntax.Source) throws(Diagnostic) {
        if source.absence != nil {
            throw failure("duplicate-clause", "ABSENCE stands here twice", at: current.range)
        }
        source.absence = try parseExpression()
    }

    private mutating func parseTimestamp(of source: inout Syntax.Source) throws(Diagnostic) {
        let start = advance().range
        advance()
        if source.timestamp != nil {
            throw failure("duplicate-clause", "TIMESTAMP BY stands here twice", at: start)
        }
        source.timestampRange = range(from: start)
        isInTimestamp = true
        defer { isInTimestamp = false }
        source.timestamp = try parseExpression()
        if eat(.over) {
            isInTimestamp = false
            source.substreamKeys = try parseList()
        }
        if current.kind == .word, sameName(current.text, "LATE"), peek().keyword == .into {
            advance()
            advance()
            source.lateOutput = try parseName("an output after LATE INTO")
        }
    }

    mutating func parseList() throws(Diagnostic) -> [Syntax.Expression] {
        var list = [try parseExpression()]
        while eat(.comma) { list.append(try parseExpression()) }
        return list
    }

    private mutating func parseJoin() throws(Diagnostic) -> Syntax.Join {
        let start = current.range
        let isLeft = eat(.left)
        if isLeft { _ = eat(.outer) } else { _ = eat(.inner) }
        try expect(.join, isLeft ? "after LEFT" : "between two inputs")
        let source = try parseSource()
        guard isAt(.on) else {
            throw unexpected(expected: [.on, .timestamp], "ON and the condition of the join")
        }
        advance()
        let condition = try parseExpression()
        return Syntax.Join(isLeft: isLeft, source: source, condition: condition, range: range(from: start))
    }

    private mutating func parseApply() throws(Diagnostic) -> Syntax.Apply {
        let start = current.range
        let isOuter = isAt(.outer)
        advance()
        if isAt(.join) {
            throw notInLanguage(
                isOuter ? "OUTER JOIN without LEFT" : "CROSS JOIN", "use JOIN or LEFT JOIN with ON", at: start)
        }
        try expect(.apply, isOuter ? "after OUTER" : "after CROSS")
        let function = try parseExpression()
        guard case .call = function.kind else {
            throw failure(
                "invalid-apply", "APPLY needs GetArrayElements(…) or GetRecordProperties(…)", at: function.range)
        }
        guard let alias = try parseAlias() else {
            throw unexpected(expected: [.as], "AS and a name for the elements")
        }
        return Syntax.Apply(isOuter: isOuter, function: function, alias: alias, range: range(from: start))
    }
}
