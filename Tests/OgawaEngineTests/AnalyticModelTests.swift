import OgawaCore
import OgawaEngine
import OgawaSQL
import Testing

/// Functions with OVER against models written straight from their definitions.
@Suite struct AnalyticModelTests {
    /// An event of the tests.
    struct Event {
        var device: Int
        var milliseconds: Int
        /// In halves, so that every sum is exact in a double.
        var halves: Int?
        var text: String?
        var isMarked: Bool

        var value: Double? { halves.map { Double($0) / 2 } }
        var shownValue: String { value.map { "\($0)" } ?? "null" }
        var shownText: String { text.map { "\"\($0)\"" } ?? "null" }

        var test: TestEvent {
            TestEvent(
                body: "{\"d\":\"dev-\(device)\",\"ts\":\"\(at(milliseconds))\",\"v\":\(shownValue),\"s\":\(shownText),"
                    + "\"m\":\(isMarked)}")
        }
    }

    /// Sorted by time, with equal times, pauses and NULLs.
    static func events(seed: UInt64, count: Int) -> [Event] {
        var generator = SeededGenerator(seed: seed)
        var time = 0
        return (0..<count).map { _ in
            time += [0, 0, 1, 250, 500, 1000, 1000, 7000].randomElement(using: &generator) ?? 0
            let isNull = Int.random(in: 0..<6, using: &generator) == 0
            return Event(
                device: .random(in: 0..<3, using: &generator), milliseconds: time,
                halves: isNull ? nil : .random(in: -6...6, using: &generator),
                text: [nil, "a", "b", "a longer text, over sixteen bytes", "ü"].randomElement(using: &generator) ?? nil,
                isMarked: .random(using: &generator))
        }
    }

    /// The rows of a query as the model has them, for several batch sizes and with the state stored and read in between.
    static func check(
        _ columns: [(sql: String, model: ([Event], Event) -> String)], _ events: [Event], _ seed: UInt64
    ) throws {
        let items = columns.enumerated().map { "\($1.sql) AS c\($0)" }.joined(separator: ", ")
        let sql = "SELECT \(items) INTO out FROM input TIMESTAMP BY ts"
        let expected = events.indices.map { index in
            let now = events[index]
            let mine = events[...index].filter { $0.device == now.device }
            let parts = columns.enumerated().map { "\"c\($0)\":\($1.model(mine, now))" }
            return "{\(parts.joined(separator: ","))}"
        }
        let tests = events.map(\.test)
        for batchSize in [1, 7, 1000] {
            let rows = try run(sql, tests, batchSize: batchSize)["out"] ?? []
            let wrong = zip(rows, expected).first { $0 != $1 }
            #expect(rows.count == expected.count && wrong == nil, "seed \(seed), batches of \(batchSize)")
        }
        var generator = SeededGenerator(seed: seed)
        let cut = Int.random(in: 0...events.count, using: &generator)
        let rows = try runInTwo(sql, tests, cut: cut, batchSize: 11)["out"] ?? []
        let wrong = zip(rows, expected).first { $0 != $1 }
        #expect(rows.count == expected.count && wrong == nil, "seed \(seed), stored after \(cut)")
    }

    /// The key's events of (t - duration, t].
    static func recent(_ mine: [Event], _ milliseconds: Int) -> [Event] {
        mine.filter { $0.milliseconds > (mine.last?.milliseconds ?? 0) - milliseconds }
    }

