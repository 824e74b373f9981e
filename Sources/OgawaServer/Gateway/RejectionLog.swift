import OgawaCore
import Synchronization

/// Why something did not get through.
package enum RejectionKind: String, Sendable, CaseIterable {
    /// The gateway refused it; its sender was told.
    case rejected
    case late
    case early
    case outOfOrder = "out-of-order"
    /// A body from the log that a function could not read.
    case undecodable
    /// A function failed on it.
    case error
}

/// The newest refused and left-out events, with a count of all.
///
/// **Shape.** A ring of fixed length: new entries replace the oldest.
/// **Isolation.** From any thread; does not block but for a few lines under a lock.
package final class RejectionLog: Sendable {
    private struct Entry {
        var time: Timestamp
        var kind: RejectionKind
        var stream: String?
        var function: String?
        var device: String?
        var reason: String
    }

    private struct State {
        var ring: [Entry] = []
        var nextIndex = 0
        var total = 0
    }

    private let capacity: Int
    private let clock: any WallClock
    private let state = Mutex(State())

    package init(clock: any WallClock, capacity: Int = 1000) {
        self.clock = clock
        self.capacity = max(1, capacity)
    }

    /// All since the start, also those that the ring has forgotten.
    package var total: Int { state.withLock { $0.total } }

    /// Records a refusal; with `count`, one entry that stands for several events.
    package func append(
        kind: RejectionKind, stream: String?, function: String?, device: String?, reason: String, count: Int = 1
    ) {
        let entry = Entry(
            time: clock.now(), kind: kind, stream: stream, function: function, device: device, reason: reason)
        state.withLock { state in
            let (sum, overflow) = state.total.addingReportingOverflow(max(0, count))
            state.total = overflow ? .max : sum
            if state.ring.count < capacity {
                state.ring.append(entry)
            } else {
                state.ring[state.nextIndex] = entry
            }
            state.nextIndex = (state.nextIndex + 1) % capacity
        }
    }

    /// The newest entries, newest first.
    package func newest(_ limit: Int) -> RejectionsReport {
        let (entries, total) = state.withLock { state in
            let count = min(max(0, limit), state.ring.count)
            let newest = (0..<count).map { age in
                state.ring[(state.nextIndex - 1 - age + 2 * state.ring.count) % state.ring.count]
            }
            return (newest, state.total)
        }
        return RejectionsReport(
            total: total,
            rejections: entries.map {
                RejectionReport(
                    time: $0.time.description, kind: $0.kind.rawValue, stream: $0.stream, function: $0.function,
                    device: $0.device, reason: $0.reason)
            })
    }
}
