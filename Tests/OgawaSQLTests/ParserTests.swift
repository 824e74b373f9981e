import OgawaCore
import OgawaSQL
import Testing

@Suite struct ParserTests {
    @Test(arguments: corpus)
    func `every query of the corpus parses`(_ text: String) throws {
        _ = try parse(SourceText(name: "q.sql", text: text))
    }

    @Test(arguments: [
        ("a + b * c", "(a + (b * c))"),
        ("a * b + c", "((a * b) + c)"),
        ("a - b - c", "((a - b) - c)"),
        ("a & b + c", "((a & b) + c)"),
        ("a * -b", "(a * -(b))"),
        ("- 5", "-5"),
        ("-2.5", "-2.5"),
        ("~a % 2", "(~(a) % 2)"),
        ("NOT a = 1 AND b = 2", "(NOT ((a = 1)) AND (b = 2))"),
        ("a = 1 OR b = 2 AND c = 3", "((a = 1) OR ((b = 2) AND (c = 3)))"),
        ("a = 1 OR b = 2 OR c = 3", "(((a = 1) OR (b = 2)) OR (c = 3))"),
        ("a !> 1", "(a <= 1)"),
        ("a !< 1", "(a >= 1)"),
        ("a != 1", "(a <> 1)"),
        ("a BETWEEN 1 AND 2", "((a >= 1) AND (a <= 2))"),
        ("a NOT BETWEEN 1 AND 2", "((a < 1) OR (a > 2))"),
        ("a NOT IN (1, 2)", "(a NOT IN (1, 2))"),
        ("a NOT LIKE 'x%'", "(a NOT LIKE 'x%')"),
        ("a IS NOT NULL", "(a IS NOT NULL)"),
        ("CASE a WHEN 1 THEN 2 ELSE 3 END", "CASE WHEN (a = 1) THEN 2 ELSE 3 END"),
        ("'it''s'", "'it''s'"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("1.5e2", "150.0"),
        (".5", "0.5"),
        ("TRUE", "TRUE"),
        ("a.b.c", "a.b.c"),
        ("[a b].[c.d]", "[a b].[c.d]"),
        ("\"[a][b]\"", "[[a][b]]"),
        ("[a]]b]", "[a]b]"),
        ("(a).b", "a.b"),
        ("cast(a AS BIGINT)", "CAST(a AS bigint)"),
        ("TRY_CAST(a AS nvarchar(MAX))", "TRY_CAST(a AS nvarchar(max))"),
        ("telemetry.a", "a"),
        ("TELEMETRY.a", "a"),
    ])
    func `an expression is read by its precedence`(_ text: String, _ form: String) {
        #expect(bound(text) == form)
    }

    @Test(arguments: [
        "SELECT a FROM telemetry", "select a from telemetry;", "SELECT a\tFROM\u{a0}telemetry;;",
        "SELECT/**/a--x\nFROM telemetry", "\u{feff}SELECT a FROM telemetry", "SELECT [a] FROM \"telemetry\"",
    ])
    func `case, blanks, comments and quotes do not matter`(_ text: String) {
        #expect(outputPlan(text) == "project a\n  source 0")
    }

    @Test func `statements need no semicolons`() {
        let text =
            "SELECT a INTO x FROM telemetry SELECT b INTO y FROM telemetry WITH s AS (SELECT c FROM telemetry) SELECT c INTO z FROM s"
        #expect(errors(text) == [])
        #expect(plan(text).contains("output z\n  project c\n    step 0"))
    }

    @Test func `nesting has a limit and an error`() {
        for text in [
            String(repeating: "(", count: 100_000), "(" + String(repeating: "NOT ", count: 50_000) + "a)",
            String(repeating: "~", count: 50_000) + "a", String(repeating: "- ", count: 50_000) + "a",
            String(repeating: "ABS(", count: 5000) + "a", String(repeating: "CASE WHEN ", count: 5000),
            "a" + String(repeating: " + a", count: 20_000),
        ] {
            #expect(errors("SELECT \(text) FROM telemetry").first?.hasSuffix("nested-too-deeply") == true)
        }
        let allowed = String(repeating: "(", count: 60) + "a" + String(repeating: ")", count: 60)
        #expect(errors("SELECT \(allowed) AS x FROM telemetry") == [])
    }

    @Test func `a long chain of conditions is fine`() {
        let condition = (0..<5000).map { "a = \($0)" }.joined(separator: " OR ")
        #expect(errors("SELECT a FROM telemetry WHERE \(condition)") == [])
    }

    @Test func `huge texts are refused quickly`() {
        #expect(errors("SELECT a FROM telemetry" + String(repeating: " ", count: 1 << 20)) == ["1:1 text-too-large"])
        let many = "SELECT " + String(repeating: "a,", count: 80_000) + "a FROM telemetry"
        #expect(errors(many).contains { $0.hasSuffix("text-too-large") })
        let columns = "SELECT " + (0..<30_000).map { "a\($0)" }.joined(separator: ",") + " FROM telemetry"
        #expect(errors(columns).contains { $0.hasSuffix("text-too-large") })
    }

    @Test(arguments: [
        "WITH s AS (SELECT \((0..<4000).map { "c\($0)" }.joined(separator: ",")) FROM telemetry) "
            + String(repeating: "SELECT * FROM s ", count: 1000),
        "WITH " + (0..<300).map { "s\($0) AS (SELECT a FROM telemetry)" }.joined(separator: ",") + " SELECT a FROM s1",
        String(repeating: "SELECT a FROM telemetry ", count: 1100),
        "SELECT a FROM telemetry t " + (0..<40).map { "JOIN telemetry t\($0) ON 1 = 1 " }.joined(),
        "SELECT a FROM telemetry WHERE " + String(repeating: "(", count: 50) + "a"
            + String(repeating: " BETWEEN 1 AND 2)", count: 50),
    ])
    func `what would multiply has a limit`(_ text: String) {
        #expect(errors(text).contains { $0.hasSuffix("text-too-large") })
    }

    @Test func `aliases that double do not blow up`() {
        let aliases = (1...60).map { "a\($0 - 1) + a\($0 - 1) AS a\($0)" }.joined(separator: ", ")
        #expect(errors("SELECT x + 1 AS a0, \(aliases) FROM telemetry").contains { $0.hasSuffix("text-too-large") })
    }
}
