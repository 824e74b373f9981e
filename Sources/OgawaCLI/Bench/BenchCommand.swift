import ArgumentParser
import Ogawa
import OgawaCore

/// `ogawa bench`.
struct BenchCommand: AsyncParsableCommand {
    /// What is measured.
    enum Subject: String, CaseIterable, ExpressibleByArgument {
        case http
        case mqtt
        case latency
        case start
        case sql
        case all
    }

    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure this program on this machine.",
        discussion: examples(
            """
            Starts servers of its own on free ports of 127.0.0.1, in temporary folders, and ends them. Sender and server share the \
            processor, so nothing else should run. http: batches of 500 next to dd on the same disk. mqtt: QoS 1 over 100 connections, next \
            to mosquitto where it is installed. latency: from the scheduled time to the stored row, at 1 000 and 10 000 events/s. start: first \
            event, idle processor, memory. sql: queries over files of thermometers, which it makes once and leaves in the folder (not part of \
            all).
            """, "ogawa bench", "ogawa bench latency --seconds 30 --json", "ogawa bench http --data /mnt/disk",
            "ogawa bench sql --events 10000000"))

    @Argument(help: "http, mqtt, latency, start, sql, or all (without sql).")
    var subject = Subject.all

    @Option(help: ArgumentHelp("Length of each measurement, 1 to 600.", valueName: "n"))
    var seconds = 10

    @Option(
        help: ArgumentHelp("Folder on the disk to measure. (default: TMPDIR, else /tmp)", valueName: "dir"),
        completion: .directory)
    var data: String?

    @Option(help: ArgumentHelp("Connections that send batches, 1 to 256.", valueName: "n"))
    var connections = 8

    @Option(help: ArgumentHelp("Events of each file that sql reads, 100 to 100000000.", valueName: "n"))
    var events = 2_000_000

    @Flag(help: "Print one JSON object.")
    var json = false

    mutating func validate() throws {
        guard (1...600).contains(seconds) else { throw ValidationError("--seconds is \(seconds), expected 1 to 600") }
        guard (1...256).contains(connections) else {
            throw ValidationError("--connections is \(connections), expected 1 to 256")
        }
        guard (100...100_000_000).contains(events) else {
            throw ValidationError("--events is \(events), expected 100 to 100000000")
        }
    }

    func run() async throws {
        let stop = StopSignal.install()
        // SAFETY: lives until the program ends, which it brings about itself when the user wishes.
        Task {
            await stop.wait()
            Leftovers.clearAndExit(130)
        }
        defer { Leftovers.clear() }
        let base = data ?? Terminal.environment["TMPDIR"].flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
        try TextFile.createDirectory(base)
        if subject == .sql { return try measureSQL(in: base) }
        let results = try await measure(
            Bench(base: base, duration: .seconds(Int64(seconds)), connectionCount: connections))
        if json {
            Output.line(results.json.text)
        } else {
            for line in results.lines(width: Terminal.isOutput ? Terminal.width : 100) { Output.line(line) }
        }
    }

    private func measureSQL(in base: String) throws {
        let folder = TextFile.join(base, "ogawa-thermo")
        try TextFile.createDirectory(folder)
        var bench = SQLBench(folder: folder, eventCount: events, program: try BenchServer.program())
        var results = BenchResults()
        try bench.run { Output.note("sql: \($0)") }
        results.sql = bench.json
        if json { return Output.line(results.json.text) }
        let width = Terminal.isOutput ? Terminal.width : 140
        for line in results.lines(width: width) + bench.lines(width: width) { Output.line(line) }
    }

    private func measure(_ bench: Bench) async throws -> BenchResults {
        func isWanted(_ wanted: Subject) -> Bool { subject == wanted || subject == .all }
        var results = BenchResults()
        if isWanted(.start) {
            Output.note("start: ten starts, ten seconds of rest, the demo")
            results.start = try await StartRun(base: bench.base).run()
        }
        if isWanted(.http) {
            Output.note("http: \(seconds) s into the log, \(seconds) s with a function and its table")
            results.http = [try await bench.http(withFunction: false), try await bench.http(withFunction: true)]
        }
        if isWanted(.mqtt) {
            Output.note("mqtt: \(seconds) s each")
            results.mqtt = try await bench.mqtt()
        }
        if isWanted(.latency) {
            Output.note("latency: \(seconds) s each at 1 000 and 10 000 events/s")
            results.latency = [try await bench.latency(rate: 1000), try await bench.latency(rate: 10_000)]
        }
        return results
    }
}

