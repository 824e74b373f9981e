import ArgumentParser
import Ogawa

/// `ogawa rows`.
struct RowsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rows", abstract: "Show the newest rows of a table.",
        discussion: examples(
            "A table on a terminal; one JSON object per line otherwise and with --json. The newest row comes last.",
            "ogawa rows temperature", "ogawa rows temperature --key hall --last 5",
            "ogawa rows temperature --json | jq .smoothed"))

    @Argument(help: ArgumentHelp("The table, by its output's name.", valueName: "table"))
    var table: String

    @Option(help: ArgumentHelp("Only rows of this key, such as a device.", valueName: "key"))
    var key: String?

    @Option(help: ArgumentHelp("How many rows.", valueName: "count"))
    var last = 20

    @Option(help: ArgumentHelp("Only rows from this time on (ISO 8601); needs --key.", valueName: "time"))
    var from: String?

    @Option(help: ArgumentHelp("Only rows before this time (ISO 8601); needs --key.", valueName: "time"))
    var to: String?

    @Flag(help: "Print JSON objects even on a terminal.")
    var json = false

    @OptionGroup var server: ServerOptions

    mutating func validate() throws {
        guard (1...1_000_000).contains(last) else {
            throw ValidationError("--last is \(last), expected a number from 1 to 1000000")
        }
    }

    func run() async throws {
        let isByKey = key != nil || from != nil || to != nil
        let path =
            isByKey
            ? AddressText.path(
                ["tables", table],
                [("key", key), ("from", from), ("to", to), ("limit", String(last)), ("order", "desc")])
            : AddressText.path(["tables", table, "newest"], [("limit", String(last))])
        let response = try await HTTPClient(server.address, timeout: .seconds(60)).request("GET", path)
        guard response.isSuccess else { throw response.problem }
        let answer = try JSONValue.parse(response.text)
        guard case .array(let rows)? = answer["rows"] else {
            throw ClientError(
                "\(server.address) answered without rows", hint: "see whether it is an Ogawa of this version")
        }
        if json || !Terminal.isOutput {
            for row in rows.reversed() { Output.line(row.text) }
            return
        }
        var columns: [String] = []
        if case .array(let names)? = answer["columns"] {
            for case .string(let name) in names { columns.append(name) }
        }
        var writer = TableWriter(width: Terminal.width, heldRowCount: .max, columns: columns) { Output.line($0) }
        for row in rows.reversed() { writer.add(row.members ?? []) }
        writer.finish()
        Output.note("\(rows.count) \(rows.count == 1 ? "row" : "rows")")
    }
}
