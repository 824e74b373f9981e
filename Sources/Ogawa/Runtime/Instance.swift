import Logging
import NIOCore
import NIOPosix
import OgawaCore
import OgawaHost
import OgawaLog
import OgawaPlatform
import OgawaSQL
import OgawaServer
import OgawaState
import OgawaStore
import Synchronization

/// How an instance runs, beside its project.
package struct InstanceOptions: Sendable {
    /// True lets listeners bind beyond this machine although nobody is asked for credentials.
    package var allowsInsecure = false
    package var logger: Logger

    package init() {
        logger = Logger(label: "ogawa")
        // What people want to know of a start is printed by the command.
        logger.logLevel = .warning
    }
}

/// Where a running instance listens.
package struct Endpoints: Sendable, Hashable {
    package var http: String
    package var mqtt: String
}

/// A running project: log, store, functions and listeners, started and stopped together.
///
/// **Isolation.** Callable from any task; start, reload and stop take turns.
package final class Instance: Sendable {
    struct State {
        var project: Project
        var services: [any RunningFunction] = []
        var core: Core?
        var endpoints: Endpoints?
        /// Functions whose newest text does not compile, with the reason.
        var problems: [String: (file: String, reason: String)] = [:]
        var meter = RateMeter()
        var followed: Set<String> = []
    }

    /// What lives from start to stop.
    struct Core: Sendable {
        let log: Log
        let store: TableStore
        let outputs: OutputRegistry
        let references: ReferenceKeeper
        let gateway: Gateway
        let http: HTTPListener
        let mqtt: MQTTListener
        let hosted: HostedSurroundings?
        let redis: StateServer?
        let housekeeping: Task<Void, Never>
    }

    let options: InstanceOptions
    let clock: any WallClock = SystemClock()
    let feed = LiveFeed()
    let rejections: RejectionLog
    let tracker: DeviceTracker
    let startedAt: Timestamp
    // Held for the start, stop and reload of functions, which end threads; never on a request's path for long.
    let state: Mutex<State>

    package init(project: Project, options: InstanceOptions = InstanceOptions()) {
        self.options = options
        rejections = RejectionLog(clock: clock)
        tracker = DeviceTracker(feed: feed, clock: clock)
        startedAt = clock.now()
        state = Mutex(State(project: project))
    }

    /// Opens the data folder, starts the functions and accepts events.
    ///
    /// - Throws: ``DiagnosticList`` for a function that does not compile, ``LogError``, ``StoreError``, ``ProjectError``.
    package func start() async throws -> Endpoints {
        let project = state.withLock { $0.project }
        if !options.allowsInsecure { try project.listen.requireLoopback() }
        let log = try openLog(project)
        let store: TableStore
        do {
            store = try TableStore(path: project.dataDirectory + "/tables.db")
        } catch {
            log.close()
            throw error
        }
        let outputs = OutputRegistry()
        let gateway = Gateway(
            log: log, streams: project.routes, telemetryStream: project.telemetryStream, rejections: rejections)
        let http = HTTPListener(
            configuration: .init(host: project.listen.http.host, port: project.listen.http.port), gateway: gateway,
            backend: self, feed: feed, logger: options.logger)
        let mqtt = MQTTListener(
            configuration: .init(host: project.listen.mqtt.host, port: project.listen.mqtt.port), ingest: gateway,
            group: MultiThreadedEventLoopGroup.singleton, logger: options.logger)
        let parts: HostedParts
        do { parts = try HostedParts(project, log: log, outputs: outputs, instance: self) } catch {
            store.close()
            log.close()
            throw error
        }
        let core = Core(
            log: log, store: store, outputs: outputs, references: makeReferences(project, outputs), gateway: gateway,
            http: http, mqtt: mqtt, hosted: parts.surroundings, redis: parts.redis, housekeeping: keepHouse())
        state.withLock { $0.core = core }
        try outputs.update(project, log: log, store: store)
        tell(try core.references.update(project.references))
        try startFunctions(project, core)
        for note in log.recoveryNotes { options.logger.warning("\(note)") }
        let httpPort = try await http.start()
        let mqttPort = try await mqtt.start()
        let endpoints = Endpoints(
            http: "http://\(project.listen.http.with(port: httpPort))",
            mqtt: "mqtt://\(project.listen.mqtt.with(port: mqttPort))")
        state.withLock { $0.endpoints = endpoints }
        return endpoints
    }

    /// Stops accepting, lets the functions finish their steps, and closes the files.
    package func stop() async {
        guard let core = state.withLock({ $0.core }) else { return }
        core.housekeeping.cancel()
        await core.mqtt.stop()
        await core.http.stop()
        tracker.stop()
        await onThread { [self] in
            let services = state.withLock { state in
                defer { state.services = [] }
                return UnsafeServices(state.services)
            }
            for service in services.list { service.stop() }
            core.redis?.stop()
            core.hosted?.close()
            core.references.close()
            core.log.close()
            core.store.close()
        }
        state.withLock { $0.core = nil }
    }

    /// Takes over a changed project: new streams and outputs, and functions whose text changed.
    ///
    /// Other functions run on.
    /// - Returns: what was done and what is wrong, in lines for people. A function that does not compile leaves its running
    ///   version in place.
    package func reload(_ project: Project) async -> [String] {
        guard let core = state.withLock({ $0.core }) else { return [] }
        return await onThread { [self] in
            let notes: [ReferenceNote]
            do {
                for stream in project.streams {
                    if let known = core.log.stream(stream.name) {
                        known.update(stream.logConfiguration)
                    } else {
                        _ = try core.log.add(stream.logConfiguration)
                    }
                }
                try core.outputs.update(project, log: core.log, store: core.store)
                notes = try core.references.update(project.references)
            } catch {
                return [String(describing: error)]
            }
            core.gateway.update(streams: project.routes, telemetryStream: project.telemetryStream)
            followStreams(project, core)
            tell(notes)
            return notes.map(\.text) + exchangeFunctions(project, core)
        }
    }
}

