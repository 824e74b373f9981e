/// Queries that use every part of the language at least once; all of them parse.
let corpus: [String] = [
    "SELECT a, b.c, [d e], \"f\"\"g\" AS h, i j, k = l + 1 INTO out FROM telemetry t TIMESTAMP BY ts",
    "SELECT * FROM telemetry; SELECT t.*, r.s.* FROM telemetry AS t;",
    "SELECT * EXCEPT (a, [b]), t.* EXCEPT (c) FROM telemetry t WHERE NOT a = 1 AND b <> 2 OR c != 3",
    "SELECT 1, 1.5, .5, 1e3, 2.5E-3, 'it''s', NULL, TRUE, -1, +2, ~3 FROM telemetry -- done",
    "/* a /* nested */ comment */ SELECT a !> 1, a !< 2, a >= 3, a <= 4 FROM telemetry",
    "SELECT a + b * c / d - e % f & g | h ^ i AS x FROM telemetry WHERE (a + b) * c > 3",
    "SELECT CASE a WHEN 1 THEN 'x' WHEN 2 THEN 'y' ELSE 'z' END, CASE WHEN a > 1 THEN b ELSE NULL END FROM telemetry",
    "SELECT CAST(a AS nvarchar(max)), TRY_CAST(b AS bigint), CAST(c AS datetime) FROM telemetry",
    "SELECT a FROM telemetry WHERE a LIKE 'x%' AND b NOT LIKE '_' AND c BETWEEN 1 AND 2 AND d NOT BETWEEN 3 AND 4",
    "SELECT a FROM telemetry WHERE a IS NULL OR b IS NOT NULL OR c IN (1, 2, 3) OR d NOT IN ('x')",
    "SELECT COUNT(*), COUNT(DISTINCT a), SUM(b) FILTER (WHERE c > 1) FROM telemetry GROUP BY d, TumblingWindow(minute, 5)",
    "SELECT a, AVG(b) AS m FROM telemetry TIMESTAMP BY ts GROUP BY a, HoppingWindow(Duration(minute, 1), Hop(second, 30))"
        + " HAVING AVG(b) > 3",
    "SELECT COUNT(*) FROM telemetry GROUP BY SlidingWindow(second, 10)",
    "SELECT COUNT(*) FROM telemetry GROUP BY SessionWindow(second, 5, 60) OVER (PARTITION BY a)",
    "SELECT COUNT(*) FROM telemetry GROUP BY System.Timestamp(), a",
    "SELECT System.Window().Id, COUNT(*) FROM telemetry GROUP BY"
        + " Windows(Window('a', TumblingWindow(second, 5)), Window('b', Sliding(Duration(second, 5))))",
    "SELECT AVG(a) OVER (PARTITION BY b, c LIMIT DURATION(second, 60) WHEN d > 1) FROM telemetry",
    "SELECT AVG(a) OVER (PARTITION BY b ROWS BETWEEN 9 PRECEDING AND CURRENT ROW), SUM(a) OVER (ROWS 3 PRECEDING)"
        + " FROM telemetry",
    "SELECT LAG(a, 2, -1) OVER (PARTITION BY b LIMIT DURATION(hour, 1) WHEN a IS NOT NULL) FROM telemetry",
    "SELECT LAG(*) OVER (LIMIT DURATION(hour, 1)), ISFIRST(minute, 10) OVER (PARTITION BY a WHEN b = 1) FROM telemetry",
    "SELECT TopOne() OVER (ORDER BY a DESC, b ASC), CollectTop(2, c) OVER (ORDER BY a) FROM telemetry"
        + " GROUP BY TumblingWindow(second, 5)",
    "SELECT PERCENTILE_CONT(0.5) OVER (ORDER BY a DESC) FROM telemetry GROUP BY TumblingWindow(second, 5)",
    "WITH s AS (SELECT a FROM telemetry TIMESTAMP BY ts), u AS (SELECT a FROM s WHERE a > 1) SELECT a INTO x FROM u",
    "WITH s AS (SELECT a FROM telemetry UNION ALL SELECT a FROM alarms UNION SELECT a FROM telemetry) SELECT a FROM s",
    "SELECT l.a, r.b FROM telemetry l TIMESTAMP BY ts LEFT OUTER JOIN alarms r TIMESTAMP BY ts"
        + " ON l.a = r.a AND DATEDIFF(second, l, r) BETWEEN 0 AND 10",
    "SELECT t.a, r.b FROM telemetry t INNER JOIN rooms r ON t.a = r.a JOIN alarms s"
        + " ON s.a = t.a AND DATEDIFF(minute, t, s) BETWEEN 0 AND 1",
    "SELECT e.ArrayIndex, e.ArrayValue FROM telemetry t CROSS APPLY GetArrayElements(t.a) AS e",
    "SELECT e.PropertyName FROM telemetry t OUTER APPLY GetRecordProperties(t.r) e",
    "SELECT a FROM telemetry TIMESTAMP BY DATEADD(second, a, '1970-01-01') OVER a, b PARTITION BY a INTO 10",
    "SELECT udf.f(a, b), uda.g(c), GetMetadataPropertyValue(telemetry, '[User].[x]') FROM telemetry",
    "SELECT m.x FROM telemetry TIMESTAMP BY ts MATCH_RECOGNIZE (LIMIT DURATION(minute, 1) PARTITION BY a"
        + " MEASURES Last(A.t) AS x, Classifier() AS c AFTER MATCH SKIP TO NEXT ROW PATTERN (A+ (B | C*)? . D{2,5})"
        + " DEFINE A AS A.t > 1, B AS B.t > Max(A.t), C AS C.t = 2, D AS D.t = 1) AS m",
    "CREATE TABLE telemetry (a bigint, b float, c nvarchar(max), d datetime, e record, f array, g bit);"
        + " SELECT a FROM telemetry",
    "SELECT ST_WITHIN(CreatePoint(a, b), CreatePolygon(CreatePoint(0, 0), CreatePoint(0, 1), CreatePoint(1, 1),"
        + " CreatePoint(0, 0))) FROM telemetry",
    "SELECT COUNT(*) FROM telemetry GROUP BY StateWindow(a > 1, a < 1), b",
    "SELECT timestamp, value, [from], rows, first, top, limit FROM telemetry TIMESTAMP BY timestamp",
    "SELECT 温度, 部屋.名前 FROM telemetry WHERE 温度 > 30",
    "SELECT System.Timestamp, System.Timestamp() AS t FROM telemetry HAVING a > 1",
    "SELECT JSON_PARSE(a).b.c, (a).d FROM telemetry",
]
