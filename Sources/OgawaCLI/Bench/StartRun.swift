// How fast it starts, what it costs when nothing happens, and how much memory the demo takes.

import Ogawa
import OgawaCore

/// What the runs gave.
struct StartResult: Sendable {
    /// From starting the program to the answer that the first event is durable, sorted.
    var startMilliseconds: [Double] = []
    var idlePercent: Double?
    var idleResidentByteCount: Int64?
    var demoResidentByteCount: Int64?

    var medianMilliseconds: Double? { startMilliseconds.isEmpty ? nil : startMilliseconds[startMilliseconds.count / 2] }

    var json: JSONValue {
        func value(_ number: Double?) -> JSONValue { number.map { .float($0) } ?? .null }
        func bytes(_ number: Int64?) -> JSONValue { number.map { .integer($0) } ?? .null }
        return .object([
            JSONMember("firstEventMedian_ms", value(medianMilliseconds)),
            JSONMember("firstEvent_ms", .array(startMilliseconds.map { .float($0) })),
            JSONMember("idleCPU_percent", value(idlePercent)),
            JSONMember("idleResident_bytes", bytes(idleResidentByteCount)),
            JSONMember("demoPeakResident_bytes", bytes(demoResidentByteCount)),
        ])
    }
}

/// Measures starts, idleness and the demo.
struct StartRun {
    var base: String
    var startCount = 10
    var idleTime = Duration.seconds(10)
    var demoTime = 15

    func run() async throws -> StartResult {
        var result = StartResult()
        for _ in 0..<startCount {
            let milliseconds = try await withServer(in: base, withFunction: true, firstEvent)
            result.startMilliseconds.append(milliseconds)
        }
        result.startMilliseconds.sort()
        (result.idlePercent, result.idleResidentByteCount) = try await withServer(in: base, withFunction: true, idle)
        result.demoResidentByteCount = try await demo()
        return result
    }

    /// The time from the program's start to the acknowledgement of an event, in milliseconds.
    private func firstEvent(_ server: BenchServer) async throws -> Double {
        let client = HTTPClient(server.http)
        var lines = ReadingLines(devices: ["bench-0"])
        let response = try await client.request(
            "POST", "/streams/telemetry/events", headers: [("content-type", "application/x-ndjson")],
            body: lines.next(time: wallTime(), firstNumber: 1))
        let elapsed = ContinuousClock.now - server.startTime
        await client.close()
        guard response.isSuccess else { throw response.problem }
        return elapsed.inSeconds * 1000
    }

    private func idle(_ server: BenchServer) async throws -> (Double?, Int64?) {
        _ = try await firstEvent(server)
        try await Task.sleep(for: .seconds(2))
        let before = server.figures.cpuSeconds
        let start = ContinuousClock.now
        try await Task.sleep(for: idleTime)
        let elapsed = (ContinuousClock.now - start).inSeconds
        guard let before, let after = server.figures.cpuSeconds else { return (nil, nil) }
        return ((after - before) / elapsed * 100, server.figures.residentByteCount)
    }

    /// The most memory that the demo ever had in RAM.
    private func demo() async throws -> Int64? {
        let folder = try Leftovers.makeFolder(in: base)
        defer { Leftovers.remove(folder: folder) }
        let child = try ChildProcess(
            [
                try BenchServer.program(), "demo", "--for", "\(demoTime)s", "--json", "--port", "0", "--mqtt-port", "0",
                "--data", TextFile.join(folder, "demo"),
            ], errorFile: TextFile.join(folder, "stderr.txt"))
        var peak: Int64?
        let deadline = ContinuousClock.now + .seconds(Int64(demoTime) + 15)
        while ContinuousClock.now < deadline, await !child.wait(for: .milliseconds(100)) {
            peak = ProcessFigures(processID: child.processID).peakResidentByteCount ?? peak
        }
        await child.stop()
        return peak
    }
}
