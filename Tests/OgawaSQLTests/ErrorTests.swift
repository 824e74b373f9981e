import OgawaCore
import OgawaSQL
import Testing

private let tumbling = "GROUP BY Tumbling(second, 1)"
private let steps = "WITH s AS (SELECT a, b AS bee FROM telemetry) "

@Suite struct ErrorTests {
    @Test(arguments: [
        ("SELECT 1 AS a", ["1:1 no-from"]),
        ("SELECT a FROM nowhere", ["1:15 unknown-input"]),
        ("SELECT a FROM rooms", ["1:15 reference-alone"]),
        ("SELECT my.ABS(v) FROM telemetry", ["1:8 prefixed-built-in"]),
        ("SELECT my.f(v) FROM telemetry", ["1:8 unknown-function"]),
        ("SELECT AVRAGE(v) FROM telemetry", ["1:8 unknown-function"]),
        ("SELECT System.Now() FROM telemetry", ["1:15 unknown-function"]),
        ("SELECT LEN(a, b) FROM telemetry", ["1:8 wrong-argument-count"]),
        ("SELECT ROUND(a) FROM telemetry", ["1:8 wrong-argument-count"]),
        ("SELECT UPPER(*) FROM telemetry", ["1:8 wrong-argument-count"]),
        ("SELECT System.Timestamp(a) FROM telemetry", ["1:8 wrong-argument-count"]),
        ("SELECT UPPER(a) OVER (ROWS 1 PRECEDING) FROM telemetry", ["1:17 misplaced-over"]),
        ("SELECT DATEADD('second', 1, a) FROM telemetry", ["1:16 unknown-date-part"]),
        ("SELECT DATEADD(sekond, 1, a) FROM telemetry", ["1:16 unknown-date-part"]),
        ("SELECT CAST(a AS int) FROM telemetry", ["1:18 unknown-type"]),
        ("SELECT CAST(a AS nvarchar(50)) FROM telemetry", ["1:18 unknown-type"]),
        ("SELECT CASE WHEN a = 1 THEN 2 END FROM telemetry", ["1:31 case-without-else"]),
        ("SELECT a, b AS a FROM telemetry", ["1:16 duplicate-column"]),
        ("SELECT r.a, q.a FROM telemetry", ["1:13 duplicate-column"]),
        ("SELECT System.Window() FROM telemetry", ["1:8 unknown-field"]),
        ("SELECT System.Window().Name FROM telemetry", ["1:24 unknown-field"]),
        ("SELECT TumblingWindow(second, 5) FROM telemetry", ["1:8 misplaced-window"]),
        ("SELECT window_start() FROM telemetry", ["1:8 no-window"]),
        ("SELECT GetArrayElements(a) FROM telemetry", ["1:8 misplaced-apply"]),
        ("SELECT EventProcessedUtcTime FROM telemetry", ["1:8 processing-time"]),
        ("SELECT telemetry.a FROM telemetry t", ["1:8 hidden-input"]),
    ])
    func `names and calls are checked`(_ text: String, _ expected: [String]) {
        #expect(errors(text) == expected)
    }

