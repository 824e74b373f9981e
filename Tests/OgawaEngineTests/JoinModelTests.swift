import OgawaCore
import OgawaEngine
import OgawaSQL
import Testing

/// Several inputs of a test, fed in random batches and order; the pipeline is saved and made anew at a random point.
struct SeveralInputs {
    struct Row {
        var milliseconds: Int
        var key: Int
        var id: Int
    }

    /// In order of arrival; each row comes at most 4 s behind a later one.
    static func rows(_ generator: inout SeededGenerator, count: Int, firstID: Int) -> [Row] {
        var time = 0
        let sorted = (0..<count).map { index in
            time += [0, 0, 1, 300, 700, 1000, 2500].randomElement(using: &generator) ?? 0
            return Row(milliseconds: time, key: .random(in: 0..<3, using: &generator), id: firstID + index)
        }
        let delays = sorted.map { _ in Int.random(in: 0..<4000, using: &generator) }
        return sorted.indices.sorted {
            (sorted[$0].milliseconds + delays[$0], $0) < (sorted[$1].milliseconds + delays[$1], $1)
        }.map { sorted[$0] }
    }

    static func events(_ rows: [Row]) -> [TestEvent] {
        rows.map { TestEvent(body: "{\"id\":\($0.id),\"k\":\"key \($0.key)\",\"ts\":\"\(at($0.milliseconds))\"}") }
    }

    /// In order of time, then of arrival.
    static func sorted(_ rows: [Row]) -> [Row] {
        rows.indices.sorted { (rows[$0].milliseconds, $0) < (rows[$1].milliseconds, $1) }.map { rows[$0] }
    }

    static func run(
        _ sql: String, _ inputs: [(name: String, rows: [Row])], references: [String: ReferenceTable] = [:],
        _ generator: inout SeededGenerator, between: (Int) throws -> Void = { _ in }
    ) throws -> [String] {
        let catalog = Catalog(streams: inputs.map(\.name), references: Array(references.keys))
        let program = try compile(SourceText(name: "test", text: sql), catalog: catalog).program
        let collected = Rows()
        var configuration = Pipeline.Configuration(policy: OrderingPolicy(outOfOrder: .seconds(5)), isStrict: true)
        configuration.references = references
        func make() throws -> Pipeline {
            try Pipeline(program, configuration: configuration) { collected.add($1, to: program.statements[$0].output) }
        }
        var pipeline = try make()
        let events = inputs.map { Self.events($0.rows) }
        var positions = inputs.map { _ in 0 }
        let largest = [1, 3, 40].randomElement(using: &generator) ?? 1
        let total = events.reduce(0) { $0 + $1.count }
        let restart = Int.random(in: 0..<max(1, total), using: &generator)
        var isRestarted = false
        while let next = positions.indices.filter({ positions[$0] < events[$0].count }).randomElement(using: &generator)
        {
            let count = Int.random(in: 1...largest, using: &generator)
            let run = Array(events[next][positions[next]...].prefix(count))
            try between(inputs[next].rows[positions[next]].milliseconds)
            try pipeline.process(batch(run, offset: positions[next]), input: inputs[next].name)
            positions[next] += run.count
            if !isRestarted, positions.reduce(0, +) > restart {
                isRestarted = true
                let state = pipeline.save()
                pipeline = try make()
                try pipeline.restore(state)
            }
        }
        try pipeline.finish()
        return collected.rows["out"] ?? []
    }
}

/// Joins against models written straight from their definitions.
@Suite struct JoinModelTests {
    typealias Row = SeveralInputs.Row

    /// Boundaries of a unit crossed from one time to another.
    static func boundaries(_ unit: Int, _ from: Row, _ to: Row) -> Int {
        to.milliseconds / unit - from.milliseconds / unit
    }

    static func line(_ ids: [Int?], _ time: Int) -> String {
        let names = ["a", "b", "c"]
        let values = ids.enumerated().map { "\"\(names[$0])\":\($1.map(String.init) ?? "null")" }
        return "{\(values.joined(separator: ",")),\"t\":\"\(at(time))\"}"
    }

