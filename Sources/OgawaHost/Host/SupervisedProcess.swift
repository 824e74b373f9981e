import OgawaCore
import OgawaPlatform
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What to start for a worker.
struct Launch: Sendable {
    /// What the host and the process talk over.
    enum Channel: Sendable {
        /// A socket as descriptor 3 and a pipe for log lines as descriptor 4.
        case socket
        /// Standard input and output.
        case standardStreams
        /// Nothing; the process uses the network.
        case none
    }

    var program: String
    var path: String
    var arguments: [String]
    var environment: [String: String]
    var directory: String
    var channel: Channel
    var limits: FunctionLimits
}

/// A running worker process with the host's ends of its descriptors.
///
/// **Isolation.** Any thread. Descriptors stay open as long as someone holds the object.
final class SupervisedProcess: Sendable {
    private struct State {
        var exit: ChildExit?
        var killReason: InvocationFailure?
        var isReaped = false
        var peakByteCount = 0
        /// When a process that is no longer needed is killed.
        var killTime: ContinuousClock.Instant?
        var isChannelClosed = false
    }

    let launch: Launch
    let child: ChildProcess
    /// The host's end of the socket, or of standard input; -1 where there is none.
    let channel: Int32
    /// Standard output where it carries answers; -1 elsewhere.
    let answers: Int32
    let logs: LogCapture
    let exitDescriptor: Int32?
    private let state = Mutex(State())
    private let exitBell = Bell()
    /// Whether a call is under way; memory is looked at more often then.
    let isBusy = Atomic(false)

    init(
        launch: Launch, child: ChildProcess, channel: Int32, answers: Int32, logs: LogCapture
    ) {
        self.launch = launch
        self.child = child
        self.channel = channel
        self.answers = answers
        self.logs = logs
        exitDescriptor = child.openExitDescriptor()
    }

    deinit {
        let ends = [state.withLock(\.isChannelClosed) ? -1 : channel, answers, exitDescriptor ?? -1]
        for descriptor in ends where descriptor >= 0 { closeDescriptor(descriptor) }
    }

    /// How the process ended; nil while it runs.
    var exit: ChildExit? { state.withLock(\.exit) }
    var killReason: InvocationFailure? { state.withLock(\.killReason) }
    var peakByteCount: Int { state.withLock(\.peakByteCount) }

    /// Kills the process with its group; the first reason stays.
    func kill(_ reason: InvocationFailure? = nil) {
        state.withLock { state in
            if state.killReason == nil { state.killReason = reason }
            // After it is reaped, the number may belong to somebody else.
            if !state.isReaped { child.killGroup() }
        }
    }

    /// Ends the process's input; only by the one who makes the call.
    func closeChannel() {
        let isFirst = state.withLock { state in
            defer { state.isChannelClosed = true }
            return !state.isChannelClosed
        }
        if isFirst { closeDescriptor(channel) }
    }

    /// Tells the process that it is no longer needed: its socket or input ends; after a moment it is killed.
    func retire(within patience: Duration = .seconds(2)) {
        switch launch.channel {
        case .socket: _ = shutdown(channel, Int32(SHUT_RDWR))
        case .standardStreams, .none: state.withLock { if !$0.isReaped { child.terminateGroup() } }
        }
        state.withLock { $0.killTime = min($0.killTime ?? .now + patience, .now + patience) }
    }

    /// Kills the process if it should have ended by now.
    func killIfOverdue() {
        let isOverdue = state.withLock { $0.killTime.map { $0 < .now } ?? false }
        if isOverdue { kill() }
    }

    /// Takes the process away if it has ended; with it goes what is left of its group.
    func reapIfEnded() {
        guard exit == nil, child.hasExited else { return }
        state.withLock { state in
            guard !state.isReaped else { return }
            // The number is still ours as long as the process is not taken away.
            child.killGroup()
            state.exit = child.reap() ?? .code(-1)
            state.isReaped = true
        }
        logs.close()
        exitBell.ring()
    }

    /// Waits for the end; nil when the time ran out.
    ///
    /// **Isolation.** One thread at a time.
    func waitForExit(timeout: Duration) -> ChildExit? {
        let deadline = ContinuousClock.now + timeout
        while exit == nil, ContinuousClock.now < deadline {
            exitBell.wait(timeout: ContinuousClock.now.duration(to: deadline))
        }
        return exit
    }

    /// Stops the process if it holds more memory than it may.
    func checkMemory() {
        let limit = launch.limits.memoryByteCount
        guard exit == nil else { return }
        let used = child.residentByteCount()
        state.withLock { $0.peakByteCount = max($0.peakByteCount, used) }
        guard used > limit else { return }
        let message = "used \(used >> 20) MiB of memory, at most \(limit >> 20) MiB are allowed (setting `memory`)"
        kill(InvocationFailure(.memory, message))
    }
}
