// Options that several commands share.

import ArgumentParser
import Ogawa

/// `--url`, of the commands that talk to a running instance.
package struct ServerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Address of the running instance; also OGAWA_URL in the environment. (default: http://127.0.0.1:8080)",
            valueName: "url"))
    package var url: String?

    package init() {}

    package mutating func validate() throws {
        guard let text = url ?? Terminal.environment["OGAWA_URL"], ServerAddress(text) == nil else { return }
        throw ValidationError("'\(text)' is no address of an instance; write --url http://127.0.0.1:8080")
    }

    /// The address, checked by ``validate()``.
    package var address: ServerAddress {
        (url ?? Terminal.environment["OGAWA_URL"]).flatMap { ServerAddress($0) }
            ?? ServerAddress(host: "127.0.0.1", port: 8080)
    }
}

/// What `run` and `dev` need to start a project.
package struct ListenOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("The project's folder.", valueName: "dir"), completion: .directory)
    package var directory = "."

    @Option(help: "Port for HTTP; 0 picks a free one. (default: what ogawa.yaml says, else 8080)")
    package var port: Int?

    @Option(help: "Port for MQTT; 0 picks a free one. (default: what ogawa.yaml says, else 1883)")
    package var mqttPort: Int?

    @Option(
        help: ArgumentHelp(
            "Folder for the log, the tables and the state. (default: data in the project)", valueName: "dir"),
        completion: .directory)
    package var data: String?

    @Flag(help: "Allow addresses that other machines reach, although nobody is asked for credentials.")
    package var insecure = false

    @Flag(help: "Print one JSON line when events are accepted.")
    package var json = false

    package init() {}

    package mutating func validate() throws {
        for (name, port) in [("--port", port), ("--mqtt-port", mqttPort)] {
            if let port, !(0...65_535).contains(port) {
                throw ValidationError("\(name) is \(port), expected a number from 0 to 65535")
            }
        }
    }

    /// The project with the options applied, its addresses checked.
    package func load() throws -> Project {
        var project = try Project.load(directory: directory, environment: Terminal.environment)
        apply(to: &project)
        if !insecure { try project.listen.requireLoopback() }
        return project
    }

    /// Puts ports and data folder in the place of what the project says.
    package func apply(to project: inout Project) {
        if let port { project.listen.http.port = port }
        if let mqttPort { project.listen.mqtt.port = mqttPort }
        if let data { project.dataDirectory = data }
    }
}

/// A duration on the command line, such as `20s`.
struct DurationArgument: ExpressibleByArgument, Sendable {
    var duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    var defaultValueDescription: String { Figure.seconds(duration.inSeconds) }

    init?(argument: String) {
        guard let duration = Duration(quantity: argument), duration >= .zero else { return nil }
        self.duration = duration
    }
}

/// Text in the format of documentation for `discussion:`: a sentence or two, then examples.
func examples(_ text: String = "", _ lines: String...) -> String {
    let shown = lines.map { "  \($0)" }.joined(separator: "\n")
    return text.isEmpty ? "Examples:\n\(shown)" : "\(text)\n\nExamples:\n\(shown)"
}
