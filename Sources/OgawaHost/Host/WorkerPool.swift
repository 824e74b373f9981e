import OgawaCore
import OgawaPlatform
import Synchronization

/// The workers of one program: started when a call needs one, kept warm, started again with growing pauses when they fail.
///
/// **Isolation.** Any dedicated thread; callers wait in order for a free worker.
final class WorkerPool: Sendable {
    /// What the pool tells about itself.
    struct Figures: Sendable {
        var starts = 0
        var alive = 0
        var lastStartDuration: Duration = .zero
    }

    private struct State {
        var idle: [Worker] = []
        /// Workers in use or being started.
        var busyCount = 0
        var waiting: [Bell] = []
        /// Failures in a row of start or call; the next start waits accordingly.
        var failures = 0
        var nextStart = ContinuousClock.now
        var isStopping = false
        var figures = Figures()
    }

    private static let firstPause = Duration.milliseconds(100)
    private static let longestPause = Duration.seconds(10)

    let program: FunctionProgram
    private let start: @Sendable (FunctionProgram) throws(InvocationFailure) -> Worker
    private let state = Mutex(State())

    init(
        program: FunctionProgram, start: @escaping @Sendable (FunctionProgram) throws(InvocationFailure) -> Worker
    ) {
        self.program = program
        self.start = start
    }

    var figures: Figures {
        state.withLock { state in
            var figures = state.figures
            figures.alive = state.idle.count + state.busyCount
            return figures
        }
    }

    /// Runs a call on a free worker, waiting for one if need be.
    func invoke(_ invocation: FunctionInvocation) throws(InvocationFailure) -> InvocationResult {
        let worker = try acquire()
        do {
            let result = try worker.invoke(invocation, limits: program.limits)
            release(worker, hasFailed: false)
            return result
        } catch {
            release(worker, hasFailed: !worker.isAlive)
            throw error
        }
    }

    /// What a worker told at its start; starts one if there is none.
    func greeting() throws(InvocationFailure) -> JSONValue {
        let worker = try acquire()
        defer { release(worker, hasFailed: false) }
        return worker.greeting
    }

    /// Lets nobody wait any longer and ends idle workers.
    func stop() {
        let (idle, waiting) = state.withLock { state in
            state.isStopping = true
            defer {
                state.idle = []
                state.waiting = []
            }
            return (state.idle, state.waiting)
        }
        for worker in idle { worker.retire() }
        for bell in waiting { bell.ring() }
    }

    private enum Turn {
        case use(Worker)
        case start(after: ContinuousClock.Instant)
        case wait(Bell)
        case stop
    }

    private func acquire() throws(InvocationFailure) -> Worker {
        while true {
            switch nextTurn() {
            case .use(let worker): return worker
            case .wait(let bell): bell.wait()
            case .stop: throw InvocationFailure(.stopped, "the function host is stopping")
            case .start(let instant):
                pause(until: instant)
                return try startWorker()
            }
        }
    }

    private func nextTurn() -> Turn {
        state.withLock { state in
            if state.isStopping { return .stop }
            while let worker = state.idle.popLast() {
                // It may have ended while nobody used it.
                guard worker.isAlive else { continue }
                state.busyCount += 1
                return .use(worker)
            }
            if state.busyCount < max(1, program.limits.workerCount) {
                state.busyCount += 1
                return .start(after: state.nextStart)
            }
            let bell = Bell()
            state.waiting.append(bell)
            return .wait(bell)
        }
    }

    /// Sleeps in short steps, so that a stop is noticed.
    private func pause(until instant: ContinuousClock.Instant) {
        let bell = Bell()
        while ContinuousClock.now < instant, !state.withLock(\.isStopping) {
            bell.wait(timeout: min(.milliseconds(50), ContinuousClock.now.duration(to: instant)))
        }
    }

    private func startWorker() throws(InvocationFailure) -> Worker {
        let begun = ContinuousClock.now
        do {
            let worker = try start(program)
            state.withLock { state in
                state.figures.starts += 1
                state.figures.lastStartDuration = begun.duration(to: .now)
            }
            return worker
        } catch {
            release(nil, hasFailed: true)
            throw error
        }
    }

    private func release(_ worker: Worker?, hasFailed: Bool) {
        let (bell, surplus) = state.withLock { state -> (Bell?, Worker?) in
            state.busyCount -= 1
            if hasFailed {
                state.failures += 1
                // The first restart is at once: one crash is mostly an event's fault, and the others wait for it.
                let doublings = min(state.failures - 2, 10)
                let pause: Duration =
                    doublings < 0 ? .zero : min(WorkerPool.firstPause * (1 << doublings), WorkerPool.longestPause)
                state.nextStart = .now + pause
            } else {
                state.failures = 0
            }
            var surplus: Worker?
            if let worker, worker.isAlive {
                if state.isStopping { surplus = worker } else { state.idle.append(worker) }
            }
            return (state.waiting.isEmpty ? nil : state.waiting.removeFirst(), surplus)
        }
        surplus?.retire()
        bell?.ring()
    }
}
