import OgawaCore
import OgawaEngine
import OgawaJSON
import OgawaLog
import OgawaPlatform
import OgawaServer
import OgawaSQL
import Synchronization

// One runner owns one partition of a function's input, or all of them where the function's keys are not the partition key. Statements
// that read several inputs have one runner for the same partition of each, or for all.
// It has a thread of its own: read what is there, compute, write rows and progress, tell the live feed, sleep until the log grows.
//
// Start and restart are the same: the newest checkpoint that fits gives the state, or else the input is read from its beginning, which
// rebuilds it, and sinks are written only beyond the progress that each of them has stored. Reading stops exactly at each stored
// progress (a barrier), so that every step is either wholly stored in a sink or not at all. A function without state
// starts at its least progress.

/// What a runner tells about itself.
struct RunnerFigures {
    var eventsIn = 0
    var rowsOut = 0
    var counts = FindingCounts()
    var watermark: Timestamp?
    /// The sum of the next offsets of the runner's partitions.
    var processedOffsets: Int64 = 0
    /// The least enqueued time up to which a partition is processed.
    var processedTime: Timestamp?
    var failure: String?
}

/// Runs the statements of one function that read one input.
///
/// **Isolation.** Its thread alone touches pipeline and sinks; figures are shared under a lock.
final class FunctionRunner: Sendable {
    /// What a runner needs from its surroundings.
    struct Context: Sendable {
        /// An input with the partitions of it that the runner reads.
        struct Input: Sendable {
            let name: String
            let policy: OrderingPolicy
            let partitions: [LogPartition]
        }

        let function: String
        let text: SourceText
        let program: Program
        let inputs: [Input]
        let outputs: OutputRegistry
        let references: [String: ReferenceTable]
        let feed: LiveFeed
        let rejections: RejectionLog
        let clock: any WallClock
        let checkpoints: CheckpointSettings

        /// The partitions of all inputs, in order.
        var partitions: [LogPartition] { inputs.flatMap(\.partitions) }

        /// The runner's part in the names under which sinks and checkpoints keep progress.
        var label: String {
            let names = inputs.map(\.name).joined(separator: "+")
            let isSplit = inputs.allSatisfy { $0.partitions.count == 1 }
            return isSplit ? "\(function)/\(names)-\(inputs[0].partitions[0].id)" : "\(function)/\(names)"
        }
    }

    /// The least time between the beginnings of two steps, so that under load a step and its transaction serve many events;
    /// a lone event is never kept waiting.
    private static let stepInterval = Duration.milliseconds(4)

    let context: Context
    private let isStopping = Mutex(false)
    private let shared = Mutex(RunnerFigures())
    private let bell = Bell()
    private let pauseBell = Bell()

    init(_ context: Context) { self.context = context }

    var figures: RunnerFigures { shared.withLock { $0 } }

    /// Events that wait in the log.
    var lagEvents: Int {
        let end = context.partitions.reduce(Int64(0)) { $0 + $1.nextOffset.rawValue }
        return max(0, Int(clamping: end - figures.processedOffsets))
    }

    /// Starts the thread.
    func start() -> DedicatedThread {
        DedicatedThread(name: context.label) { [self] in run() }
    }

    /// Ends the thread after the step under way.
    func stop() {
        isStopping.withLock { $0 = true }
        bell.ring()
        pauseBell.ring()
    }

    private var isRunning: Bool { isStopping.withLock { !$0 } }

    private func run() {
        var delay = Duration.milliseconds(100)
        while isRunning {
            do {
                let session = try RunnerSession(context)
                shared.withLock { $0 = session.figures }
                try follow(session)
                session.close()
            } catch {
                // Nothing is lost: the next attempt goes on from the stored progress.
                let reason = String(describing: error)
                shared.withLock { $0.failure = reason }
                guard isRunning else { return }
                context.rejections.append(
                    kind: .error, stream: nil, function: context.function, device: nil,
                    reason: "stopped, starts again in \(delay): \(reason)")
                bell.wait(timeout: delay)
                delay = min(delay * 2, .seconds(30))
            }
        }
    }

    private func follow(_ session: RunnerSession) throws {
        let watchers = watch()
        defer { for watcher in watchers { watcher.cancel() } }
        var begun = ContinuousClock.now
        while isRunning {
            let spent = begun.duration(to: .now)
            if spent < FunctionRunner.stepInterval, !session.isBehind {
                pauseBell.wait(timeout: FunctionRunner.stepInterval - spent)
            }
            let start = ContinuousClock.now
            if try session.step() {
                begun = start
                shared.withLock { $0 = session.figures }
                continue
            }
            let timeout = session.requestIdleMarkers()
            if context.partitions.count == 1 {
                _ = context.partitions[0].waitForRecordsBlocking(
                    beyond: session.positions[0], timeout: timeout, bell: bell)
            } else {
                bell.wait(timeout: timeout)
            }
        }
    }

    /// Rings the bell when any of several partitions grows.
    private func watch() -> [Task<Void, Never>] {
        guard context.partitions.count > 1 else { return [] }
        return context.partitions.map { partition in
            // SAFETY: follow() cancels the task when the runner ends.
            Task.detached { [bell] in
                var seen = partition.startPosition
                while (try? await partition.waitForRecords(beyond: seen)) != nil {
                    bell.ring()
                    seen = partition.endPosition
                }
            }
        }
    }
}
