import ArgumentParser
import Ogawa
import OgawaCore
import OgawaEngine

/// `ogawa query`.
struct QueryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query", abstract: "Run stream SQL over files, to their end.",
        discussion: examples(
            """
            An input is a file of NDJSON, JSON or CSV (packed with gzip where its name ends with .gz) under the name that FROM uses, or with \
            --project a stream of that project's log. Rows come as a table on a terminal and as NDJSON otherwise; with several outputs each row \
            says its output in "_output".
            """,
            "ogawa query 'SELECT deviceId, voltage FROM readings WHERE voltage > 1' --input readings=readings.csv",
            "ogawa query 'SELECT AVG(value) AS mean, System.Timestamp() AS hour FROM m TIMESTAMP BY timestamp "
                + "GROUP BY TumblingWindow(hour, 1)' --input m=machine.csv.gz --output hourly.ndjson",
            "ogawa query 'SELECT * FROM telemetry' --project plant --input telemetry"))

    @Argument(help: ArgumentHelp("The query.", valueName: "sql"))
    var sql: String?

    @Option(
        name: .customLong("file"), help: ArgumentHelp("A file with the query.", valueName: "path"),
        completion: .file(extensions: ["sql"]))
    var queryFile: String?

    @Option(
        name: [.customLong("input"), .customShort("i")],
        help: ArgumentHelp(
            "A file under the name that FROM uses, or with --project a stream; may be repeated.", valueName: "name=file"
        ),
        completion: .file())
    var inputs: [String] = []

    @Option(
        name: [.customLong("output"), .customShort("o")],
        help: ArgumentHelp(
            "Write the rows to this file: CSV where its name ends with .csv, NDJSON otherwise.", valueName: "file"),
        completion: .file())
    var output: String?

    @Option(help: ArgumentHelp("A project whose streams are read.", valueName: "dir"), completion: .directory)
    var project: String?

    @Option(
        help: ArgumentHelp("The project's data folder, where it is not its own.", valueName: "dir"),
        completion: .directory)
    var data: String?

    @Option(
        help: ArgumentHelp(
            "How far an event of a file may stand behind a newer one and still be put in order.",
            valueName: "duration"))
    var outOfOrder = DurationArgument(.seconds(86_400))

    @Flag(help: "Leave out rows on which an expression fails, in the place of ending there.")
    var skipErrors = false

    @Flag(help: "Print JSON objects even on a terminal.")
    var json = false

    mutating func validate() throws {
        guard (sql == nil) != (queryFile == nil) else {
            throw ValidationError("give the query, or --file with its path")
        }
        guard !inputs.isEmpty else { throw ValidationError("give what FROM reads: --input NAME=FILE") }
        var names = Set<String>()
        for input in inputs {
            let (name, file) = QueryCommand.split(input)
            guard !name.isEmpty, file != "" else { throw ValidationError("--input is '\(input)', expected NAME=FILE") }
            guard names.insert(name.lowercased()).inserted else {
                throw ValidationError("the input '\(name)' is given twice")
            }
            if file == nil, project == nil {
                throw ValidationError(
                    "--input is '\(input)', expected NAME=FILE; a stream of a log needs --project DIR as well")
            }
        }
    }

    static func split(_ input: String) -> (name: String, file: String?) {
        guard let equals = input.firstIndex(of: "=") else { return (input, nil) }
        return (String(input[..<equals]), String(input[input.index(after: equals)...]))
    }

    func run() throws {
        let source =
            try queryFile.map { SourceText(name: $0, text: try TextFile.read($0)) }
            ?? SourceText(name: "<query>", text: sql ?? "")
        var settings = try project.map { try Project.load(directory: $0, environment: Terminal.environment) }
        if let data { settings?.dataDirectory = data }
        let names = try inputs.map { input in try inputName(input, settings) }
        var policies: [String: OrderingPolicy] = [:]
        for (input, name) in zip(inputs, names) {
            let isFile = QueryCommand.split(input).file != nil
            policies[name] =
                isFile
                ? OrderingPolicy(outOfOrder: outOfOrder.duration) : settings?.stream(name)?.policy
        }
        let query = try QueryRun(source, inputs: names, policies: policies)
        let opened = try zip(inputs, names).map { input, name in
            (name: name, input: try open(input, name, settings, query))
        }
        let sink = try QuerySink(
            outputs: query.outputs, path: output, asTable: output == nil && Terminal.isOutput && !json)
        var bar = ProgressBar("reading")
        let summary: QueryRun.Summary
        do {
            summary = try query.run(
                opened, isStrict: !skipErrors, progress: { bar.update($0) },
                emit: { name, rows in try sink.take(rows, of: name) })
        } catch {
            bar.finish()
            throw error
        }
        bar.finish()
        try sink.finish()
        report(summary)
    }

    /// The stream's own spelling where the input is one.
    private func inputName(_ input: String, _ settings: Project?) throws -> String {
        let (name, file) = QueryCommand.split(input)
        guard file == nil, let settings else { return name }
        if let stream = settings.stream(name) { return stream.name }
        let hint = nearestName(to: name, in: settings.streams.map(\.name)).map { "did you mean '\($0)'?" }
        throw CommandFailure("\(settings.directory) has no stream '\(name)'", hint: hint)
    }

    private func open(_ input: String, _ name: String, _ settings: Project?, _ query: QueryRun) throws -> any QueryInput
    {
        if let file = QueryCommand.split(input).file {
            return try InputFile(path: file, hasOwnTime: query.hasOwnTime(name))
        }
        guard let settings, let stream = settings.stream(name) else { throw SilentFailure() }
        return try LogInput(project: settings, stream: stream)
    }

    private func report(_ summary: QueryRun.Summary) {
        if output != nil || Terminal.isOutput {
            let events = Figure.grouped(Int64(summary.eventCount))
            Output.note("\(Figure.grouped(Int64(summary.rowCount))) rows of \(events) events")
        }
        let counts = summary.counts
        let kinds = [
            (counts.undecodable, "could not be read"), (counts.errors, "failed in an expression"),
            (counts.late, "were late"),
            (counts.early, "were early"), (counts.outOfOrder, "were out of order"),
        ]
        for (count, words) in kinds where count > 0 { Output.note("note: \(count) events \(words)") }
        for finding in summary.findings.prefix(3) { Output.note("  \(DisplayText.plain("\(finding.reason)"))") }
    }
}
