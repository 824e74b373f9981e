import Ogawa
import OgawaCore
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Loads a case from a text by way of a file.
private func load(_ text: String, ending: String = "yaml") throws -> CaseFile {
    let path = "/tmp/ogawa-case-\(getpid())-\(UInt32.random(in: 0 ... .max)).\(ending)"
    try TextFile.write(path, text)
    defer { unlink(path) }
    return try CaseFile.load(path)
}

private func rows(_ text: String) throws -> [JSONValue] {
    guard case .array(let rows) = try JSONValue.parse(text) else { return [] }
    return rows
}

@Suite struct JSONValueTests {
    @Test func `integers of 64 bits stay exact and floats stay floats`() throws {
        let text = #"{"a":9223372036854775807,"b":1.0,"c":-9223372036854775808,"d":[1e2,true,null],"e":{"ü":"\n\"😀"}}"#
        let value = try JSONValue.parse(text)
        #expect(value["a"] == .integer(.max))
        #expect(value["b"] == .float(1))
        #expect(value["d"] == .array([.float(100), .bool(true), .null]))
        #expect(try JSONValue.parse(value.text) == value)
        #expect(try JSONValue.parse("9223372036854775808") == .float(9_223_372_036_854_775_808))
        #expect(try JSONValue.parse(#""\ud83d\ude00\ud83d""#) == .string("😀\u{fffd}"))
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\"}", "01", "1.", "-", "1e", "\"a", "\"\\x\"", "\"\\u12\"", "tru", "nul", "[1 2]", "1 2",
        "{\"a\":1,}", "\"\u{1}\"", "1e999", String(repeating: "[", count: 100_000), "'a'", "+1", "\"\\",
    ])
    func `text that is not JSON is refused with a place`(text: String) {
        #expect(throws: JSONError.self) { try JSONValue.parse(text) }
    }

    @Test func `a text cut anywhere never traps`() {
        let text = #"{"a":[1,-2.5e3,"x\u00e9\n"],"b":{"c":null,"d":true}}"#
        for count in 0..<text.utf8.count {
            let cut = String(decoding: text.utf8.prefix(count), as: UTF8.self)
            #expect(throws: JSONError.self) { try JSONValue.parse(cut) }
        }
    }
}