    @Test(arguments: [1, 1000, 60_000])
    func `LAG, LAST and FIRST read the rows of the definition`(_ milliseconds: Int) throws {
        let seed = UInt64.random(in: 0..<1000)
        let over = "OVER (PARTITION BY d LIMIT DURATION(millisecond, \(milliseconds))"
        func lag(_ mine: [Event], _ offset: Int, _ fits: (Event) -> Bool) -> Event? {
            let before = Self.recent(mine, milliseconds).dropLast().filter(fits)
            return before.count >= offset ? before[before.count - offset] : nil
        }
        try Self.check(
            [
                ("LAG(v) \(over))", { mine, _ in lag(mine, 1) { _ in true }?.shownValue ?? "null" }),
                ("LAG(v, 3, -1) \(over))", { mine, _ in lag(mine, 3) { _ in true }?.shownValue ?? "-1" }),
                ("LAG(s, 2, s) \(over))", { mine, now in (lag(mine, 2) { _ in true } ?? now).shownText }),
                (
                    "LAG(s) \(over) WHEN m = 1)", { mine, _ in lag(mine, 1, \.isMarked)?.shownText ?? "null" }
                ),
                (
                    "LAST(s, 'none') \(over) WHEN m = 1)",
                    { mine, _ in Self.recent(mine, milliseconds).last(where: \.isMarked)?.shownText ?? "\"none\"" }
                ),
                ("FIRST(s) \(over))", { mine, _ in Self.recent(mine, milliseconds).first?.shownText ?? "null" }),
                (
                    "FIRST(v) \(over) WHEN m = 1)",
                    { mine, _ in Self.recent(mine, milliseconds).first(where: \.isMarked)?.shownValue ?? "null" }
                ),
            ], Self.events(seed: seed, count: 250), seed)
    }

    @Test(arguments: [1, 1000, 60_000])
    func `changes and numbers of rows follow from the rows before`(_ milliseconds: Int) throws {
        let seed = UInt64.random(in: 0..<1000)
        let key = "OVER (PARTITION BY d"
        let limit = "LIMIT DURATION(millisecond, \(milliseconds))"
        func isChanged(_ mine: [Event], _ now: Event, limit: Int?, _ fits: (Event) -> Bool = { _ in true }) -> Bool {
            guard let last = mine.dropLast().last(where: fits) else { return true }
            if let limit, last.milliseconds <= now.milliseconds - limit { return true }
            return last.halves != now.halves || last.text != now.text
        }
        func end(_ event: Event) -> Int { (event.milliseconds + milliseconds - 1) / milliseconds }
        try Self.check(
            [
                ("HAD_CHANGED(v, s) \(key))", { "\(isChanged($0, $1, limit: nil))" }),
                ("HAD_CHANGED(v, s) \(key) \(limit))", { "\(isChanged($0, $1, limit: milliseconds))" }),
                ("HAD_CHANGED(v, s) \(key) WHEN m = 1)", { "\(isChanged($0, $1, limit: nil, \.isMarked))" }),
                (
                    "CHANGED(v) \(key))",
                    { mine, now in
                        let last = mine.dropLast().last
                        return last != nil && last?.halves == now.halves ? "null" : now.shownValue
                    }
                ),
                ("ROW_NUMBER() \(key))", { mine, _ in "\(mine.count)" }),
                ("ROW_NUMBER() \(key) \(limit))", { mine, _ in "\(Self.recent(mine, milliseconds).count)" }),
                (
                    "ROW_NUMBER() \(key) WHEN m = 1)",
                    { mine, now in now.isMarked ? "\(mine.filter(\.isMarked).count)" : "null" }
                ),
                (
                    "ROW_NUMBER() \(key) ORDER BY v DESC \(limit))",
                    { mine, now in
                        let value = now.value ?? -.infinity
                        let better = Self.recent(mine, milliseconds).dropLast().filter {
                            ($0.value ?? -.infinity) >= value
                        }
                        return "\(better.count + 1)"
                    }
                ),
                (
                    "ISFIRST(millisecond, \(milliseconds)) \(key) WHEN m = 1)",
                    { mine, now in
                        let isSecond = mine.dropLast().contains { $0.isMarked && end($0) == end(now) }
                        return now.isMarked && !isSecond ? "1" : "0"
                    }
                ),
            ], Self.events(seed: seed, count: 250), seed)
    }

