/// An instant of a clock that only goes forward, in nanoseconds from some start.
///
/// For timers of a connection only: it says nothing about events.
package struct MQTTTime: Hashable, Comparable, Sendable {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package static func < (lhs: MQTTTime, rhs: MQTTTime) -> Bool { lhs.nanoseconds < rhs.nanoseconds }

    /// The instant `duration` later, clamped to what 64 bits hold.
    package func advanced(by duration: Duration) -> MQTTTime {
        let (seconds, attoseconds) = duration.components
        let (whole, isOverflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (amount, isOverflow2) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
        let (sum, isOverflow3) = nanoseconds.addingReportingOverflow(amount)
        if isOverflow || isOverflow2 || isOverflow3 { return MQTTTime(nanoseconds: seconds < 0 ? .min : .max) }
        return MQTTTime(nanoseconds: sum)
    }
}