@Suite struct ProjectCaseTests {
    @Test func `YAML and JSON mean the same case`() throws {
        let yaml = try load(
            """
            name: late
            query: SELECT a INTO o FROM i TIMESTAMP BY t
            policy: { late_arrival: PT20S, out_of_order: 4s, action: drop }
            inputs:
              i:
                - { a: 9007199254740993, f: 1.0, t: 2025-03-01T08:00:00Z, s: "5", _arrival: 2025-03-01T08:01:00Z, _metadata: { User: { x: 1 } }, _other: 1 }
            expect: { o: [ { a: 1 } ] }
            ordered: false
            compare: exact
            """)
        let json = try load(
            #"""
            {"name":"late","query":"SELECT a INTO o FROM i TIMESTAMP BY t",
            "policy":{"late_arrival":"PT20S","out_of_order":"PT4S","action":"drop"},
            "inputs":{"i":[{"a":9007199254740993,"f":1.0,"t":"2025-03-01T08:00:00Z","s":"5","_arrival":"2025-03-01T08:01:00Z",
            "_metadata":{"User":{"x":1}}}]},"expect":{"o":[{"a":1}]},"ordered":false,"compare":"exact"}
            """#, ending: "json")
        for file in [yaml, json] {
            let event = try #require(file.inputs.first?.events.first)
            #expect(event.json == #"{"a":9007199254740993,"f":1.0,"t":"2025-03-01T08:00:00Z","s":"5"}"#)
            #expect(event.arrival == Timestamp("2025-03-01T08:01:00Z"))
            #expect(event.metadata == #"{"User":{"x":1}}"#)
            #expect(file.lateArrival == .seconds(20))
            #expect(file.outOfOrder == .seconds(4))
            #expect(file.action == .drop)
            #expect(!file.comparison.isOrdered)
            #expect(file.comparison.comparesExactly)
        }
    }

    @Test func `mistakes in a case are told at their keys`() throws {
        let error = #expect(throws: DiagnosticList.self) {
            _ = try load("query: SELECT 1\ninputs: { i: 5 }\nexpct: {}\npolicy: { late_arrival: soon }\n")
        }
        let messages = error?.diagnostics.map(\.message) ?? []
        #expect(messages.contains("a case has no field 'expct'"))
        #expect(messages.contains("'i' in inputs must be a list of objects"))
        #expect(messages.contains("the case says not what to expect"))
        #expect(messages.contains { $0.hasPrefix("late_arrival in policy is 'soon'") })
        #expect(throws: DiagnosticList.self) { _ = try load("{\"query\": }", ending: "json") }
    }

    @Test func `aliases of aliases end`() throws {
        var text = "query: &a0 x\ninputs: {}\nexpect: {}\nnote:\n  - &b0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let alias = "*b\(level - 1)"
            text += "  - &b\(level) [\(Array(repeating: alias, count: 9).joined(separator: ", "))]\n"
        }
        #expect(throws: DiagnosticList.self) { _ = try load(text) }
    }

    @Test func `values compare as the format says`() throws {
        let comparison = RowComparison()
        let expected = try rows(#"[{"n":70,"t":"2025-03-01T08:00:00Z","x":null,"s":"a","r":{"p":1,"q":null}}]"#)
        let equal = try rows(
            #"[{"n":70.00000000001,"t":"2025-03-01T09:00:00.0000000+01:00","s":"a","r":{"p":1.0},"y":null}]"#)
        #expect(comparison.differences(output: "o", actual: equal, expected: expected) == [])
        for other in [
            #"[{"n":"70","t":"2025-03-01T08:00:00Z","s":"a","r":{"p":1}}]"#,
            #"[{"n":70,"t":"2025-03-01T08:00:00.0000001Z","s":"a","r":{"p":1}}]"#,
            #"[{"n":70,"t":"2025-03-01T08:00:00Z","s":"A","r":{"p":1}}]"#,
            #"[{"n":70,"t":"2025-03-01T08:00:00Z","s":"a","r":{"p":1,"z":2}}]"#,
            #"[{"n":70,"t":"2025-03-01T08:00:00Z","s":"a","r":{"p":1},"extra":1}]"#,
            #"[{"n":70,"n":70,"t":"2025-03-01T08:00:00Z","s":"a","r":{"p":1}}]"#, "[]",
        ] {
            #expect(!comparison.differences(output: "o", actual: try rows(other), expected: expected).isEmpty)
        }
    }

    @Test func `options loosen or tighten the comparison`() throws {
        var comparison = RowComparison()
        let big = try rows(#"[{"n":9007199254740993}]"#)
        let near = try rows(#"[{"n":9007199254740992}]"#)
        #expect(comparison.differences(output: "o", actual: near, expected: big) == [])
        comparison.comparesExactly = true
        #expect(!comparison.differences(output: "o", actual: near, expected: big).isEmpty)
        comparison.isSubsetMatch = true
        #expect(
            comparison.differences(
                output: "o", actual: try rows(#"[{"a":1,"b":2}]"#), expected: try rows(#"[{"a":1}]"#)) == [])
        comparison.unorderedArrays = ["a"]
        #expect(
            comparison.differences(
                output: "o", actual: try rows(#"[{"a":[1,2]}]"#), expected: try rows(#"[{"a":[2,1]}]"#)) == [])
        comparison.tolerance = ["a": 0.1]
        #expect(
            comparison.differences(output: "o", actual: try rows(#"[{"a":105}]"#), expected: try rows(#"[{"a":100}]"#))
                == [])
        comparison.isOrdered = false
        #expect(
            comparison.differences(
                output: "o", actual: try rows(#"[{"k":1},{"k":2}]"#), expected: try rows(#"[{"k":2},{"k":1}]"#)) == [])
    }

    @Test func `one missing row is told as one missing row`() throws {
        let comparison = RowComparison()
        let lines = comparison.differences(
            output: "o", actual: try rows(#"[{"k":1},{"k":3},{"k":4}]"#),
            expected: try rows(#"[{"k":1},{"k":2},{"k":3},{"k":4}]"#))
        #expect(lines == ["output o: 4 rows expected, 3 found", #"  - row 2: {"k":2}"#])
        let changed = comparison.differences(
            output: "o", actual: try rows(#"[{"k":1,"v":2}]"#), expected: try rows(#"[{"k":1,"v":3}]"#))
        #expect(changed.last == "      v: expected 3, found 2")
    }
}
