import OgawaCore
import OgawaEngine
import Testing

@Suite struct ExpressionTests {
    /// The value of an expression over one event, as JSON.
    static func value(_ expression: String, _ fields: String = "\"x\":1") throws -> String {
        let event = TestEvent(body: "{\"ts\":\"2025-03-01T08:00:00Z\",\(fields)}")
        let sql = "SELECT \(expression) AS v INTO out FROM input TIMESTAMP BY ts"
        let row = try run(sql, [event])["out"]?.first ?? ""
        return String(row.dropFirst(5).dropLast())
    }

    @Test(
        arguments: [
            ("7 / 2", "3"), ("-7 / 2", "-3"), ("7 % 4", "3"), ("7 / 2.0", "3.5"), ("1 / 0", "null"),
            ("1.0 / 0", "null"),
            ("1 + NULL", "null"), ("9223372036854775807 - 1", "9223372036854775806"), ("2 * 1.5", "3.0"),
            ("-(-3)", "3"),
            ("'a' + 'b'", "\"ab\""), ("'2' * 3", "6.0"), ("5 & 3", "1"), ("5 | 3", "7"), ("5 ^ 3", "6"), ("~5", "-6"),
            ("1 + 2 * 3", "7"), ("(1 + 2) * 3", "9"), ("10 - 4 - 3", "3"), ("0.1 + 0.2", "0.30000000000000004"),
        ])
    func `arithmetic keeps integers exact and gives NULL for what has no value`(_ sql: String, _ expected: String)
        throws
    {
        #expect(try Self.value(sql) == expected)
    }

    @Test(
        arguments: [
            ("x = 1", true), ("x <> 1", false), ("x = NULL", false), ("x <> NULL", false), ("NOT (x = NULL)", true),
            ("1 = 1.0", true), ("9007199254740993 > 9007199254740992.0", true), ("'a' < 'b'", true),
            ("'A' = 'a'", false),
            ("x BETWEEN 1 AND 2", true), ("x NOT BETWEEN 1 AND 2", false), ("x IN (2, 1)", true),
            ("x NOT IN (2, 3)", true),
            ("'pump-7' LIKE 'pump-_'", true), ("'pump-77' LIKE 'pump-_'", false), ("'a%c' LIKE '%\\%%'", false),
            ("'abc' LIKE '%c'", true), ("'温度' LIKE '_度'", true), ("nope IS NULL", true), ("x IS NOT NULL", true),
            ("x = 1 AND x = 2 OR x = 1", true), ("NOT x = 1 OR x = 1", true), ("'10' > 9", true),
            ("System.Timestamp() = '2025-03-01T09:00:00+01:00'", true),
        ])
    func `conditions are true or false, never NULL`(_ sql: String, _ expected: Bool) throws {
        #expect(try Self.value("CASE WHEN \(sql) THEN 1 ELSE 0 END") == (expected ? "1" : "0"))
    }

    @Test(
        arguments: [
            ("CAST('42' AS bigint)", "42"), ("CAST(2.9 AS bigint)", "2"), ("CAST(-2.9 AS bigint)", "-2"),
            ("TRY_CAST('x' AS bigint)", "null"), ("TRY_CAST('1.5e3' AS float)", "1500.0"),
            ("CAST(0.0 AS bit)", "false"),
            ("CAST(5 AS bit)", "true"), ("CAST(1.5 AS nvarchar(max))", "\"1.5\""), ("TRY_CAST('inf' AS float)", "null"),
            ("CAST('2025-03-01' AS datetime)", "\"2025-03-01T00:00:00.0000000Z\""),
            ("TRY_CAST(1e300 AS bigint)", "null"),
            ("TRY_CAST('2025-02-30' AS datetime)", "null"), ("CAST(NULL AS bigint)", "null"),
        ])
    func `casts convert or give NULL under TRY_CAST`(_ sql: String, _ expected: String) throws {
        #expect(try Self.value(sql) == expected)
    }

    @Test(
        arguments: [
            "CAST('x' AS bigint)", "9223372036854775807 + 1", "'a' * 2", "x < 'abc'", "ABS('n/a')", "LEFT('a', -1)",
            "POWER(10, 100)", "DATEADD(year, 9000, System.Timestamp())", "System.Timestamp() + 1",
            "SUBSTRING('a', 1, -1)",
        ])
    func `what is impossible fails the run with the found value`(_ sql: String) {
        #expect(throws: EngineError.self) { try Self.value(sql) }
    }

    @Test func `only the branch taken may fail`() throws {
        #expect(try Self.value("CASE WHEN x = 1 THEN 5 ELSE CAST('x' AS bigint) END") == "5")
        #expect(try Self.value("CASE WHEN x = 2 AND CAST('x' AS bigint) = 1 THEN 1 ELSE 0 END") == "0")
    }