    /// The rows of a join of two streams in the order that the documentation promises.
    static func model(
        _ left: [Row], _ right: [Row], unit: Int, _ low: Int, _ high: Int, isLeft: Bool, _ residual: (Row, Row) -> Bool
    ) -> [String] {
        struct Output {
            var time: Int
            var isLonely: Int
            var places: (Int, Int)
            var line: String
        }
        // The order in which rows are taken in: time, left before right, arrival.
        let merged =
            (left.indices.map { (left[$0].milliseconds, 0, $0) } + right.indices.map { (right[$0].milliseconds, 1, $0) })
            .sorted { $0 < $1 }
        var places: [[Int]] = [Array(repeating: 0, count: left.count), Array(repeating: 0, count: right.count)]
        for (place, row) in merged.enumerated() { places[row.1][row.2] = place }
        var found: [Output] = []
        for (i, one) in left.enumerated() {
            var isMatched = false
            for (j, other) in right.enumerated() where one.key == other.key {
                guard (low...high).contains(boundaries(unit, one, other)), residual(one, other) else { continue }
                isMatched = true
                let (p, q) = (places[0][i], places[1][j])
                let time = max(one.milliseconds, other.milliseconds)
                found.append(
                    Output(
                        time: time, isLonely: 0, places: (max(p, q), min(p, q)), line: line([one.id, other.id], time)))
            }
            if !isMatched, isLeft {
                let time = one.milliseconds + high * unit
                found.append(Output(time: time, isLonely: 1, places: (i, 0), line: line([one.id, nil], time)))
            }
        }
        return found.sorted {
            ($0.time, $0.isLonely, $0.places.0, $0.places.1) < ($1.time, $1.isLonely, $1.places.0, $1.places.1)
        }.map(\.line)
    }

    @Test(arguments: [
        ("second", 1000, 0, 3), ("second", 1000, -4, 2), ("second", 1000, 2, 5), ("second", 1000, -6, -1),
        ("minute", 60_000, 0, 0), ("millisecond", 1, 0, 1500), ("minute", 60_000, -1, 1),
    ])
    func `a join holds the pairs whose DATEDIFF lies within its bounds and no others`(
        _ name: String, _ unit: Int, _ low: Int, _ high: Int
    ) throws {
        for isLeft in [false, true] {
            for hasResidual in [false, true] {
                let seed = UInt64.random(in: 0..<100_000)
                var generator = SeededGenerator(seed: seed)
                let left = SeveralInputs.rows(&generator, count: 120, firstID: 0)
                let right = SeveralInputs.rows(&generator, count: 120, firstID: 1000)
                let sql = """
                    SELECT a.id AS a, b.id AS b, System.Timestamp() AS t INTO out FROM one a TIMESTAMP BY ts
                    \(isLeft ? "LEFT JOIN" : "JOIN") two b TIMESTAMP BY ts
                    ON DATEDIFF(\(name), a, b) BETWEEN \(low) AND \(high) AND a.k = b.k
                    \(hasResidual ? "AND (a.id + b.id) % 3 <> 0" : "")
                    """
                let expected = Self.model(
                    SeveralInputs.sorted(left), SeveralInputs.sorted(right), unit: unit, low, high, isLeft: isLeft
                ) { !hasResidual || ($0.id + $1.id) % 3 != 0 }
                for _ in 0..<3 {
                    let rows = try SeveralInputs.run(sql, [("one", left), ("two", right)], &generator)
                    #expect(rows == expected, "seed \(seed), left \(isLeft), residual \(hasResidual)")
                }
            }
        }
    }

    @Test func `a stream joins itself`() throws {
        let seed = UInt64.random(in: 0..<100_000)
        var generator = SeededGenerator(seed: seed)
        let rows = SeveralInputs.rows(&generator, count: 150, firstID: 0)
        let sql = """
            SELECT a.id AS a, b.id AS b, System.Timestamp() AS t INTO out FROM one a TIMESTAMP BY ts
            LEFT JOIN one b TIMESTAMP BY ts ON a.k = b.k AND DATEDIFF(second, b, a) BETWEEN -5 AND -1
            """
        let sorted = SeveralInputs.sorted(rows)
        let expected = Self.model(sorted, sorted, unit: 1000, 1, 5, isLeft: true) { _, _ in true }
        #expect(try SeveralInputs.run(sql, [("one", rows)], &generator) == expected, "seed \(seed)")
    }

