import OgawaCore
import Testing

/// Functions of text by their definition, over arrays of characters.
private enum Model {
    typealias Text = [Unicode.Scalar]

    static func json(_ text: Text) -> String { "\"" + String(String.UnicodeScalarView(text)) + "\"" }

    static func substring(_ text: Text, _ start: Int, _ count: Int) -> Text {
        text.enumerated().filter { $0.offset + 1 >= start && $0.offset + 1 < start + count }.map(\.element)
    }

    static func index(of wanted: Text, in text: Text, from start: Int) -> Int {
        guard !wanted.isEmpty, text.count >= wanted.count else { return 0 }
        let candidates = 0...(text.count - wanted.count)
        return candidates.first { $0 + 1 >= start && Array(text[$0..<$0 + wanted.count]) == wanted }.map { $0 + 1 } ?? 0
    }

    static func replace(_ text: Text, _ wanted: Text, _ new: Text) -> Text {
        if wanted.isEmpty { return text }
        var (result, index): (Text, Int) = ([], 0)
        while index < text.count {
            if text[index...].starts(with: wanted) {
                result += new
                index += wanted.count
            } else {
                result.append(text[index])
                index += 1
            }
        }
        return result
    }

    static func stuff(_ text: Text, _ start: Int, _ count: Int, _ new: Text) -> Text {
        let from = max(start, 1) - 1
        guard from < text.count else { return [] }
        return Array(text[..<from]) + new + Array(text[min(from + count, text.count)...])
    }

    static func like(_ text: ArraySlice<Unicode.Scalar>, _ pattern: ArraySlice<Unicode.Scalar>) -> Bool {
        guard let first = pattern.first else { return text.isEmpty }
        if first == "%" {
            return (0...text.count).contains { like(text.dropFirst($0), pattern.dropFirst()) }
        }
        guard let head = text.first, first == "_" || first == head else { return false }
        return like(text.dropFirst(), pattern.dropFirst())
    }

    static func patternIndex(_ text: Text, _ pattern: Text) -> Int {
        guard pattern.first == "%" else { return !text.isEmpty && like(text[...], pattern[...]) ? 1 : 0 }
        let rest = pattern.drop { $0 == "%" }
        if rest.isEmpty { return text.isEmpty ? 0 : 1 }
        return (0..<text.count).first { like(text.dropFirst($0), rest) }.map { $0 + 1 } ?? 0
    }

    static func trim(_ text: Text, left: Bool, right: Bool) -> Text {
        var rest = text[...]
        while left, let first = rest.first, first.properties.isWhitespace { rest.removeFirst() }
        while right, let last = rest.last, last.properties.isWhitespace { rest.removeLast() }
        return Array(rest)
    }
}

@Suite struct TextModelTests {
    private static let letters = Array("aabbB_% \u{a0}\u{3000}é温😀".unicodeScalars)

    private func text(_ count: ClosedRange<Int>, _ random: inout SeededGenerator) -> Model.Text {
        (0..<Int.random(in: count, using: &random)).compactMap { _ in Self.letters.randomElement(using: &random) }
    }

    @Test func `functions of text do what their definitions say for any characters`() throws {
        let seed = UInt64.random(in: 0...UInt64(UInt32.max))
        print("text model: seed \(seed)")
        var random = SeededGenerator(seed: seed)
        var events: [TestEvent] = []
        var expected: [String] = []
        for index in 0..<800 {
            let (s, w) = (text(0...9, &random), text(0...2, &random))
            let (p, n) = (text(0...4, &random), text(0...3, &random))
            let (start, count) = (Int.random(in: -3...10, using: &random), Int.random(in: 0...10, using: &random))
            let body =
                "{\"ts\":\"\(at(index))\",\"s\":\(Model.json(s)),\"w\":\(Model.json(w)),\"p\":\(Model.json(p)),"
                + "\"n\":\(Model.json(n)),\"i\":\(start),\"c\":\(count)}"
            events.append(TestEvent(body: body))
            let string = String(String.UnicodeScalarView(s))
            let blanks = s.reversed().prefix { $0 == " " }.count
            expected.append(
                "{\"a\":\(s.count - blanks),\"b\":\(Model.json(Array(s.prefix(count)))),"
                    + "\"c\":\(Model.json(Array(s.suffix(count)))),\"d\":\(Model.json(Model.substring(s, start, count))),"
                    + "\"e\":\(Model.index(of: w, in: s, from: start)),\"f\":\(Model.json(Model.replace(s, w, n))),"
                    + "\"g\":\(Model.json(s.reversed())),\"h\":\(Model.json(Model.stuff(s, start, count, n))),"
                    + "\"i\":\"\(string.uppercased())\",\"j\":\"\(string.lowercased())\","
                    + "\"k\":\(Model.json(Model.trim(s, left: true, right: true))),"
                    + "\"l\":\(Model.json(Model.trim(s, left: true, right: false))),"
                    + "\"m\":\(Model.json(Model.trim(s, left: false, right: true))),\"n\":\(Model.json(s + w + n)),"
                    + "\"o\":\(Model.like(s[...], p[...]) ? 1 : 0),\"p\":\(Model.patternIndex(s, p)),"
                    + "\"q\":\(Model.json(w + w + w)),\"r\":\(s.first.map { String($0.value) } ?? "null")}")
        }
        let sql = """
            SELECT LEN(s) AS a, LEFT(s, c) AS b, RIGHT(s, c) AS c, SUBSTRING(s, i, c) AS d, CHARINDEX(w, s, i) AS e,
                REPLACE(s, w, n) AS f, REVERSE(s) AS g, STUFF(s, i, c, n) AS h, UPPER(s) AS i, LOWER(s) AS j, TRIM(s) AS k,
                LTRIM(s) AS l, RTRIM(s) AS m, CONCAT(s, w, n) AS n, CASE WHEN s LIKE p THEN 1 ELSE 0 END AS o,
                PATINDEX(p, s) AS p, REPLICATE(w, 3) AS q, UNICODE(s) AS r
            INTO out FROM input TIMESTAMP BY ts
            """
        let rows = try run(sql, events, batchSize: Int.random(in: 1...300, using: &random))["out"] ?? []
        #expect(rows.count == expected.count)
        for (row, wanted) in zip(rows, expected) where row != wanted {
            Issue.record("\(row) is not \(wanted), seed \(seed)")
        }
    }

    @Test func `a text that joins itself is the same as CONCAT and +`() throws {
        let event = TestEvent(body: "{\"ts\":\"\(at(0))\",\"s\":\"温a\"}")
        let sql =
            "SELECT CONCAT(s, s, s) AS a, s + s + s AS b, REPLICATE(s, 3) AS c INTO out FROM input TIMESTAMP BY ts"
        #expect(try run(sql, [event])["out"] == ["{\"a\":\"温a温a温a\",\"b\":\"温a温a温a\",\"c\":\"温a温a温a\"}"])
    }
}
