import ArgumentParser
import Ogawa
import OgawaCore
import OgawaEngine
import OgawaPlatform

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
            "ogawa query 'SELECT r.deviceId, l.site FROM r JOIN l ON r.deviceId = l.id' --input r=readings.csv --reference l=limits.csv",
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
        name: [.customLong("reference"), .customShort("r")],
        help: ArgumentHelp(
            "Reference data under the name that JOIN uses: CSV, JSON, NDJSON, or an SQLite file with a table of that name; may be repeated.",
            valueName: "name=file"),
        completion: .file())
    var references: [String] = []

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

    @Flag(help: "Print only how many rows there are.")
    var count = false

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
        for reference in references {
            let (name, file) = QueryCommand.split(reference)
            guard !name.isEmpty, let file, !file.isEmpty else {
                throw ValidationError("--reference is '\(reference)', expected NAME=FILE")
            }
            guard names.insert(name.lowercased()).inserted else {
                throw ValidationError("the name '\(name)' is given twice")
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
        let references = try openReferences(settings)
        let query = try QueryRun(source, inputs: names, references: references, policies: policies)
        let sink = try QuerySink(
            outputs: query.outputs, path: output, asTable: output == nil && Terminal.isOutput && !json,
            countsOnly: count)
        func attempt(_ query: QueryRun) throws -> QueryRun.Summary {
            let opened = try zip(inputs, names).map { input, name in
                (name: name, input: try open(input, name, settings, query))
            }
            var bar = ProgressBar("reading")
            defer { bar.finish() }
            return try query.run(
                opened, isStrict: !skipErrors, progress: { bar.update($0) },
                emit: { name, rows in try sink.take(rows, of: name) })
        }
        let summary: QueryRun.Summary
        if sink.isRetractable, canExpectOrder(query) {
            for name in names { policies[name]?.expectOrder() }
            summary = try inOrderFirst(
                try QueryRun(source, inputs: names, references: references, policies: policies), sink, attempt,
                otherwise: { try attempt(query) })
        } else {
            summary = try attempt(query)
        }
        try sink.finish()
        if count { Output.line("\(summary.rowCount)") }
        report(summary)
    }

    /// The files of --reference, and the project's reference data that none of them replaces.
    private func openReferences(_ settings: Project?) throws -> [ReferenceTable] {
        var tables = try references.map { reference in
            let (name, file) = QueryCommand.split(reference)
            let source = ReferenceSettings.source(file: file ?? "", table: name)
            let content = try ReferenceSettings(name: name, source: source).load { _ in nil }
            return ReferenceTable(name: name, versions: [content.version(from: .min)])
        }
        for reference in settings?.references ?? [] {
            if tables.contains(where: { $0.name.lowercased() == reference.name.lowercased() }) { continue }
            let folder = "\(settings?.dataDirectory ?? "data")/references/\(reference.name)"
            var versions = try ReferenceHistory(folder: folder, files: POSIXFileSystem()).load()
            if versions.isEmpty { versions = [try reference.load { _ in nil }.version(from: .min)] }
            tables.append(ReferenceTable(name: reference.name, versions: versions))
        }
        return tables
    }

    /// Reads files as if they were in order, and sorted where they are not.
    ///
    /// Sorting holds every event that a later one may still precede, but most files are in order. So they are read as if they were,
    /// and once more from the start, sorted, where an event stands behind a newer one.
    private func inOrderFirst(
        _ query: QueryRun, _ sink: QuerySink, _ run: (QueryRun) throws -> QueryRun.Summary,
        otherwise: () throws -> QueryRun.Summary
    ) throws -> QueryRun.Summary {
        sink.startRetractable()
        do {
            let summary = try run(query)
            guard sink.hasOverflowed else { return summary }
            // Now it is known that the input is in order.
            try sink.startAgain()
            return try run(query)
        } catch is OutOfOrderInput {
            try sink.startAgain()
            return try otherwise()
        }
    }

    /// Whether every input is a file that can be read twice.
    ///
    /// Substreams have orders of their own, which are not mixed.
    private func canExpectOrder(_ query: QueryRun) -> Bool {
        outOfOrder.duration > .zero && query.program.sources.allSatisfy { $0.substreamKeys.isEmpty }
            && inputs.allSatisfy { QueryCommand.split($0).file.map { InputFile.canBeReadAgain($0) } ?? false }
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
