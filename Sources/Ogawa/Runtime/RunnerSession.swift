import OgawaCore
import OgawaEngine
import OgawaJSON
import OgawaLog
import OgawaSQL
import OgawaServer

/// One uninterrupted run: from a checkpoint or the beginning of the log through the stored progress to the log's growing end.
///
/// **Isolation.** Owned by the runner's thread.
final class RunnerSession {
    private static let batchByteCount = 1 << 20
    /// A batch of this many events is worth a step of its own at once.
    private static let fullBatchCount = 1000
    private static let markerInterval = Duration.seconds(1)

    private let context: FunctionRunner.Context
    private let partitions: [LogPartition]
    /// For each partition, the name of its input and its number among the input's.
    private let places: [(input: String, number: Int)]
    private let pipeline: Pipeline
    private let keeper: CheckpointKeeper
    private let statements: [StatementOutput]
    private(set) var positions: [LogPosition]
    private(set) var figures = RunnerFigures()
    /// Stored progress that lies ahead, nearest first; reading stops exactly there.
    private var barriers: [Progress]
    /// Whether the last step took so much that more is likely to wait.
    private(set) var isBehind = true
    private var lastMarker = Timestamp.min

    /// Builds the pipeline and asks the sinks how far they got.
    init(_ context: FunctionRunner.Context) throws {
        self.context = context
        partitions = context.partitions
        places = context.inputs.flatMap { input in input.partitions.indices.map { (input.name, $0) } }
        let names = Set(context.inputs.map(\.name))
        let statements = try context.program.statements.indices
            .filter { !context.program.inputs(of: context.program.statements[$0].plan).isDisjoint(with: names) }
            .map { try StatementOutput(context, statement: $0) }
        self.statements = statements
        let end = partitions.map(\.endPosition)
        for statement in statements { try statement.loadProgress(partitionCount: end.count, end: end) }
        keeper = CheckpointKeeper(context)
        let restored = keeper.newest(end: end, stored: statements.map(\.stored)) { state in
            let pipeline = try RunnerSession.makePipeline(context, statements)
            try pipeline.restore(state)
            return pipeline
        }
        pipeline = try restored?.pipeline ?? RunnerSession.makePipeline(context, statements)
        let stored = Set(statements.flatMap { $0.stored.compactMap { $0 } })
        barriers = stored.sorted { $1.hasReached($0) && $0 != $1 }
        let start = partitions.map(\.startPosition)
        let hasFresh = statements.contains { $0.stored.contains { $0 == nil } }
        if let restored {
            positions = zip(restored.progress.positions, start).map { max($0, $1) }
        } else if context.program.isStateless, !hasFresh, let first = barriers.first {
            positions = zip(first.positions, start).map { max($0, $1) }
        } else {
            positions = start
        }
        noteProgress()
    }

    private static func makePipeline(
        _ context: FunctionRunner.Context, _ statements: [StatementOutput]
    ) throws -> Pipeline {
        let inputs = context.inputs.map {
            ($0.name, Pipeline.Configuration.Input(policy: $0.policy, partitionCount: $0.partitions.count))
        }
        let byStatement = Dictionary(uniqueKeysWithValues: statements.map { ($0.statement, $0) })
        let stream = context.inputs.count == 1 ? context.inputs[0].name : nil
        var configuration = Pipeline.Configuration(inputs: Dictionary(uniqueKeysWithValues: inputs))
        configuration.references = context.references
        return try Pipeline(
            context.program, inputs: Set(inputs.map(\.0)),
            configuration: configuration,
            report: { finding in
                context.rejections.append(
                    kind: RejectionKind(rawValue: finding.kind.rawValue) ?? .error, stream: stream,
                    function: context.function, device: finding.key.isEmpty ? nil : finding.key,
                    reason: finding.reason)
            },
            emit: { byStatement[$0]?.rows.append($1) })
    }

    /// Processes one batch; false where there is nothing to read.
    func step() throws -> Bool {
        isBehind = false
        while let barrier = barriers.first, Progress(positions).hasReached(barrier) { barriers.removeFirst() }
        // The partition that is furthest behind comes first, so that little has to wait for the others.
        let order = positions.count == 1 ? [0] : positions.indices.sorted { isBehind($0, $1) }
        for partition in order {
            if let (batch, next) = try read(partition) {
                try process(batch, partition, next)
                return true
            }
        }
        return false
    }

    private func isBehind(_ one: Int, _ other: Int) -> Bool {
        (positions[one].enqueuedTime, one) < (positions[other].enqueuedTime, other)
    }

    /// Stores a last checkpoint and waits for it, so that the next start is quick.
    func close() { keeper.close(pipeline, progress: Progress(positions), statements: statements.map(\.stored)) }

