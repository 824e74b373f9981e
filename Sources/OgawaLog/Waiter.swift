import OgawaCore
import OgawaPlatform
import Synchronization

/// One reader that sleeps until there is more to read: a task or a thread.
///
/// **Isolation.** Any thread; only the first of several ends counts.
final class Waiter: Sendable {
    /// How the waiting ended.
    enum Outcome {
        case ready
        case cancelled
        case closed
    }

    private enum State {
        case idle
        case suspended(CheckedContinuation<Outcome, Never>)
        case ended(Outcome)
    }

    let position: LogPosition
    private let state = Mutex(State.idle)
    private let bell: Bell?

    /// - Parameter bell: what the thread sleeps on; nil for a task.
    init(position: LogPosition, bell: Bell?) {
        self.position = position
        self.bell = bell
    }

    /// Ends the waiting, also when it has not begun yet.
    func end(_ outcome: Outcome) {
        let continuation: CheckedContinuation<Outcome, Never>? = state.withLock { state in
            switch state {
            case .ended: return nil
            case .idle:
                state = .ended(outcome)
                return nil
            case .suspended(let continuation):
                state = .ended(outcome)
                return continuation
            }
        }
        continuation?.resume(returning: outcome)
        bell?.ring()
    }

    /// Suspends the task until the end.
    func suspend() async -> Outcome {
        await withCheckedContinuation { continuation in
            let outcome: Outcome? = state.withLock { state in
                if case .ended(let outcome) = state { return outcome }
                state = .suspended(continuation)
                return nil
            }
            if let outcome { continuation.resume(returning: outcome) }
        }
    }

    /// Blocks the thread until the end; nil when the time ran out.
    func block(timeout: Duration) -> Outcome? {
        bell?.wait(timeout: timeout)
        return state.withLock { state in
            if case .ended(let outcome) = state { outcome } else { nil }
        }
    }
}
