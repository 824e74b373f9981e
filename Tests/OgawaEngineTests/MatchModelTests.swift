import OgawaCore
import OgawaEngine
import OgawaSQL
import Testing

/// MATCH_RECOGNIZE against a search that tries every way in order of preference, and goes back where a way fails.
@Suite struct MatchModelTests {
    struct Row {
        var device: Int
        var kind: String
        var value: Int
        var milliseconds: Int
    }

    /// A pattern over A, B and C: rows of that kind, with a condition of its own for C.
    indirect enum Pattern {
        case name(String)
        case any
        case both(Pattern, Pattern)
        case either(Pattern, Pattern)
        case times(Pattern, Int, Int?)

        var text: String {
            switch self {
            case .name(let name): name
            case .any: "."
            case .both(let one, let other): "(\(one.text) \(other.text))"
            case .either(let one, let other): "(\(one.text) | \(other.text))"
            case .times(let part, 0, nil): "(\(part.text))*"
            case .times(let part, 1, nil): "(\(part.text))+"
            case .times(let part, 0, 1): "(\(part.text))?"
            case .times(let part, let low, let high): "(\(part.text)){\(low),\(high.map { "\($0)" } ?? "")}"
            }
        }
    }

    static func pattern(depth: Int, _ generator: inout SeededGenerator) -> Pattern {
        guard depth > 0 else {
            return [.name("A"), .name("B"), .name("C"), .any].randomElement(using: &generator) ?? .any
        }
        let part = pattern(depth: depth - 1, &generator)
        switch Int.random(in: 0..<6, using: &generator) {
        case 0, 1: return .both(part, pattern(depth: depth - 1, &generator))
        case 2: return .either(part, pattern(depth: depth - 1, &generator))
        case 3:
            // A repetition of what may be nothing has no order of preference that both agree on.
            if canBeEmpty(part) { return part }
            let bounds: [(Int, Int?)] = [(0, nil), (1, nil), (0, 1), (1, 3), (2, 2), (0, 2)]
            let (low, high) = bounds.randomElement(using: &generator) ?? (0, nil)
            return .times(part, low, high)
        default: return part
        }
    }

    static func canBeEmpty(_ pattern: Pattern) -> Bool {
        switch pattern {
        case .name, .any: false
        case .both(let one, let other): canBeEmpty(one) && canBeEmpty(other)
        case .either(let one, let other): canBeEmpty(one) || canBeEmpty(other)
        case .times(let part, let low, _): low == 0 || canBeEmpty(part)
        }
    }

    /// The rows of a way so far, each with its name.
    typealias Way = [(row: Row, name: String)]

    /// Whether a row may have a name after what a way has so far.
    ///
    /// With isLinked, B also takes a value not below the last A's, and C is above the greatest A while the sum of the C's is at most 12.
    static func holds(_ name: String, _ row: Row, _ way: Way, isLinked: Bool) -> Bool {
        let a = way.filter { $0.name == "A" }.map(\.row.value)
        let c = way.filter { $0.name == "C" }.map(\.row.value)
        switch name {
        case "A": return row.kind == "A"
        case "B": return row.kind == "B" || isLinked && a.last.map { row.value >= $0 } ?? false
        case "C": return isLinked ? c.reduce(row.value, +) <= 12 && row.value > (a.max() ?? .max) : row.value > 5
        default: return true
        }
    }

    /// Tries the pattern at a row and goes on with the rest; true where that led to a match.
    static func search(
        _ pattern: Pattern, _ rows: [Row], _ index: Int, _ way: Way, isLinked: Bool, _ rest: (Int, Way) -> Bool
    ) -> Bool {
        switch pattern {
        case .name, .any:
            let name = if case .name(let name) = pattern { name } else { "." }
            guard index < rows.count, holds(name, rows[index], way, isLinked: isLinked) else { return false }
            return rest(index + 1, way + [(rows[index], name)])
        case .both(let one, let other):
            return search(one, rows, index, way, isLinked: isLinked) {
                search(other, rows, $0, $1, isLinked: isLinked, rest)
            }
        case .either(let one, let other):
            return search(one, rows, index, way, isLinked: isLinked, rest)
                || search(other, rows, index, way, isLinked: isLinked, rest)
        case .times(let part, let low, let high):
            if high == 0 { return rest(index, way) }
            let fewer = Pattern.times(part, max(0, low - 1), high.map { $0 - 1 })
            let more = search(part, rows, index, way, isLinked: isLinked) {
                search(fewer, rows, $0, $1, isLinked: isLinked, rest)
            }
            return more || low == 0 && rest(index, way)
        }
    }

    static func expected(_ pattern: Pattern, _ rows: [Row], limit: Int, isLinked: Bool) -> [String] {
        var found: [(last: Int, first: Int, text: String)] = []
        for (number, first) in rows.enumerated() {
            let held = rows.enumerated().filter {
                $0.offset >= number && $0.element.device == first.device
                    && $0.element.milliseconds - first.milliseconds < limit
            }
            _ = search(pattern, held.map(\.element), 0, [], isLinked: isLinked) { end, way in
                guard end > 0 else { return false }
                let last = held[end - 1].offset
                let names = way.map { "\"\($0.name)\"" }.joined(separator: ",")
                let values = way.filter { $0.name == "A" }.map(\.row.value)
                found.append(
                    (
                        last, number,
                        "{\"d\":\(first.device),\"names\":[\(names)],\"n\":\(end),\"lo\":\(values.min().map { "\($0)" } ?? "null"),"
                            + "\"f\":\(values.first.map { "\($0)" } ?? "null"),\"l\":\(rows[last].value),"
                            + "\"t\":\"\(at(rows[last].milliseconds))\"}"
                    ))
                return true
            }
        }
        return found.sorted { ($0.last, $0.first) < ($1.last, $1.first) }.map(\.text)
    }