    /// Asks the log to record that time passes, where something waits for it and no event comes.
    ///
    /// - Returns: how long to sleep at most.
    func requestIdleMarkers() -> Duration {
        guard let awaited = pipeline.awaitedTime else { return .seconds(3600) }
        let now = context.clock.now()
        let late = context.inputs.map(\.policy.late).max() ?? .zero
        let due = awaited.advanced(by: late).advanced(by: .milliseconds(1))
        if now < due { return due.duration(since: now) }
        if now.duration(since: lastMarker) < RunnerSession.markerInterval, now >= lastMarker {
            return RunnerSession.markerInterval
        }
        lastMarker = now
        let partitions = self.partitions
        // SAFETY: appends one marker each and ends; nobody needs to cancel it.
        Task.detached {
            for partition in partitions { _ = try? await partition.appendIdleMarker() }
        }
        return RunnerSession.markerInterval
    }

    /// What is next in a partition, up to the nearest barrier.
    private func read(_ partition: Int) throws -> (EventBatch, LogPosition)? {
        let position = positions[partition]
        let limit = barriers.first?.positions[partition]
        if let limit, position >= limit { return nil }
        let log = partitions[partition]
        guard let (batch, next) = try log.read(from: position, maxByteCount: RunnerSession.batchByteCount) else {
            return nil
        }
        guard let limit, next > limit else { return (batch, next) }
        let count = Int(clamping: limit.offset.rawValue - batch.firstOffset.rawValue)
        guard count > 0, count < batch.count else {
            // Only idle markers lie between here and the barrier.
            return count >= batch.count && batch.count > 0 ? (batch, limit) : (EventBatch(partition: log.id), limit)
        }
        return (batch.slice(0..<count), limit)
    }

    private func process(_ batch: EventBatch, _ partition: Int, _ next: LogPosition) throws {
        var batch = batch
        batch.partition = PartitionID(places[partition].number)
        try pipeline.process(batch, input: places[partition].input)
        positions[partition] = next
        let progress = Progress(positions)
        for statement in statements { figures.rowsOut += try statement.commit(progress) }
        figures.eventsIn += batch.count
        isBehind = batch.count >= RunnerSession.fullBatchCount || !barriers.isEmpty
        if barriers.isEmpty { keeper.offer(pipeline, progress: progress, statements: statements.map(\.stored)) }
        noteProgress()
    }

    private func noteProgress() {
        figures.counts = pipeline.counts
        figures.watermark = pipeline.watermark
        figures.processedOffsets = positions.reduce(Int64(0)) { $0 + $1.offset.rawValue }
        figures.processedTime = positions.map(\.enqueuedTime).min()
    }
}

/// A statement of a running function: its rows of the step under way, its sink and its live feed.
private final class StatementOutput {
    let statement: Int
    let rows = StepRows()
    private(set) var stored: [Progress?] = []
    private let output: OutputRegistry.Output
    private let sink: any OutputSink
    private let outputs: OutputRegistry
    private let feed: LiveFeed
    private let encoder = RowEncoder()

    init(_ context: FunctionRunner.Context, statement: Int) throws {
        self.statement = statement
        outputs = context.outputs
        feed = context.feed
        let name = context.program.statements[statement].output
        guard let output = context.outputs.output(name) else {
            throw ProjectError(code: "unknown-output", message: "the output \(name) does not exist")
        }
        self.output = output
        let (rejections, function) = (context.rejections, context.function)
        sink = output.makeSink(producer: "\(context.label)/\(statement)") { reason in
            rejections.append(kind: .error, stream: nil, function: function, device: nil, reason: reason)
        }
    }

    /// Stored progress per part of the sink; never beyond the log's end (a log that does not sync may have lost its end).
    func loadProgress(partitionCount: Int, end: [LogPosition]) throws {
        stored = try sink.storedProgress(partitionCount: partitionCount).map { progress in
            progress.map { Progress(zip($0.positions, end).map { min($0, $1) }) }
        }
    }

    /// Stores the step's rows with the progress and tells the live feed; returns how many rows were new.
    func commit(_ progress: Progress) throws -> Int {
        guard rows.count > 0 else { return 0 }
        defer { rows.clear() }
        let isSuppressed = stored.map { $0?.hasReached(progress) ?? false }
        guard isSuppressed.contains(false) else { return 0 }
        let batch = rows.batch
        let written = try sink.write(batch, progress: progress, isSuppressed: isSuppressed)
        for part in stored.indices where written[part] { stored[part] = progress }
        outputs.count(batch.count, for: output.name)
        publish(batch)
        return batch.count
    }

    private func publish(_ batch: RowBatch) {
        guard feed.hasSubscribers(output.name) else { return }
        encoder.clear()
        var frame = LiveFrame()
        frame.rows = encoder.encode(batch)
        frame.bytes = Array(encoder.bytes)
        if let key = output.keyColumn {
            let keys = RowKeys(batch, column: key)
            for row in 0..<batch.count {
                keys.withKey(of: row) { text in
                    frame.keys.append(ByteSlice(start: frame.bytes.count, count: text.count))
                    frame.bytes.append(contentsOf: text)
                }
            }
        }
        feed.publish(output.name, lines: frame)
    }
}