    @Test(arguments: [
        (steps + "SELECT aa FROM s", ["1:54 unknown-column"]),
        (steps + "SELECT s.b FROM s", ["1:56 unknown-column"]),
        (steps + "SELECT * EXCEPT (b) FROM s", ["1:64 unknown-column"]),
        (steps + "SELECT a FROM s TIMESTAMP BY a", ["1:63 misplaced-timestamp-by"]),
        ("WITH s AS (SELECT * EXCEPT (a) FROM telemetry) SELECT a FROM s", ["1:55 unknown-column"]),
        (
            "WITH s AS (SELECT a FROM telemetry), S AS (SELECT b FROM telemetry) SELECT z FROM s",
            ["1:38 duplicate-step"]
        ),
        ("WITH s AS (SELECT a INTO x FROM telemetry) SELECT a FROM s", ["1:26 into-in-step"]),
        ("WITH s AS (SELECT a FROM t), t AS (SELECT a FROM telemetry) SELECT a FROM s", ["1:26 unknown-input"]),
        ("WITH s AS (SELECT a FROM telemetry)", ["1:36 no-select"]),
        (
            "WITH s AS (SELECT oops oops oops FROM x), t AS (SELECT z FROM s) SELECT q FROM t",
            ["1:29 unexpected-word", "1:73 unknown-column"]
        ),
        ("SELECT a FROM telemetry UNION SELECT b FROM telemetry", ["1:31 union-mismatch"]),
        (
            "SELECT a INTO x FROM telemetry UNION SELECT a INTO y FROM telemetry",
            ["1:52 misplaced-into"]
        ),
    ])
    func `steps are checked`(_ text: String, _ expected: [String]) {
        #expect(errors(text) == expected)
    }

    @Test(arguments: [
        ("SELECT COUNT(*) FROM telemetry", ["1:8 no-window"]),
        ("SELECT a, COUNT(*) FROM telemetry GROUP BY a", ["1:35 no-window"]),
        ("SELECT COUNT(*) FROM telemetry GROUP BY DATEPART(minute, System.Timestamp())", ["1:41 no-window"]),
        ("SELECT COUNT(*) FROM telemetry GROUP BY Tumbling(second, 1), Tumbling(second, 2)", ["1:62 several-windows"]),
        ("SELECT COUNT(*) FROM telemetry GROUP BY Tumbling(day, 8)", ["1:41 window-too-long"]),
        ("SELECT COUNT(*) FROM telemetry GROUP BY Sliding(hour, 200)", ["1:41 window-too-long"]),
        ("SELECT COUNT(*) FROM telemetry GROUP BY Tumbling(5)", ["1:41 wrong-argument-count"]),
        ("SELECT COUNT(*) FROM telemetry GROUP BY Tumbling(second, 0)", ["1:58 invalid-duration"]),
        ("SELECT COUNT(*) FROM telemetry GROUP BY Tumbling(second, 1.5)", ["1:58 invalid-duration"]),
        ("SELECT COUNT(*) FROM telemetry GROUP BY Tumbling(second, 99999999999999999)", ["1:58 invalid-duration"]),
        ("SELECT COUNT(*) FROM telemetry GROUP BY Tumbling(minutes, 5)", ["1:50 unknown-unit"]),
        ("SELECT COUNT(*) FROM telemetry GROUP BY Tumbling('minute', 5)", ["1:50 unknown-unit"]),
        ("SELECT COUNT(*) FROM telemetry GROUP BY Tumbling(month, 1)", ["1:50 unknown-unit"]),
        ("SELECT COUNT(*) FROM telemetry GROUP BY Hopping(Duration(second, 5))", ["1:41 invalid-window"]),
        (
            "SELECT COUNT(*) FROM telemetry GROUP BY Windows(Tumbling(second, 1), Windows(Tumbling(second, 2)))",
            ["1:70 nested-windows"]
        ),
        (
            "SELECT COUNT(*) FROM telemetry GROUP BY Windows(Window('a', Tumbling(second, 1)), Window('A', Tumbling(second, 2)))",
            ["1:90 window-ids"]
        ),
        (
            "SELECT COUNT(*) FROM telemetry GROUP BY Windows(Window('a', Tumbling(second, 1)), Tumbling(second, 2))",
            ["1:41 window-ids"]
        ),
        ("SELECT a FROM telemetry " + tumbling, ["1:8 not-grouped"]),
        ("SELECT * FROM telemetry " + tumbling, ["1:8 not-grouped"]),
        ("SELECT COUNT(*) AS n FROM telemetry " + tumbling + " HAVING v > 1", ["1:73 not-grouped"]),
        ("SELECT AVG(v) OVER (ROWS 1 PRECEDING) FROM telemetry " + tumbling, ["1:8 not-grouped"]),
        ("SELECT SUM(COUNT(*)) FROM telemetry " + tumbling, ["1:12 nested-aggregate"]),
        ("SELECT a FROM telemetry WHERE COUNT(*) > 1", ["1:31 misplaced-aggregate"]),
        ("SELECT COUNT(*) FROM telemetry GROUP BY SUM(a), Tumbling(second, 1)", ["1:41 misplaced-aggregate"]),
        ("SELECT SUM(*) FROM telemetry " + tumbling, ["1:8 wrong-argument-count"]),
        ("SELECT COUNT() FROM telemetry " + tumbling, ["1:8 wrong-argument-count"]),
        ("SELECT STDEV(DISTINCT a) FROM telemetry " + tumbling, ["1:8 misplaced-distinct"]),
        ("SELECT CollectTop(0, a) OVER (ORDER BY a) FROM telemetry " + tumbling, ["1:19 invalid-argument"]),
        ("SELECT TopOne(a) OVER (PARTITION BY k ORDER BY a) FROM telemetry " + tumbling, ["1:37 misplaced-over"]),
        ("SELECT COUNT(*) FROM telemetry GROUP BY CumulateWindow(second, 10, 3)", ["1:41 invalid-window"]),
        ("SELECT COUNT(*) FROM telemetry GROUP BY CountWindow(0)", ["1:53 invalid-window"]),
        ("SELECT COUNT(*) FROM telemetry GROUP BY CountWindow()", ["1:41 wrong-argument-count"]),
        ("SELECT COUNT(*) FROM telemetry GROUP BY StateWindow()", ["1:41 wrong-argument-count"]),
        ("SELECT COUNT(*) FROM telemetry GROUP BY Sliding(second, 5, 5)", ["1:41 invalid-window"]),
        ("SELECT COUNT(*) FROM telemetry GROUP BY Session(second, 5, 60) OVER (WHEN a > 1)", ["1:75 misplaced-over"]),
        ("SELECT COUNT(*) FROM telemetry GROUP BY Tumbling(second, 5) OVER (PARTITION BY a)", ["1:61 misplaced-over"]),
        ("SELECT TopOne() FROM telemetry " + tumbling, ["1:8 missing-order"]),
        (
            "SELECT PERCENTILE_CONT(2) OVER (ORDER BY a) FROM telemetry " + tumbling,
            ["1:24 invalid-argument"]
        ),
    ])
    func `groups and windows are checked`(_ text: String, _ expected: [String]) {
        #expect(errors(text) == expected)
    }

