import FoundationEssentials
import OgawaCore
import OgawaSQL
import Testing

@Suite struct DocumentationTests {
    @Test func `every example of docs/sql.md compiles`() throws {
        let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
        guard let data = FileManager.default.contents(atPath: root + "/docs/sql.md") else {
            print("no docs/sql.md under \(root): skipped")
            return
        }
        let page = String(decoding: data, as: UTF8.self)
        let known = Catalog(streams: [], acceptsAnyStream: true)
        var count = 0
        for part in page.split(separator: "```sql\n", omittingEmptySubsequences: false).dropFirst() {
            guard let example = part.split(separator: "```").first else { continue }
            count += 1
            #expect(errors(String(example), known) == [], "\(example)")
        }
        #expect(count >= 5)
    }

    @Test func `docs/sql.md lists every function that does not run yet`() throws {
        let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
        guard let data = FileManager.default.contents(atPath: root + "/docs/sql.md") else { return }
        let page = String(decoding: data, as: UTF8.self).split(separator: "## Not there yet")
        try #require(page.count == 2)
        for function in ScalarCatalog.functions where !function.isForApply {
            #expect(page[function.isImplemented ? 0 : 1].contains(function.name), "\(function.name)")
        }
    }
}
