import OgawaCore
import OgawaEngine
import OgawaSQL

/// Runs a query over the events before `cut`, stores the state, and goes on with a new pipeline that reads it.
func runInTwo(
    _ sql: String, _ events: [TestEvent], cut: Int, batchSize: Int = 1024, policy: OrderingPolicy = OrderingPolicy()
) throws -> [String: [String]] {
    let program = try compile(SourceText(name: "test", text: sql), catalog: Catalog(streams: ["input"])).program
    let collected = Rows()
    func pipeline() throws -> Pipeline {
        try Pipeline(program, configuration: Pipeline.Configuration(policy: policy, isStrict: true)) {
            collected.add($1, to: program.statements[$0].output)
        }
    }
    func feed(_ pipeline: Pipeline, _ range: Range<Int>) throws {
        var index = range.lowerBound
        while index < range.upperBound {
            let end = min(index + batchSize, range.upperBound)
            try pipeline.process(batch(Array(events[index..<end]), offset: index), input: "input")
            index = end
        }
    }
    let first = try pipeline()
    try feed(first, 0..<cut)
    let second = try pipeline()
    try second.restore(first.save())
    try feed(second, cut..<events.count)
    try second.finish()
    return collected.rows
}
