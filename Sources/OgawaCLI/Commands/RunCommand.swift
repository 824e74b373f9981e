import ArgumentParser
import Ogawa
import OgawaCore

/// `ogawa run`.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a project.",
        discussion: examples(
            """
            Ends with Ctrl-C or SIGTERM, after everything that was accepted is stored. Mistakes in ogawa.yaml or in a function keep it from \
            starting; `ogawa dev` is more patient. With --json the line is {"ready":true,"http":"http://…","mqtt":"mqtt://…"}.
            """, "ogawa run plant", "ogawa run plant --port 0 --mqtt-port 0 --json",
            "ogawa run plant --data /var/lib/plant"))

    @OptionGroup var listen: ListenOptions

    func run() async throws {
        let stop = StopSignal.install()
        let project = try listen.load()
        try refuseMistakes(project)
        let server = try await Server.start(project, allowsInsecure: listen.insecure)
        server.announce(project, json: listen.json)
        await stop.wait()
        if !listen.json { Output.note("stopping") }
        await server.stop()
    }

    private func refuseMistakes(_ project: Project) throws {
        let findings = project.findings()
        for list in findings { Output.note(list.description) }
        for note in project.notes { Output.note("note: \(note)") }
        if findings.contains(where: \.hasErrors) { throw SilentFailure() }
    }
}

/// A project that runs in this process, and where it listens.
struct Server: Sendable {
    let instance: Instance
    let endpoints: Endpoints

    /// Starts the project; a port that is taken is told by its number and its option.
    static func start(_ project: Project, allowsInsecure: Bool = false) async throws -> Server {
        try requireFree(project.listen.http, for: "HTTP", option: "--port")
        try requireFree(project.listen.mqtt, for: "MQTT", option: "--mqtt-port")
        var options = InstanceOptions()
        options.allowsInsecure = allowsInsecure
        options.logger = ConsoleLog.logger()
        let instance = Instance(project: project, options: options)
        do {
            return Server(instance: instance, endpoints: try await instance.start())
        } catch {
            await instance.stop()
            throw error
        }
    }

    func stop() async { await instance.stop() }

    /// Says where events are accepted, for people or as one JSON line.
    func announce(_ project: Project, json: Bool) {
        if json {
            let line = JSONValue.object([
                JSONMember("ready", .bool(true)), JSONMember("http", .string(endpoints.http)),
                JSONMember("mqtt", .string(endpoints.mqtt)),
            ])
            Output.line(line.text)
            return
        }
        Output.line("\(Style.output.paint(project.name, bold: true)) accepts events")
        Output.line("  console  \(Style.output.paint(endpoints.http + "/", blue: true))")
        Output.line("  HTTP     \(endpoints.http)")
        Output.line("  MQTT     \(endpoints.mqtt)")
        Output.line("  data     \(project.dataDirectory)")
    }

    private static func requireFree(_ address: ListenAddress, for protocolName: String, option: String) throws {
        guard address.port != 0, !PortProbe.isFree(address) else { return }
        throw CommandFailure(
            "port \(address.port) for \(protocolName) on \(address.host) is in use by another program",
            hint: "end that program, or choose another port with \(option) (0 picks a free one)")
    }
}
