import OgawaCore
import OgawaEngine
import OgawaSQL
import Testing

/// ABSENCE against a model written straight from its definition.
@Suite struct AbsenceModelTests {
    private typealias Event = AnalyticModelTests.Event

    /// All rows in order: the silent ones at last + duration, at one instant in the order of the last events; then the returns.
    private static func model(_ events: [Event], _ milliseconds: Int, _ isSign: (Event) -> Bool) -> [String] {
        var rows: [(time: Int, isReturn: Bool, order: Int, text: String)] = []
        let signs = events.enumerated().filter { isSign($0.element) }
        func row(_ event: Event, _ isSilent: Bool, _ seen: Int, _ time: Int) -> String {
            "{\"d\":\"dev-\(event.device)\",\"v\":\(event.shownValue),\"s\":\(event.shownText),\"silent\":\(isSilent),"
                + "\"seen\":\"\(at(seen))\",\"at\":\"\(at(time))\"}"
        }
        for (index, sign) in signs.enumerated() {
            let (order, event) = (sign.offset, sign.element)
            let next = signs[(index + 1)...].first { $0.element.device == event.device }
            let end = event.milliseconds + milliseconds
            if let next, next.element.milliseconds <= end { continue }
            rows.append((end, false, order, row(event, true, event.milliseconds, end)))
            guard let next else { continue }
            let back = next.element.milliseconds
            rows.append((back, true, next.offset, row(next.element, false, event.milliseconds, back)))
        }
        // A silence at the instant of an event is told after it, because the event might still have ended it.
        return rows.sorted { ($0.time, $0.isReturn ? 0 : 1, $0.order) < ($1.time, $1.isReturn ? 0 : 1, $1.order) }
            .map(\.text)
    }

    @Test(arguments: [1, 999, 1000, 5000, 30_000])
    func `each silence and each return gives one row`(_ milliseconds: Int) throws {
        let seed = UInt64.random(in: 0..<1000)
        let events = AnalyticModelTests.events(seed: seed, count: 250)
        for (clause, isSign) in [("", { _ in true }), (" WHEN m = 1", \.isMarked)] as [(String, (Event) -> Bool)] {
            let sql = """
                SELECT d, v, s, is_silent() AS silent, last_seen() AS seen, System.Timestamp() AS at INTO out
                FROM input TIMESTAMP BY ts ABSENCE(millisecond, \(milliseconds)) OVER (PARTITION BY d\(clause))
                """
            let expected = Self.model(events, milliseconds, isSign)
            for batchSize in [1, 7, 1000] {
                let rows = try run(sql, events.map(\.test), batchSize: batchSize)["out"] ?? []
                #expect(rows == expected, "seed \(seed), batches of \(batchSize)")
            }
            for cut in [0, 99, 250] {
                let rows = try runInTwo(sql, events.map(\.test), cut: cut, batchSize: 13)["out"] ?? []
                #expect(rows == expected, "seed \(seed), stored after \(cut)")
            }
        }
    }

    @Test func `disorder within the tolerance gives the rows of sorted input`() throws {
        let seed = UInt64.random(in: 0..<1000)
        var generator = SeededGenerator(seed: seed)
        let sorted = AnalyticModelTests.events(seed: seed, count: 200)
        let shuffled = sorted.map { ($0, $0.milliseconds + Int.random(in: 0..<4000, using: &generator)) }
            .enumerated().sorted { ($0.element.1, $0.offset) < ($1.element.1, $1.offset) }.map(\.element.0)
        // Events of one instant keep the order in which they come.
        let expected = shuffled.enumerated()
            .sorted { ($0.element.milliseconds, $0.offset) < ($1.element.milliseconds, $1.offset) }.map(\.element)
        let sql = """
            SELECT d, v, s, is_silent() AS silent, last_seen() AS seen, System.Timestamp() AS at INTO out
            FROM input TIMESTAMP BY ts ABSENCE(second, 3) OVER (PARTITION BY d)
            """
        let policy = OrderingPolicy(outOfOrder: .seconds(5))
        for batchSize in [1, 10, 1000] {
            let rows = try run(sql, shuffled.map(\.test), policy: policy, batchSize: batchSize)["out"] ?? []
            #expect(rows == Self.model(expected, 3000) { _ in true }, "seed \(seed), batches of \(batchSize)")
        }
        let rows = try runInTwo(sql, shuffled.map(\.test), cut: 77, batchSize: 9, policy: policy)["out"] ?? []
        #expect(rows == Self.model(expected, 3000) { _ in true }, "seed \(seed)")
    }

    @Test func `a silence is awaited from the last event on`() throws {
        let sql = "SELECT d INTO out FROM input TIMESTAMP BY ts ABSENCE(second, 60) OVER (PARTITION BY d)"
        let program = try compile(SourceText(name: "test", text: sql), catalog: Catalog(streams: ["input"])).program
        let pipeline = try Pipeline(program, configuration: Pipeline.Configuration()) { _, _ in }
        #expect(pipeline.awaitedTime == nil)
        try pipeline.process(batch([TestEvent(body: "{\"d\":\"a\",\"ts\":\"\(at(0))\"}")]), input: "input")
        #expect(pipeline.awaitedTime == at(60_000))
        try pipeline.process(
            batch([TestEvent(body: "{\"d\":\"a\",\"ts\":\"\(at(5000))\"}")], offset: 1), input: "input")
        #expect(pipeline.awaitedTime == at(65_000))
    }
}
