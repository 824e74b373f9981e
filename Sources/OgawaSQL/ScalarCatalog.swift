// The functions that exist: names, argument counts, families. The binder checks a call against its row; the engine
// computes those marked as implemented.

import OgawaCore

/// A function of a row's values.
package struct ScalarFunction: Sendable {
    package enum Category: String, Sendable, CaseIterable {
        case text
        case math
        case date
        case conversion
        case conditional
        case array
        case geo
        case metadata
    }

    /// As the reference spells it; calls compare without regard to case.
    package var name: String
    package var category: Category
    package var minimumArguments: Int
    /// nil: any number.
    package var maximumArguments: Int?
    /// Whether the engine computes it.
    package var isImplemented: Bool
    /// Whether the first argument is a part of a date, such as `second`.
    package var takesDatePart: Bool
    /// Whether it gives rows and stands in APPLY only.
    package var isForApply: Bool
    /// The type of every value it gives other than NULL; nil where that depends on its arguments.
    package var result: ValueTag?
    /// What the reference says; nil where another page tells of it.
    package var documentation: FunctionDocumentation?

    init(
        _ name: String, _ category: Category, _ arguments: ClosedRange<Int>, isImplemented: Bool = false,
        takesDatePart: Bool = false, isForApply: Bool = false
    ) {
        self.name = name
        self.category = category
        minimumArguments = arguments.lowerBound
        maximumArguments = arguments.upperBound == .max ? nil : arguments.upperBound
        self.isImplemented = isImplemented
        self.takesDatePart = takesDatePart
        self.isForApply = isForApply
    }

    /// A function that the engine computes, named by its documentation.
    init(
        _ category: Category, _ arguments: ClosedRange<Int>, _ result: ValueTag?,
        _ documentation: FunctionDocumentation,
        takesDatePart: Bool = false
    ) {
        self.init(
            documentation.name, category, arguments, isImplemented: true, takesDatePart: takesDatePart)
        self.result = result
        self.documentation = documentation
    }

    /// The number of arguments in words.
    var argumentCount: String {
        guard let maximum = maximumArguments else { return "at least \(plural(minimumArguments, "argument"))" }
        if maximum == minimumArguments { return plural(maximum, "argument") }
        return "\(minimumArguments) to \(plural(maximum, "argument"))"
    }
}