    /// A frame of OVER and its model.
    struct Frame {
        /// By rows; otherwise by milliseconds.
        var isCounted: Bool
        var size: Int

        static let all = [(true, 1), (true, 4), (true, 40), (false, 1), (false, 1000), (false, 60_000)].map(Frame.init)

        var over: String {
            let limit = isCounted ? "ROWS \(size - 1) PRECEDING" : "LIMIT DURATION(millisecond, \(size))"
            return "OVER (PARTITION BY d \(limit)"
        }

        func rows(_ mine: [Event], _ fits: (Event) -> Bool = { _ in true }) -> [Event] {
            isCounted ? Array(mine.filter(fits).suffix(size)) : recent(mine, size).filter(fits)
        }

        func values(_ mine: [Event]) -> [Double] { rows(mine).compactMap(\.value) }
    }

    /// Events whose texts spell numbers, as they must where text is ordered by.
    static func numericEvents(seed: UInt64) -> [Event] {
        events(seed: seed, count: 250).map { event in
            var event = event
            if let text = event.text { event.text = "\(text.utf8.count)" }
            return event
        }
    }

    static func shown(_ number: Double?) -> String { number.map { "\($0)" } ?? "null" }

    @Test(arguments: Frame.all)
    func `aggregates hold the rows of their frame`(_ frame: Frame) throws {
        let seed = UInt64.random(in: 0..<1000)
        let over = frame.over
        try Self.check(
            [
                (
                    "SUM(v) \(over))",
                    { mine, _ in
                        let numbers = frame.values(mine)
                        return numbers.isEmpty ? "null" : "\(numbers.reduce(0, +))"
                    }
                ),
                ("MIN(v) \(over))", { mine, _ in Self.shown(frame.values(mine).min()) }),
                ("MAX(v) \(over))", { mine, _ in Self.shown(frame.values(mine).max()) }),
                (
                    "COUNT(s) \(over) WHEN m = 1)",
                    { mine, _ in "\(frame.rows(mine, \.isMarked).count { $0.text != nil })" }
                ),
                ("COUNT(*) \(over))", { mine, _ in "\(frame.rows(mine).count)" }),
                (
                    "MAX(CAST(s AS nvarchar(max))) \(over))",
                    { mine, _ in
                        let texts = frame.rows(mine).compactMap(\.text)
                        let best = texts.max { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
                        return best.map { "\"\($0)\"" } ?? "null"
                    }
                ),
                (
                    "Collect(s) \(over))",
                    { mine, _ in "[\(frame.rows(mine).map(\.shownText).joined(separator: ","))]" }
                ),
            ], Self.events(seed: seed, count: 250), seed)
    }

    @Test(arguments: Frame.all)
    func `percentiles and the best rows are those of the sorted frame`(_ frame: Frame) throws {
        let seed = UInt64.random(in: 0..<1000)
        let over = frame.over
        try Self.check(
            [
                (
                    "PERCENTILE_DISC(0.3) \(over) ORDER BY v)",
                    { mine, _ in
                        let sorted = frame.values(mine).sorted()
                        let index = sorted.indices.first { Double($0 + 1) / Double(sorted.count) >= 0.3 }
                        return Self.shown(index.map { sorted[$0] })
                    }
                ),
                (
                    "PERCENTILE_CONT(0.5) \(over) ORDER BY v DESC)",
                    { mine, _ in
                        let sorted = frame.values(mine).sorted(by: >)
                        guard !sorted.isEmpty else { return "null" }
                        let middle = sorted.count / 2
                        let isOdd = sorted.count % 2 == 1
                        return "\(isOdd ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2)"
                    }
                ),
                (
                    "TopOne(s) \(over) ORDER BY v DESC, s)",
                    { mine, _ in Self.ranked(frame.rows(mine)).first?.shownText ?? "null" }
                ),
                (
                    "CollectTop(2, v) \(over) ORDER BY v DESC, s)",
                    { mine, _ in
                        let best = Self.ranked(frame.rows(mine)).prefix(2).enumerated()
                        let parts = best.map { "{\"rank\":\($0 + 1),\"value\":\($1.shownValue)}" }
                        return "[\(parts.joined(separator: ","))]"
                    }
                ),
            ], Self.numericEvents(seed: seed), seed)
    }

    /// By value from the highest, NULL last, then by the number that the text spells, NULL first; equal ones as they came.
    static func ranked(_ events: [Event]) -> [Event] {
        events.enumerated().sorted { one, other in
            let (a, b) = (one.element, other.element)
            if a.halves != b.halves { return (a.value ?? -.infinity) > (b.value ?? -.infinity) }
            let (x, y) = (a.text.flatMap(Double.init) ?? -1, b.text.flatMap(Double.init) ?? -1)
            return x == y ? one.offset < other.offset : x < y
        }.map(\.element)
    }

    @Test(arguments: ["ROWS 4 PRECEDING", "LIMIT DURATION(second, 5)"])
    func `deviations are those of the frame's numbers`(_ limit: String) throws {
        let seed = UInt64.random(in: 0..<1000)
        let events = Self.events(seed: seed, count: 300)
        let names = ["STDEV", "STDEVP", "VAR", "VARP"]
        let items = names.map { "\($0)(v) OVER (PARTITION BY d \(limit)) AS \($0)" }.joined(separator: ", ")
        let sql = "SELECT \(items) INTO out FROM input TIMESTAMP BY ts"
        let rows = try run(sql, events.map(\.test), batchSize: 1)["out"] ?? []
        #expect(try run(sql, events.map(\.test), batchSize: 64)["out"] == rows, "seed \(seed)")
        #expect(try runInTwo(sql, events.map(\.test), cut: 111, batchSize: 5)["out"] == rows, "seed \(seed)")
        for (index, row) in rows.enumerated() {
            let mine = events[...index].filter { $0.device == events[index].device }
            let frame = limit.hasPrefix("ROWS") ? Array(mine.suffix(5)) : Self.recent(mine, 5000)
            let numbers = frame.compactMap(\.value)
            let mean = numbers.reduce(0, +) / Double(numbers.count)
            let squares = numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            let sample = numbers.count > 1 ? squares / Double(numbers.count - 1) : nil
            let whole = numbers.isEmpty ? nil : squares / Double(numbers.count)
            let expected = [sample?.squareRoot(), whole?.squareRoot(), sample, whole]
            let found = row.dropFirst().dropLast().split(separator: ",").map { part in
                Double(part.split(separator: ":")[1])
            }
            for (a, b) in zip(found, expected) {
                #expect((a == nil) == (b == nil), "seed \(seed), row \(index)")
                #expect(abs((a ?? 0) - (b ?? 0)) < 1e-9, "seed \(seed), row \(index)")
            }
        }
    }

    @Test func `bigints, floats, bits and NULL mix in one frame`() throws {
        let seed = UInt64.random(in: 0..<1000)
        var generator = SeededGenerator(seed: seed)
        let values = (0..<400).map { _ -> (text: String, number: Double?, isFloat: Bool) in
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: return ("null", nil, false)
            case 1: return ("true", 1, false)
            case 2, 3:
                let number = Int.random(in: -9...9, using: &generator)
                return ("\(number)", Double(number), false)
            default:
                let number = Double(Int.random(in: -9...9, using: &generator)) + 0.5
                return ("\(number)", number, true)
            }
        }
        // The first rows are floats only, so that types start to be kept in the middle.
        let all = [("0.5", 0.5, true), ("1.5", 1.5, true), ("-2.5", -2.5, true)] + values
        let tests = all.enumerated().map { index, value in
            TestEvent(body: "{\"ts\":\"\(at(index * 10))\",\"v\":\(value.0)}")
        }
        for size in [1, 3, 17] {
            let sql = """
                SELECT SUM(v) OVER (ROWS \(size - 1) PRECEDING) AS a, SUM(v) OVER (LIMIT DURATION(millisecond, \(size * 10))) AS b
                INTO out FROM input TIMESTAMP BY ts
                """
            let expected = all.indices.map { index in
                let held = all[...index].suffix(size).filter { $0.1 != nil }
                let sum = held.reduce(0) { $0 + ($1.1 ?? 0) }
                let shown = held.isEmpty ? "null" : held.contains(where: \.2) ? "\(sum)" : "\(Int(sum))"
                return "{\"a\":\(shown),\"b\":\(shown)}"
            }
            for batchSize in [1, 2, 1000] {
                #expect(try run(sql, tests, batchSize: batchSize)["out"] == expected, "seed \(seed), \(size) rows")
            }
            for cut in [2, 200] {
                #expect(try runInTwo(sql, tests, cut: cut, batchSize: 3)["out"] == expected, "seed \(seed), cut \(cut)")
            }
        }
    }

