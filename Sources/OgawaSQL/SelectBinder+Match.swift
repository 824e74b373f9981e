import OgawaCore

/// The names that DEFINE and MEASURES may use, while their expressions are bound.
struct MatchScope {
    /// The pattern's variables in order of DEFINE.
    var names: [Syntax.Name]
    /// The variable whose condition is bound; nil in MEASURES.
    var current: Int?
    var registers: [MatchPlan.Register] = []
    /// Registers by their form, so that equal ones are kept once.
    var indices: [String: Int] = [:]

    func variable(_ name: Syntax.Name) -> Int? { names.firstIndex { sameName($0.text, name.text) } }
}

// MATCH_RECOGNIZE becomes a step without a name, which the SELECT then reads.
extension SelectBinder {
    private static let functions = ["FIRST", "LAST", "MIN", "MAX", "COUNT", "SUM", "AVG", "CLASSIFIER"]

    func bind(_ match: Syntax.MatchRecognize, joins: Bool) {
        let before = binder.errors.count
        let name = match.alias ?? Syntax.Name(text: "MATCH_RECOGNIZE", quote: .none, range: match.range)
        if joins {
            binder.error(
                "match-of-join", "MATCH_RECOGNIZE reads the rows of one input, not of a join",
                hint: "put the join into a step of WITH", at: match.range)
        }
        let inner = SelectBinder(binder: binder, syntax: syntax)
        inner.relations = Array(relations.prefix(1))
        let plan = inner.bindPlan(match)
        if let plan, binder.errors.count == before {
            inner.matchPlan = plan
            inner.items = plan.measures.enumerated().map { index, measure in
                ProjectItem(.named(measure), Expression(.column(index), range: match.range))
            }
            let step = binder.addHiddenStep(name, inner)
            relations = [
                Relation(
                    name: match.alias?.text ?? "", kind: .step(step), streamReason: "its rows are matches of a stream",
                    range: match.range)
            ]
        } else {
            relations = [Relation(name: match.alias?.text ?? "", kind: .opaque, range: match.range)]
        }
    }

    private func bindPlan(_ match: Syntax.MatchRecognize) -> MatchPlan? {
        let keys = match.partitionKeys.map { bind($0, Place(clause: .partition)) }
        var limit: Int64?
        if let duration = match.limit {
            limit = binder.ticks(of: duration)
        } else {
            binder.error(
                "missing-limit", "MATCH_RECOGNIZE needs LIMIT DURATION(unit, n), because a stream does not end",
                hint: "begin with MATCH_RECOGNIZE (LIMIT DURATION(minute, 10) …", at: match.range)
        }
        checkVariables(match)
        let scope = MatchScope(names: match.definitions.map(\.name))
        let pattern = plan(match.pattern, scope)
        if pattern.size(limit: 2000) > 1000 {
            binder.error(
                "text-too-large", "the pattern has more than 1000 steps with its repetitions written out",
                hint: "use * or + and compare COUNT in DEFINE", at: match.range)
        }
        matchScope = scope
        defer { matchScope = nil }
        var variables: [MatchPlan.Variable] = []
        for (index, definition) in match.definitions.enumerated() {
            matchScope?.current = index
            let condition = bind(definition.condition, Place(clause: .match))
            variables.append(MatchPlan.Variable(name: definition.name.text, condition: condition))
        }
        matchScope?.current = nil
        var plan = MatchPlan(
            partitionKeys: keys, limit: limit ?? 0, variables: variables, pattern: pattern, registers: [],
            measures: [], values: [], keyColumns: [:], range: match.range)
        bindColumns(of: match, keys, &plan)
        plan.registers = matchScope?.registers ?? []
        return limit == nil ? nil : plan
    }

