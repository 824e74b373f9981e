import OgawaCore
import OgawaPlatform

/// A process that is ready for calls.
final class Worker: Sendable {
    let process: SupervisedProcess
    let transport: any WorkerTransport
    /// What it told at its start, such as the functions that registered themselves.
    let greeting: JSONValue

    init(process: SupervisedProcess, transport: any WorkerTransport, greeting: JSONValue) {
        self.process = process
        self.transport = transport
        self.greeting = greeting
    }

    /// Waits until a fresh process is ready.
    ///
    /// **Errors.** ``InvocationFailure`` of kind `initialization` or `unavailable`; the process is gone then.
    convenience init(
        starting process: SupervisedProcess, transport: any WorkerTransport, limits: FunctionLimits
    ) throws(InvocationFailure) {
        process.isBusy.store(true, ordering: .relaxed)
        defer { process.isBusy.store(false, ordering: .relaxed) }
        do {
            let greeting = try transport.start(deadline: .now + limits.startTimeout)
            self.init(process: process, transport: transport, greeting: greeting)
        } catch {
            var failure = Worker.explain(error, process, limits: limits, limit: limits.startTimeout, isStart: true)
            failure.kind = failure.kind == .stopped ? .stopped : .initialization
            throw failure
        }
    }

    var isAlive: Bool { process.exit == nil && process.killReason == nil }

    /// Runs a call.
    ///
    /// **Errors.** ``InvocationFailure``; whether the worker can go on is told by ``isAlive``.
    func invoke(_ invocation: FunctionInvocation, limits: FunctionLimits) throws(InvocationFailure) -> InvocationResult
    {
        process.logs.begin(function: invocation.function, invocation: invocation.id)
        process.isBusy.store(true, ordering: .relaxed)
        defer { process.isBusy.store(false, ordering: .relaxed) }
        let start = ContinuousClock.now
        do {
            var result = try transport.invoke(invocation, timeout: limits.timeout)
            result.duration = start.duration(to: .now)
            process.logs.end()
            return result
        } catch {
            let failure = Worker.explain(error, process, limits: limits, limit: limits.timeout, isStart: false)
            process.logs.end()
            throw failure
        }
    }

    /// Ends the process in peace: its socket closes, and after a moment it is killed.
    func retire() { process.retire() }

    /// What went wrong, in the words of a report; a worker of no more use is killed.
    private static func explain(
        _ error: any Error, _ process: SupervisedProcess, limits: FunctionLimits, limit: Duration, isStart: Bool
    ) -> InvocationFailure {
        if let failure = error as? InvocationFailure {
            if isStart || failure.kind != .threw { process.kill(failure) }
            return failure
        }
        let what = isStart ? "the start" : "the call"
        switch error as? ChannelError {
        case .timedOut:
            let option = isStart ? "startTimeout" : "timeout"
            let message = "\(what) took longer than \(limit) (setting `\(option)`); the process was stopped"
            let failure = InvocationFailure(.timedOut, message)
            process.kill(failure)
            _ = process.waitForExit(timeout: .seconds(5))
            return failure
        case .closed, .failed: return explainEnd(process, what: what)
        case .tooLarge(let count):
            let message =
                "an answer of \(count) bytes, at most \(limits.responseByteCount) are allowed (setting `maxResponse`)"
            let failure = InvocationFailure(.rubbish, message)
            process.kill(failure)
            return failure
        case .malformed(let problem):
            let failure = InvocationFailure(.rubbish, "the worker's answer breaks the protocol: \(problem)")
            process.kill(failure)
            return failure
        case nil:
            // The state could not be loaded: not the function's fault, but its call is half done.
            let failure = InvocationFailure(.unavailable, "\(error)")
            process.kill(failure)
            return failure
        }
    }

    /// The process closed its side: it has ended, or is about to.
    private static func explainEnd(_ process: SupervisedProcess, what: String) -> InvocationFailure {
        let exit = process.waitForExit(timeout: .seconds(1))
        if exit == nil {
            process.kill(InvocationFailure(.exited, "the process closed its connection"))
            _ = process.waitForExit(timeout: .seconds(5))
        }
        let tail = process.logs.errorTail
        let stack = tail.isEmpty ? nil : tail
        if var reason = process.killReason, exit != nil || reason.kind != .exited {
            reason.stack = reason.stack ?? stack
            return reason
        }
        if tail.contains("heap out of memory") || tail.contains("MemoryError") {
            let limit = process.launch.limits.memoryByteCount >> 20
            let message = "ran out of memory, at most \(limit) MiB are allowed (setting `memory`)"
            return InvocationFailure(.memory, message, stack: stack)
        }
        let end = exit.map { "with \($0)" } ?? "without a reason"
        return InvocationFailure(.exited, "the process ended \(end) during \(what)", stack: stack)
    }
}
