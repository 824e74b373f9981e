import OgawaCore
import OgawaHost
import OgawaPlatform
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A host with a folder of its own for one test.
final class HostFixture: Sendable {
    let folder: String
    let host: FunctionHost
    private let entries: LogEntries

    init(python: String? = nil) throws {
        var template = Array("\(HostFixture.temporary)/ogawa-host-XXXXXX\0".utf8CString.map { UInt8(bitPattern: $0) })
        folder = try template.withUnsafeMutableBytes { bytes -> String in
            let base = try #require(bytes.baseAddress?.assumingMemoryBound(to: CChar.self))
            try #require(mkdtemp(base) != nil)
            return String(cString: base)
        }
        let entries = LogEntries()
        self.entries = entries
        host = try FunctionHost(FunctionHostConfiguration(workDirectory: "\(folder)/.host", pythonPath: python)) {
            entries.append($0)
        }
    }

    deinit {
        host.stop()
        HostFixture.remove(folder)
    }

    /// What the functions wrote so far.
    var log: [FunctionLogEntry] { entries.all }
    var logMessages: [String] { entries.all.map(\.message) }

    static var temporary: String { getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp" }

    /// Whether a program is on the PATH.
    static func has(_ program: String) -> Bool { path(of: program) != nil }

    static func path(of program: String) -> String? {
        let folders = getenv("PATH").map { String(cString: $0) } ?? ""
        return folders.split(separator: ":").map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
    }

    @discardableResult
    func write(_ text: String, to name: String, mode: mode_t = 0o600) throws -> String {
        let path = "\(folder)/\(name)"
        if let slash = path.lastIndex(of: "/") { try POSIXFileSystem().createDirectory(String(path[..<slash])) }
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode)
        try #require(file >= 0)
        defer { close(file) }
        var bytes = Array(text.utf8)
        try #require(Glibc.write(file, &bytes, bytes.count) == bytes.count)
        return path
    }

    /// Adds a program of one file.
    func add(
        _ text: String, file: String = "f.js", runtime: FunctionRuntime = .node, model: FunctionModel = .plain,
        handler: String = "", configuration: JSONValue = [:], change: (inout FunctionProgram) -> Void = { _ in }
    ) throws {
        let path = try write(text, to: file)
        var program = FunctionProgram(
            name: "f", runtime: runtime, model: model, directory: folder, file: path, handler: handler,
            configuration: configuration)
        change(&program)
        host.add(program)
    }

    /// Calls the function with bodies as one batch.
    func call(
        _ bodies: [String], keys: [String]? = nil, offset: Int64 = 0, properties: [String] = [],
        state: [String: String] = [:], function: String = "f", change: (inout FunctionInvocation) -> Void = { _ in }
    ) throws(InvocationFailure) -> InvocationResult {
        let batch = EventBatch.of(bodies, keys: keys, offset: offset, properties: properties)
        var invocation = FunctionInvocation(
            function: function, input: EventInput(stream: "telemetry", batch: batch))
        invocation.state = state.mapValues { Array($0.utf8) }
        change(&invocation)
        return try host.invoke(invocation, in: "f")
    }

    /// The failure of a call that must fail.
    func failure(
        _ bodies: [String] = ["1"], sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> InvocationFailure {
        do {
            _ = try call(bodies)
        } catch { return error }
        Issue.record("the call went well", sourceLocation: sourceLocation)
        throw InvocationFailure(.rubbish, "the call went well")
    }

    private static func remove(_ folder: String) {
        let system = POSIXFileSystem()
        for name in (try? system.listDirectory(folder)) ?? [] {
            let path = "\(folder)/\(name)"
            if unlink(path) != 0 { remove(path) }
        }
        rmdir(folder)
    }
}

private final class LogEntries: Sendable {
    private let entries = Mutex<[FunctionLogEntry]>([])
    func append(_ entry: FunctionLogEntry) { entries.withLock { $0.append(entry) } }
    var all: [FunctionLogEntry] { entries.withLock { $0 } }
}

extension EventBatch {
    /// A batch of text bodies, one second apart from 2026-01-01T00:00:00Z.
    static func of(
        _ bodies: [String], keys: [String]? = nil, offset: Int64 = 0, properties: [String] = []
    ) -> EventBatch {
        var pending = PendingEvents()
        for (index, body) in bodies.enumerated() {
            pending.append(
                key: keys?[index] ?? "d\(index)", body: body,
                properties: index < properties.count ? properties[index] : "")
        }
        var batch = EventBatch(partition: PartitionID(2), firstOffset: Offset(rawValue: offset))
        batch.bytes = pending.bytes + [UInt8](repeating: 0, count: paddingByteCount)
        batch.keys = pending.keys
        batch.bodies = pending.bodies
        batch.properties = pending.properties
        let start: Int64 = 1_767_225_600 * Timestamp.ticksPerSecond
        batch.enqueuedTimes = bodies.indices.map { start + Int64($0) * Timestamp.ticksPerSecond }
        batch.lastEnqueuedTime = Timestamp(ticks: batch.enqueuedTimes.last ?? start)
        return batch
    }
}
