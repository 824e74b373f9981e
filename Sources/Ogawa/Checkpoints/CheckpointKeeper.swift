import OgawaCore
import OgawaEngine
import OgawaLog
import OgawaPlatform
import OgawaServer
import OgawaSQL
import OgawaStore
import Synchronization

/// Where and how often checkpoints are stored.
struct CheckpointSettings: Sendable {
    /// The folder of all runners' checkpoints.
    var directory: String
    /// The least time between two checkpoints of a runner.
    var interval: Duration
    /// The tables, which are made durable before a checkpoint counts on their rows.
    var store: TableStore
}

/// Takes and finds the checkpoints of one runner.
///
/// The state is copied on the runner's thread and written on another. Where copying takes long, a copy of the process takes it from then on
/// (see ``ProcessCopy``), and the runner stops only while the kernel copies its page tables. Checkpoints that cost much are taken less
/// often, so that they take at most a fiftieth of the time.
///
/// **Isolation.** Owned by the runner's thread.
final class CheckpointKeeper {
    private static let costRatio = 50
    /// A runner stops no longer than this for a copy of its state.
    private static let pauseLimit = Duration.milliseconds(4)
    /// State of this size is copied well within the limit.
    private static let smallByteCount = 4 << 20
    private static let copyTimeout = Duration.seconds(60)

    private let context: FunctionRunner.Context
    private let folder: CheckpointFolder
    private let fingerprint: String
    private var interval: Duration
    private var last = ContinuousClock.now
    private var copiesProcess = false
    private var lastProgress: Progress?
    private var writer: DedicatedThread?
    private let writing = WritingFlag()

    init(_ context: FunctionRunner.Context) {
        self.context = context
        interval = context.checkpoints.interval
        folder = CheckpointFolder(directory: context.checkpoints.directory, runner: context.label)
        let inputs = context.inputs.map { "\($0.name) \($0.partitions.count) \($0.policy)" }
        fingerprint = ([context.text.meaningfulForm] + inputs).joined(separator: "\n")
    }

    /// The newest checkpoint that fits the function, the log and the sinks, as what `build` makes of its state.
    ///
    /// What does not fit is reported; then the one before it is tried, and without any the log is read from its beginning.
    func newest<Built>(
        end: [LogPosition], stored: [[Progress?]], build: ([UInt8]) throws -> Built
    ) -> (pipeline: Built, progress: Progress)? {
        let found: (checkpoints: [Checkpoint], problems: [String])
        do { found = try folder.load() } catch {
            report("checkpoints cannot be read: \(error)")
            return nil
        }
        for problem in found.problems { report("checkpoint \(problem)") }
        for checkpoint in found.checkpoints {
            if let reason = misfit(checkpoint, end: end, stored: stored) {
                report("checkpoint of \(checkpoint.time) not used: \(reason)")
                continue
            }
            do {
                let built = try build(checkpoint.state)
                lastProgress = checkpoint.progress
                copiesProcess = checkpoint.state.count > CheckpointKeeper.smallByteCount
                return (built, checkpoint.progress)
            } catch {
                report("checkpoint of \(checkpoint.time) not used: \(error)")
            }
        }
        return nil
    }

    private func misfit(_ checkpoint: Checkpoint, end: [LogPosition], stored: [[Progress?]]) -> String? {
        guard checkpoint.fingerprint == fingerprint else {
            return "the function or its inputs' settings have changed; its state is computed anew from the log"
        }
        guard checkpoint.progress.positions.count == end.count,
            zip(checkpoint.progress.positions, end).allSatisfy({ $0 <= $1 })
        else { return "the log ends before it" }
        guard checkpoint.stored.map(\.count) == stored.map(\.count) else { return "the outputs have changed" }
        for (then, now) in zip(checkpoint.stored.joined(), stored.joined()) {
            if let then, now?.hasReached(then) != true { return "an output has lost rows since" }
        }
        return nil
    }

    /// Takes a checkpoint if one is due.
    func offer(_ pipeline: Pipeline, progress: Progress, statements stored: [[Progress?]]) {
        let now = ContinuousClock.now
        guard now - last >= interval, !writing.isSet else { return }
        take(pipeline, progress, stored)
        last = .now
        interval = max(context.checkpoints.interval, (last - now) * CheckpointKeeper.costRatio)
    }

    /// Waits for the checkpoint under way and takes a last one.
    func close(_ pipeline: Pipeline, progress: Progress, statements stored: [[Progress?]]) {
        if let writer { writer.join() }
        writer = nil
        guard progress != lastProgress else { return }
        take(pipeline, progress, stored)
        if let writer { writer.join() }
        writer = nil
    }

    private func take(_ pipeline: Pipeline, _ progress: Progress, _ stored: [[Progress?]]) {
        if let writer { writer.join() }
        lastProgress = progress
        let time = context.clock.now()
        let checkpoint = { [fingerprint] in
            Checkpoint(
                fingerprint: fingerprint, time: time, progress: progress, stored: stored, state: pipeline.save())
        }
        guard (try? folder.prepare()) != nil else {
            return report("a checkpoint could not be stored in \(folder.path)")
        }
        writing.isSet = true
        if copiesProcess, let copy = ProcessCopy({ [folder] in (try? folder.writeDraft(checkpoint())) != nil }) {
            publish { copy.wait(timeout: CheckpointKeeper.copyTimeout) }
            return
        }
        let start = ContinuousClock.now
        let taken = checkpoint()
        copiesProcess = ContinuousClock.now - start > CheckpointKeeper.pauseLimit
        publish { [folder] in
            try folder.writeDraft(taken)
            return true
        }
    }

    /// Waits on another thread until the draft is written, and makes it count.
    private func publish(_ write: @escaping @Sendable () throws -> Bool) {
        writer = DedicatedThread(name: "checkpoint") { [context, folder, writing] in
            do {
                context.checkpoints.store.sync()
                if try write() {
                    try folder.publishDraft()
                } else {
                    CheckpointKeeper.report("a checkpoint was not written", context)
                }
            } catch {
                CheckpointKeeper.report("a checkpoint could not be stored: \(error)", context)
            }
            writing.isSet = false
        }
    }

    private func report(_ reason: String) { CheckpointKeeper.report(reason, context) }

    private static func report(_ reason: String, _ context: FunctionRunner.Context) {
        context.rejections.append(
            kind: .error, stream: nil, function: context.function, device: nil, reason: reason)
    }
}

/// Whether a checkpoint is being written.
private final class WritingFlag: Sendable {
    private let state = Mutex(false)

    var isSet: Bool {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}
