// The part of the plan that GROUP BY makes: keys, aggregates and windows.

import OgawaCore

/// GROUP BY keys and a window.
package struct AggregatePlan: Sendable {
    package var keys: [Expression]
    package var aggregates: [AggregateCall]
    package var window: WindowPlan

    package init(keys: [Expression], aggregates: [AggregateCall], window: WindowPlan) {
        self.keys = keys
        self.aggregates = aggregates
        self.window = window
    }
}

/// One element of ORDER BY.
package struct SortKey: Sendable {
    package var expression: Expression
    package var isDescending: Bool

    package init(expression: Expression, isDescending: Bool) {
        self.expression = expression
        self.isDescending = isDescending
    }
}

/// One aggregate of a GROUP BY.
package struct AggregateCall: Sendable {
    package var function: AggregateFunction
    /// nil only for COUNT(*); of a percentile, what it orders by.
    ///
    /// It is NULL where the filter is not true, so that aggregates that pass over NULL need no filter of their own.
    package var argument: Expression?
    package var isDistinct: Bool
    /// Only rows for which it is true take part; nil means all, or that the argument tells it.
    package var filter: Expression?
    /// ORDER BY of TopOne and CollectTop; of a percentile, the argument once more for its direction.
    package var order: [SortKey]
    /// The share of a percentile, the greatest length of CollectTop.
    package var parameter: Double
    /// Whether MIN and MAX may compare text: only where it was cast to text.
    package var comparesText: Bool
    package var range: SourceRange

    package init(
        function: AggregateFunction, argument: Expression?, isDistinct: Bool = false, filter: Expression? = nil,
        order: [SortKey] = [], parameter: Double = 0, comparesText: Bool = false, range: SourceRange
    ) {
        self.function = function
        self.argument = argument
        self.isDistinct = isDistinct
        self.filter = filter
        self.order = order
        self.parameter = parameter
        self.comparesText = comparesText
        self.range = range
    }

    /// Every expression of the call.
    package var expressions: [Expression] {
        [argument, filter].compactMap { $0 } + order.map(\.expression)
    }

    func renumbered(_ number: (Int) -> Int) -> AggregateCall {
        var call = self
        call.argument = argument?.renumbered(number)
        call.filter = filter?.renumbered(number)
        call.order = order.map {
            SortKey(expression: $0.expression.renumbered(number), isDescending: $0.isDescending)
        }
        return call
    }
}

/// A window with every length as ticks of 100 ns; windows are (start, end].
package indirect enum WindowPlan: Sendable {
    /// Ends are every multiple of `hop` since 0001-01-01T00:00:00Z plus `offset`; tumbling has hop = size.
    case hopping(size: Int64, hop: Int64, offset: Int64)
    /// Starts are every multiple of `size` plus `offset`; a window ends at every `step` after it up to `size`.
    case cumulating(size: Int64, step: Int64, offset: Int64)
    /// Ends wherever a row enters or leaves the group.
    case sliding(size: Int64)
    /// Around each row for which the condition holds: from `before` before it to `after` after it, rows of the same partition.
    case triggered(before: Int64, after: Int64, partitionKeys: [Expression], condition: Expression)
    /// Rows of a partition without a gap longer than `timeout`, cut at multiples of `maximum`.
    case session(timeout: Int64, maximum: Int64, partitionKeys: [Expression])
    /// Rows of one instant.
    case snapshot
    /// `size` rows of a group, beginning with every `step`-th one.
    case count(size: Int, step: Int)
    /// Rows of a group from one for which `open` holds to one for which `close` holds; without `close`, neighbours for which
    /// `open` holds.
    case state(open: Expression, close: Expression?)
    /// The rows of each window.
    case several([IdentifiedWindow])

    /// One window of Windows().
    package struct IdentifiedWindow: Sendable {
        package var id: String?
        package var window: WindowPlan
    }

    /// The windows that rows come from, each with its id.
    package var all: [IdentifiedWindow] {
        if case .several(let windows) = self { return windows }
        return [IdentifiedWindow(id: nil, window: self)]
    }

    /// Keys of the window's own; nil where every group has windows of its own or all rows share them.
    package var partitionKeys: [Expression]? {
        switch self {
        case .session(_, _, let keys), .triggered(_, _, let keys, _): keys
        default: nil
        }
    }

    /// Every expression of the window.
    package var expressions: [Expression] {
        switch self {
        case .hopping, .cumulating, .sliding, .snapshot, .count: []
        case .triggered(_, _, let keys, let condition): keys + [condition]
        case .session(_, _, let keys): keys
        case .state(let open, let close): [open] + (close.map { [$0] } ?? [])
        case .several(let windows): windows.flatMap(\.window.expressions)
        }
    }

    func renumbered(_ number: (Int) -> Int) -> WindowPlan {
        switch self {
        case .hopping, .cumulating, .sliding, .snapshot, .count: self
        case .triggered(let before, let after, let keys, let condition):
            .triggered(
                before: before, after: after, partitionKeys: keys.map { $0.renumbered(number) },
                condition: condition.renumbered(number))
        case .session(let timeout, let maximum, let keys):
            .session(timeout: timeout, maximum: maximum, partitionKeys: keys.map { $0.renumbered(number) })
        case .state(let open, let close):
            .state(open: open.renumbered(number), close: close?.renumbered(number))
        case .several(let windows):
            .several(windows.map { IdentifiedWindow(id: $0.id, window: $0.window.renumbered(number)) })
        }
    }
}

extension AggregatePlan {
    /// How many columns follow the keys and aggregates: the window's start, end and id.
    package static let windowColumnCount = 3

    package var columnCount: Int { keys.count + aggregates.count + AggregatePlan.windowColumnCount }

    /// Every expression over the input.
    package var expressions: [Expression] { keys + aggregates.flatMap(\.expressions) + window.expressions }

    func renumbered(_ number: (Int) -> Int) -> AggregatePlan {
        AggregatePlan(
            keys: keys.map { $0.renumbered(number) }, aggregates: aggregates.map { $0.renumbered(number) },
            window: window.renumbered(number))
    }
}
