import FoundationEssentials
import OgawaCore
import OgawaSQL
import Testing

@Suite struct DocumentationTests {
    private let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()

    /// The pages on the language by their paths.
    private var pages: [(path: String, text: String)] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root + "/docs/sql")) ?? []
        let paths = ["docs/sql.md"] + names.filter { $0.hasSuffix(".md") }.sorted().map { "docs/sql/" + $0 }
        return paths.compactMap { path in
            FileManager.default.contents(atPath: root + "/" + path).map { (path, String(decoding: $0, as: UTF8.self)) }
        }
    }

    @Test func `every query of the pages on the language compiles`() throws {
        // What the pages join as reference data.
        let known = Catalog(streams: [], references: ["limits", "rooms", "fences", "sites"], acceptsAnyStream: true)
        var count = 0
        for page in pages {
            for part in page.text.split(separator: "```sql\n", omittingEmptySubsequences: false).dropFirst() {
                guard let example = part.split(separator: "```").first,
                    ["SELECT", "WITH", "CREATE"].contains(where: { example.hasPrefix($0) })
                else { continue }
                count += 1
                #expect(errors(String(example), known) == [], "\(page.path): \(example)")
            }
        }
        #expect(count >= 5)
    }

    @Test func `every function has its page and runs`() throws {
        let text = pages.map(\.text).joined()
        for function in ScalarCatalog.functions {
            #expect(text.contains(function.name), "\(function.name)")
            #expect(function.isImplemented || function.isForApply, "\(function.name)")
        }
    }
}