    @Test func `a failing row is dropped and reported when the run is not strict`() throws {
        let events = (0..<3).map { TestEvent(body: "{\"ts\":\"\(at($0))\",\"v\":\"\($0 == 1 ? "n/a" : "4")\"}") }
        let rows = try run("SELECT ROUND(v, 1) AS v INTO out FROM input TIMESTAMP BY ts", events, isStrict: false)
        #expect(rows["out"] == ["{\"v\":4.0}", "{\"v\":4.0}"])
    }

    @Test(
        arguments: [
            ("ABS(-3)", "3"), ("ABS(-3.5)", "3.5"), ("CEILING(1.2)", "2.0"), ("FLOOR(-1.2)", "-2.0"),
            ("SIGN(-9)", "-1"),
            ("POWER(2, 10)", "1024"), ("POWER(2.0, 0.5)", "1.4142135623730951"), ("SQUARE(3)", "9.0"),
            ("SQRT(-1)", "null"),
            ("ROUND(2.5, 0)", "3.0"), ("ROUND(-2.5, 0)", "-3.0"), ("ROUND(1234.567, -2)", "1200.0"),
            ("ROUND(150, -2)", "200"),
            ("LEN('ab  ')", "2"), ("UPPER('ß-a')", "\"SS-A\""), ("TRIM('\u{3000} a ')", "\"a\""),
            ("CONCAT('a', NULL, 1)", "\"a1\""),
            ("LEFT('abc', 9)", "\"abc\""), ("RIGHT('abc', 2)", "\"bc\""), ("SUBSTRING('abcdef', 0, 3)", "\"ab\""),
            ("SUBSTRING('abcdef', 3, 2)", "\"cd\""), ("REPLACE('aXbX', 'X', '')", "\"ab\""),
            ("REPLACE('a', '', 'b')", "\"a\""),
            ("COALESCE(NULL, 2, 3)", "2"), ("NULLIF(1, 1.0)", "null"), ("GetType(1.5)", "\"float\""),
            ("DATEDIFF(minute, '2025-01-01T00:00:59Z', '2025-01-01T00:01:00Z')", "1"),
            ("DATEADD(month, 1, '2025-01-31T00:00:00Z')", "\"2025-02-28T00:00:00.0000000Z\""),
            ("DATEPART(weekday, '2025-03-01')", "7"), ("DATEPART(quarter, '2025-03-01')", "1"),
            ("DATEPART(dayofyear, '2024-12-31')", "366"),
            ("DATEADD(second, 1.9, '2025-01-01')", "\"2025-01-01T00:00:01.0000000Z\""),
        ])
    func `scalar functions`(_ sql: String, _ expected: String) throws {
        #expect(try Self.value(sql) == expected)
    }

    @Test(
        arguments: [
            ("a.b.c", "\"a\":{\"b\":{\"c\":5}}", "5"), ("a", "\"a\":{\"b\": [1, 2]}", "{\"b\": [1, 2]}"),
            ("A", "\"a\":7", "7"),
            ("v", "\"V\":1,\"v\":2", "2"), ("v", "\"v\":9223372036854775807", "9223372036854775807"),
            ("v", "\"v\":\"tab\\t\\u00e9\\\"\"", "\"tab\\té\\\"\""), ("v", "\"\\u0076\":3", "3"),
            ("[odd name]", "\"odd name\":4", "4"),
            ("v", "\"v\":true", "true"), ("v", "\"v\":-0.5e-7", "-5e-08"), ("a.b", "\"a\":[1]", "null"),
            ("v", "\"w\":1", "null"),
        ])
    func `fields are read by path, exactly first and then without regard to case`(
        _ sql: String, _ fields: String, _ expected: String
    ) throws {
        #expect(try Self.value(sql, fields) == expected)
    }

    @Test func `SELECT * keeps the body's fields and a name to the left of it wins`() throws {
        let event = TestEvent(body: "{\"ts\":\"2025-03-01T08:00:00Z\", \"Temp\":1,\"n\":{\"k\":[1,2]}, \"s\":\"},{\"}")
        let rows = try run("SELECT 99 AS Temp, * INTO out FROM input TIMESTAMP BY ts", [event])["out"]
        #expect(
            rows == ["{\"Temp\":99,\"ts\":\"2025-03-01T08:00:00Z\",\"n\":{\"k\":[1,2]},\"s\":\"},{\"}"])
    }

    @Test func `a column whose values change type is handled value by value`() throws {
        let bodies = ["1", "1.5", "\"2\"", "null", "true"].enumerated().map {
            TestEvent(body: "{\"ts\":\"\(at($0))\",\"v\":\($1)}")
        }
        let rows = try run("SELECT v * 2 AS v INTO out FROM input TIMESTAMP BY ts", bodies)["out"]
        #expect(rows == ["{\"v\":2}", "{\"v\":3.0}", "{\"v\":4.0}", "{\"v\":null}", "{\"v\":2.0}"])
    }
}