    /// The partition keys that have a name, unless a measure has it, and the measures.
    private func bindColumns(of match: Syntax.MatchRecognize, _ keys: [Expression], _ plan: inout MatchPlan) {
        var unnamedCount = 0
        let names = match.measures.map { measure in
            measure.alias?.text ?? measure.expression.plainColumn?.text
                ?? measure.expression.derivedName(unnamed: &unnamedCount)
        }
        for (index, key) in match.partitionKeys.enumerated() {
            guard let name = key.plainColumn?.text, !names.contains(name), !plan.measures.contains(name) else {
                continue
            }
            plan.keyColumns[plan.measures.count] = index
            plan.measures.append(name)
            plan.values.append(
                register(MatchPlan.Register(.first, argument: keys[index]), range: key.range))
        }
        for (measure, name) in zip(match.measures, names) {
            if plan.measures.contains(name) {
                binder.error(
                    "duplicate-column", "two columns are named '\(name)'",
                    hint: "give one of them another name with AS",
                    at: measure.alias?.range ?? measure.expression.range)
            }
            plan.measures.append(name)
            plan.values.append(bind(measure.expression, Place(clause: .match)))
        }
    }

    private func checkVariables(_ match: Syntax.MatchRecognize) {
        let variables = match.pattern.variables
        for (index, definition) in match.definitions.enumerated() {
            let name = definition.name
            if !variables.contains(where: { sameName($0.text, name.text) }) {
                binder.error(
                    "unknown-variable", "DEFINE names '\(name.text)', which is not in the pattern",
                    hint: binder.suggestion(
                        for: name.text, in: variables.map(\.text), what: "variables of the pattern"), at: name.range)
            }
            if match.definitions[..<index].contains(where: { sameName($0.name.text, name.text) }) {
                binder.error(
                    "duplicate-variable", "DEFINE has two conditions for '\(name.text)'",
                    hint: "join them with AND or OR",
                    at: name.range)
            }
        }
        for variable in variables where !match.definitions.contains(where: { sameName($0.name.text, variable.text) }) {
            binder.error(
                "unknown-variable", "the pattern's variable '\(variable.text)' has no condition in DEFINE",
                hint: "add \(variable.text) AS condition, or write . for any row", at: variable.range)
        }
    }

    private func plan(_ pattern: Syntax.MatchRecognize.Pattern, _ scope: MatchScope) -> MatchPlan.Pattern {
        switch pattern {
        case .variable(let name): scope.variable(name).map { .variable($0) } ?? .anything
        case .anything: .anything
        case .sequence(let parts): .sequence(parts.map { plan($0, scope) })
        case .alternation(let parts): .alternation(parts.map { plan($0, scope) })
        case .repetition(let part, let minimum, let maximum):
            .repetition(plan(part, scope), minimum: minimum, maximum: maximum)
        }
    }

    // MARK: Expressions of DEFINE and MEASURES

    /// Binds what only DEFINE and MEASURES know: variables and functions over the rows of the match; nil for anything else.
    func bind(ofMatch syntax: Syntax.Expression, _ place: Place) -> Expression? {
        guard let scope = matchScope else { return nil }
        switch syntax.kind {
        case .path(let names) where !syntax.isSystemTimestamp:
            return bind(ofMatch: names, scope, range: syntax.range)
        case .call(let call) where call.name.count == 1 && call.over == nil:
            let name = call.function.text.uppercased()
            guard Self.functions.contains(name) else { return nil }
            return bind(ofMatch: call, name, scope, range: syntax.range)
        default: return nil
        }
    }

    /// `A.field`: of the current row in A's own condition, else of the last row that was A.
    private func bind(ofMatch names: [Syntax.Name], _ scope: MatchScope, range: SourceRange) -> Expression? {
        guard names.count > 1, let variable = scope.variable(names[0]) else {
            // A field alone is the current row's in DEFINE and the last row's in MEASURES.
            guard scope.current == nil else { return nil }
            return register(MatchPlan.Register(.last, argument: field(names, range: range)), range: range)
        }
        let value = field(Array(names.dropFirst()), range: range)
        if variable == scope.current { return value }
        guard isDefined(variable, scope, at: names[0]) else { return broken(range) }
        return register(MatchPlan.Register(.last, variable: variable, argument: value), range: range)
    }

    /// A field of the input, without regard to variables.
    private func field(_ names: [Syntax.Name], range: SourceRange) -> Expression {
        let scope = matchScope
        matchScope = nil
        defer { matchScope = scope }
        return bind(Syntax.Expression(kind: .path(names), range: range, height: 1), Place(clause: .match))
    }

