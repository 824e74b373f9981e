import OgawaCore
import OgawaEngine
import OgawaSQL
import Testing

@Suite struct OrderingTests {
    static let sql = "SELECT id, System.Timestamp() AS t INTO out FROM input TIMESTAMP BY ts"

    static func event(_ id: Int, at eventTime: Int, arriving arrival: Int) -> TestEvent {
        TestEvent(body: "{\"id\":\(id),\"ts\":\"\(at(eventTime))\"}", arrival: at(arrival))
    }

    static func rows(_ events: [TestEvent], _ policy: OrderingPolicy) throws -> [String] {
        let whole = try run(sql, events, policy: policy)["out"] ?? []
        let single = try run(sql, events, policy: policy, batchSize: 1)["out"] ?? []
        #expect(whole == single)
        return whole
    }

    static func row(_ id: Int, _ milliseconds: Int) -> String { "{\"id\":\(id),\"t\":\"\(at(milliseconds))\"}" }

    @Test func `an event later than the tolerance moves to its arrival less the tolerance`() throws {
        let events = [Self.event(1, at: 0, arriving: 60_000), Self.event(2, at: 55_000, arriving: 60_000)]
        #expect(try Self.rows(events, OrderingPolicy()) == [Self.row(1, 55_000), Self.row(2, 55_000)])
    }

    @Test func `with the action drop a late event gives nothing`() throws {
        let events = [Self.event(1, at: 0, arriving: 60_000), Self.event(2, at: 59_000, arriving: 60_000)]
        #expect(try Self.rows(events, OrderingPolicy(action: .drop)) == [Self.row(2, 59_000)])
    }

    @Test func `an event from the future is dropped and does not move the watermark`() throws {
        let events = [
            Self.event(1, at: 86_400_000, arriving: 0), Self.event(2, at: 1000, arriving: 1000),
            Self.event(3, at: 301_000, arriving: 1000),
        ]
        #expect(try Self.rows(events, OrderingPolicy()) == [Self.row(2, 1000), Self.row(3, 301_000)])
    }

    @Test func `without tolerance an event out of order moves to the watermark`() throws {
        let events = [Self.event(1, at: 3000, arriving: 3000), Self.event(2, at: 1000, arriving: 3000)]
        #expect(try Self.rows(events, OrderingPolicy()) == [Self.row(1, 3000), Self.row(2, 3000)])
    }

    @Test func `within the tolerance events are sorted, those of one time in order of arrival`() throws {
        let events = [
            Self.event(1, at: 3000, arriving: 3000), Self.event(2, at: 1500, arriving: 3000),
            Self.event(3, at: 1500, arriving: 3000), Self.event(4, at: 500, arriving: 3000),
            Self.event(5, at: 9000, arriving: 9000),
        ]
        let rows = try Self.rows(events, OrderingPolicy(outOfOrder: .seconds(2)))
        #expect(
            rows == [Self.row(4, 1000), Self.row(2, 1500), Self.row(3, 1500), Self.row(1, 3000), Self.row(5, 9000)])
    }

    @Test func `late arrival is judged before order`() throws {
        // 20 s late: moved to arrival - 5 s = 25 s, which is below the watermark 30 s, so it moves there.
        let events = [Self.event(1, at: 30_000, arriving: 30_000), Self.event(2, at: 10_000, arriving: 30_000)]
        #expect(try Self.rows(events, OrderingPolicy()) == [Self.row(1, 30_000), Self.row(2, 30_000)])
    }

    @Test func `an idle marker closes windows that the watermark has passed`() throws {
        var rows: [String] = []
        let collected = Rows()
        let compiled = try compile(
            SourceText(
                name: "t",
                text: "SELECT COUNT(*) AS n INTO out FROM input TIMESTAMP BY ts GROUP BY TumblingWindow(second, 1)"),
            catalog: Catalog(streams: ["input"]))
        let pipeline = try Pipeline(compiled.program, configuration: Pipeline.Configuration()) {
            collected.add($1, to: "out")
        }
        try pipeline.process(batch([Self.event(1, at: 500, arriving: 500)]), input: "input")
        #expect(pipeline.awaitedTime == at(1000))
        var marker = batch([])
        marker.lastEnqueuedTime = at(6000)
        try pipeline.process(marker, input: "input")
        rows = collected.rows["out"] ?? []
        #expect(rows.isEmpty, "6 s less the late tolerance of 5 s is the window's end itself, which still takes events")
        marker.lastEnqueuedTime = at(6001)
        try pipeline.process(marker, input: "input")
        rows = collected.rows["out"] ?? []
        #expect(rows == ["{\"n\":1}"])
        #expect(pipeline.awaitedTime == nil)
    }

    @Test func `events without a readable time are dropped and reported`() throws {
        let compiled = try compile(SourceText(name: "t", text: Self.sql), catalog: Catalog(streams: ["input"]))
        let collected = Rows()
        var findings: [Finding] = []
        let pipeline = try Pipeline(
            compiled.program, configuration: Pipeline.Configuration(), report: { findings.append($0) }
        ) { collected.add($1, to: "out") }
        let bodies = ["{\"id\":1}", "{\"id\":2,\"ts\":\"yesterday\"}", "[1]", "{\"id\":3,\"ts\":99}", "{bad", ""]
        try pipeline.process(batch(bodies.map { TestEvent(body: $0, arrival: at(0), key: "dev-9") }), input: "input")
        try pipeline.process(batch([Self.event(7, at: 0, arriving: 0)]), input: "input")
        #expect(collected.rows["out"] == [Self.row(7, 0)])
        #expect(pipeline.counts.undecodable == 6)
        #expect(pipeline.counts.dropped == 6)
        #expect(findings.count == 6 && findings.allSatisfy { $0.key == "dev-9" && $0.kind == .undecodable })
        #expect(findings[1].reason.contains("yesterday"))
    }
}
