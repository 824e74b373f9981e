// Expressions by precedence, loosest first: OR, AND, NOT, comparison, + - & | ^, * / %, unary - + ~.

import OgawaCore

extension Parser {
    mutating func parseExpression() throws(Diagnostic) -> Syntax.Expression {
        try nested { parser throws(Diagnostic) in try parser.parseOr() }
    }

    // MARK: Nodes

    private func node(
        _ kind: Syntax.Expression.Kind, from start: SourceRange, over children: [Syntax.Expression] = []
    ) throws(Diagnostic) -> Syntax.Expression {
        let height = 1 + (children.map(\.height).max() ?? 0)
        let range = range(from: start)
        guard height <= Limits.expressionHeight else {
            throw failure(
                "nested-too-deeply", "this expression has more than \(Limits.expressionHeight) operators in a row",
                hint: "compute a part of it in a step of WITH", at: range)
        }
        return Syntax.Expression(kind: kind, range: range, height: height)
    }

    private func binary(
        _ operation: BinaryOperator, _ left: Syntax.Expression, _ right: Syntax.Expression
    ) throws(Diagnostic) -> Syntax.Expression {
        let height = 1 + max(left.height, right.height)
        let range = left.range.union(right.range)
        guard height <= Limits.expressionHeight else {
            throw failure(
                "nested-too-deeply", "this expression has more than \(Limits.expressionHeight) operators in a row",
                hint: "compute a part of it in a step of WITH", at: range)
        }
        return Syntax.Expression(kind: .binary(operation, left, right), range: range, height: height)
    }

    /// A chain of AND or OR as a balanced tree, so that a long one stays shallow.
    private func balanced(
        _ operation: BinaryOperator, _ operands: ArraySlice<Syntax.Expression>
    ) throws(Diagnostic) -> Syntax.Expression {
        if operands.count == 1 { return operands[operands.startIndex] }
        let middle = operands.startIndex + (operands.count + 1) / 2
        return try binary(
            operation, try balanced(operation, operands[..<middle]), try balanced(operation, operands[middle...]))
    }

    // MARK: Levels

    private mutating func parseOr() throws(Diagnostic) -> Syntax.Expression {
        var operands = [try parseAnd()]
        while eat(.or) { operands.append(try parseAnd()) }
        return try balanced(.or, operands[...])
    }

    private mutating func parseAnd() throws(Diagnostic) -> Syntax.Expression {
        var operands = [try parseNot()]
        while eat(.and) { operands.append(try parseNot()) }
        return try balanced(.and, operands[...])
    }

    private mutating func parseNot() throws(Diagnostic) -> Syntax.Expression {
        guard isAt(.not) else { return try parseComparison() }
        let start = advance().range
        let operand = try nested { parser throws(Diagnostic) in try parser.parseNot() }
        return try node(.unary(.not, operand), from: start, over: [operand])
    }

    private static let comparisons: [Symbol: BinaryOperator] = [
        .equal: .equal, .notEqual: .notEqual, .bangEqual: .notEqual, .less: .less, .lessOrEqual: .lessOrEqual,
        .greater: .greater, .greaterOrEqual: .greaterOrEqual, .notGreater: .lessOrEqual, .notLess: .greaterOrEqual,
    ]

    private func comparison() -> BinaryOperator? {
        guard case .symbol(let symbol) = current.kind else { return nil }
        return Self.comparisons[symbol]
    }

    private mutating func parseComparison() throws(Diagnostic) -> Syntax.Expression {
        let left = try parseArithmetic(minimum: 1)
        var result = left
        if let operation = comparison() {
            advance()
            result = try binary(operation, left, try parseArithmetic(minimum: 1))
        } else if let test = try parseTest(of: left) {
            result = test
        } else {
            return left
        }
        let isTestNext = isAt(.is) || isAt(.like) || isAt(.between) || isAt(.in)
        guard comparison() == nil, !isTestNext else {
            throw failure(
                "chained-comparison", "a comparison is not compared again",
                hint: "write a BETWEEN b AND c, join two comparisons with AND, or use parentheses", at: current.range)
        }
        return result
    }

