import OgawaCore
import OgawaEngine
import Testing

/// A pattern with the positions at which its matches end, straight from the definition.
private indirect enum Pattern {
    case character(Character)
    case any
    case set([Character], isNegated: Bool)
    case start
    case end
    case boundary(isNegated: Bool)
    case sequence([Pattern])
    case choice([Pattern])
    case repetition(Pattern, minimum: Int, maximum: Int?, isLazy: Bool)

    /// The pattern as REGEXMATCH reads it.
    var text: String {
        switch self {
        case .character(let character): String(character)
        case .any: "."
        case .set(let characters, let isNegated): "[\(isNegated ? "^" : "")\(String(characters))]"
        case .start: "^"
        case .end: "$"
        case .boundary(let isNegated): isNegated ? "\\\\B" : "\\\\b"
        case .sequence(let parts): parts.map(\.text).joined()
        case .choice(let parts): "(?:" + parts.map(\.text).joined(separator: "|") + ")"
        case .repetition(let part, let minimum, let maximum, let isLazy):
            "(\(part.text))" + bounds(minimum, maximum) + (isLazy ? "?" : "")
        }
    }

    private func bounds(_ minimum: Int, _ maximum: Int?) -> String {
        switch (minimum, maximum) {
        case (0, nil): "*"
        case (1, nil): "+"
        case (0, 1): "?"
        case (_, nil): "{\(minimum),}"
        case (_, let maximum?): minimum == maximum ? "{\(minimum)}" : "{\(minimum),\(maximum)}"
        }
    }

    func ends(_ text: [Character], _ start: Int) -> Set<Int> {
        switch self {
        case .character(let wanted): return reads(text, start) { $0.lowercased() == wanted.lowercased() }
        case .any: return reads(text, start) { _ in true }
        case .set(let characters, let isNegated):
            return reads(text, start) { found in
                characters.contains { $0.lowercased() == found.lowercased() } != isNegated
            }
        case .start: return start == 0 ? [start] : []
        case .end: return start == text.count ? [start] : []
        case .boundary(let isNegated):
            let before = start > 0 && isWord(text[start - 1])
            let after = start < text.count && isWord(text[start])
            return (before != after) != isNegated ? [start] : []
        case .sequence(let parts):
            return parts.reduce([start]) { positions, part in
                positions.reduce(into: []) { $0.formUnion(part.ends(text, $1)) }
            }
        case .choice(let parts): return parts.reduce(into: []) { $0.formUnion($1.ends(text, start)) }
        case .repetition(let part, let minimum, let maximum, _):
            var (reached, all): (Set<Int>, Set<Int>) = ([start], minimum == 0 ? [start] : [])
            // More rounds than characters reach nothing new.
            for round in 1...(minimum + text.count + 1) where maximum.map({ round <= $0 }) ?? true {
                reached = reached.reduce(into: []) { $0.formUnion(part.ends(text, $1)) }
                if round >= minimum { all.formUnion(reached) }
            }
            return all
        }
    }

    private func isWord(_ character: Character) -> Bool { character.isASCII && character.isLetter }

    private func reads(_ text: [Character], _ start: Int, _ holds: (Character) -> Bool) -> Set<Int> {
        start < text.count && holds(text[start]) ? [start + 1] : []
    }

    static func random(_ depth: Int, _ random: inout SeededGenerator) -> Pattern {
        let kind = Int.random(in: 0..<(depth > 0 ? 10 : 6), using: &random)
        switch kind {
        case 0, 1: return .character(letter(&random))
        case 2: return .any
        case 3: return .set((0..<2).map { _ in letter(&random) }, isNegated: Bool.random(using: &random))
        case 4:
            return [.start, .end, .boundary(isNegated: false), .boundary(isNegated: true)][
                Int.random(in: 0..<4, using: &random)]
        case 5: return .character(letter(&random))
        case 6: return .choice((0..<2).map { _ in Pattern.random(depth - 1, &random) })
        case 7, 8:
            let minimum = Int.random(in: 0...2, using: &random)
            let maximum = Bool.random(using: &random) ? nil : minimum + Int.random(in: 0...2, using: &random)
            let part = Pattern.random(depth - 1, &random)
            return .repetition(part, minimum: minimum, maximum: maximum, isLazy: Bool.random(using: &random))
        default:
            return .sequence(
                (0..<Int.random(in: 1...3, using: &random)).map { _ in Pattern.random(depth - 1, &random) })
        }
    }

    static func letter(_ random: inout SeededGenerator) -> Character {
        "abAé温 -".randomElement(using: &random).map { $0 == "-" ? "b" : $0 } ?? "a"
    }
}

