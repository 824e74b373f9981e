import OgawaCore

/// ABSENCE: a row when a key falls silent, and one when it returns.
///
/// **Shape.** Columns are those of the input, then whether the key is silent (bit) and the time of its last event before (datetime).
package struct AbsencePlan: Sendable {
    /// How long no event must come for a key to count as silent.
    package var ticks: Int64
    package var keys: [Expression]
    /// Only rows for which it is true are signs of life; nil means all.
    package var condition: Expression?
    package var range: SourceRange

    package init(ticks: Int64, keys: [Expression], condition: Expression? = nil, range: SourceRange) {
        self.ticks = ticks
        self.keys = keys
        self.condition = condition
        self.range = range
    }

    /// The columns that come after those of the input.
    package static let columnCount = 2

    /// Every expression over the input.
    package var expressions: [Expression] { keys + (condition.map { [$0] } ?? []) }

    func renumbered(_ number: (Int) -> Int) -> AbsencePlan {
        AbsencePlan(
            ticks: ticks, keys: keys.map { $0.renumbered(number) }, condition: condition?.renumbered(number),
            range: range)
    }

    /// The plan as text over columns of these names.
    func shown(_ names: [String]) -> String {
        var parts = [shownTicks(ticks)]
        if !keys.isEmpty { parts.append("by \(shownList(keys, names))") }
        if let condition { parts.append("when \(condition.shown(names))") }
        return parts.joined(separator: " ")
    }
}
