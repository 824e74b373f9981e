import FoundationEssentials
import OgawaCore
import OgawaSQL
import Testing

/// A conformance case, as far as compiling it goes.
private struct SharedCase: Decodable {
    struct Ignored: Decodable {
        init(from decoder: any Decoder) throws {}
    }

    var name: String
    var query: String
    var inputs: [String: Ignored]
    var reference: [String: Ignored]?
    var errorStage: String?

    enum CodingKeys: String, CodingKey {
        case name
        case query
        case inputs
        case reference
        case errorStage = "error_stage"
    }
}

@Suite struct SharedCaseTests {
    /// The folder beside the repository, or the one named in the environment.
    private static let folder: String =
        ProcessInfo.processInfo.environment["OGAWA_SQL_CASES"]
        ?? #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined() + "/shared/sql-cases"

    @Test func `the shared cases compile, name what is missing, or fail as they should`() throws {
        let folder = Self.folder
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
            print("no conformance cases at \(folder): skipped (set OGAWA_SQL_CASES)")
            return
        }
        for name in names.sorted() where name.hasSuffix(".json") {
            let data = try #require(FileManager.default.contents(atPath: folder + "/" + name))
            let decoded = try JSONDecoder().decode(SharedCase.self, from: data)
            check(decoded)
        }
    }

    private func check(_ one: SharedCase) {
        let known = Catalog(streams: one.inputs.keys.sorted(), references: (one.reference ?? [:]).keys.sorted())
        let source = SourceText(name: one.name, text: one.query)
        #expect(throws: Never.self, "\(one.name)") {
            if one.errorStage == nil { _ = try parse(source) }
        }
        do {
            let result = try compile(source, catalog: known)
            #expect(one.errorStage != "compile", "\(one.name) should not compile")
            #expect(result.program.statements.count >= 1)
        } catch {
            let codes = Set(error.diagnostics.map(\.code))
            if one.errorStage == "compile" {
                #expect(!codes.contains("not-supported-yet"), "\(one.name): \(error)")
            } else {
                // What fails at run time may be found before.
                #expect(one.errorStage == "runtime", "\(one.name): \(error)")
            }
        }
    }
}
