import Foundation
import OgawaState

/// A real redis-server on a free port, for the time of a test.
final class RedisServer {
    static let program = find("redis-server")
    static let isInstalled = program != nil

    let port: Int
    private var process: Process?

    var address: RedisAddress {
        get throws { try RedisAddress("redis://127.0.0.1:\(port)/0") }
    }

    /// Starts a server and waits until it answers.
    init() throws {
        port = try RedisServer.freePort()
        try start()
    }

    deinit { stop() }

    func start() throws {
        guard let program = RedisServer.program else { return }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["--port", "\(port)", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.currentDirectoryURL = FileManager.default.temporaryDirectory
        try process.run()
        self.process = process
        for _ in 0..<400 {
            if (try? RedisConnection(address)) != nil { return }
            usleep(10_000)
        }
        throw StateError(.unavailable, "redis-server did not start on port \(port)")
    }

    /// Ends the server, at once.
    func stop() {
        guard let process else { return }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        self.process = nil
    }

    static func find(_ program: String) -> String? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return folders.map { "\($0)/\(program)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// A port that nobody listens on at the moment.
    private static func freePort() throws -> Int {
        let store = StateStore(options: StateOptions.manual, seed: 1)
        let server = try StateServer(store: store, address: .tcp(host: "127.0.0.1", port: 0))
        defer { server.stop() }
        return server.port
    }

    /// Runs a program and returns what it printed.
    static func output(of program: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }
}

extension StateOptions {
    /// Without threads of its own.
    static var manual: StateOptions {
        var options = StateOptions()
        options.runsInBackground = false
        return options
    }
}
