import OgawaCore
import OgawaEngine
import OgawaSQL
import Testing

@Suite struct FunctionExampleTests {
    @Test(arguments: FunctionReference.sections.filter { $0.title != "Places" }.flatMap(\.functions).map(\.name))
    func `the examples of the function reference are true`(_ name: String) throws {
        let functions = FunctionReference.sections.flatMap(\.functions)
        for example in functions.first(where: { $0.name == name })?.examples ?? [] {
            let fields = example.event.isEmpty ? "" : ",\(example.event)"
            let event = TestEvent(
                body: "{\"ts\":\"2025-03-01T08:00:00Z\"\(fields)}", properties: example.properties)
            let sql = "SELECT \(example.expression) AS v INTO out FROM input TIMESTAMP BY ts"
            let row = try #require(try run(sql, [event])["out"]?.first, "\(example.expression)")
            #expect(row == "{\"v\":\(example.value)}", "\(example.expression)")
        }
    }
}
