// A real `ogawa run` on free ports in a folder of its own: what the figures are of.

import NIOPosix
import Ogawa
import OgawaCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The server under measurement.
struct BenchServer {
    let child: ChildProcess
    let http: ServerAddress
    let mqttPort: Int
    let folder: String
    /// When the program was started.
    let startTime: ContinuousClock.Instant

    /// Starts the temperature project, or the same without its function.
    static func start(in base: String, withFunction: Bool) async throws -> BenchServer {
        let folder = try Leftovers.makeFolder(in: base)
        var template = Template.temperature
        if !withFunction { template.files.removeAll { $0.path.hasPrefix("functions/") || $0.path.hasPrefix("tests/") } }
        try template.write(to: folder)
        let errors = TextFile.join(folder, "stderr.txt")
        let startTime = ContinuousClock.now
        let child = try ChildProcess(
            [try program(), "run", folder, "--port", "0", "--mqtt-port", "0", "--json"], errorFile: errors)
        guard let line = try await child.line(within: .seconds(30)), let json = try? JSONValue.parse(line),
            case .string(let http)? = json["http"], case .string(let mqtt)? = json["mqtt"],
            let address = ServerAddress(http), let mqttPort = mqtt.split(separator: ":").last.flatMap({ Int($0) })
        else {
            await child.stop()
            let said = (try? TextFile.read(errors)) ?? ""
            throw CommandFailure("the server under measurement did not start", hint: said.isEmpty ? nil : said)
        }
        return BenchServer(child: child, http: address, mqttPort: mqttPort, folder: folder, startTime: startTime)
    }

    /// The program that runs now.
    static func program() throws -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes { raw in
            raw.withMemoryRebound(to: CChar.self) { text in
                text.baseAddress.map { readlink("/proc/self/exe", $0, text.count) } ?? -1
            }
        }
        guard count > 0 else { throw CommandFailure("can't find the program's own file in /proc") }
        return String(decoding: buffer.prefix(count), as: UTF8.self)
    }

    var figures: ProcessFigures { ProcessFigures(processID: child.processID) }

    /// What the server says of itself.
    func status() async throws -> JSONValue {
        let client = HTTPClient(http, timeout: .seconds(30))
        let response = try await client.request("GET", "/status")
        await client.close()
        guard response.isSuccess else { throw response.problem }
        return try JSONValue.parse(response.text)
    }

    /// Waits until the functions have read everything, and gives how long that took; nil when they did not get there.
    func waitForFunctions(within limit: Duration) async throws -> Duration? {
        let start = ContinuousClock.now
        while ContinuousClock.now - start < limit {
            guard case .array(let functions)? = try await status()["functions"] else { return nil }
            if functions.allSatisfy({ $0["lagEvents"] == .integer(0) }) { return ContinuousClock.now - start }
            try await Task.sleep(for: .milliseconds(50))
        }
        return nil
    }

    /// Rows in the table `temperature`.
    func rowCount() async throws -> Int64 {
        guard case .array(let outputs)? = try await status()["outputs"] else { return 0 }
        for output in outputs where output["name"] == .string("temperature") {
            if case .integer(let count)? = output["rows"] { return count }
        }
        return 0
    }

    /// Ends the server and removes its folder.
    func stop() async {
        await child.stop()
        Leftovers.remove(folder: folder)
    }
}

/// Runs a measurement against a server of its own, which ends in any case.
func withServer<Result>(
    in base: String, withFunction: Bool, _ body: (BenchServer) async throws -> Result
) async throws -> Result {
    let server = try await BenchServer.start(in: base, withFunction: withFunction)
    do {
        let result = try await body(server)
        await server.stop()
        return result
    } catch {
        await server.stop()
        throw error
    }
}
