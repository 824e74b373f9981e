/// What is done about a call that fails.
///
/// **Shape.** `maximumAttempts` calls with the whole batch, with pauses that double; then the batch is halved until the events that
/// fail stand alone, each of which gets as many attempts; what still fails becomes a dead letter.
package struct FailurePolicy: Hashable, Sendable {
    /// What happens to an event that has used up its attempts.
    package enum LastResort: String, Hashable, Sendable {
        /// It is kept as a dead letter, and the partition moves on.
        case deadLetter = "dead-letter"
        /// It is tried again for ever, and the partition waits.
        case hold
    }

    package var maximumAttempts: Int
    package var firstPause: Duration
    package var longestPause: Duration
    /// Whether a failing batch is halved; otherwise all of its events share one fate.
    package var splits: Bool
    package var lastResort: LastResort

    package init(
        maximumAttempts: Int = 3, firstPause: Duration = .milliseconds(200), longestPause: Duration = .seconds(30),
        splits: Bool = true, lastResort: LastResort = .deadLetter
    ) {
        self.maximumAttempts = max(1, maximumAttempts)
        self.firstPause = firstPause
        self.longestPause = longestPause
        self.splits = splits
        self.lastResort = lastResort
    }

    /// The pause after a number of failures: doubled each time, and of that between a half and the whole.
    package func pause(afterFailures count: Int, random: UInt64) -> Duration {
        let doublings = max(0, min(count - 1, 30))
        let whole = min(firstPause * (1 << doublings), longestPause)
        return whole / 2 + whole / 2 * (Double(random >> 11) / Double(1 << 53))
    }
}
