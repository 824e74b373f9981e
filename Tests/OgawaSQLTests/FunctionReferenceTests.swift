import FoundationEssentials
import OgawaSQL
import Testing

@Suite struct FunctionReferenceTests {
    private let path = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/docs/sql/functions.md"

    @Test func `docs/sql/functions.md says what the catalogue says`() throws {
        let wanted = FunctionReference.markdown
        if ProcessInfo.processInfo.environment["OGAWA_UPDATE_DOCS"] == "1" {
            try wanted.write(toFile: path, atomically: true, encoding: .utf8)
        }
        let found = FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
        #expect(
            found == wanted,
            "write the page anew: OGAWA_UPDATE_DOCS=1 swift test --filter FunctionReferenceTests")
    }

    @Test func `every function that runs is documented with an example`() {
        for function in ScalarCatalog.functions where function.isImplemented && function.category != .geo {
            #expect(function.documentation?.examples.isEmpty == false, "\(function.name)")
        }
    }

    @Test func `signatures, examples and summaries are complete`() {
        for function in FunctionReference.sections.flatMap(\.functions) {
            #expect(function.signature.contains("(") || function.name == "CASE", "\(function.name)")
            #expect(function.summary.last == ".", "\(function.name): \(function.summary)")
            for example in function.examples {
                #expect(example.expression.contains(function.name), "\(function.name): \(example.expression)")
            }
        }
    }
}
