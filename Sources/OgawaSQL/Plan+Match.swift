// MATCH_RECOGNIZE: which sequences of rows make a match, and what a match says.

import OgawaCore

/// A search for sequences of rows, each partition on its own; every row may begin a match.
///
/// Conditions and values are expressions over the input's columns and over registers, which are columns from ``registerBase`` on.
package struct MatchPlan: Sendable {
    /// The number of the first register's column.
    package static let registerBase = 3_000_000

    /// A name of the pattern with the condition under which a row may have it.
    package struct Variable: Sendable {
        package var name: String
        package var condition: Expression

        /// Whether the condition depends on the current row only, not on what the match has so far.
        package var readsRowOnly: Bool {
            var isPlain = true
            condition.forEachColumn { if $0 >= MatchPlan.registerBase { isPlain = false } }
            return isPlain
        }

        package init(name: String, condition: Expression) {
            self.name = name
            self.condition = condition
        }
    }

    /// A regular expression over variables.
    package indirect enum Pattern: Sendable {
        case variable(Int)
        /// `.`: any row.
        case anything
        case sequence([Pattern])
        /// The first that leads to a match.
        case alternation([Pattern])
        /// As often as leads to a match, at most `maximum` times (nil: any number).
        case repetition(Pattern, minimum: Int, maximum: Int?)
    }

    package enum Function: String, Hashable, Sendable, CaseIterable {
        case first = "FIRST"
        case last = "LAST"
        case minimum = "MIN"
        case maximum = "MAX"
        case count = "COUNT"
        case sum = "SUM"
        /// The variables of all rows as an array of texts.
        case classifier = "CLASSIFIER"
    }

    /// A value that a match under way keeps.
    package struct Register: Sendable {
        package var function: Function
        /// Only rows of this variable count; nil: every row of the match.
        package var variable: Int?
        /// What is taken of each row; nil for COUNT(*) and the classifier.
        package var argument: Expression?

        package init(_ function: Function, variable: Int? = nil, argument: Expression? = nil) {
            self.function = function
            self.variable = variable
            self.argument = argument
        }
    }

    package var partitionKeys: [Expression]
    /// The last row of a match is less than this many ticks after the first.
    package var limit: Int64
    package var variables: [Variable]
    package var pattern: Pattern
    package var registers: [Register]
    /// The names of a match's columns.
    package var measures: [String]
    /// The values of a match's columns over registers.
    package var values: [Expression]
    /// Partition keys by the column of the match that repeats them.
    package var keyColumns: [Int: Int]
    package var range: SourceRange

    /// Every expression over the input's columns; some read registers, too.
    package var expressions: [Expression] {
        partitionKeys + variables.map(\.condition) + registers.compactMap(\.argument)
    }

    func renumbered(_ number: (Int) -> Int) -> MatchPlan {
        func inner(_ column: Int) -> Int { column >= MatchPlan.registerBase ? column : number(column) }
        var plan = self
        plan.partitionKeys = partitionKeys.map { $0.renumbered(inner) }
        plan.variables = variables.map { Variable(name: $0.name, condition: $0.condition.renumbered(inner)) }
        plan.registers = registers.map {
            Register($0.function, variable: $0.variable, argument: $0.argument?.renumbered(inner))
        }
        return plan
    }

    // MARK: As text

    /// The search as lines of text over columns of these names.
    func shown(_ names: [String]) -> [String] {
        var first = "match"
        if !partitionKeys.isEmpty { first += " by \(shownList(partitionKeys, names))" }
        var lines = ["\(first) within \(shownTicks(limit)): \(shown(pattern, isInner: false))"]
        for variable in variables {
            lines.append("  \(variable.name) where \(shown(variable.condition, names))")
        }
        for (name, value) in zip(measures, values) { lines.append("  \(name) = \(shown(value, names))") }
        return lines
    }

    private func shown(_ expression: Expression, _ names: [String]) -> String {
        var labels = names
        let renumbered = expression.renumbered { column in
            guard column >= MatchPlan.registerBase else { return column }
            let register = column - MatchPlan.registerBase
            guard registers.indices.contains(register) else { return column }
            labels.append(shown(registers[register], names))
            return labels.count - 1
        }
        return renumbered.shown(labels)
    }

    private func shown(_ register: Register, _ names: [String]) -> String {
        let prefix = register.variable.map { variables[$0].name + "." } ?? ""
        return "\(register.function.rawValue)(\(register.argument.map { prefix + $0.shown(names) } ?? prefix + "*"))"
    }

    private func shown(_ pattern: Pattern, isInner: Bool) -> String {
        switch pattern {
        case .variable(let index): return variables[index].name
        case .anything: return "."
        case .sequence(let parts):
            let text = parts.map { shown($0, isInner: true) }.joined(separator: " ")
            return isInner ? "(\(text))" : text
        case .alternation(let parts):
            return "(\(parts.map { shown($0, isInner: false) }.joined(separator: " | ")))"
        case .repetition(let part, let minimum, let maximum):
            let text = shown(part, isInner: true)
            switch (minimum, maximum) {
            case (0, nil): return text + "*"
            case (1, nil): return text + "+"
            case (0, 1): return text + "?"
            default: return text + "{\(minimum),\(maximum.map { "\($0)" } ?? "")}"
            }
        }
    }
}

extension MatchPlan.Pattern {
    /// The number of steps of the pattern with every counted repetition written out; cut at `limit`.
    func size(limit: Int) -> Int {
        switch self {
        case .variable, .anything: return 1
        case .sequence(let parts), .alternation(let parts):
            return parts.reduce(1) { min(limit, $0 + $1.size(limit: limit)) }
        case .repetition(let part, let minimum, let maximum):
            let (product, overflow) = part.size(limit: limit).multipliedReportingOverflow(
                by: max(1, maximum ?? minimum))
            return overflow ? limit : min(limit, product + 1)
        }
    }
}
