import OgawaCore
import OgawaEngine
import OgawaLog
import OgawaPlatform
import OgawaSQL
import OgawaServer

/// One function of the project and its runners.
///
/// **Isolation.** Owned by the instance, which calls it under its own lock.
final class FunctionService: RunningFunction {
    let file: FunctionFile
    let program: Program
    private let runners: [FunctionRunner]
    private var threads: [DedicatedThread] = []

    /// Compiles the function and makes its runners, without starting them.
    ///
    /// - Throws: ``DiagnosticList`` with every error of the text.
    init(_ file: FunctionFile, project: Project, surroundings: Surroundings) throws {
        self.file = file
        program = try compile(file.source, catalog: project.catalog).program
        var runners: [FunctionRunner] = []
        for group in program.inputGroups {
            let settings = group.compactMap { project.stream($0) }
            let streams = settings.compactMap { surroundings.log.stream($0.name) }
            guard settings.count == group.count, streams.count == group.count else { continue }
            for partitions in try FunctionService.split(program, settings, streams) {
                let inputs = zip(settings, partitions).map {
                    FunctionRunner.Context.Input(name: $0.name, policy: $0.policy, partitions: $1)
                }
                runners.append(
                    FunctionRunner(
                        FunctionRunner.Context(
                            function: file.name, text: file.source, program: program, inputs: inputs,
                            outputs: surroundings.outputs, references: surroundings.references,
                            feed: surroundings.feed, rejections: surroundings.rejections, clock: surroundings.clock,
                            checkpoints: surroundings.checkpoints)))
            }
        }
        self.runners = runners
    }

    /// The partitions of each stream for each runner: one by one where the program's keys allow it, or all together.
    private static func split(
        _ program: Program, _ settings: [StreamSettings], _ streams: [LogStream]
    ) throws(ProjectError) -> [[[LogPartition]]] {
        let keys = Set(settings.map(\.keyField))
        let counts = Set(streams.map(\.partitions.count))
        guard let key = keys.first, keys.count == 1, let count = counts.first, counts.count == 1,
            program.partitioning(keyField: key) == .perPartition
        else {
            let names = settings.map(\.name)
            let hasSubstreams = program.sources.contains { names.contains($0.input) && !$0.substreamKeys.isEmpty }
            guard !hasSubstreams || streams.allSatisfy({ $0.partitions.count == 1 }) else {
                throw ProjectError(
                    code: "substream-key",
                    message:
                        "TIMESTAMP BY … OVER needs the partition key of \(names.joined(separator: " and ")) among its keys",
                    hint: "write OVER \(settings[0].keyField), or give the stream one partition")
            }
            return [streams.map(\.partitions)]
        }
        return (0..<count).map { index in streams.map { [$0.partitions[index]] } }
    }

    /// What runners need from the instance.
    struct Surroundings {
        let log: Log
        let outputs: OutputRegistry
        let references: [String: ReferenceTable]
        let feed: LiveFeed
        let rejections: RejectionLog
        let clock: any WallClock
        let checkpoints: CheckpointSettings
    }

    var name: String { file.name }
    var path: String { file.path }

    func differs(in project: Project, from old: Project) -> Bool {
        let isTextChanged =
            project.functions.first { $0.name == name }.map { $0.source.text != file.source.text } ?? true
        let isInputChanged = program.sources.contains { source in
            old.stream(source.input)?.policy != project.stream(source.input)?.policy
        }
        return isTextChanged || isInputChanged
            || program.references.contains { old.reference($0) != project.reference($0) }
            || program.outputs.contains { old.output($0)?.kind != project.output($0)?.kind }
    }

    func start() { threads = runners.map { $0.start() } }

    /// Stops after the steps under way; blocks until the threads have ended.
    func stop() {
        for runner in runners { runner.stop() }
        for thread in threads { thread.join() }
        threads = []
    }

    /// Events taken in since the start.
    var eventsIn: Int { runners.reduce(0) { $0 + $1.figures.eventsIn } }

    /// - Parameter problem: why the newest text of the function does not run, where an older one does.
    func report(now: Timestamp, eventsPerSecond: Double, problem: String?) -> FunctionReport {
        let figures = runners.map(\.figures)
        var counts = FindingCounts()
        for figure in figures { counts.add(figure.counts) }
        let lagging = runners.filter { $0.lagEvents > 0 }
        let lagSeconds = lagging.compactMap { $0.figures.processedTime.map { now.duration(since: $0).inSeconds } }.max()
        let failure = figures.compactMap(\.failure).first
        return FunctionReport(
            name: file.name, file: file.path, state: failure == nil ? "running" : "failed",
            inputs: Set(program.sources.map(\.input)).sorted(), outputs: program.outputs,
            eventsIn: figures.reduce(0) { $0 + $1.eventsIn }, rowsOut: figures.reduce(0) { $0 + $1.rowsOut },
            eventsPerSecond: eventsPerSecond, lagEvents: lagging.reduce(0) { $0 + $1.lagEvents },
            lagSeconds: max(0, lagSeconds ?? 0), watermark: figures.compactMap(\.watermark).min()?.description,
            late: counts.late, early: counts.early, outOfOrder: counts.outOfOrder, dropped: counts.dropped,
            lastError: failure ?? problem)
    }
}

extension StreamSettings {
    /// The stream's policy for events whose time does not fit.
    package var policy: OrderingPolicy {
        OrderingPolicy(
            late: lateTolerance, early: earlyTolerance, outOfOrder: outOfOrderTolerance,
            action: orderingAction == .drop ? .drop : .adjust)
    }
}
