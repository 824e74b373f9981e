import OgawaCore
import OgawaHost
import OgawaLog
import OgawaPlatform
import Synchronization

/// Calls a function for the events of one partition, in order.
///
/// **Isolation.** Its thread alone reads and delivers; figures are shared under a lock.
final class HostedRunner: Sendable {
    private static let batchByteCount = 1 << 20

    private let context: HostedContext
    private let trigger: StreamTrigger
    private let stream: String
    private let partition: LogPartition
    private let isStopping = Mutex(false)
    private let shared = Mutex(RunnerFigures())
    private let bell = Bell()

    init(_ context: HostedContext, trigger: StreamTrigger, stream: String, partition: LogPartition) {
        self.context = context
        self.trigger = trigger
        self.stream = stream
        self.partition = partition
    }

    var figures: RunnerFigures { shared.withLock { $0 } }

    /// Events that wait in the log.
    var lagEvents: Int { max(0, Int(clamping: partition.nextOffset.rawValue - figures.processedOffsets)) }

    /// Starts the thread.
    func start() -> DedicatedThread {
        DedicatedThread(name: context.function) { [self] in run() }
    }

    /// Ends the thread after the call under way.
    func stop() {
        isStopping.withLock { $0 = true }
        bell.ring()
    }

    private var isRunning: Bool { isStopping.withLock { !$0 } }

    private func run() {
        var delay = Duration.milliseconds(100)
        while isRunning {
            do {
                let part =
                    trigger.consumer == "$Default"
                    ? "\(stream)-\(partition.id)" : "\(stream)-\(partition.id)/\(trigger.consumer)"
                let target = try HostedTarget(context, part: part) { [self] in pause($0) }
                try follow(target)
                return
            } catch {
                let reason = String(describing: error)
                shared.withLock { $0.failure = reason }
                guard isRunning else { return }
                context.report("stopped, starts again in \(delay): \(reason)")
                guard pause(delay) else { return }
                delay = min(delay * 2, .seconds(30))
            }
        }
    }

    /// Sleeps; false where the runner is to stop.
    private func pause(_ duration: Duration) -> Bool {
        let end = ContinuousClock.now + duration
        while isRunning, ContinuousClock.now < end { bell.wait(timeout: max(.zero, end - .now)) }
        return isRunning
    }

    private func follow(_ target: HostedTarget) throws {
        var position = start(target.next)
        note(target, position)
        let delivery = FunctionDelivery(
            host: context.host, program: context.definition.program.name, function: context.function,
            policy: context.definition.policy, hasState: true)
        while isRunning {
            guard let (found, next) = try partition.read(from: position, maxByteCount: HostedRunner.batchByteCount)
            else {
                _ = partition.waitForRecordsBlocking(beyond: position, timeout: .seconds(3600), bell: bell)
                continue
            }
            let mayGrow = found.count > 0 && (found.count < trigger.batchSize)
            if mayGrow, trigger.wait != .zero, !isLate(found) {
                bell.wait(timeout: .milliseconds(5))
                continue
            }
            for first in stride(from: 0, to: found.count, by: trigger.batchSize) {
                let batch = found.slice(first..<min(found.count, first + trigger.batchSize))
                let input = EventInput(stream: stream, consumer: trigger.consumer, batch: batch)
                guard try delivery.deliver(input, to: target) else { return }
                shared.withLock { $0.eventsIn += batch.count }
                note(target, LogPosition(offset: batch.nextOffset, enqueuedTime: position.enqueuedTime))
            }
            position = next
            note(target, position)
        }
    }

    /// Whether the first event of a batch has waited long enough for others.
    private func isLate(_ batch: EventBatch) -> Bool {
        context.clock.now().duration(since: Timestamp(ticks: batch.enqueuedTimes[0])) >= trigger.wait
    }

    private func start(_ next: Int64?) -> LogPosition {
        if let next { return partition.position(at: Offset(rawValue: next)) }
        switch trigger.start {
        case .beginning: return partition.startPosition
        case .end: return partition.endPosition
        case .enqueuedTime(let time): return partition.position(since: time)
        }
    }

    private func note(_ target: HostedTarget, _ position: LogPosition) {
        shared.withLock { figures in
            figures.rowsOut = target.rowsOut
            figures.failure = target.lastFailure
            figures.processedOffsets = position.offset.rawValue
            figures.processedTime = position.enqueuedTime
        }
    }
}

/// Calls a function when a timer is due.
///
/// A due time that passed while nobody ran is made up for once. The next one is reckoned from the last one committed.
final class HostedTimer: Sendable {
    private let context: HostedContext
    private let schedule: Schedule
    private let index: Int
    private let isStopping = Mutex(false)
    private let shared = Mutex(RunnerFigures())
    private let bell = Bell()

    init(_ context: HostedContext, schedule: Schedule, index: Int) {
        self.context = context
        self.schedule = schedule
        self.index = index
    }

    var figures: RunnerFigures { shared.withLock { $0 } }

    func start() -> DedicatedThread {
        DedicatedThread(name: context.function) { [self] in
            do { try run() } catch {
                let reason = String(describing: error)
                shared.withLock { $0.failure = reason }
                context.report("its timer stopped: \(reason)")
            }
        }
    }

    func stop() {
        isStopping.withLock { $0 = true }
        bell.ring()
    }

    private var isRunning: Bool { isStopping.withLock { !$0 } }

    private func pause(_ duration: Duration) -> Bool {
        let end = ContinuousClock.now + duration
        while isRunning, ContinuousClock.now < end { bell.wait(timeout: max(.zero, end - .now)) }
        return isRunning
    }

    private func run() throws {
        let target = try HostedTarget(context, part: "timer-\(index)") { [self] in pause($0) }
        var last = target.next.map { Timestamp(ticks: $0) }
        while isRunning {
            let now = context.clock.now()
            guard var due = schedule.next(after: last ?? now) else { return }
            let isPastDue = due < now
            // However many were missed, one call makes up for them.
            while isPastDue, let later = schedule.next(after: due), later <= now { due = later }
            if due > now, !pause(due.duration(since: now)) { return }
            let timer = TimerInput(scheduled: due, last: last, next: schedule.next(after: due), isPastDue: isPastDue)
            try call(timer, target)
            last = due
        }
    }

    private func call(_ timer: TimerInput, _ target: HostedTarget) throws {
        let policy = context.definition.policy
        var delay = policy.firstPause
        for attempt in 0..<max(1, policy.maximumAttempts) {
            let invocation = FunctionInvocation(
                id: FunctionInvocation.identifier(of: "\(context.function)/timer/\(timer.scheduled.ticks)"),
                function: context.function, trigger: .timer(timer), attempt: attempt,
                maximumAttempts: policy.maximumAttempts, loadState: { try target.loadState($0) })
            do {
                let result = try context.host.invoke(invocation, in: context.definition.program.name)
                let progress = HostedProgress(next: timer.scheduled.ticks, outputs: result.outputs)
                try target.commit(progress, changes: result.stateChanges)
                shared.withLock {
                    $0.rowsOut = target.rowsOut; $0.failure = nil; $0.eventsIn += 1
                }
                return
            } catch let failure as InvocationFailure {
                target.noteFailure(failure, attempt: attempt, eventCount: 0)
                shared.withLock { $0.failure = failure.description }
                guard failure.kind != .stopped, pause(delay) else { return }
                delay = min(delay * 2, policy.longestPause)
            }
        }
        context.report("gave up on the due time \(timer.scheduled)")
    }
}