    /// Reads IS NULL, LIKE, BETWEEN or IN after a value.
    private mutating func parseTest(of value: Syntax.Expression) throws(Diagnostic) -> Syntax.Expression? {
        let start = value.range
        if eat(.is) {
            let negated = eat(.not)
            try expect(.null, negated ? "after IS NOT" : "or NOT NULL after IS")
            return try node(.isNull(value, negated: negated), from: start, over: [value])
        }
        let next = peek().keyword
        let negated = isAt(.not) && (next == .like || next == .between || next == .in)
        if negated { advance() }
        if eat(.like) {
            let pattern = try parseArithmetic(minimum: 1)
            return try node(.like(value, pattern: pattern, negated: negated), from: start, over: [value, pattern])
        }
        if eat(.between) {
            let low = try parseArithmetic(minimum: 1)
            try expect(.and, "between the bounds of BETWEEN")
            let high = try parseArithmetic(minimum: 1)
            return try node(.between(value, low, high, negated: negated), from: start, over: [value, low, high])
        }
        guard eat(.in) else { return nil }
        try expect(.open, "and a list of values after IN")
        try refuseSubquery()
        let list = try parseList()
        try expect(.close, "after the list of IN")
        return try node(.isIn(value, list, negated: negated), from: start, over: [value] + list)
    }

    private func arithmetic() -> (operation: BinaryOperator, level: Int)? {
        guard case .symbol(let symbol) = current.kind else { return nil }
        return switch symbol {
        case .plus: (.add, 1)
        case .minus: (.subtract, 1)
        case .ampersand: (.bitwiseAnd, 1)
        case .bar: (.bitwiseOr, 1)
        case .caret: (.bitwiseXor, 1)
        case .star: (.multiply, 2)
        case .slash: (.divide, 2)
        case .percent: (.modulo, 2)
        default: nil
        }
    }

    private mutating func parseArithmetic(minimum: Int) throws(Diagnostic) -> Syntax.Expression {
        var left = try parseUnary()
        while let (operation, level) = arithmetic(), level >= minimum {
            advance()
            // Two levels only, so that recursion here is one deep.
            let right = level == 2 ? try parseUnary() : try parseArithmetic(minimum: 2)
            left = try binary(operation, left, right)
        }
        return left
    }

    private mutating func parseUnary() throws(Diagnostic) -> Syntax.Expression {
        guard case .symbol(let symbol) = current.kind else { return try parsePostfix() }
        switch symbol {
        case .minus:
            let start = advance().range
            if current.kind == .integer, peek().kind != .symbol(.dot) {
                return try parseInteger(isNegative: true, from: start)
            }
            return try parseOperand(of: .negate, from: start)
        case .plus:
            advance()
            return try nested { parser throws(Diagnostic) in try parser.parseUnary() }
        case .tilde:
            let start = advance().range
            return try parseOperand(of: .bitwiseNot, from: start)
        default:
            return try parsePostfix()
        }
    }

    private mutating func parseOperand(
        of operation: UnaryOperator, from start: SourceRange
    ) throws(Diagnostic) -> Syntax.Expression {
        let operand = try nested { parser throws(Diagnostic) in try parser.parseUnary() }
        if operation == .negate, case .float(let number) = operand.kind {
            return try node(.float(-number), from: start)
        }
        return try node(.unary(operation, operand), from: start, over: [operand])
    }

    /// Reads a primary expression and the fields taken from it.
    private mutating func parsePostfix() throws(Diagnostic) -> Syntax.Expression {
        let primary = try parsePrimary()
        guard isAt(.dot), peek().isName else { return primary }
        var fields: [Syntax.Name] = []
        while isAt(.dot), peek().isName {
            advance()
            fields.append(try parseAnyName("a field"))
        }
        return try node(.member(primary, fields), from: primary.range, over: [primary])
    }

    // MARK: Primary expressions

    private mutating func parsePrimary() throws(Diagnostic) -> Syntax.Expression {
        let token = current
        switch token.kind {
        case .integer:
            return try parseInteger(isNegative: false, from: token.range)
        case .decimal:
            guard let number = Double(token.text), number.isFinite else {
                throw failure("number-out-of-range", "this number is beyond the range of float", at: token.range)
            }
            advance()
            return try node(.float(number), from: token.range)
        case .text:
            advance()
            return try node(.text(token.text), from: token.range)
        case .symbol(.open):
            advance()
            try refuseSubquery()
            var inner = try parseExpression()
            try expect(.close, "after the expression")
            inner.range = range(from: token.range)
            return inner
        case .word, .quotedName:
            return try parseWord()
        default:
            throw unexpected(expected: [], "an expression")
        }
    }

