import ArgumentParser
import Ogawa

/// `ogawa tail`.
struct TailCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail", abstract: "Show rows or events as they come.",
        discussion: examples(
            "NAME is an output or a stream of the running instance. One JSON object per line; only what comes from now on.",
            "ogawa tail temperature", "ogawa tail telemetry --key hall",
            "ogawa tail temperature --last 10 | jq .celsius"))

    @Argument(help: ArgumentHelp("An output or a stream.", valueName: "stream|output"))
    var name: String

    @Option(help: ArgumentHelp("Only rows of this key, such as a device.", valueName: "key"))
    var key: String?

    @Option(help: ArgumentHelp("End after this many rows.", valueName: "count"))
    var last: Int?

    @Flag(help: "Print JSON objects even on a terminal.")
    var json = false

    @OptionGroup var server: ServerOptions

    mutating func validate() throws {
        if let last, last < 1 { throw ValidationError("--last is \(last), expected at least 1") }
    }

    func run() async throws {
        let client = HTTPClient(server.address)
        var count = 0
        let rows = try await client.live(name, key: key) { count in
            Output.note("note: \(count) batches of rows were left out, because this reader was too slow")
        }
        if Terminal.isError {
            Output.note(Style.error.paint("waiting for rows of \(name); end with Ctrl-C", dim: true))
        }
        for try await row in rows {
            Output.line(Terminal.isOutput && !json ? colored(row) : row)
            count += 1
            if count == last { return }
        }
        throw ClientError(
            "the instance at \(server.address) ended the feed", hint: "see whether it still runs: ogawa status")
    }

    /// `name value` pairs, easier on the eye than JSON.
    private func colored(_ row: String) -> String {
        guard let members = (try? JSONValue.parse(row))?.members else { return DisplayText.plain(row) }
        return members.map { member in
            let value: String
            if case .string(let text) = member.value { value = text } else { value = member.value.text }
            return "\(Style.output.paint(DisplayText.plain(member.name), blue: true)) \(DisplayText.plain(value))"
        }.joined(separator: "  ")
    }
}