    @Test(arguments: [false, true])
    func `three streams are joined by bounds between pairs`(_ isLeft: Bool) throws {
        let seed = UInt64.random(in: 0..<100_000)
        var generator = SeededGenerator(seed: seed)
        let inputs = (0..<3).map { SeveralInputs.rows(&generator, count: 70, firstID: 1000 * $0) }
        let sql = """
            SELECT a.id AS a, b.id AS b, c.id AS c, System.Timestamp() AS t INTO out FROM one a TIMESTAMP BY ts
            JOIN two b TIMESTAMP BY ts ON a.k = b.k AND DATEDIFF(second, a, b) BETWEEN -3 AND 4
            \(isLeft ? "LEFT JOIN" : "JOIN") three c TIMESTAMP BY ts
            ON c.k = a.k AND DATEDIFF(second, a, c) BETWEEN 0 AND 6 AND DATEDIFF(second, b, c) BETWEEN -2 AND 5
            """
        var expected: [String] = []
        for a in inputs[0] {
            for b in inputs[1] where a.key == b.key && (-3...4).contains(Self.boundaries(1000, a, b)) {
                let time = max(a.milliseconds, b.milliseconds)
                let partners = inputs[2].filter {
                    a.key == $0.key && (0...6).contains(Self.boundaries(1000, a, $0))
                        && (-2...5).contains(Self.boundaries(1000, b, $0))
                }
                expected += partners.map { Self.line([a.id, b.id, $0.id], max(time, $0.milliseconds)) }
                guard isLeft, partners.isEmpty else { continue }
                let stamp = max(time, min(a.milliseconds + 6000, b.milliseconds + 5000))
                expected.append(Self.line([a.id, b.id, nil], stamp))
            }
        }
        let named = zip(["one", "two", "three"], inputs).map { (name: $0, rows: $1) }
        let first = try SeveralInputs.run(sql, named, &generator)
        #expect(first.sorted() == expected.sorted(), "seed \(seed)")
        #expect(try SeveralInputs.run(sql, named, &generator) == first, "seed \(seed): the order is always the same")
        let times = first.compactMap { $0.split(separator: "\"t\":").last }
        #expect(times == times.sorted(), "seed \(seed): rows come in order of time")
    }

    @Test func `UNION gives the rows of its inputs in order of time, then of the inputs, then of arrival`() throws {
        let seed = UInt64.random(in: 0..<100_000)
        var generator = SeededGenerator(seed: seed)
        let inputs = (0..<3).map { SeveralInputs.rows(&generator, count: 120, firstID: 1000 * $0) }
        let sql = """
            SELECT id AS a, System.Timestamp() AS t INTO out FROM one TIMESTAMP BY ts
            UNION SELECT id AS a, System.Timestamp() AS t FROM two TIMESTAMP BY ts
            UNION SELECT id AS a, System.Timestamp() AS t FROM three TIMESTAMP BY ts
            """
        let expected = inputs.enumerated().flatMap { index, rows in
            SeveralInputs.sorted(rows).enumerated().map {
                ($1.milliseconds, index, $0, Self.line([$1.id], $1.milliseconds))
            }
        }.sorted { ($0.0, $0.1, $0.2) < ($1.0, $1.1, $1.2) }.map(\.3)
        let named = zip(["one", "two", "three"], inputs).map { (name: $0, rows: $1) }
        for _ in 0..<3 { #expect(try SeveralInputs.run(sql, named, &generator) == expected, "seed \(seed)") }
    }

    @Test(arguments: [false, true])
    func `a row reads the version of reference data that is valid at its time`(_ isLeft: Bool) throws {
        let seed = UInt64.random(in: 0..<100_000)
        var generator = SeededGenerator(seed: seed)
        let rows = SeveralInputs.rows(&generator, count: 200, firstID: 0)
        let last = rows.map(\.milliseconds).max() ?? 0
        let starts = [0] + (0..<4).map { _ in Int.random(in: 0..<max(1, last), using: &generator) }.sorted()
        let contents = starts.map { _ in
            (0..<Int.random(in: 0..<6, using: &generator)).map { _ in
                (key: Int.random(in: 0..<4, using: &generator), limit: Int.random(in: 0..<200, using: &generator))
            }
        }
        let table = ReferenceTable(
            name: "limits",
            versions: zip(starts, contents).enumerated().map { index, version in
                ReferenceVersion(
                    // The first version is valid from a later time on, and before it all the same.
                    validFrom: index == 0 ? at(0) : at(version.0),
                    json: version.1.map { "{\"K\":\"key \($0.key)\",\"max\":\($0.limit)}" })
            })
        let sql = """
            SELECT s.id AS a, r.max AS b, System.Timestamp() AS t INTO out FROM one s TIMESTAMP BY ts
            \(isLeft ? "LEFT JOIN" : "JOIN") limits r ON s.k = r.K AND s.id > r.max
            """
        var expected: [String] = []
        for row in SeveralInputs.sorted(rows) {
            let version = starts.lastIndex { $0 <= row.milliseconds } ?? 0
            let found = contents[version].filter { $0.key == row.key && row.id > $0.limit }
            expected += found.map { Self.line([row.id, $0.limit], row.milliseconds) }
            if found.isEmpty, isLeft { expected.append(Self.line([row.id, nil], row.milliseconds)) }
        }
        for _ in 0..<3 {
            let found = try SeveralInputs.run(sql, [("one", rows)], references: ["limits": table], &generator)
            #expect(found == expected, "seed \(seed)")
        }
    }

    @Test func `a replay reads for each row the version that the live run read`() throws {
        let versionCount = try (0..<8).reduce(0) { count, _ in
            count + (try replay(seed: UInt64.random(in: 0..<100_000)))
        }
        #expect(versionCount > 16)
    }

    /// Runs live and again with what was recorded; returns the number of versions.
    private func replay(seed: UInt64) throws -> Int {
        var generator = SeededGenerator(seed: seed)
        let rows = SeveralInputs.rows(&generator, count: 200, firstID: 0)
        let sql = "SELECT s.id AS a, r.v AS b FROM one s TIMESTAMP BY ts JOIN limits r ON s.k = r.K"
            .replacing(" FROM", with: " INTO out FROM")
        func content(_ value: Int) -> ReferenceVersion {
            ReferenceVersion(json: (0..<3).map { "{\"K\":\"key \($0)\",\"v\":\(value)}" })
        }
        let live = ReferenceTable(name: "limits", versions: [content(0)])
        var recorded = [content(0)]
        var clock = SeededGenerator(seed: seed + 1)
        let first = try SeveralInputs.run(sql, [("one", rows)], references: ["limits": live], &generator) { now in
            guard Int.random(in: 0..<4, using: &clock) == 0 else { return }
            let next = content(recorded.count)
            // The clock may be behind the devices' clocks.
            try live.add(bytes: next.bytes, rows: next.rows, now: at(now - 3000)) { recorded.append($0) }
        }
        let again = ReferenceTable(name: "limits", versions: recorded)
        #expect(
            try SeveralInputs.run(sql, [("one", rows)], references: ["limits": again], &generator) == first,
            "seed \(seed)")
        return recorded.count
    }