// MARK: Parts of starting

extension Instance {
    private func openLog(_ project: Project) throws -> Log {
        try Log.open(
            directory: project.dataDirectory + "/log", streams: project.streams.map(\.logConfiguration), clock: clock)
    }

    private func startFunctions(_ project: Project, _ core: Core) throws {
        let services = try project.functionNames.map { try makeService($0, project, core) }
        for service in services { service.start() }
        let started = UnsafeServices(services)
        state.withLock { $0.services = started.list }
        followStreams(project, core)
    }

    /// The service of a function of the project by its name, not started yet.
    private func makeService(_ name: String, _ project: Project, _ core: Core) throws -> any RunningFunction {
        if let file = project.functions.first(where: { $0.name == name }) {
            return try FunctionService(file, project: project, surroundings: surroundings(project, core))
        }
        guard let file = project.hosted.first(where: { $0.name == name }), let hosted = core.hosted else {
            throw ProjectError(
                code: "restart-needed", message: "the first function that is not SQL needs a restart",
                hint: "stop Ogawa and start it again")
        }
        return HostedService(file, project: project, surroundings: hosted)
    }

    private func surroundings(_ project: Project, _ core: Core) -> FunctionService.Surroundings {
        FunctionService.Surroundings(
            log: core.log, outputs: core.outputs, references: core.references.tables, feed: feed,
            rejections: rejections, clock: clock,
            checkpoints: CheckpointSettings(
                directory: project.dataDirectory + "/checkpoints", interval: project.checkpointInterval,
                store: core.store))
    }

    private func followStreams(_ project: Project, _ core: Core) {
        for settings in project.streams {
            let isNew = state.withLock { $0.followed.insert(settings.name).inserted }
            guard isNew, let stream = core.log.stream(settings.name) else { continue }
            tracker.follow(stream, timeField: settings.timeField)
        }
    }

    /// Stops functions that changed or went, starts the new ones, and tells what happened.
    private func exchangeFunctions(_ project: Project, _ core: Core) -> [String] {
        let running = state.withLock { UnsafeServices($0.services) }.list
        var kept: [any RunningFunction] = []
        var notes: [String] = []
        var problems: [String: (file: String, reason: String)] = [:]
        let before = state.withLock { $0.project }
        for name in project.functionNames {
            let old = running.first { $0.name == name }
            if let old, !old.differs(in: project, from: before) {
                kept.append(old)
                continue
            }
            do {
                let service = try makeService(name, project, core)
                old?.stop()
                service.start()
                kept.append(service)
                notes.append("\(service.path): \(old == nil ? "started" : "restarted with its new text")")
            } catch {
                notes.append(String(describing: error))
                problems[name] = (old?.path ?? name, String(describing: error))
                kept += old.map { [$0] } ?? []
            }
        }
        for service in running where !project.functionNames.contains(service.name) {
            service.stop()
            notes.append("\(service.path): stopped, its file is gone")
        }
        let services = UnsafeServices(kept)
        let found = problems
        state.withLock { state in
            state.services = services.list
            state.problems = found
            state.project = project
        }
        return notes
    }

    /// Samples rates and looks at reference data each second, and applies retention each half minute.
    private func keepHouse() -> Task<Void, Never> {
        // SAFETY: stop() cancels the task.
        Task.detached { [weak self] in
            var second = 0
            while !Task.isCancelled {
                guard let self else { return }
                self.sampleRates()
                second += 1
                await self.refreshReferences()
                if second % 30 == 0 { await self.onThread { self.applyRetention() } }
                do { try await Task.sleep(for: .seconds(1)) } catch { return }
            }
        }
    }

    private func sampleRates() {
        let now = clock.now()
        state.withLock { state in
            guard let core = state.core else { return }
            var counts: [String: Int] = [:]
            for stream in core.log.streams { counts["stream " + stream.name] = Int(clamping: stream.eventCount) }
            for output in core.outputs.outputs { counts["output " + output.name] = core.outputs.rowCount(output.name) }
            for service in state.services { counts["function " + service.name] = service.eventsIn }
            state.meter.sample(counts, at: now)
        }
    }

    private func applyRetention() {
        guard let core = state.withLock({ $0.core }) else { return }
        core.log.enforceRetention()
        for output in core.outputs.outputs {
            guard case .table(let table) = output.target else { continue }
            do { _ = try table.enforceRetention(now: clock.now()) } catch {
                options.logger.warning("table \(output.name): \(error)")
            }
        }
        pruneReferences()
    }

    /// Runs work that blocks on a thread of its own.
    func onThread<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            _ = DedicatedThread(name: "ogawa-control") { continuation.resume(returning: work()) }
        }
    }
}

/// Functions on their way across the instance's lock.
///
/// SAFETY: a service is used by one of start, reload and stop at a time; status reads its figures, which have locks.
struct UnsafeServices: @unchecked Sendable {
    let list: [any RunningFunction]

    init(_ list: [any RunningFunction]) { self.list = list }
}

extension Project {
    fileprivate var routes: [StreamRoute] { streams.map { StreamRoute(name: $0.name, keyField: $0.keyField) } }
}

extension StreamSettings {
    /// What the log needs to know of the stream.
    var logConfiguration: StreamConfiguration {
        StreamConfiguration(
            name: name, partitionCount: partitionCount, durability: durability,
            retention: Retention(age: retentionAge, byteCount: retentionByteCount))
    }
}

extension ListenAddress {
    fileprivate func with(port: Int) -> ListenAddress { ListenAddress(host: host, port: port) }
}
