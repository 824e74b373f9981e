import OgawaCore

// MATCH_RECOGNIZE: patterns over rows.
extension Parser {
    mutating func parseMatchRecognize() throws(Diagnostic) -> Syntax.MatchRecognize {
        let start = advance().range
        try expect(.open, "after MATCH_RECOGNIZE")
        var match = Syntax.MatchRecognize(
            partitionKeys: [], measures: [], pattern: .anything, definitions: [], range: start)
        if eat(.limit) { match.limit = try parseDuration() }
        if eat(.partition) {
            try expect(.by, "after PARTITION")
            match.partitionKeys = try parseList()
        }
        if match.limit == nil, eat(.limit) { match.limit = try parseDuration() }
        try expect(.measures, "and the columns of a match")
        repeat {
            let measure = try parseExpression()
            // AFTER and PATTERN may be names elsewhere, but not of the last measure.
            let alias = isAt(.after) || isAt(.pattern) ? nil : try parseAlias()
            match.measures.append(Syntax.MatchRecognize.Measure(expression: measure, alias: alias))
        } while eat(.comma)
        try parseSkip()
        try expect(.pattern, "and the sequence of rows")
        try expect(.open, "after PATTERN")
        match.pattern = try parsePattern()
        try expect(.close, "after the pattern")
        try expect(.define, "and the conditions of the pattern's variables")
        repeat {
            let name = try parseName("a variable of the pattern")
            try expect(.as, "after the variable")
            let condition = try parseExpression()
            match.definitions.append(Syntax.MatchRecognize.Definition(name: name, condition: condition))
        } while eat(.comma)
        try expect(.close, "after MATCH_RECOGNIZE")
        match.alias = try parseAlias()
        match.range = range(from: start)
        return match
    }

    private mutating func parseSkip() throws(Diagnostic) {
        guard eat(.after) else { return }
        try expect(.match, "after AFTER")
        try expect(.skip, "after AFTER MATCH")
        try expect(.to, "NEXT ROW, the only way to go on after a match")
        try expect(.next, "ROW, the only way to go on after a match")
        try expect(.row, "after SKIP TO NEXT")
    }

    private mutating func parsePattern() throws(Diagnostic) -> Syntax.MatchRecognize.Pattern {
        try nested { parser throws(Diagnostic) in
            var choices = [try parser.parseSequence()]
            while parser.eat(.bar) { choices.append(try parser.parseSequence()) }
            return choices.count == 1 ? choices[0] : .alternation(choices)
        }
    }

    private mutating func parseSequence() throws(Diagnostic) -> Syntax.MatchRecognize.Pattern {
        var parts = [try parseFactor()]
        while current.isName || isAt(.dot) || isAt(.open) { parts.append(try parseFactor()) }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    private mutating func parseFactor() throws(Diagnostic) -> Syntax.MatchRecognize.Pattern {
        let part: Syntax.MatchRecognize.Pattern
        if eat(.dot) {
            part = .anything
        } else if eat(.open) {
            part = try parsePattern()
            try expect(.close, "after the group of the pattern")
        } else {
            part = .variable(try parseName("a variable, '.' or a group of the pattern"))
        }
        if eat(.star) { return .repetition(part, minimum: 0, maximum: nil) }
        if eat(.plus) { return .repetition(part, minimum: 1, maximum: nil) }
        if eat(.question) { return .repetition(part, minimum: 0, maximum: 1) }
        guard eat(.openBrace) else { return part }
        return try parseCounts(of: part)
    }

    /// Reads `n}`, `n,}`, `,m}` or `n,m}`.
    private mutating func parseCounts(
        of part: Syntax.MatchRecognize.Pattern
    ) throws(Diagnostic) -> Syntax.MatchRecognize.Pattern {
        let minimum = try parseCount()
        var maximum = minimum
        if eat(.comma) { maximum = try parseCount() }
        guard minimum != nil || maximum != nil, maximum ?? .max >= minimum ?? 0 else {
            throw unexpected(expected: [], "a number of repetitions such as {2,5}")
        }
        try expect(.closeBrace, "after the number of repetitions")
        return .repetition(part, minimum: minimum ?? 0, maximum: maximum)
    }

    private mutating func parseCount() throws(Diagnostic) -> Int? {
        guard current.kind == .integer else { return nil }
        guard let count = Int(current.text), count <= 10_000 else {
            throw failure("number-out-of-range", "a pattern repeats at most 10000 times", at: current.range)
        }
        advance()
        return count
    }
}
