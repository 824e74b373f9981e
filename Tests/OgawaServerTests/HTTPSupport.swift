import Glibc
import Logging
import NIOCore
import NIOPosix
import OgawaCore
import OgawaLog
import OgawaPlatform
import OgawaServer
import OgawaStore
import OgawaTesting
import Synchronization
import Testing

/// A listener over a log in memory and a backend that answers what it was told.
final class HTTPHarness: Sendable {
    let log: Log
    let files: MemoryFileSystem
    let gateway: Gateway
    let rejections: RejectionLog
    let backend: FakeBackend
    let feed: LiveFeed
    let listener: HTTPListener
    let port: Int

    private init(
        streams: [StreamConfiguration], routes: [StreamRoute], configuration: HTTPListener.Configuration,
        limits: GatewayLimits, liveLimits: LiveLimits
    ) async throws {
        files = MemoryFileSystem()
        log = try Log.open(directory: "/log", streams: streams, clock: SystemClock(), fileSystem: files)
        rejections = RejectionLog(clock: SystemClock(), capacity: 100)
        gateway = Gateway(
            log: log, streams: routes, telemetryStream: "telemetry", rejections: rejections, limits: limits)
        backend = FakeBackend(rejections: rejections)
        feed = LiveFeed(limits: liveLimits)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        listener = HTTPListener(
            configuration: configuration, gateway: gateway, backend: backend, feed: feed, logger: logger)
        port = try await listener.start()
    }

    /// Runs a test against a fresh listener on a free port.
    static func run(
        streams: [StreamConfiguration] = [
            StreamConfiguration(name: "telemetry", partitionCount: 2),
            StreamConfiguration(name: "power", partitionCount: 1),
        ],
        routes: [StreamRoute] = [StreamRoute(name: "telemetry"), StreamRoute(name: "power", keyField: "meter")],
        configuration: HTTPListener.Configuration = HTTPListener.Configuration(port: 0),
        limits: GatewayLimits = GatewayLimits(), liveLimits: LiveLimits = LiveLimits(),
        _ body: (HTTPHarness) async throws -> Void
    ) async throws {
        let harness = try await HTTPHarness(
            streams: streams, routes: routes, configuration: configuration, limits: limits, liveLimits: liveLimits)
        do {
            try await body(harness)
        } catch {
            await harness.listener.stop()
            harness.log.close()
            throw error
        }
        await harness.listener.stop()
        harness.log.close()
    }

    /// Sends one request on a connection of its own.
    func request(
        _ method: String, _ path: String, headers: [(String, String)] = [], body: [UInt8]? = nil
    ) async throws -> HTTPAnswer {
        try await RawConnection.open(port) { connection in
            var head = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n"
            for (name, value) in headers { head += "\(name): \(value)\r\n" }
            if let body { head += "Content-Length: \(body.count)\r\n" }
            try await connection.send(Array((head + "\r\n").utf8) + (body ?? []))
            return try await connection.answer(hasBody: method != "HEAD")
        }
    }

    /// Posts JSON text.
    func post(_ path: String, _ body: String, headers: [(String, String)] = []) async throws -> HTTPAnswer {
        try await request(
            "POST", path, headers: [("Content-Type", "application/json")] + headers, body: Array(body.utf8))
    }

    /// Everything a stream holds as `key body` lines, partition by partition.
    func stored(_ stream: String = "telemetry") throws -> [String] {
        var lines: [String] = []
        for partition in try #require(log.stream(stream)).partitions {
            var position = partition.startPosition
            while let (batch, next) = try partition.read(from: position, maxByteCount: 1 << 20) {
                lines += (0..<batch.count).map { "\(batch.key(at: $0)) \(batch.body(at: $0))" }
                position = next
            }
        }
        return lines
    }
}

/// A backend for tests.
final class FakeBackend: ServerBackend {
    let rejectionLog: RejectionLog
    let ready = Mutex(true)
    let lastQuery = Mutex<TableQuery?>(nil)
    let failure = Mutex<StoreError?>(nil)
    let rows = Mutex<[[Value]]>([])

    init(rejections: RejectionLog) { rejectionLog = rejections }

    func status() -> StatusReport {
        StatusReport(
            name: "plant", startedAt: "2026-01-01T00:00:00.0000000Z", uptimeSeconds: 12.5, version: "0.1.0",
            streams: [
                StreamReport(
                    name: "telemetry", partitions: 2, events: 3, bytes: 120, eventsPerSecond: 0.5, firstOffset: [0, 0],
                    nextOffset: [1, 2])
            ],
            functions: [
                FunctionReport(
                    name: "temperature", file: "functions/temperature.sql", state: "running", inputs: ["telemetry"],
                    outputs: ["temperature"], lastError: "a \"quoted\" \u{1} thing")
            ],
            outputs: [
                OutputReport(name: "temperature", kind: "table", rows: 3, rowsPerSecond: 1e-7, columns: ["a"], key: "a")
            ],
            rejected: 4, connections: ConnectionsReport(http: 1, mqtt: 2, live: 0))
    }

    func devices(limit: Int) -> [DeviceReport] {
        Array(
            [
                DeviceReport(
                    id: "dev-1", stream: "telemetry", lastSeen: "2026-01-01T00:00:00.0000000Z", lastEventTime: nil,
                    clockOffsetSeconds: -1.5, events: 3, lastBody: JSONText(#"{"a":[1,2.5,null,true,"x"],"b":{}}"#)),
                DeviceReport(
                    id: "dev-2", stream: "telemetry", lastSeen: "2026-01-01T00:00:00.0000000Z", lastEventTime: nil,
                    clockOffsetSeconds: nil, events: 0, lastBody: nil),
            ].prefix(limit))
    }

    func rejections(limit: Int) -> RejectionsReport { rejectionLog.newest(limit) }
    var isReady: Bool { ready.withLock { $0 } }
    var liveNames: [String] { ["telemetry", "temperature"] }
    var tableNames: [String] { ["temperature", "alarms"] }

    func query(table: String, _ query: TableQuery) throws -> TableRows {
        lastQuery.withLock { $0 = query }
        if let failure = failure.withLock({ $0 }) { throw failure }
        return TableRows(table: table, columns: ["deviceId", "time", "value"], rows: rows.withLock { $0 })
    }
}

/// Holds threads back until a test opens it, or for five seconds.
final class ReleaseGate: Sendable {
    private let isOpen = Mutex(false)

    func open() { isOpen.withLock { $0 = true } }

    func wait() {
        let end = ContinuousClock.now + .seconds(5)
        while !isOpen.withLock({ $0 }), ContinuousClock.now < end { usleep(1000) }
    }
}