    /// Whether a condition may use a variable: those defined before it, and itself.
    private func isDefined(_ variable: Int, _ scope: MatchScope, at name: Syntax.Name) -> Bool {
        guard let current = scope.current, variable > current else { return true }
        binder.error(
            "variable-order",
            "the condition of '\(scope.names[current].text)' uses '\(name.text)', which is defined after it",
            hint: "a condition may use its own variable and those before it; change the order of DEFINE",
            at: name.range)
        return false
    }

    private func bind(
        ofMatch call: Syntax.Call, _ name: String, _ scope: MatchScope, range: SourceRange
    ) -> Expression {
        guard call.filter == nil, !call.isDistinct else {
            binder.error(
                "match-aggregate", "\(name) in MATCH_RECOGNIZE takes neither DISTINCT nor FILTER", at: call.range)
            return broken(range)
        }
        if name == "CLASSIFIER" {
            guard scope.current == nil else {
                binder.error(
                    "misplaced-classifier", "Classifier() stands in MEASURES only, not in DEFINE", at: range)
                return broken(range)
            }
            guard call.arguments.isEmpty, !call.hasStar else {
                binder.error("wrong-argument-count", "Classifier() takes no arguments", at: call.range)
                return broken(range)
            }
            return register(MatchPlan.Register(.classifier), range: range)
        }
        if name == "COUNT", call.hasStar { return register(MatchPlan.Register(.count), range: range) }
        guard call.arguments.count == 1, !call.hasStar, case .path(let names) = call.arguments[0].kind else {
            binder.error(
                "match-aggregate", "\(name) in MATCH_RECOGNIZE takes one field such as A.value",
                hint: "compute expressions in a step of WITH before", at: call.range)
            return broken(range)
        }
        let variable = scope.variable(names[0])
        if let variable, !isDefined(variable, scope, at: names[0]) { return broken(range) }
        if names.count == 1, let variable {
            guard name == "COUNT" else {
                binder.error(
                    "match-aggregate", "\(name) takes a field of '\(names[0].text)', not all its rows",
                    hint: "write \(name)(\(names[0].text).field)", at: names[0].range)
                return broken(range)
            }
            return register(MatchPlan.Register(.count, variable: variable), range: range)
        }
        let value = field(variable == nil ? names : Array(names.dropFirst()), range: call.arguments[0].range)
        if name == "AVG" {
            let sum = register(MatchPlan.Register(.sum, variable: variable, argument: value), range: range)
            let count = register(MatchPlan.Register(.count, variable: variable, argument: value), range: range)
            let total = Expression(.cast(sum, to: .float, isTry: false), range: range)
            return Expression(.binary(.divide, total, count), range: range)
        }
        let function = MatchPlan.Function(rawValue: name) ?? .last
        return register(MatchPlan.Register(function, variable: variable, argument: value), range: range)
    }

    /// The column of a register, which is added where it is new.
    private func register(_ register: MatchPlan.Register, range: SourceRange) -> Expression {
        let variable = register.variable.map { "\($0)" } ?? "*"
        let key = "\(register.function.rawValue) \(variable) \(register.argument?.shown([]) ?? "*")"
        let count = matchScope?.registers.count ?? 0
        let index = matchScope?.indices[key] ?? count
        if index == count {
            matchScope?.registers.append(register)
            matchScope?.indices[key] = index
        }
        return Expression(.column(MatchPlan.registerBase + index), range: range)
    }
}

extension Syntax.MatchRecognize.Pattern {
    /// Every variable, each once.
    var variables: [Syntax.Name] {
        var found: [Syntax.Name] = []
        collect(into: &found)
        return found
    }

    private func collect(into found: inout [Syntax.Name]) {
        switch self {
        case .anything: return
        case .variable(let name):
            if !found.contains(where: { sameName($0.text, name.text) }) { found.append(name) }
        case .sequence(let parts), .alternation(let parts): for part in parts { part.collect(into: &found) }
        case .repetition(let part, _, _): part.collect(into: &found)
        }
    }
}