    @Test func `keys without rows are forgotten`() throws {
        let rows = (0..<6000).map { Row(milliseconds: $0 * 100, key: $0, id: $0) }
        var generator = SeededGenerator(seed: 7)
        let sql = """
            SELECT a.id AS a, b.id AS b INTO out FROM one a TIMESTAMP BY ts
            JOIN two b TIMESTAMP BY ts ON a.k = b.k AND DATEDIFF(second, a, b) BETWEEN 0 AND 1
            """
        let found = try SeveralInputs.run(sql, [("one", rows), ("two", rows)], &generator)
        #expect(found == rows.map { "{\"a\":\($0.id),\"b\":\($0.id)}" })
    }

    @Test func `damaged state is an error and never a trap`() throws {
        let sql = """
            SELECT a.id AS a, b.id AS b INTO out FROM input a TIMESTAMP BY ts
            LEFT JOIN input b TIMESTAMP BY ts ON a.k = b.k AND DATEDIFF(second, a, b) BETWEEN 1 AND 9
            UNION SELECT id AS a, id AS b FROM input TIMESTAMP BY ts
            """
        let program = try compile(SourceText(name: "test", text: sql), catalog: Catalog(streams: ["input"])).program
        func make() throws -> Pipeline { try Pipeline(program, configuration: .init(isStrict: true)) { _, _ in } }
        var generator = SeededGenerator(seed: 11)
        let rows = SeveralInputs.sorted(SeveralInputs.rows(&generator, count: 40, firstID: 0))
        let pipeline = try make()
        try pipeline.process(batch(SeveralInputs.events(rows)), input: "input")
        let state = pipeline.save()
        for _ in 0..<400 {
            var damaged = state
            for _ in 0..<3 {
                damaged[Int.random(in: damaged.indices, using: &generator)] = UInt8.random(
                    in: 0...255, using: &generator)
            }
            let fresh = try make()
            guard (try? fresh.restore(damaged)) != nil else { continue }
            try? fresh.finish()
        }
    }
}
