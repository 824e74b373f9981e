import OgawaCore
import Synchronization

/// What a reader of a live feed gets next.
package enum LiveEvent: Sendable {
    case frame(LiveFrame)
    /// So many frames were lost since the last one, because the reader was slow.
    case lost(Int)
    /// Nothing new for a while.
    case idle
}

/// One reader's bounded queue in a live feed.
///
/// **Shape.** When the queue is full the oldest frames go. A loss is told once, before the next frame.
/// **Isolation.** Anyone may offer; one task reads.
package final class LiveSubscription: AsyncSequence, Sendable {
    package typealias Element = LiveEvent

    package let name: String
    package let key: String?
    private let limits: LiveLimits
    private let onEnd: @Sendable (LiveSubscription) -> Void
    private let state = Mutex(State())

    private struct State {
        var frames: [LiveFrame] = []
        var readIndex = 0
        var byteCount = 0
        var lost = 0
        var isEnded = false
        var waiter: CheckedContinuation<LiveEvent?, Never>?

        mutating func takeNext() -> LiveEvent? {
            if lost > 0 {
                defer { lost = 0 }
                return .lost(lost)
            }
            guard readIndex < frames.count else { return nil }
            let frame = removeOldest()
            return .frame(frame)
        }

        mutating func removeOldest() -> LiveFrame {
            let frame = frames[readIndex]
            frames[readIndex] = LiveFrame()
            readIndex += 1
            byteCount -= frame.bytes.count
            if readIndex == frames.count || readIndex >= 64 {
                frames.removeFirst(readIndex)
                readIndex = 0
            }
            return frame
        }
    }

    init(name: String, key: String?, limits: LiveLimits, onEnd: @escaping @Sendable (LiveSubscription) -> Void) {
        self.name = name
        self.key = key
        self.limits = limits
        self.onEnd = onEnd
    }

    /// Queues a frame, at the cost of the oldest where there is no room.
    func offer(_ frame: LiveFrame) {
        let waiter = state.withLock { state -> CheckedContinuation<LiveEvent?, Never>? in
            guard !state.isEnded else { return nil }
            if let waiter = state.waiter {
                state.waiter = nil
                return waiter
            }
            state.frames.append(frame)
            state.byteCount += frame.bytes.count
            while state.frames.count - state.readIndex > 1,
                state.frames.count - state.readIndex > limits.frameCount || state.byteCount > limits.byteCount
            {
                _ = state.removeOldest()
                state.lost += 1
            }
            return nil
        }
        waiter?.resume(returning: .frame(frame))
    }

    /// Wakes a waiting reader with ``LiveEvent/idle``.
    func wake() {
        let waiter = state.withLock { state in
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: .idle)
    }

    /// Ends the subscription; the reader gets nil.
    package func cancel() {
        let waiter = state.withLock { state in
            defer { state.waiter = nil }
            state.isEnded = true
            state.frames = []
            state.readIndex = 0
            state.byteCount = 0
            state.lost = 0
            return state.waiter
        }
        onEnd(self)
        waiter?.resume(returning: nil)
    }

    /// Whether the subscription was cancelled.
    var isEnded: Bool { state.withLock { $0.isEnded } }

    /// Whether something waits to be read.
    package var hasMore: Bool { state.withLock { $0.readIndex < $0.frames.count } }

    /// The next event; nil at the end or when the task is cancelled.
    package func next() async -> LiveEvent? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ready = state.withLock { state -> (Bool, LiveEvent?) in
                    if let event = state.takeNext() { return (true, event) }
                    if state.isEnded { return (true, nil) }
                    state.waiter = continuation
                    return (false, nil)
                }
                if ready.0 { continuation.resume(returning: ready.1) }
            }
        } onCancel: {
            cancel()
        }
    }

    /// Reads the subscription to its end.
    package struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let subscription: LiveSubscription

        package mutating func next() async -> LiveEvent? { await subscription.next() }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(subscription: self) }
}
