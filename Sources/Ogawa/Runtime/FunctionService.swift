import OgawaCore
import OgawaEngine
import OgawaLog
import OgawaPlatform
import OgawaSQL
import OgawaServer

/// One function of the project and its runners.
///
/// **Isolation.** Owned by the instance, which calls it under its own lock.
final class FunctionService {
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
        for input in Set(program.sources.map(\.input)).sorted() {
            guard let stream = surroundings.log.stream(input), let settings = project.stream(input) else { continue }
            let isSplit = program.partitioning(keyField: settings.keyField) == .perPartition
            let groups = isSplit ? stream.partitions.map { [$0] } : [stream.partitions]
            for partitions in groups {
                runners.append(
                    FunctionRunner(
                        FunctionRunner.Context(
                            function: file.name, program: program, input: settings.name, partitions: partitions,
                            policy: settings.policy, outputs: surroundings.outputs, feed: surroundings.feed,
                            rejections: surroundings.rejections, clock: surroundings.clock)))
            }
        }
        self.runners = runners
    }

    /// What runners need from the instance.
    struct Surroundings {
        let log: Log
        let outputs: OutputRegistry
        let feed: LiveFeed
        let rejections: RejectionLog
        let clock: any WallClock
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