    @Test func `sums of floats are the same bits after the state was stored`() throws {
        var generator = SeededGenerator(seed: 11)
        let tests = (0..<3000).map { index in
            let value = Double.random(in: -1...1, using: &generator) * 1e3
            // Bursts and pauses, so that rings grow and shrink.
            return TestEvent(
                body: "{\"d\":\(index % 5),\"ts\":\"\(at(index * (index / 500 % 2 == 0 ? 5 : 900)))\",\"v\":\(value)}")
        }
        .sorted { $0.body < $1.body }
        let ordered = tests.sorted { one, other in
            let time = { (event: TestEvent) in event.body.split(separator: "\"")[5] }
            return time(one) < time(other)
        }
        let over = "OVER (PARTITION BY d LIMIT DURATION(second, 10))"
        let sql = """
            SELECT AVG(v) \(over) AS a, MIN(v) \(over) AS b, STDEV(v) \(over) AS c, COUNT(v) \(over) AS n,
                SUM(v) OVER (PARTITION BY d ROWS 30 PRECEDING) AS s
            INTO out FROM input TIMESTAMP BY ts
            """
        let expected = try run(sql, ordered, batchSize: 1)
        for cut in [0, 1, 777, 1500, 2999] {
            #expect(try runInTwo(sql, ordered, cut: cut, batchSize: 50) == expected)
        }
    }