    @Test(arguments: [
        ("SELECT LAG(v) OVER (PARTITION BY k) FROM telemetry", ["1:15 missing-limit"]),
        ("SELECT LAG(v) FROM telemetry", ["1:8 missing-limit"]),
        ("SELECT LAST(v) FROM telemetry", ["1:8 missing-limit"]),
        ("SELECT LAG(v, 0) OVER (LIMIT DURATION(second, 1)) FROM telemetry", ["1:15 invalid-argument"]),
        ("SELECT LAG(v, 1, 2, 3) OVER (LIMIT DURATION(second, 1)) FROM telemetry", ["1:8 wrong-argument-count"]),
        ("SELECT AVG(v) OVER (PARTITION BY k) FROM telemetry", ["1:15 missing-limit"]),
        ("SELECT COUNT(DISTINCT v) OVER (LIMIT DURATION(second, 1)) FROM telemetry", ["1:8 distinct-over"]),
        (
            "SELECT AVG(LAG(v) OVER (LIMIT DURATION(second, 1))) OVER (ROWS 1 PRECEDING) FROM telemetry",
            ["1:12 nested-analytic"]
        ),
        ("SELECT AVG(v) OVER (ROWS 1 PRECEDING LIMIT DURATION(second, 1)) FROM telemetry", ["1:26 two-limits"]),
        ("SELECT AVG(v) OVER (ROWS x PRECEDING) FROM telemetry", ["1:26 invalid-argument"]),
        ("SELECT AVG(v) OVER (ORDER BY v ROWS 1 PRECEDING) FROM telemetry", ["1:30 misplaced-order"]),
        ("SELECT ISFIRST(minute) FROM telemetry", ["1:8 wrong-argument-count"]),
        ("SELECT ISFIRST(minute, 1) OVER (LIMIT DURATION(second, 1)) FROM telemetry", ["1:39 misplaced-limit"]),
        ("SELECT a FROM telemetry TIMESTAMP BY System.Timestamp()", ["1:38 timestamp-of-itself"]),
        ("SELECT a FROM telemetry TIMESTAMP BY AVG(a) OVER (ROWS 1 PRECEDING)", ["1:38 misplaced-over"]),
        ("SELECT a FROM telemetry PARTITION BY a INTO 1", ["1:45 invalid-partition-count"]),
        ("SELECT a.v FROM telemetry a JOIN alarms b ON a.k = b.k", ["1:34 unbounded-join"]),
        (
            "SELECT * FROM telemetry a JOIN alarms b ON DATEDIFF(second, a, b) BETWEEN 0 AND 1",
            ["1:8 star-in-join"]
        ),
        ("SELECT r.v FROM rooms r JOIN telemetry t ON r.k = t.k", ["1:17 reference-on-the-left"]),
        (
            "SELECT a.v FROM telemetry a JOIN alarms a ON DATEDIFF(second, a, a) = 0",
            ["1:34 unbounded-join", "1:41 duplicate-alias"]
        ),
        ("SELECT a.v FROM telemetry a JOIN alarms b ON DATEDIFF(second, a, b) > 0", ["1:34 unbounded-join"]),
        ("SELECT a.v FROM telemetry a JOIN alarms b ON DATEDIFF(month, a, b) = 0", ["1:46 invalid-bound"]),
        (
            "SELECT v FROM telemetry TIMESTAMP BY ts OVER k UNION SELECT v FROM alarms TIMESTAMP BY ts",
            ["1:54 substreams-on-all"]
        ),
        ("SELECT a.v FROM telemetry a JOIN alarms b ON DATEDIFF(day, a, b) BETWEEN 0 AND 8", ["1:46 bound-too-long"]),
        ("SELECT v FROM telemetry a JOIN alarms b ON DATEDIFF(day, a, b) = 0", ["1:8 ambiguous-column"]),
        ("SELECT a.v FROM telemetry a JOIN rooms r ON DATEDIFF(day, a, r) = 0", ["1:62 no-time"]),
        (
            "SELECT SUM(b.v + a.v) OVER (ROWS 2 PRECEDING) FROM telemetry a JOIN alarms b ON DATEDIFF(day, a, b) = 0",
            ["1:8 over-several-inputs"]
        ),
        ("SELECT e.x FROM telemetry t CROSS APPLY GetArrayElements(t.a) AS e", ["1:10 unknown-column"]),
        (
            "SELECT CAST(a AS bigint) AS a FROM telemetry UNION SELECT CAST(a AS record) AS a FROM telemetry",
            ["1:59 union-mismatch"]
        ),
        ("SELECT e.x FROM telemetry t CROSS APPLY ABS(t.a) AS e", ["1:41 invalid-apply"]),
    ])
    func `analytic functions, time and joins are checked`(_ text: String, _ expected: [String]) {
        #expect(errors(text) == expected)
    }

