// Calls with OVER: what is computed for each row from the rows near it.

import OgawaCore

/// A function with OVER.
package enum AnalyticFunction: Hashable, Sendable {
    // Aggregates of the frame.
    case count
    case sum
    case average
    case minimum
    case maximum
    /// STDEV, STDEVP (roots) and VAR, VARP; the sample's divide by n - 1.
    case deviation(isSample: Bool, isRoot: Bool)
    /// PERCENTILE_CONT and PERCENTILE_DISC of `OverCall.order`.
    case percentile(share: Double, isContinuous: Bool)
    /// The best row's value by `OverCall.order`.
    case topOne
    /// An array of {rank, value} of the best rows.
    case collectTop(count: Int)
    /// An array of every value, oldest first.
    case collect
    /// The value of the frame's oldest row.
    case first
    /// The value of the frame's newest row.
    case last
    // Other rows.
    /// The value of a row before the current one; the second argument is the default.
    case lag(offset: Int)
    /// Whether the row is the first of its interval (ticks).
    case isFirst(interval: Int64)
    /// The row's place among those of the frame.
    case rowNumber
    /// Whether any argument differs from that of the row before.
    case hadChanged
    /// The argument where it differs from that of the row before.
    case changed
    // Anomalies: records of IsAnomaly and Score.
    case spikeAndDip(confidence: Double, historySize: Int, mode: AnomalyMode)
    case changePoint(confidence: Double, historySize: Int)

    /// The name as the language spells it.
    package var name: String {
        switch self {
        case .count: "COUNT"
        case .sum: "SUM"
        case .average: "AVG"
        case .minimum: "MIN"
        case .maximum: "MAX"
        case .deviation(let isSample, let isRoot): (isRoot ? "STDEV" : "VAR") + (isSample ? "" : "P")
        case .percentile(_, let isContinuous): isContinuous ? "PERCENTILE_CONT" : "PERCENTILE_DISC"
        case .topOne: "TopOne"
        case .collectTop: "CollectTop"
        case .collect: "Collect"
        case .first: "FIRST"
        case .last: "LAST"
        case .lag: "LAG"
        case .isFirst: "ISFIRST"
        case .rowNumber: "ROW_NUMBER"
        case .hadChanged: "HAD_CHANGED"
        case .changed: "CHANGED"
        case .spikeAndDip: "AnomalyDetection_SpikeAndDip"
        case .changePoint: "AnomalyDetection_ChangePoint"
        }
    }
}

/// A value for each row from the rows near it: `AVG(x) OVER (PARTITION BY k LIMIT DURATION(second, 60))`.
package struct OverCall: Sendable {
    package enum Frame: Hashable, Sendable {
        /// Rows with event time in (t - ticks, t], up to and including the current row.
        case duration(ticks: Int64)
        /// The current row and at most `preceding` rows before it.
        case rows(preceding: Int)
        /// Every row so far; only for functions that remember a bounded number of them.
        case all
    }

    /// One key of ORDER BY.
    package struct Order: Sendable {
        package var expression: Expression
        package var isDescending: Bool

        package init(_ expression: Expression, isDescending: Bool) {
            self.expression = expression
            self.isDescending = isDescending
        }
    }

    package var function: AnalyticFunction
    /// Empty for COUNT(*), ISFIRST, ROW_NUMBER and percentiles.
    package var arguments: [Expression]
    package var partitionKeys: [Expression]
    package var order: [Order]
    package var frame: Frame
    /// Only rows for which it is true belong to the frame; nil means all.
    package var condition: Expression?
    package var range: SourceRange

    package init(
        function: AnalyticFunction, arguments: [Expression] = [], partitionKeys: [Expression] = [],
        order: [Order] = [], frame: Frame, condition: Expression? = nil, range: SourceRange
    ) {
        self.function = function
        self.arguments = arguments
        self.partitionKeys = partitionKeys
        self.order = order
        self.frame = frame
        self.condition = condition
        self.range = range
    }

    /// Every expression of the call.
    package var expressions: [Expression] {
        arguments + partitionKeys + order.map(\.expression) + (condition.map { [$0] } ?? [])
    }

    func renumbered(_ number: (Int) -> Int) -> OverCall {
        OverCall(
            function: function, arguments: arguments.map { $0.renumbered(number) },
            partitionKeys: partitionKeys.map { $0.renumbered(number) },
            order: order.map { Order($0.expression.renumbered(number), isDescending: $0.isDescending) },
            frame: frame, condition: condition?.renumbered(number), range: range)
    }

    /// The call as text over columns of these names.
    func shown(_ names: [String]) -> String {
        var parts: [String] = []
        if !partitionKeys.isEmpty { parts.append("PARTITION BY \(shownList(partitionKeys, names))") }
        if !order.isEmpty {
            let keys = order.map { $0.expression.shown(names) + ($0.isDescending ? " DESC" : "") }
            parts.append("ORDER BY \(keys.joined(separator: ", "))")
        }
        switch frame {
        case .duration(let ticks): parts.append("LIMIT DURATION \(shownTicks(ticks))")
        case .rows(let preceding): parts.append("ROWS \(preceding) PRECEDING")
        case .all: break
        }
        if let condition { parts.append("WHEN \(condition.shown(names))") }
        return "\(function.name)(\(shownArguments(names))) OVER (\(parts.joined(separator: " ")))"
    }

    private func shownArguments(_ names: [String]) -> String {
        var shown = arguments.map { $0.shown(names) }
        switch function {
        case .count where arguments.isEmpty: shown = ["*"]
        case .percentile(let share, _): shown = ["\(share)"]
        case .collectTop(let count): shown.insert("\(count)", at: 0)
        case .lag(let offset) where !shown.isEmpty: shown.insert("\(offset)", at: 1)
        case .isFirst(let interval): shown = [shownTicks(interval)]
        case .spikeAndDip(let confidence, let size, let mode):
            shown += ["\(confidence)", "\(size)", "'\(mode.rawValue)'"]
        case .changePoint(let confidence, let size): shown += ["\(confidence)", "\(size)"]
        default: break
        }
        return shown.joined(separator: ", ")
    }
}