/// The measurements, each against a server of its own.
struct Bench {
    var base: String
    var duration: Duration
    var connectionCount: Int

    /// Batches by HTTP until the time is over; with the function, also until it has written every row.
    func http(withFunction: Bool) async throws -> HTTPResult {
        let before = try await DiskProbe.run(in: base)
        var result = try await withServer(in: base, withFunction: withFunction) { server in
            let cpuBefore = server.figures.cpuSeconds
            let start = ContinuousClock.now
            let load = HTTPLoad(address: server.http, connectionCount: connectionCount)
            let (totals, elapsed) = try await load.run(for: duration)
            let events = Double(max(1, totals.acknowledgedCount))
            var result = HTTPResult(name: withFunction ? "log, function and table" : "log only")
            result.eventsPerSecond = events / elapsed.inSeconds
            result.bytesPerSecond = Double(totals.byteCount) / elapsed.inSeconds
            result.acknowledged = totals.latency
            result.pushedBackCount = totals.pushedBackCount
            result.ingestCPU = perMillion(server, since: cpuBefore, events)
            guard withFunction else { return result }
            Output.note("http: waiting until the function has read everything")
            guard try await server.waitForFunctions(within: duration * 20 + .seconds(60)) != nil else {
                throw CommandFailure(
                    "the function did not catch up within \(Figure.seconds((duration * 20).inSeconds + 60))")
            }
            result.rowsPerSecond = events / (ContinuousClock.now - start).inSeconds
            result.totalCPU = perMillion(server, since: cpuBefore, events)
            return result
        }
        result.disk = (before, try await DiskProbe.run(in: base))
        return result
    }

    private func perMillion(_ server: BenchServer, since before: Double?, _ count: Double) -> Double? {
        guard let before, let now = server.figures.cpuSeconds else { return nil }
        return (now - before) / count * 1e6
    }

    /// QoS 1 into the log, then the same to mosquitto.
    func mqtt() async throws -> [MQTTResult] {
        var results: [MQTTResult] = []
        results.append(
            try await withServer(in: base, withFunction: false) { server in
                try await mqtt("Ogawa, durable", port: server.mqttPort, process: server.figures)
            })
        guard let program = Mosquitto.program else {
            Output.note(
                "mqtt: mosquitto is not installed, so there is nothing to compare with (apt-get install mosquitto)")
            return results
        }
        let mosquitto = try await Mosquitto.start(in: base, program: program)
        do {
            let process = ProcessFigures(processID: mosquitto.child.processID)
            results.append(try await mqtt("mosquitto, in memory", port: mosquitto.port, process: process))
        } catch {
            await mosquitto.stop()
            throw error
        }
        await mosquitto.stop()
        return results
    }

    private func mqtt(_ name: String, port: Int, process: ProcessFigures) async throws -> MQTTResult {
        let before = process.cpuSeconds
        let (totals, elapsed) = try await MQTTLoad(port: port).run(for: duration)
        if let failure = totals.failure { Output.note("mqtt: \(name): \(failure)") }
        let count = Double(max(1, totals.acknowledgedCount))
        var result = MQTTResult(name: name)
        result.messagesPerSecond = count / elapsed.inSeconds
        result.bytesPerSecond = Double(totals.byteCount) / elapsed.inSeconds
        if let before, let after = process.cpuSeconds { result.cpu = (after - before) / count * 1e6 }
        return result
    }

    /// One open-loop run.
    func latency(rate: Int) async throws -> LatencyResult {
        try await withServer(in: base, withFunction: true) { server in
            try await LatencyRun(server: server, rate: rate, duration: duration).run()
        }
    }
}