/// `1 argument`, `2 arguments`.
func plural(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

/// Every scalar function of the language.
package enum ScalarCatalog {
    package static let functions: [ScalarFunction] =
        text + math + date + other + arrays + geo

    private static let geo: [ScalarFunction] = [
        ScalarFunction("CreateLineString", .geo, 2 ... .max, isImplemented: true),
        ScalarFunction("CreatePoint", .geo, 2...2, isImplemented: true),
        ScalarFunction("CreatePolygon", .geo, 4 ... .max, isImplemented: true),
        ScalarFunction("ST_DISTANCE", .geo, 2...2, isImplemented: true),
        ScalarFunction("ST_INTERSECTS", .geo, 2...2, isImplemented: true),
        ScalarFunction("ST_OVERLAPS", .geo, 2...2, isImplemented: true),
        ScalarFunction("ST_WITHIN", .geo, 2...2, isImplemented: true),
    ]

    private static let byName: [String: ScalarFunction] = Dictionary(
        uniqueKeysWithValues: functions.map { ($0.name.uppercased(), $0) })

    /// The function of a name, without regard to case.
    package static func function(named name: String) -> ScalarFunction? { byName[name.uppercased()] }
}

/// What a call's name stands for.
enum CallKind {
    case scalar(ScalarFunction)
    case aggregate(AggregateInfo)
    case analytic(String)
    case window(WindowName)
    case bound(String)
}

/// A function of many rows.
struct AggregateInfo {
    var name: String
    var arguments: ClosedRange<Int>
    /// nil: the engine does not compute it yet.
    var function: AggregateFunction?
    /// Whether OVER (ORDER BY …) belongs to it.
    var isOrdered = false
}

/// The windows of GROUP BY.
enum WindowName: String, CaseIterable {
    case tumbling = "TumblingWindow"
    case hopping = "HoppingWindow"
    case sliding = "SlidingWindow"
    case session = "SessionWindow"
    case windows = "Windows"
    case window = "Window"
    case count = "CountWindow"
    case state = "StateWindow"
    case cumulate = "CumulateWindow"

    init?(_ name: String) {
        let short: [(String, WindowName)] = [
            ("Tumbling", .tumbling), ("Hopping", .hopping), ("Sliding", .sliding), ("Session", .session),
            ("Cumulate", .cumulate),
        ]
        let all = short + Self.allCases.map { ($0.rawValue, $0) }
        guard let match = all.first(where: { sameName($0.0, name) }) else { return nil }
        self = match.1
    }
}

/// Names of all kinds of functions.
enum FunctionCatalog {
    static let aggregates: [AggregateInfo] = [
        AggregateInfo(name: "COUNT", arguments: 1...1, function: .count),
        AggregateInfo(name: "SUM", arguments: 1...1, function: .sum),
        AggregateInfo(name: "AVG", arguments: 1...1, function: .average),
        AggregateInfo(name: "MIN", arguments: 1...1, function: .minimum),
        AggregateInfo(name: "MAX", arguments: 1...1, function: .maximum),
        AggregateInfo(name: "STDEV", arguments: 1...1, function: .deviation),
        AggregateInfo(name: "STDEVP", arguments: 1...1, function: .populationDeviation),
        AggregateInfo(name: "VAR", arguments: 1...1, function: .variance),
        AggregateInfo(name: "VARP", arguments: 1...1, function: .populationVariance),
        AggregateInfo(name: "PERCENTILE_CONT", arguments: 1...1, function: .continuousPercentile, isOrdered: true),
        AggregateInfo(name: "PERCENTILE_DISC", arguments: 1...1, function: .discretePercentile, isOrdered: true),
        AggregateInfo(name: "TopOne", arguments: 0...1, function: .topOne, isOrdered: true),
        AggregateInfo(name: "CollectTop", arguments: 1...2, function: .collectTop, isOrdered: true),
        AggregateInfo(name: "Collect", arguments: 0...1, function: .collect),
        AggregateInfo(name: "FIRST", arguments: 1...1, function: .first),
    ]

    static let analytics = [
        "LAG", "LAST", "ISFIRST", "HAD_CHANGED", "CHANGED", "ROW_NUMBER", "AnomalyDetection_SpikeAndDip",
        "AnomalyDetection_ChangePoint",
    ]

    /// What is bound without a table: the window's edges and the system's functions.
    static let special = ["window_start", "window_end", "is_silent", "last_seen", "Classifier"]

    /// What a name without a prefix stands for.
    static func kind(of name: String) -> CallKind? {
        if let function = ScalarCatalog.function(named: name) { return .scalar(function) }
        if let aggregate = aggregates.first(where: { sameName($0.name, name) }) { return .aggregate(aggregate) }
        if let analytic = analytics.first(where: { sameName($0, name) }) { return .analytic(analytic) }
        if let special = special.first(where: { sameName($0, name) }) { return .bound(special) }
        if let window = WindowName(name) { return .window(window) }
        return nil
    }

    /// Every name that a call may have, for suggestions.
    static var allNames: [String] {
        ScalarCatalog.functions.map(\.name) + aggregates.map(\.name) + analytics + special
            + WindowName.allCases.map(\.rawValue) + ["CAST", "TRY_CAST", "System.Timestamp"]
    }

    /// What other dialects call by another name.
    static let foreignNames = [
        "AVERAGE": "AVG", "MEAN": "AVG", "MEDIAN": "PERCENTILE_CONT(0.5) OVER (ORDER BY …)", "STDDEV": "STDEV",
        "VARIANCE": "VAR", "LENGTH": "LEN", "SUBSTR": "SUBSTRING", "CEIL": "CEILING", "POW": "POWER",
        "IFNULL": "COALESCE", "ISNULL": "COALESCE", "NVL": "COALESCE", "NOW": "System.Timestamp()",
        "GETDATE": "System.Timestamp()", "GETUTCDATE": "System.Timestamp()", "CURRENT_TIMESTAMP": "System.Timestamp()",
        "IF": "CASE WHEN … THEN … ELSE … END", "IIF": "CASE WHEN … THEN … ELSE … END", "CONVERT": "CAST",
        "TRY_CONVERT": "TRY_CAST", "TUMBLE": "TumblingWindow", "HOP": "HoppingWindow", "MOD": "the operator %",
        "LCASE": "LOWER", "UCASE": "UPPER", "INSTR": "CHARINDEX", "TYPEOF": "GetType",
    ]
}
