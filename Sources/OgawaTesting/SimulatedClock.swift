import OgawaCore
import Synchronization

/// A wall clock that stands still until it is set.
package final class SimulatedClock: WallClock {
    private let time: Mutex<Timestamp>

    /// - Parameter start: the instant that the clock shows first; by default a round one in 2026.
    package init(_ start: Timestamp = Timestamp(ticks: 17_800_000_000_000_000)) { time = Mutex(start) }

    package func now() -> Timestamp { time.withLock { $0 } }

    /// Shows another instant, earlier or later.
    package func set(_ instant: Timestamp) { time.withLock { $0 = instant } }

    /// Moves on, or back by a negative duration.
    package func advance(by duration: Duration) { time.withLock { $0 = $0.advanced(by: duration) } }
}
