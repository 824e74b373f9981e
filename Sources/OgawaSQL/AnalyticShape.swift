import OgawaCore

/// What a function with OVER takes.
struct AnalyticShape {
    enum Order {
        case none
        case optional
        case one
        case required
    }

    enum Limit {
        /// The function has its interval in its arguments.
        case none
        /// LIMIT DURATION may be left out.
        case optionalDuration
        /// LIMIT DURATION, never ROWS.
        case duration
        /// LIMIT DURATION or ROWS.
        case durationOrRows
    }

    var arguments: ClosedRange<Int>
    /// Whether `*` or nothing stands for the whole event.
    var takesStar = false
    var order = Order.none
    var limit = Limit.durationOrRows
    /// Whether OVER may be left out: all rows of the input are one partition then.
    var isOverOptional = false

    private static let shapes: [String: AnalyticShape] = {
        let one = AnalyticShape(arguments: 1...1)
        let percentile = AnalyticShape(arguments: 1...1, order: .one)
        var shapes = ["SUM", "AVG", "MIN", "MAX", "STDEV", "STDEVP", "VAR", "VARP"].reduce(into: [:]) { $0[$1] = one }
        shapes["COUNT"] = AnalyticShape(arguments: 1...1, takesStar: true)
        shapes["PERCENTILE_CONT"] = percentile
        shapes["PERCENTILE_DISC"] = percentile
        shapes["TOPONE"] = AnalyticShape(arguments: 0...1, takesStar: true, order: .required)
        shapes["COLLECTTOP"] = AnalyticShape(arguments: 1...2, order: .required)
        shapes["COLLECT"] = AnalyticShape(arguments: 0...1, takesStar: true)
        shapes["FIRST"] = AnalyticShape(arguments: 1...1, takesStar: true)
        shapes["LAST"] = AnalyticShape(arguments: 1...2, takesStar: true)
        shapes["LAG"] = AnalyticShape(arguments: 1...3, takesStar: true, limit: .duration)
        shapes["ISFIRST"] = AnalyticShape(arguments: 2...2, limit: .none, isOverOptional: true)
        shapes["ROW_NUMBER"] = AnalyticShape(arguments: 0...0, order: .optional, limit: .optionalDuration)
        shapes["HAD_CHANGED"] = AnalyticShape(arguments: 1...64, limit: .optionalDuration, isOverOptional: true)
        shapes["CHANGED"] = AnalyticShape(arguments: 1...1, limit: .optionalDuration, isOverOptional: true)
        shapes["ANOMALYDETECTION_SPIKEANDDIP"] = AnalyticShape(arguments: 4...4, limit: .duration)
        shapes["ANOMALYDETECTION_CHANGEPOINT"] = AnalyticShape(arguments: 3...3, limit: .duration)
        return shapes
    }()

    /// The shape of a function by its name in any case; nil where it takes no OVER.
    static func of(_ name: String) -> AnalyticShape? { shapes[name.uppercased()] }

    /// The number of arguments in words.
    var argumentCount: String {
        if arguments.lowerBound == arguments.upperBound { return plural(arguments.upperBound, "argument") }
        let joint = arguments.upperBound == arguments.lowerBound + 1 ? "or" : "to"
        return "\(arguments.lowerBound) \(joint) \(plural(arguments.upperBound, "argument"))"
    }
}