    @Test func `damaged state is an error and never a trap`() throws {
        let seed = UInt64.random(in: 0..<1000)
        var generator = SeededGenerator(seed: seed)
        let key = "OVER (PARTITION BY d LIMIT DURATION(second, 20)"
        let sql = """
            SELECT AVG(v) \(key)) AS a, MIN(v) \(key)) AS b, LAG(s, 2) \(key)) AS c, Collect(s) \(key)) AS e,
                PERCENTILE_CONT(0.4) \(key) ORDER BY v) AS f, STDEV(v) \(key)) AS g, HAD_CHANGED(s) \(key)) AS h,
                ROW_NUMBER() \(key)) AS i, ISFIRST(second, 9) OVER (PARTITION BY d) AS j
            INTO out FROM input TIMESTAMP BY ts
            """
        let tests = Self.events(seed: seed, count: 80).map(\.test)
        let program = try compile(SourceText(name: "test", text: sql), catalog: Catalog(streams: ["input"])).program
        let first = try Pipeline(program, configuration: Pipeline.Configuration()) { _, _ in }
        try first.process(batch(Array(tests[..<60])), input: "input")
        let saved = first.save()
        for _ in 0..<300 {
            var bytes = saved
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                bytes[index] = UInt8.random(in: 0...255, using: &generator)
            }
            if Bool.random(using: &generator) { bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator)) }
            let second = try Pipeline(program, configuration: Pipeline.Configuration()) { _, _ in }
            do {
                try second.restore(bytes)
                try second.process(batch(Array(tests[60...]), offset: 60), input: "input")
            } catch {}
        }
    }
}