    static func rows(_ generator: inout SeededGenerator) -> [Row] {
        var time = 0
        return (0..<40).map { _ in
            time += [0, 200, 500, 1000, 4000].randomElement(using: &generator) ?? 0
            return Row(
                device: .random(in: 0..<2, using: &generator),
                kind: ["A", "A", "B", "C"].randomElement(using: &generator) ?? "A",
                value: .random(in: 0...9, using: &generator), milliseconds: time)
        }
    }

    static func query(_ pattern: Pattern, limit: Int, isLinked: Bool) -> String {
        let b = isLinked ? "k = 'B' OR v >= A.v" : "B.k = 'B'"
        let c = isLinked ? "Sum(C.v) <= 12 AND C.v > Max(A.v)" : "v > 5"
        return """
            SELECT d, names, n, lo, f, l, System.Timestamp() AS t INTO out FROM input TIMESTAMP BY ts
            MATCH_RECOGNIZE (LIMIT DURATION(millisecond, \(limit)) PARTITION BY d
            MEASURES Classifier() AS names, Count(*) AS n, Min(A.v) AS lo, First(A.v) AS f, Last(v) AS l
            AFTER MATCH SKIP TO NEXT ROW PATTERN (\(pattern.text))
            DEFINE A AS A.k = 'A', B AS \(b), C AS \(c))
            """
    }

    /// Every name stands in the pattern, because DEFINE names each of them.
    static func withEveryName(_ pattern: Pattern) -> Pattern {
        .both(pattern, .times(.either(.both(.name("A"), .name("B")), .name("C")), 0, 1))
    }

    static func events(_ rows: [Row]) -> [TestEvent] {
        rows.map {
            TestEvent(body: #"{"d":\#($0.device),"k":"\#($0.kind)","v":\#($0.value),"ts":"\#(at($0.milliseconds))"}"#)
        }
    }

    @Test func `matches are those of a search that goes back, for every batch size`() throws {
        let seed = UInt64.random(in: 0..<1000)
        var generator = SeededGenerator(seed: seed)
        var count = 0
        for _ in 0..<120 {
            let pattern = Self.withEveryName(Self.pattern(depth: 3, &generator))
            let isLinked = Bool.random(using: &generator)
            let limit = [1500, 6000].randomElement(using: &generator) ?? 1500
            let rows = Self.rows(&generator)
            let wanted = Self.expected(pattern, rows, limit: limit, isLinked: isLinked)
            count += wanted.count
            let sql = Self.query(pattern, limit: limit, isLinked: isLinked)
            for size in [1, 7, 1024] {
                let found = try run(sql, Self.events(rows), batchSize: size)["out"] ?? []
                #expect(found == wanted, "seed \(seed), batches of \(size): \(sql)")
            }
        }
        #expect(count > 300, "seed \(seed)")
    }

    @Test func `a pipeline that was saved in the middle goes on alike`() throws {
        let seed = UInt64.random(in: 0..<1000)
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<40 {
            let pattern = Self.withEveryName(Self.pattern(depth: 3, &generator))
            let isLinked = Bool.random(using: &generator)
            let rows = Self.rows(&generator)
            let wanted = Self.expected(pattern, rows, limit: 6000, isLinked: isLinked)
            let sql = Self.query(pattern, limit: 6000, isLinked: isLinked)
            let program = try compile(SourceText(name: "test", text: sql), catalog: Catalog(streams: ["input"])).program
            let collected = Rows()
            func pipeline() throws -> Pipeline {
                try Pipeline(program, configuration: Pipeline.Configuration(policy: OrderingPolicy(), isStrict: true)) {
                    collected.add($1, to: program.statements[$0].output)
                }
            }
            let events = Self.events(rows)
            let cut = Int.random(in: 0...events.count, using: &generator)
            let first = try pipeline()
            try first.process(batch(Array(events[..<cut])), input: "input")
            let state = first.save()
            let second = try pipeline()
            try second.restore(state)
            try second.process(batch(Array(events[cut...]), offset: cut), input: "input")
            try second.finish()
            #expect((collected.rows["out"] ?? []) == wanted, "seed \(seed), cut at \(cut): \(sql)")
            // Damaged state ends in an error or in a pipeline, never in a trap.
            for _ in 0..<20 {
                var damaged = state
                let index = Int.random(in: 0..<max(1, damaged.count), using: &generator)
                if damaged.indices.contains(index) { damaged[index] = UInt8.random(in: 0...255, using: &generator) }
                let third = try pipeline()
                _ = try? third.restore(damaged)
            }
        }
    }

    @Test func `a key with too many matches under way is reported and goes on`() throws {
        // A hundred ways of two threads each begin with every row.
        let ways = Array(repeating: ".* B", count: 100).joined(separator: " | ")
        let sql = """
            SELECT n INTO out FROM input TIMESTAMP BY ts
            MATCH_RECOGNIZE (LIMIT DURATION(hour, 1) MEASURES Count(*) AS n PATTERN (A (\(ways)))
            DEFINE A AS A.v = 1, B AS B.v = 2)
            """
        let events = (0..<60).map { index in
            TestEvent(body: #"{"v":\#(index < 59 ? 1 : 2),"ts":"\#(at(index))"}"#)
        }
        #expect(throws: EngineError.self) { try run(sql, events) }
        let rows = try run(sql, events, isStrict: false)["out"] ?? []
        #expect(rows.count == 50)
        #expect(rows.first == #"{"n":60}"#)
    }
}