    private func refuseSubquery() throws(Diagnostic) {
        guard isAt(.select) else { return }
        throw failure(
            "not-in-language", "a SELECT inside an expression is not part of stream SQL",
            hint: "name it in WITH and JOIN it", at: current.range)
    }

    private mutating func parseInteger(
        isNegative: Bool, from start: SourceRange
    ) throws(Diagnostic) -> Syntax.Expression {
        let token = current
        guard let number = Int64((isNegative ? "-" : "") + token.text) else {
            throw failure(
                "number-out-of-range", "\(shortened(token.text)) is beyond the range of bigint (64 bits)",
                hint: "write \(shortened(token.text)).0 for a float", at: token.range)
        }
        advance()
        return try node(.integer(number), from: start)
    }

    private mutating func parseWord() throws(Diagnostic) -> Syntax.Expression {
        let start = current.range
        let isCall = peek().kind == .symbol(.open)
        switch current.keyword {
        case .case:
            return try nested { parser throws(Diagnostic) in try parser.parseCase() }
        case .cast where isCall, .tryCast where isCall:
            return try nested { parser throws(Diagnostic) in try parser.parseCast() }
        case .null:
            advance()
            return try node(.null, from: start)
        case .true where !isCall && peek().kind != .symbol(.dot), .false where !isCall && peek().kind != .symbol(.dot):
            let isTrue = advance().keyword == .true
            return try node(.bit(isTrue), from: start)
        case .exists where isCall && peek(2).keyword == .select:
            throw failure(
                "not-in-language", "EXISTS is not part of stream SQL", hint: "use a JOIN", at: start)
        default:
            break
        }
        var path = [try parseName("an expression")]
        while isAt(.dot), peek().isName {
            advance()
            path.append(try parseAnyName("a field"))
        }
        if isAt(.dot), !(peek().kind == .symbol(.star)) {
            advance()
            throw unexpected(expected: [], "a field's name after '.'")
        }
        if isAt(.open), path[path.count - 1].quote == .none {
            return try nested { parser throws(Diagnostic) in try parser.parseCall(path) }
        }
        return try node(.path(path), from: start)
    }

    private mutating func parseCase() throws(Diagnostic) -> Syntax.Expression {
        let start = advance().range
        var children: [Syntax.Expression] = []
        let operand = isAt(.when) ? nil : try parseExpression()
        if let operand { children.append(operand) }
        var branches: [Syntax.Branch] = []
        while eat(.when) {
            let condition = try parseExpression()
            try expect(.then, "after WHEN and its condition")
            let result = try parseExpression()
            branches.append(Syntax.Branch(condition: condition, result: result))
            children += [condition, result]
        }
        guard !branches.isEmpty else { throw unexpected(expected: [.when], "WHEN") }
        var otherwise: Syntax.Expression?
        if eat(.else) {
            let value = try parseExpression()
            children.append(value)
            otherwise = value
        }
        guard isAt(.end) else {
            throw unexpected(expected: otherwise == nil ? [.when, .else, .end] : [.end], "END of the CASE")
        }
        advance()
        return try node(
            .caseWhen(operand: operand, branches: branches, otherwise: otherwise), from: start, over: children)
    }

    private mutating func parseCast() throws(Diagnostic) -> Syntax.Expression {
        let start = current.range
        let isTry = advance().keyword == .tryCast
        try expect(.open, "after CAST")
        let value = try parseExpression()
        try expect(.as, "and a type in CAST(value AS type)")
        let type = try parseTypeName()
        try expect(.close, "after the type")
        return try node(.cast(value, type, isTry: isTry), from: start, over: [value])
    }

    // MARK: Calls

