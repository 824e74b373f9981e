/// An instant as a 64-bit count of 100 ns ticks since 1970-01-01T00:00:00Z.
///
/// **Shape.** Covers the years 0001 to 9999; text outside that range does not parse.
/// **Units.** Ticks of 100 ns, the resolution of `System.Timestamp()`.
public struct Timestamp: Hashable, Comparable, Sendable {
    public var ticks: Int64

    @inlinable
    public init(ticks: Int64) { self.ticks = ticks }

    /// The ticks in one second.
    public static let ticksPerSecond: Int64 = 10_000_000
    /// The ticks in one millisecond.
    public static let ticksPerMillisecond: Int64 = 10_000

    /// 0001-01-01T00:00:00Z.
    public static let min = Timestamp(ticks: -621_355_968_000_000_000)
    /// 9999-12-31T23:59:59.9999999Z.
    public static let max = Timestamp(ticks: 2_534_023_007_999_999_999)

    @inlinable
    public static func < (lhs: Timestamp, rhs: Timestamp) -> Bool { lhs.ticks < rhs.ticks }

    /// The instant `duration` later, clamped to the supported years.
    public func advanced(by duration: Duration) -> Timestamp {
        let (sum, overflow) = ticks.addingReportingOverflow(duration.ticks)
        if overflow { return duration.ticks < 0 ? .min : .max }
        return Timestamp(ticks: Swift.min(Swift.max(sum, Timestamp.min.ticks), Timestamp.max.ticks))
    }

    /// The time from `other` to this instant.
    public func duration(since other: Timestamp) -> Duration {
        let (difference, overflow) = ticks.subtractingReportingOverflow(other.ticks)
        return .ticks(overflow ? (ticks < other.ticks ? .min : .max) : difference)
    }
}

extension Duration {
    /// A duration of 100 ns ticks.
    public static func ticks(_ count: Int64) -> Duration {
        let (seconds, rest) = count.quotientAndRemainder(dividingBy: Timestamp.ticksPerSecond)
        return Duration(secondsComponent: seconds, attosecondsComponent: rest * 100_000_000_000)
    }

    /// The whole 100 ns ticks, clamped to what 64 bits hold.
    public var ticks: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: Timestamp.ticksPerSecond)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, carry) = whole.addingReportingOverflow(attoseconds / 100_000_000_000)
        return carry ? (seconds < 0 ? .min : .max) : sum
    }

    /// The duration as a fraction of seconds, for display and statistics.
    public var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
