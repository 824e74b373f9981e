import OgawaCore

// Questions about the shape of an expression.
extension Syntax.Expression {
    /// `System.Timestamp()` or `System.Timestamp`.
    var isSystemTimestamp: Bool {
        switch kind {
        case .path(let names):
            names.count == 2 && names[0].isWord("System") && names[1].isWord("Timestamp")
        case .call(let call): call.isNamed("System", "Timestamp")
        default: false
        }
    }

    /// The call, where the expression is a window of GROUP BY.
    var windowCall: Syntax.Call? {
        guard case .call(let call) = kind, call.name.count == 1, WindowName(call.function.text) != nil else {
            return nil
        }
        return call
    }

    var containsSystemTimestamp: Bool { isSystemTimestamp || children.contains(where: \.containsSystemTimestamp) }

    /// Names that stand alone, without a qualifier.
    var plainNames: [Syntax.Name] {
        if case .path(let names) = kind { return names.count == 1 ? names : [] }
        return children.flatMap(\.plainNames)
    }

    /// The expressions directly below.
    var children: [Syntax.Expression] {
        switch kind {
        case .null, .integer, .float, .text, .bit, .path: []
        case .member(let value, _), .unary(_, let value), .cast(let value, _, _), .isNull(let value, _): [value]
        case .binary(_, let left, let right): [left, right]
        case .like(let value, let pattern, _): [value, pattern]
        case .between(let value, let low, let high, _): [value, low, high]
        case .isIn(let value, let list, _): [value] + list
        case .caseWhen(let operand, let branches, let otherwise):
            (operand.map { [$0] } ?? []) + branches.flatMap { [$0.condition, $0.result] }
                + (otherwise.map { [$0] } ?? [])
        case .call(let call): call.arguments
        }
    }
}

extension Syntax.Call {
    /// From the name to the last argument.
    var range: SourceRange {
        var range = name[0].range.union(function.range)
        for argument in arguments { range = range.union(argument.range) }
        return range
    }
}

/// Compares expressions of one SELECT by form, with or without the input's name before a column's.
struct FormComparison {
    /// Names that a path may start with.
    let qualifiers: [String]
    /// Whether fields differ by case, as those of events do; columns of a step do not.
    let isExact: Bool

    private func isSameField(_ first: Syntax.Name, _ second: Syntax.Name) -> Bool {
        isExact ? first.text == second.text : sameName(first.text, second.text)
    }

    private func stripped(_ names: [Syntax.Name]) -> ArraySlice<Syntax.Name> {
        guard names.count > 1, qualifiers.contains(where: { sameName($0, names[0].text) }) else { return names[...] }
        return names.dropFirst()
    }

    /// The input that a path's first name is; nil where the path is not qualified.
    private func qualifier(_ names: [Syntax.Name]) -> Int? {
        guard names.count > 1 else { return nil }
        return qualifiers.firstIndex { sameName($0, names[0].text) }
    }

    /// The fields that a path takes from another path; nil where it does not start with it.
    func rest(of names: [Syntax.Name], after prefix: [Syntax.Name]) -> [Syntax.Name]? {
        if let one = qualifier(names), let other = qualifier(prefix), one != other { return nil }
        let names = stripped(names)
        let prefix = stripped(prefix)
        guard names.count >= prefix.count, zip(names, prefix).allSatisfy(isSameField) else {
            return nil
        }
        return Array(names.dropFirst(prefix.count))
    }

    func isSame(_ first: Syntax.Expression, _ second: Syntax.Expression) -> Bool {
        if first.isSystemTimestamp || second.isSystemTimestamp {
            return first.isSystemTimestamp && second.isSystemTimestamp
        }
        switch (first.kind, second.kind) {
        case (.null, .null): return true
        case (.integer(let one), .integer(let other)): return one == other
        case (.float(let one), .float(let other)): return one == other
        case (.text(let one), .text(let other)): return one == other
        case (.bit(let one), .bit(let other)): return one == other
        case (.path(let one), .path(let other)): return rest(of: one, after: other)?.isEmpty == true
        case (.call(let one), .call(let other)): return isSame(one, other)
        default: return hasSameOperator(first, second) && areSame(first.children, second.children)
        }
    }

    private func areSame(_ first: [Syntax.Expression], _ second: [Syntax.Expression]) -> Bool {
        first.count == second.count && zip(first, second).allSatisfy(isSame)
    }

    /// Calls, with what stands in OVER.
    private func isSame(_ first: Syntax.Call, _ second: Syntax.Call) -> Bool {
        guard first.name.count == second.name.count, isSame(first.over, second.over),
            first.filter == nil, second.filter == nil
        else { return false }
        return zip(first.name, second.name).allSatisfy { sameName($0.text, $1.text) }
            && first.hasStar == second.hasStar && first.isDistinct == second.isDistinct
            && areSame(first.arguments, second.arguments)
    }

    private func isSame(_ first: Syntax.Over?, _ second: Syntax.Over?) -> Bool {
        guard let first, let second else { return first == nil && second == nil }
        return areSame(first.partitionKeys, second.partitionKeys)
            && areSame(first.order.map(\.expression), second.order.map(\.expression))
            && first.order.map(\.isDescending) == second.order.map(\.isDescending)
            && areSame(parts(of: first), parts(of: second)) && (first.limit == nil) == (second.limit == nil)
            && (first.condition == nil) == (second.condition == nil)
    }

    private func parts(of over: Syntax.Over) -> [Syntax.Expression] {
        [over.limit?.unit, over.limit?.count, over.condition, over.rows].compactMap { $0 }
    }

    private func hasSameOperator(_ first: Syntax.Expression, _ second: Syntax.Expression) -> Bool {
        switch (first.kind, second.kind) {
        case (.member(_, let one), .member(_, let other)):
            return one.count == other.count && zip(one, other).allSatisfy(isSameField)
        case (.unary(let one, _), .unary(let other, _)): return one == other
        case (.binary(let one, _, _), .binary(let other, _, _)): return one == other
        case (.cast(_, let one, let isTry), .cast(_, let other, let otherIsTry)):
            return sameName(one.text, other.text) && isTry == otherIsTry
        case (.isNull(_, let one), .isNull(_, let other)): return one == other
        case (.like(_, _, let one), .like(_, _, let other)): return one == other
        case (.between(_, _, _, let one), .between(_, _, _, let other)): return one == other
        case (.isIn(_, _, let one), .isIn(_, _, let other)): return one == other
        case (.caseWhen(let one, _, let oneElse), .caseWhen(let other, _, let otherElse)):
            return (one == nil) == (other == nil) && (oneElse == nil) == (otherElse == nil)
        default: return false
        }
    }
}