    private mutating func parseCall(_ name: [Syntax.Name]) throws(Diagnostic) -> Syntax.Expression {
        let wasInTimestamp = isInTimestamp
        isInTimestamp = false
        var call = Syntax.Call(name: name, arguments: [], hasStar: false, isDistinct: false)
        try expect(.open, "after the function's name")
        if isAt(.star) {
            advance()
            call.hasStar = true
            if ["LAG", "LAST"].contains(call.function.text.uppercased()), eat(.comma) {
                call.arguments = try parseList()
            }
        } else if !isAt(.close) {
            try refuseSubquery()
            let next = peek()
            if isAt(.distinct), next.isName || next.kind == .symbol(.open) || next.kind == .integer {
                advance()
                call.isDistinct = true
            }
            call.arguments = try parseList()
        }
        try expect(.close, "after the arguments of \(name[name.count - 1].text)")
        isInTimestamp = wasInTimestamp
        while true {
            if isAt(.over), call.over == nil, !isInTimestamp || isAtOverClause {
                call.over = try parseOver()
            } else if isAt(.filter), peek().kind == .symbol(.open), call.filter == nil {
                call.filter = try parseFilter()
            } else {
                break
            }
        }
        var children = call.arguments
        if let filter = call.filter { children.append(filter) }
        if let over = call.over {
            children += over.partitionKeys + over.order.map(\.expression)
            if let condition = over.condition { children.append(condition) }
        }
        return try node(.call(call), from: name[0].range, over: children)
    }

    /// In TIMESTAMP BY, whether OVER belongs to a call (an error that the binder explains) and does not name substreams.
    private var isAtOverClause: Bool {
        guard peek().kind == .symbol(.open) else { return false }
        switch (peek(2).keyword, peek(3).keyword) {
        case (.partition, .by), (.order, .by), (.limit, .duration), (.rows, .between): return true
        default: return peek(2).keyword == .rows && peek(3).kind == .integer
        }
    }

    private mutating func parseFilter() throws(Diagnostic) -> Syntax.Expression {
        advance()
        advance()
        try expect(.where, "and a condition in FILTER (WHERE …)")
        let condition = try parseExpression()
        try expect(.close, "after the condition of FILTER")
        return condition
    }

    private mutating func parseOver() throws(Diagnostic) -> Syntax.Over {
        let start = advance().range
        try expect(.open, "after OVER")
        var over = Syntax.Over(range: start)
        while !isAt(.close) {
            switch current.keyword {
            case .partition:
                advance()
                try expect(.by, "after PARTITION")
                over.partitionKeys = try parseList()
            case .order:
                advance()
                try expect(.by, "after ORDER")
                over.order = try parseOrder()
            case .limit:
                advance()
                over.limit = try parseDuration()
            case .when:
                advance()
                over.condition = try parseExpression()
            case .rows:
                over.rows = try parseRows()
            default:
                throw unexpected(
                    expected: [.partition, .order, .limit, .when, .rows],
                    "PARTITION BY, LIMIT DURATION, WHEN, ROWS, ORDER BY or ')'")
            }
        }
        advance()
        over.range = range(from: start)
        return over
    }

    mutating func parseDuration() throws(Diagnostic) -> Syntax.Duration {
        let start = try expect(.duration, "and (unit, n) after LIMIT").range
        try expect(.open, "after DURATION")
        let unit = try parseExpression()
        try expect(.comma, "between the unit and the number, as in DURATION(second, 60)")
        let count = try parseExpression()
        try expect(.close, "after DURATION(unit, n")
        return Syntax.Duration(unit: unit, count: count, range: range(from: start))
    }

    private mutating func parseOrder() throws(Diagnostic) -> [Syntax.Over.Order] {
        var order: [Syntax.Over.Order] = []
        repeat {
            let expression = try parseExpression()
            let isDescending = eat(.desc)
            if !isDescending { _ = eat(.asc) }
            order.append(Syntax.Over.Order(expression: expression, isDescending: isDescending))
        } while eat(.comma)
        return order
    }

    /// Reads `ROWS n PRECEDING` or `ROWS BETWEEN n PRECEDING AND CURRENT ROW`.
    private mutating func parseRows() throws(Diagnostic) -> Syntax.Expression {
        advance()
        let hasBetween = eat(.between)
        let count = try parseUnary()
        try expect(.preceding, "after ROWS n")
        guard hasBetween else { return count }
        try expect(.and, "CURRENT ROW after ROWS BETWEEN n PRECEDING")
        try expect(.current, "ROW, the only end of a range of rows")
        try expect(.row, "after CURRENT")
        return count
    }
}
