import OgawaCore
import OgawaEngine
import OgawaSQL
import Testing

/// Every window with every aggregate against models written straight from their definitions.
@Suite struct GroupModelTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var window: String
        var groups: @Sendable (GroupModel) -> [GroupModel.Group]
        var testDescription: String { window }
    }

    static let cases: [Case] = [
        Case(window: "TumblingWindow(second, 5)") { $0.hopping(size: 5000, hop: 5000) },
        Case(window: "HoppingWindow(second, 10, 4)") { $0.hopping(size: 10_000, hop: 4000) },
        Case(window: "HoppingWindow(second, 1, 3)") { $0.hopping(size: 1000, hop: 3000) },
        Case(window: "CumulateWindow(second, 20, 5)") { $0.cumulating(size: 20_000, step: 5000) },
        Case(window: "System.Timestamp()") { $0.snapshot() },
        Case(window: "SlidingWindow(second, 3)") { $0.sliding(size: 3000) },
        Case(window: "SlidingWindow(millisecond, 1)") { $0.sliding(size: 1) },
        Case(window: "SlidingWindow(second, 3, 2) OVER (PARTITION BY d WHEN s = 1)") {
            $0.triggered(before: 3000, after: 2000, isPartitioned: true)
        },
        Case(window: "SlidingWindow(second, 3) OVER (WHEN s = 1)") {
            $0.triggered(before: 3000, after: 0, isPartitioned: false)
        },
        Case(window: "SessionWindow(second, 1, 10)") {
            $0.sessions(timeout: 1000, maximum: 10_000, isPartitioned: false)
        },
        Case(window: "SessionWindow(second, 2, 5) OVER (PARTITION BY d)") {
            $0.sessions(timeout: 2000, maximum: 5000, isPartitioned: true)
        },
        Case(window: "SessionWindow(second, 8, 2) OVER (PARTITION BY d)") {
            $0.sessions(timeout: 8000, maximum: 2000, isPartitioned: true)
        },
        Case(window: "CountWindow(4)") { $0.counting(size: 4, step: 4) },
        Case(window: "CountWindow(5, 2)") { $0.counting(size: 5, step: 2) },
        Case(window: "CountWindow(2, 3)") { $0.counting(size: 2, step: 3) },
        Case(window: "StateWindow(s = 1, s = 2)") { $0.states(hasClose: true) },
        Case(window: "StateWindow(s > 1)") { $0.states(hasClose: false) },
    ]

    private static func sql(_ window: String) -> String {
        let isSnapshot = window == "System.Timestamp()"
        return """
            SELECT \(GroupModel.Group.selectList) INTO out FROM input TIMESTAMP BY ts GROUP BY d, \(window)
            SELECT d, VARP(v) AS va INTO deviations FROM input TIMESTAMP BY ts
            GROUP BY d, \(isSnapshot ? "System.Timestamp()" : window)
            """
    }

    @Test(arguments: cases)
    func `a window gives what its definition says, whatever the batches`(_ one: Case) throws {
        let seed = UInt64.random(in: 0..<100_000)
        let model = GroupModel(seed: seed, count: 150)
        let groups = one.groups(model)
        let expected = groups.map(\.row)
        for batchSize in [1, 7, 1000] {
            let rows = try run(Self.sql(one.window), model.events, batchSize: batchSize)
            let out = rows["out"] ?? []
            let place = zip(out, expected).enumerated().first { $1.0 != $1.1 }
            #expect(
                out == expected,
                "seed \(seed), batches of \(batchSize), \(out.count) of \(expected.count) rows, \(String(describing: place))"
            )
            Self.check(rows["deviations"] ?? [], groups, seed)
        }
    }

    private static func check(_ rows: [String], _ groups: [GroupModel.Group], _ seed: UInt64) {
        #expect(rows.count == groups.count, "seed \(seed)")
        for (row, group) in zip(rows, groups) {
            let text = row.split(separator: "\"va\":").last?.dropLast() ?? ""
            guard let variance = group.variance else {
                #expect(text == "null", "seed \(seed)")
                continue
            }
            let found = Double(text) ?? .nan
            #expect(abs(found - variance) <= 1e-9 * max(1, variance), "seed \(seed): \(row)")
        }
    }

    @Test(arguments: cases)
    func `a window sees the order of time, not of arrival`(_ one: Case) throws {
        let seed = UInt64.random(in: 0..<100_000)
        let (arriving, sorted) = GroupModel(seed: seed, count: 120).disordered(seed: seed)
        let expected = one.groups(sorted).map(\.row)
        var policy = OrderingPolicy()
        policy.outOfOrder = .seconds(100)
        for batchSize in [3, 64] {
            let rows = try run(Self.sql(one.window), arriving.events, policy: policy, batchSize: batchSize)
            #expect(rows["out"] ?? [] == expected, "seed \(seed), batches of \(batchSize)")
        }
    }

    @Test(arguments: cases)
    func `a window goes on from saved state as if nothing had been`(_ one: Case) throws {
        let seed = UInt64.random(in: 0..<100_000)
        var generator = SeededGenerator(seed: seed)
        let events = GroupModel(seed: seed, count: 120).events
        let sql = Self.sql(one.window)
        let expected = try run(sql, events)
        for _ in 0..<3 {
            let cut = Int.random(in: 0...events.count, using: &generator)
            let rows = try Self.rows(sql, events, restartingAt: cut)
            #expect(rows == expected, "seed \(seed), restarted after \(cut) events")
        }
    }

    @Test(arguments: cases)
    func `damaged state is an error and never a trap`(_ one: Case) throws {
        let seed = UInt64.random(in: 0..<100_000)
        var generator = SeededGenerator(seed: seed)
        let compiled = try compile(
            SourceText(name: "test", text: Self.sql(one.window)), catalog: Catalog(streams: ["input"]))
        func pipeline() throws -> Pipeline {
            try Pipeline(compiled.program, configuration: Pipeline.Configuration(isStrict: true)) { _, _ in }
        }
        let events = GroupModel(seed: seed, count: 40).events
        let first = try pipeline()
        try first.process(batch(events), input: "input")
        let bytes = first.save()
        for _ in 0..<30 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                damaged[Int.random(in: 0..<bytes.count, using: &generator)] ^=
                    1
                    << UInt8.random(
                        in: 0..<8, using: &generator)
            }
            if Bool.random(using: &generator) {
                damaged.removeLast(Int.random(in: 1..<bytes.count, using: &generator))
            }
            let second = try pipeline()
            guard (try? second.restore(damaged)) != nil else { continue }
            try second.process(batch(events, offset: events.count), input: "input")
            try second.finish()
        }
    }

    @Test func `several windows come in order of their ends, then of the list`() throws {
        let seed = UInt64.random(in: 0..<100_000)
        let model = GroupModel(seed: seed, count: 120)
        let sql = """
            SELECT System.Window().Id AS id, \(GroupModel.Group.selectList) INTO out FROM input TIMESTAMP BY ts
            GROUP BY d, Windows(Window('s', SlidingWindow(second, 2)), Window('t', TumblingWindow(second, 5)),
                Window('p', SessionWindow(second, 3, 60) OVER (PARTITION BY d)), Window('n', System.Timestamp()),
                Window('c', CountWindow(3)))
            """
        let windows: [(String, [GroupModel.Group])] = [
            ("s", model.sliding(size: 2000)), ("t", model.hopping(size: 5000, hop: 5000)),
            ("p", model.sessions(timeout: 3000, maximum: 60_000, isPartitioned: true)), ("n", model.snapshot()),
            ("c", model.counting(size: 3, step: 3)),
        ]
        var all: [(end: Int, window: Int, place: Int, row: String)] = []
        for (window, (id, groups)) in windows.enumerated() {
            for (place, group) in groups.enumerated() {
                all.append((group.end, window, place, "{\"id\":\"\(id)\"," + group.row.dropFirst()))
            }
        }
        all.sort { ($0.end, $0.window, $0.place) < ($1.end, $1.window, $1.place) }
        for batchSize in [1, 9, 1000] {
            #expect(
                try run(sql, model.events, batchSize: batchSize)["out"] ?? [] == all.map(\.row),
                "seed \(seed), batches of \(batchSize)")
        }
        #expect(try Self.rows(sql, model.events, restartingAt: 77)["out"] ?? [] == all.map(\.row), "seed \(seed)")
    }

    @Test(arguments: [
        "HoppingWindow(second, 10, 3)", "SlidingWindow(second, 2)", "SessionWindow(second, 1, 5)", "CountWindow(7, 3)",
        "CumulateWindow(second, 10, 1)", "StateWindow(v > 0)",
    ])
    func `floats give the same bits whatever the batches and restarts`(_ window: String) throws {
        var generator = SeededGenerator(seed: 11)
        let events = (0..<400).map { index in
            let value = Double.random(in: -1...1, using: &generator) * 1e6
            return TestEvent(body: "{\"d\":\"x\(index % 3)\",\"ts\":\"\(at(index * 137))\",\"v\":\(value)}")
        }
        let sql = """
            SELECT d, AVG(v) AS a, SUM(v) AS s, STDEV(v) AS sd INTO out FROM input TIMESTAMP BY ts GROUP BY d, \(window)
            """
        let reference = try run(sql, events, batchSize: 1)
        for batchSize in [2, 64, 999] { #expect(try run(sql, events, batchSize: batchSize) == reference) }
        for cut in [1, 150, 399] { #expect(try Self.rows(sql, events, restartingAt: cut) == reference) }
    }

    @Test func `keys that are gone are forgotten without a trace in the rows`() throws {
        let events = (0..<30_000).map { index in
            TestEvent(body: "{\"d\":\"dev-\(index / 2)\",\"ts\":\"\(at(index))\",\"v\":\(index)}")
        }
        let sql = """
            SELECT d, COUNT(*) AS n, SUM(v) AS s, System.Timestamp() AS e INTO out FROM input TIMESTAMP BY ts
            GROUP BY d, HoppingWindow(millisecond, 200, 100)
            """
        var expected: [String] = []
        for end in stride(from: 0, through: 30_100, by: 100) {
            let held = max(0, end - 199)..<min(30_000, end + 1)
            var row = held.lowerBound
            while row < held.upperBound {
                let isPair = row % 2 == 0 && row + 1 < held.upperBound
                expected.append(
                    "{\"d\":\"dev-\(row / 2)\",\"n\":\(isPair ? 2 : 1),\"s\":\(isPair ? 2 * row + 1 : row),"
                        + "\"e\":\"\(at(end))\"}")
                row += isPair ? 2 : 1
            }
        }
        #expect(try run(sql, events, batchSize: 500)["out"] == expected)
    }

    /// Runs a query with a restart from saved state after some events.
    private static func rows(_ sql: String, _ events: [TestEvent], restartingAt cut: Int) throws -> [String: [String]] {
        let compiled = try compile(SourceText(name: "test", text: sql), catalog: Catalog(streams: ["input"]))
        let statements = compiled.program.statements
        let rows = Rows()
        func pipeline() throws -> Pipeline {
            try Pipeline(compiled.program, configuration: Pipeline.Configuration(isStrict: true)) {
                rows.add($1, to: statements[$0].output)
            }
        }
        let first = try pipeline()
        try first.process(batch(Array(events[..<cut])), input: "input")
        let second = try pipeline()
        try second.restore(first.save())
        try second.process(batch(Array(events[cut...]), offset: cut), input: "input")
        try second.finish()
        return rows.rows
    }
}
