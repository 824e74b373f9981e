import ArgumentParser
import Ogawa
import OgawaCore

/// `ogawa explain`.
struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Show the plan of a query.",
        discussion: examples(
            "Without a project, every name in FROM is taken as a stream.",
            "ogawa explain 'SELECT deviceId, AVG(v) FROM telemetry GROUP BY deviceId, TumblingWindow(minute, 5)'",
            "ogawa explain --file plant/functions/temperature.sql"))

    @Argument(help: ArgumentHelp("The query.", valueName: "sql"))
    var sql: String?

    @Option(help: ArgumentHelp("A file with the query.", valueName: "path"), completion: .file(extensions: ["sql"]))
    var file: String?

    mutating func validate() throws {
        guard (sql == nil) != (file == nil) else { throw ValidationError("give the query, or --file with its path") }
    }

    func run() throws {
        let source =
            try file.map { SourceText(name: $0, text: try TextFile.read($0)) }
            ?? SourceText(name: "<query>", text: sql ?? "")
        Output.line(try QueryPlanText.explain(source))
    }
}