@Suite struct RegexModelTests {
    @Test func `REGEXMATCH gives the leftmost match of any pattern`() throws {
        let seed = UInt64.random(in: 0...UInt64(UInt32.max))
        print("regex model: seed \(seed)")
        var random = SeededGenerator(seed: seed)
        var events: [TestEvent] = []
        var expected: [String] = []
        for index in 0..<1500 {
            let pattern = Pattern.random(3, &random)
            let text = (0..<Int.random(in: 0...7, using: &random)).map { _ in Pattern.letter(&random) }
            events.append(
                TestEvent(body: "{\"ts\":\"\(at(index))\",\"s\":\"\(String(text))\",\"p\":\"\(pattern.text)\"}"))
            let found = (0...text.count).first { !pattern.ends(text, $0).isEmpty }
            expected.append("{\"m\":\(found.map { $0 + 1 } ?? 0)}")
        }
        let sql = "SELECT REGEXMATCH(s, p) AS m INTO out FROM input TIMESTAMP BY ts"
        let rows = try run(sql, events, batchSize: Int.random(in: 1...500, using: &random))["out"] ?? []
        #expect(rows.count == expected.count)
        for (index, row) in rows.enumerated() where row != expected[index] {
            Issue.record("\(events[index].body) gave \(row), not \(expected[index]), seed \(seed)")
        }
    }

    @Test func `any bytes as a pattern give a number, NULL or an error`() throws {
        let seed = UInt64.random(in: 0...UInt64(UInt32.max))
        print("regex fuzz: seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let signs = Array("ab01()[]{}?*+|^$.-,\\dwsbBDWSxuc:<>=!/é😀".unicodeScalars)
        let events = (0..<3000).map { index in
            let pattern = (0..<Int.random(in: 0...14, using: &random)).compactMap { _ in
                signs.randomElement(using: &random)
            }
            let escaped = String(String.UnicodeScalarView(pattern)).map { $0 == "\\" ? "\\\\" : String($0) }.joined()
            return TestEvent(body: "{\"ts\":\"\(at(index))\",\"p\":\"\(escaped)\"}")
        }
        let sql = "SELECT REGEXMATCH('ab1-é', p) AS m INTO out FROM input TIMESTAMP BY ts"
        let rows = try run(sql, events, isStrict: false)["out"] ?? []
        #expect(rows.count > 1000)
        #expect(rows.allSatisfy { $0.hasPrefix("{\"m\":") })
    }

    @Test(arguments: ["(a*)*b", "(a|aa)+$", "(a+)+b", "((a*)*)*b", "a{0,200}b", "(x+x+)+y", "(.*)(.*)(.*)(.*)b"])
    func `no pattern takes more than time in proportion to the text`(_ pattern: String) throws {
        let text = String(repeating: "a", count: 3000)
        let event = TestEvent(body: "{\"ts\":\"\(at(0))\",\"s\":\"\(text)\"}")
        let sql = "SELECT REGEXMATCH(s, '\(pattern)') AS m INTO out FROM input TIMESTAMP BY ts"
        let clock = ContinuousClock()
        let time = try clock.measure { _ = try run(sql, [event]) }
        #expect(time < .seconds(60))
    }

    @Test(
        arguments: [
            ("a(?=b)", "a look-ahead"), ("(?<!a)b", "a look-behind"), ("(a)\\1", "a back reference"),
            ("(a{1000}){1000}", "more than 2000 steps"), ("\\p{L}", "a Unicode property"), ("(?i)a", "the group (?i"),
            ("(){1000000}", "more than 2000 steps"),
        ])
    func `what cannot be matched in linear time is refused before any event`(_ pattern: String, _ reason: String) {
        let error = #expect(throws: EngineError.self) {
            _ = try run("SELECT REGEXMATCH(s, '\(pattern)') AS m INTO out FROM input TIMESTAMP BY ts", [])
        }
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
    }
}
