import OgawaCore

/// The parts of a date and the units of time, with every spelling.
package enum DatePart: String, Sendable, CaseIterable {
    case year
    case quarter
    case month
    case dayOfYear = "dayofyear"
    case day
    case week
    case weekday
    case hour
    case minute
    case second
    case millisecond
    case microsecond

    /// Short forms beside the full name.
    private var shortNames: [String] {
        switch self {
        case .year: ["yy", "yyyy"]
        case .quarter: ["qq", "q"]
        case .month: ["mm", "m"]
        case .dayOfYear: ["dy", "y"]
        case .day: ["dd", "d"]
        case .week: ["wk", "ww"]
        case .weekday: ["dw", "w"]
        case .hour: ["hh"]
        case .minute: ["mi", "n"]
        case .second: ["ss", "s"]
        case .millisecond: ["ms"]
        case .microsecond: ["mcs"]
        }
    }

    /// The part of a name, without regard to case.
    package init?(named name: String) {
        let found = Self.allCases.first { part in
            sameName(part.rawValue, name) || part.shortNames.contains { sameName($0, name) }
        }
        guard let found else { return nil }
        self = found
    }

    /// Ticks of 100 ns, for the units that windows and durations are counted in.
    package var ticks: Int64? {
        switch self {
        case .day: 24 * 3600 * Timestamp.ticksPerSecond
        case .hour: 3600 * Timestamp.ticksPerSecond
        case .minute: 60 * Timestamp.ticksPerSecond
        case .second: Timestamp.ticksPerSecond
        case .millisecond: Timestamp.ticksPerMillisecond
        case .microsecond: 10
        default: nil
        }
    }

    /// The units of windows and durations, as shown in errors.
    static let unitNames = ["day", "hour", "minute", "second", "millisecond", "microsecond"]
}