    @Test(arguments: [
        ("SELECT udf.f(a) FROM telemetry", "udf.f, a function of your own,"),
        ("SELECT uda.f(a) FROM telemetry " + tumbling, "uda.f, an aggregate of your own,"),
    ])
    func `what the engine does not compute yet is an error that says so`(_ text: String, _ construct: String) {
        #expect(errors(text).allSatisfy { $0.hasSuffix("not-supported-yet") })
        #expect(rendered(text).contains("error: \(construct) is not there yet"))
    }

    @Test(arguments: [
        ("SELEC a FROM telemetry", ["1:1 unexpected-word"]),
        ("SELECT a FORM telemetry", ["1:10 unexpected-word"]),
        ("SELECT a, FROM telemetry", ["1:11 unexpected-word"]),
        ("SELECT FROM telemetry", ["1:8 unexpected-word"]),
        ("SELECT (a FROM telemetry", ["1:11 unexpected-word"]),
        ("SELECT a FROM telemetry WHERE", ["1:30 unexpected-word"]),
        ("SELECT a FROM telemetry WERE a = 1", ["1:25 unexpected-word"]),
        ("SELECT a FROM telemetry GROUP x", ["1:31 unexpected-word"]),
        ("SELECT a[0] FROM telemetry", ["1:9 unexpected-word"]),
        ("SELECT 'a FROM telemetry", ["1:8 unterminated-text"]),
        ("SELECT [a FROM telemetry", ["1:8 unterminated-name"]),
        ("SELECT a /* FROM telemetry", ["1:10 unterminated-comment"]),
        ("SELECT [] FROM telemetry", ["1:8 empty-name"]),
        ("SELECT 12ab FROM telemetry", ["1:8 invalid-number"]),
        ("SELECT 9223372036854775808 FROM telemetry", ["1:8 number-out-of-range"]),
        ("SELECT 1e999 FROM telemetry", ["1:8 number-out-of-range"]),
        ("SELECT a FROM telemetry WHERE a == 1", ["1:33 unknown-operator"]),
        ("SELECT a || b FROM telemetry", ["1:10 unknown-operator"]),
        ("SELECT a FROM telemetry WHERE a = \u{201c}x\u{201d}", ["1:35 unknown-character", "1:37 unknown-character"]),
        ("SELECT a FROM telemetry WHERE 1 < a < 3", ["1:37 chained-comparison"]),
        ("SELECT DISTINCT a FROM telemetry", ["1:8 not-in-language"]),
        ("SELECT TOP 5 a FROM telemetry", ["1:8 not-in-language"]),
        ("SELECT a FROM telemetry ORDER BY a", ["1:25 not-in-language"]),
        ("SELECT a FROM telemetry LIMIT 5", ["1:25 not-in-language"]),
        ("SELECT a FROM telemetry, alarms", ["1:24 not-in-language"]),
        ("SELECT a FROM (SELECT a FROM telemetry)", ["1:15 not-in-language"]),
        ("SELECT a FROM telemetry WHERE b IN (SELECT c FROM rooms)", ["1:37 not-in-language"]),
        ("SELECT a FROM telemetry t RIGHT JOIN alarms r ON 1 = 1", ["1:27 not-in-language"]),
        ("SELECT a FROM telemetry t CROSS JOIN alarms r", ["1:27 not-in-language"]),
        ("SELECT a FROM telemetry INTO out", ["1:25 misplaced-into"]),
        ("SELECT group FROM telemetry", ["1:8 unexpected-word"]),
        ("", ["1:1 no-select"]),
        (";;", ["1:1 no-select"]),
    ])
    func `syntax errors have a place`(_ text: String, _ expected: [String]) {
        #expect(errors(text) == expected)
    }

    @Test func `every error of a text is found`() {
        let text = """
            SELECT LEN(a, b), FOO(c) INTO x FROM telemetri
            SELECT a FORM telemetry;
            WITH s AS (SELECT a b c FROM telemetry)
            SELECT COUNT(*) INTO y FROM s
            SELECT d FROM telemetry WHERE e = = 3
            """
        #expect(
            errors(text) == [
                "1:8 wrong-argument-count", "1:19 unknown-function", "1:38 unknown-input", "2:10 unexpected-word",
                "3:23 unexpected-word", "4:8 no-window", "5:35 unexpected-word",
            ])
    }
}
