import OgawaCore
import OgawaHost
import OgawaLog
import OgawaPlatform
import OgawaServer
import OgawaState
import Synchronization

/// What hosted functions need from the instance.
struct HostedSurroundings: Sendable {
    let host: FunctionHost
    let state: any StateBackend
    let store: StateStore
    let log: Log
    let outputs: OutputRegistry
    let feed: LiveFeed
    let rejections: RejectionLog
    let clock: any WallClock

    /// Ends the workers, and stores what is left of the state.
    func close() {
        host.stop()
        do { try store.close() } catch {
            rejections.append(
                kind: .error, stream: nil, function: nil, device: nil, reason: "the state was not closed well: \(error)"
            )
        }
    }
}

/// A function or an app of the project that runs in worker processes, with its runners.
///
/// **Isolation.** Owned by the instance, which calls it under its own lock.
final class HostedService: RunningFunction {
    private struct State {
        var runners: [HostedRunner] = []
        var timers: [HostedTimer] = []
        var threads: [DedicatedThread] = []
        var isStopping = false
        var failure: String?
        var inputs: Set<String> = []
    }

    let file: HostedFile
    private let surroundings: HostedSurroundings
    private let streams: [String]
    private let onlyStream: String?
    private let state = Mutex(State())
    private let bell = Bell()
    private var starter: DedicatedThread?

    init(_ file: HostedFile, project: Project, surroundings: HostedSurroundings) {
        self.file = file
        self.surroundings = surroundings
        streams = project.streams.map(\.name)
        onlyStream = project.telemetryStream
    }

    var name: String { file.name }
    var path: String { file.path }
    var eventsIn: Int { state.withLock { $0.runners.reduce(0) { $0 + $1.figures.eventsIn } } }

    func differs(in project: Project, from old: Project) -> Bool {
        project.hosted.first { $0.name == name } != file
            || project.outputs != old.outputs || project.streams.map(\.name) != old.streams.map(\.name)
    }

    func start() {
        surroundings.host.add(file.definition.program)
        guard file.definition.needsRegistration else { return run([file.definition]) }
        // Only the running program knows its functions.
        let work = Registration(service: self)
        starter = DedicatedThread(name: name) { work.service.register() }
    }

    func stop() {
        let threads = state.withLock { state in
            state.isStopping = true
            for runner in state.runners { runner.stop() }
            for timer in state.timers { timer.stop() }
            defer { state.threads = [] }
            return state.threads
        }
        bell.ring()
        starter?.join()
        starter = nil
        // A call under way fails as stopped; nothing of it counts.
        surroundings.host.remove(program: file.definition.program.name)
        for thread in threads { thread.join() }
    }

    private func register() {
        var delay = Duration.milliseconds(200)
        while state.withLock({ !$0.isStopping }) {
            do {
                let greeting = try surroundings.host.describe(program: file.definition.program.name)
                let (functions, problems) = FunctionDiscovery.registered(by: file.definition, greeting: greeting)
                for problem in problems { report("\(problem)") }
                state.withLock { $0.failure = problems.first?.description }
                return run(functions)
            } catch {
                report("does not load: \(error)")
                state.withLock { $0.failure = error.description }
            }
            bell.wait(timeout: delay)
            delay = min(delay * 2, .seconds(30))
        }
    }

    private func run(_ definitions: [FunctionDefinition]) {
        for definition in definitions {
            let context = HostedContext(
                definition: definition, host: surroundings.host, state: surroundings.state,
                outputs: surroundings.outputs, feed: surroundings.feed, rejections: surroundings.rejections,
                clock: surroundings.clock)
            for (index, trigger) in definition.triggers.enumerated() {
                switch trigger {
                case .stream(let trigger): follow(trigger, context)
                case .timer(let schedule):
                    let timer = HostedTimer(context, schedule: schedule, index: index)
                    state.withLock { state in
                        if state.isStopping { return }
                        state.timers.append(timer)
                        state.threads.append(timer.start())
                    }
                case .web(let web):
                    report("its route '\(web.route)' is not served yet: functions are called for streams and timers")
                }
            }
        }
    }

    private func follow(_ trigger: StreamTrigger, _ context: HostedContext) {
        guard let wanted = trigger.stream ?? onlyStream else {
            return fail("says no stream, and the project has several; add `on: STREAM` to its settings")
        }
        guard let name = streams.first(where: { $0.lowercased() == wanted.lowercased() }),
            let stream = surroundings.log.stream(name)
        else {
            let near = nearestName(to: wanted, in: streams).map { "; did you mean \($0)?" } ?? ""
            return fail("is to be called for the stream '\(wanted)', which the project does not have\(near)")
        }
        state.withLock { state in
            if state.isStopping { return }
            state.inputs.insert(name)
            for partition in stream.partitions {
                let runner = HostedRunner(context, trigger: trigger, stream: name, partition: partition)
                state.runners.append(runner)
                state.threads.append(runner.start())
            }
        }
    }

    private func fail(_ reason: String) {
        report(reason)
        state.withLock { $0.failure = reason }
    }

    private func report(_ reason: String) {
        surroundings.rejections.append(kind: .error, stream: nil, function: name, device: nil, reason: reason)
    }

    func report(now: Timestamp, eventsPerSecond: Double, problem: String?) -> FunctionReport {
        let (runners, timers, own, inputs) = state.withLock { ($0.runners, $0.timers, $0.failure, $0.inputs.sorted()) }
        let figures = runners.map(\.figures) + timers.map(\.figures)
        let failure = own ?? figures.compactMap(\.failure).first
        let lagging = runners.filter { $0.lagEvents > 0 }
        let lagSeconds = lagging.compactMap { $0.figures.processedTime.map { now.duration(since: $0).inSeconds } }.max()
        let outputs = file.definition.outputs.map { output -> String in
            switch output.target {
            case .named(let name), .stream(let name), .table(let name, _): name
            }
        }
        return FunctionReport(
            name: name, file: path, state: failure == nil ? "running" : "failed", inputs: inputs, outputs: outputs,
            eventsIn: figures.reduce(0) { $0 + $1.eventsIn }, rowsOut: figures.reduce(0) { $0 + $1.rowsOut },
            eventsPerSecond: eventsPerSecond, lagEvents: lagging.reduce(0) { $0 + $1.lagEvents },
            lagSeconds: max(0, lagSeconds ?? 0), watermark: nil, late: 0, early: 0, outOfOrder: 0, dropped: 0,
            lastError: failure ?? problem)
    }

    /// The service on its way to its starting thread.
    ///
    /// SAFETY: ``stop()`` joins the thread; what it touches is behind the lock.
    private struct Registration: @unchecked Sendable { let service: HostedService }
}
