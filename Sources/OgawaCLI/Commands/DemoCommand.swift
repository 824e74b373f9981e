import ArgumentParser
import Ogawa
import OgawaCore

/// `ogawa demo`.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Show a simulated building live.",
        discussion: examples(
            """
            Twenty TMP36 thermometers send by HTTP and MQTT to the project that `ogawa init --template temperature` writes: noise, people who walk \
            past, a clock that is a day fast (garage), a sensor that drifts and fails (workshop), one that goes silent (roof).
            """, "ogawa demo", "ogawa demo --for 20s --json", "ogawa demo --data ~/demo --port 9000"))

    @Option(
        name: .customLong("for"), help: ArgumentHelp("End after this time and print a summary.", valueName: "duration"))
    var time: DurationArgument?

    @Option(help: "Port for HTTP and the console; 0 picks a free one. (default: 8080, or a free one where it is taken)")
    var port: Int?

    @Option(help: "Port for MQTT; 0 picks a free one. (default: 1883, or a free one where it is taken)")
    var mqttPort: Int?

    @Option(
        help: ArgumentHelp(
            "Folder for the project and its data, which stays. (default: a temporary one)", valueName: "dir"),
        completion: .directory)
    var data: String?

    @Option(help: "The same number shows the same noise and the same walkers.")
    var seed: UInt64 = 36

    @Flag(help: "Print one JSON object at the end.")
    var json = false

    mutating func validate() throws {
        if time?.duration == .zero { throw ValidationError("--for is 0, expected a time such as 20s") }
        for (name, port) in [("--port", port), ("--mqtt-port", mqttPort)] {
            if let port, !(0...65_535).contains(port) {
                throw ValidationError("\(name) is \(port), expected a number from 0 to 65535")
            }
        }
    }

    func run() async throws {
        let stop = StopSignal.install()
        let folder = try DemoFolder(data)
        defer { folder.remove() }
        var project = try Project.load(directory: folder.path, environment: Terminal.environment)
        project.name = "demo"
        project.listen.http.port = choosePort(port, standard: project.listen.http, for: "HTTP")
        project.listen.mqtt.port = choosePort(mqttPort, standard: project.listen.mqtt, for: "MQTT")
        let server = try await Server.start(project)
        let cycle = min(120, max(10, time?.duration.inSeconds ?? 120))
        let demo = try DemoRun(
            server: server, building: Building(seed: seed, cycle: cycle), showsLine: Terminal.isError && !json)
        greet(server)
        do {
            try await demo.run(for: time?.duration, stop: stop)
            let totals = try await demo.totals()
            await server.stop()
            summarize(demo.meter.figures, totals)
        } catch {
            await server.stop()
            throw error
        }
    }

    /// The port asked for, else the standard one, else a free one.
    private func choosePort(_ wanted: Int?, standard: ListenAddress, for protocolName: String) -> Int {
        if let wanted { return wanted }
        if PortProbe.isFree(standard) { return standard.port }
        Output.note(
            "note: port \(standard.port) for \(protocolName) is in use by another program; the demo takes a free one")
        return 0
    }

    private func greet(_ server: Server) {
        let lines = [
            "\(Style.output.paint("Ogawa demo", bold: true)): 20 thermometers of a simulated building",
            "  console  \(Style.output.paint(server.endpoints.http + "/", blue: true))",
            "  MQTT     \(server.endpoints.mqtt)",
            "  Try      ogawa tail temperature --url \(server.endpoints.http)",
            "  End with Ctrl-C",
        ]
        for line in lines { if json { Output.note(line) } else { Output.line(line) } }
    }

    private func summarize(_ figures: DemoMeter.Figures, _ totals: (rows: Int64, rejected: Int64)) {
        func milliseconds(_ value: Double?) -> JSONValue { value.map { .float(($0 * 1000).rounded() / 1000) } ?? .null }
        if json {
            Output.line(
                JSONValue.object([
                    JSONMember("events", .integer(Int64(figures.events))), JSONMember("rows", .integer(totals.rows)),
                    JSONMember("rejected", .integer(totals.rejected)),
                    JSONMember("p50_ms", milliseconds(figures.p50Milliseconds)),
                    JSONMember("p99_ms", milliseconds(figures.p99Milliseconds)),
                ]).text)
            return
        }
        var line =
            "\(Figure.grouped(Int64(figures.events))) events accepted, \(Figure.grouped(totals.rows)) rows stored, "
        line += "\(Figure.grouped(totals.rejected)) rejected"
        if let p50 = figures.p50Milliseconds, let p99 = figures.p99Milliseconds {
            line += "; from send to row stored p50 \(Figure.fixed(p50)) ms, p99 \(Figure.fixed(p99)) ms"
        }
        Output.line(line)
        if figures.failed > 0 { Output.note("\(figures.failed) sends failed because a connection was lost") }
    }
}
