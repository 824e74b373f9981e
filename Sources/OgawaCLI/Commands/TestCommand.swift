import ArgumentParser
import Ogawa
import OgawaCore

/// `ogawa test`.
struct TestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test", abstract: "Run test cases: events in, rows expected.",
        discussion: examples(
            """
            A case is a YAML or JSON file with a query (or the file of a function), the events of its inputs and the rows that its outputs must get; \
            docs/command-line.md shows one. Of a folder, every .yaml, .yml and .json file is a case. Exits with 1 where a case fails.
            """, "ogawa test plant/tests", "ogawa test tests/smoothing.yaml tests/devices.yaml",
            "ogawa test tests --json"))

    @Argument(help: ArgumentHelp("Case files, or folders with cases.", valueName: "path"), completion: .file())
    var paths: [String]

    @Flag(help: "Print one JSON object per case, and one with the counts.")
    var json = false

    func run() throws {
        var passed = 0
        var failed = 0
        for path in try casePaths() {
            let start = ContinuousClock.now
            let (name, differences) = runCase(path)
            let milliseconds = (ContinuousClock.now - start).inSeconds * 1000
            if differences.isEmpty { passed += 1 } else { failed += 1 }
            if json {
                Output.line(
                    JSONValue.object([
                        JSONMember("case", .string(name)), JSONMember("file", .string(path)),
                        JSONMember("passed", .bool(differences.isEmpty)),
                        JSONMember("milliseconds", .float((milliseconds * 100).rounded() / 100)),
                        JSONMember("differences", .array(differences.map { .string($0) })),
                    ]).text)
            } else {
                show(name, path, differences)
            }
        }
        if json {
            let counts = [JSONMember("passed", .integer(Int64(passed))), JSONMember("failed", .integer(Int64(failed)))]
            Output.line(JSONValue.object(counts).text)
        } else {
            Output.line("\(passed) passed, \(failed) failed")
        }
        if failed > 0 { throw SilentFailure() }
    }

    private func runCase(_ path: String) -> (name: String, differences: [String]) {
        do {
            let file = try CaseFile.load(path)
            return (file.name, CaseRun.run(file).differences)
        } catch {
            return (path, "\(error)".split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
        }
    }

    private func show(_ name: String, _ path: String, _ differences: [String]) {
        if differences.isEmpty {
            Output.line("\(Style.output.paint("ok", green: true))    \(DisplayText.plain(name))")
            return
        }
        let place = name == path ? "" : "  \(Style.output.paint(path, dim: true))"
        Output.line("\(Style.output.paint("FAIL", red: true))  \(DisplayText.plain(name))\(place)")
        for line in differences {
            let isMissing = line.hasPrefix("  - ")
            let isExtra = line.hasPrefix("  + ")
            Output.line("      \(Style.output.paint(DisplayText.plain(line), red: isMissing, green: isExtra))")
        }
    }

    /// The files, and those in the folders, each in the order of their names.
    private func casePaths() throws -> [String] {
        var result: [String] = []
        for path in paths {
            guard TextFile.isDirectory(path) else {
                guard TextFile.exists(path) else { throw CommandFailure("there is no file or folder \(path)") }
                result.append(path)
                continue
            }
            let found = try cases(in: path, depth: 0)
            if found.isEmpty {
                throw CommandFailure("\(path) holds no case", hint: "cases are .yaml, .yml and .json files")
            }
            result += found
        }
        return result
    }

    private func cases(in folder: String, depth: Int) throws -> [String] {
        guard depth < 16 else { return [] }
        var result: [String] = []
        for name in try TextFile.list(folder) where !name.hasPrefix(".") {
            let path = TextFile.join(folder == "." ? "" : folder, name)
            if TextFile.isDirectory(path) {
                result += try cases(in: path, depth: depth + 1)
            } else if name.hasSuffix(".yaml") || name.hasSuffix(".yml") || name.hasSuffix(".json") {
                result.append(path)
            }
        }
        return result
    }
}
