import OgawaCore

/// What happens to events whose time does not fit their arrival or the events before them.
///
/// **Units.** Durations of event time.
package struct OrderingPolicy: Hashable, Sendable {
    /// What to do with an event beyond a tolerance.
    package enum Action: String, Hashable, Sendable {
        /// Its System.Timestamp() is moved to the limit; the payload keeps the device's time.
        case adjust
        /// It gives no result.
        case drop
    }

    /// How far an event's time may lie behind its arrival; applied first.
    package var late: Duration
    /// How far an event's time may lie ahead of its arrival; beyond it the event is dropped.
    package var early: Duration
    /// How far behind the newest event an event may come and still be sorted in; delays output by as much.
    package var outOfOrder: Duration
    package var action: Action
    /// True where an event behind a newer one, beyond the tolerance, ends the run with ``OutOfOrderInput``.
    package var requiresOrder = false

    package init(
        late: Duration = .seconds(5), early: Duration = .seconds(300), outOfOrder: Duration = .zero,
        action: Action = .adjust
    ) {
        self.late = late
        self.early = early
        self.outOfOrder = outOfOrder
        self.action = action
    }

    /// Takes the input for one in order, without waiting for events behind newer ones; the first such event ends the run.
    package mutating func expectOrder() {
        outOfOrder = .zero
        requiresOrder = true
    }
}

/// One partition's timeline: applies the policy and knows the watermark.
///
/// Late arrival is judged against the event's own arrival, then order against the watermark. The watermark is the greatest event time seen less the
/// out-of-order tolerance; while no event comes it follows the partition's recorded time less the late tolerance. It never goes back.
struct Timeline {
    /// What becomes of one event.
    enum Verdict {
        case keep(Int64)
        case adjust(Int64, Finding.Kind)
        case drop(Finding.Kind)

        /// What is wrong with the event's time; nil where nothing is.
        var finding: Finding.Kind? {
            switch self {
            case .keep: nil
            case .adjust(_, let kind), .drop(let kind): kind
            }
        }
    }

    private let late: Int64
    private let early: Int64
    private let outOfOrder: Int64
    private let isAdjusting: Bool
    private(set) var watermark = Int64.min

    init(_ policy: OrderingPolicy) {
        late = max(0, policy.late.ticks)
        early = max(0, policy.early.ticks)
        outOfOrder = max(0, policy.outOfOrder.ticks)
        isAdjusting = policy.action == .adjust
    }

    /// Judges an event by its own time and its arrival, and moves the watermark.
    @inline(__always)
    mutating func judge(_ eventTime: Int64, arrival: Int64) -> Verdict {
        var time = eventTime
        var kind: Finding.Kind?
        if time > arrival, time &- arrival > early { return .drop(.early) }
        if time < arrival, arrival &- time > late {
            if !isAdjusting { return .drop(.late) }
            time = arrival &- late
            kind = .late
        }
        if time < watermark {
            if !isAdjusting { return .drop(.outOfOrder) }
            time = watermark
            kind = kind ?? .outOfOrder
        } else {
            watermark = max(watermark, time &- outOfOrder)
        }
        if let kind { return .adjust(time, kind) }
        return .keep(time)
    }

    /// Whether an event keeps its time; moves the watermark if so, and leaves everything as it is otherwise.
    @inline(__always)
    mutating func isPlain(_ time: Int64, arrival: Int64) -> Bool {
        if time > arrival, time &- arrival > early { return false }
        if time < arrival, arrival &- time > late { return false }
        guard time >= watermark else { return false }
        watermark = max(watermark, time &- outOfOrder)
        return true
    }

    /// Learns that the partition's recorded time reached `time` without events.
    mutating func reach(_ time: Int64) { watermark = max(watermark, time &- late) }

    /// Learns the enqueued time of an event that is its own timestamp.
    mutating func arrive(_ time: Int64) { watermark = max(watermark, time) }
}
