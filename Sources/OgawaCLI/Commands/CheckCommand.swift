import ArgumentParser
import Ogawa
import OgawaCore

/// `ogawa check`.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Tell every mistake of a project without running it.",
        discussion: examples(
            "Reads ogawa.yaml and every function, and exits with 1 where one has an error.", "ogawa check plant",
            "ogawa check --json | jq -r .message"))

    @Argument(help: ArgumentHelp("The project's folder.", valueName: "dir"), completion: .directory)
    var directory = "."

    @Flag(help: "Print one JSON object per finding.")
    var json = false

    func run() throws {
        var findings: [DiagnosticList] = []
        var functionCount = 0
        do {
            let project = try Project.load(directory: directory, environment: Terminal.environment)
            functionCount = project.functions.count
            findings = project.findings()
            for note in project.notes where !json { Output.note("note: \(note)") }
        } catch let error as DiagnosticList {
            findings = [error]
        }
        var errorCount = 0
        for list in findings {
            for diagnostic in list.diagnostics {
                if diagnostic.severity == .error { errorCount += 1 }
                if json {
                    Output.line(jsonLine(diagnostic, list.source))
                } else {
                    Output.note(list.source.render(diagnostic))
                }
            }
        }
        if errorCount > 0 {
            if !json { Output.problem("\(errorCount) \(errorCount == 1 ? "error" : "errors")") }
            throw SilentFailure()
        }
        if !json { Output.line("ok: \(functionCount) \(functionCount == 1 ? "function" : "functions"), no errors") }
    }

    private func jsonLine(_ diagnostic: Diagnostic, _ source: SourceText) -> String {
        let (line, column) = source.location(of: diagnostic.range.lowerBound)
        let end = source.location(of: diagnostic.range.upperBound)
        return JSONValue.object([
            JSONMember("severity", .string(diagnostic.severity.rawValue)), JSONMember("code", .string(diagnostic.code)),
            JSONMember("message", .string(diagnostic.message)),
            JSONMember("hint", diagnostic.hint.map { .string($0) } ?? .null), JSONMember("file", .string(source.name)),
            JSONMember("line", .integer(Int64(line))), JSONMember("column", .integer(Int64(column))),
            JSONMember("endLine", .integer(Int64(end.line))), JSONMember("endColumn", .integer(Int64(end.column))),
        ]).text
    }
}
