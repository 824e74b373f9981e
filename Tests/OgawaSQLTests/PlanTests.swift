import OgawaCore
import OgawaSQL
import Testing

@Suite struct PlanTests {
    @Test func `the smoothing query is one source, one OVER and a projection`() {
        let text = """
            SELECT deviceId, System.Timestamp() AS time, (voltage - 0.5) * 100 AS celsius,
                AVG((voltage - 0.5) * 100) OVER (PARTITION BY deviceId LIMIT DURATION(second, 60)) AS smoothed
            INTO temperature
            FROM telemetry TIMESTAMP BY timestamp
            """
        #expect(
            plan(text) == """
                source 0: telemetry
                  time: timestamp
                  fields: timestamp, deviceId, voltage
                output temperature
                  project deviceId, time = System.Timestamp(), celsius = ((voltage - 0.5) * 100), smoothed = over0
                    over0 = AVG(((voltage - 0.5) * 100)) OVER (PARTITION BY deviceId LIMIT DURATION minute 1)
                      source 0
                """)
    }

    @Test func `WHERE comes after OVER, HAVING after the groups`() {
        #expect(
            outputPlan("SELECT n, SUM(n) OVER (LIMIT DURATION(minute, 1)) AS s FROM telemetry WHERE n = 4") == """
                project n, s = over0
                  filter (n = 4)
                    over0 = SUM(n) OVER (LIMIT DURATION minute 1)
                      source 0
                """)
        #expect(
            outputPlan(
                "SELECT k, COUNT(*) FROM telemetry WHERE v > 0 GROUP BY k, TumblingWindow(minute, 5) HAVING COUNT(*) > 3"
            ) == """
                project k, count = COUNT(*)
                  filter (COUNT(*) > 3)
                    aggregate tumbling minute 5 by k: COUNT(*)
                      filter (v > 0)
                        source 0
                """)
    }

    @Test func `an OVER call may stand in WHERE and inside expressions`() {
        #expect(
            outputPlan("SELECT v FROM telemetry WHERE v > 2 * AVG(v) OVER (PARTITION BY k ROWS 9 PRECEDING)") == """
                project v
                  filter (v > (2 * over0))
                    over0 = AVG(v) OVER (PARTITION BY k ROWS 9 PRECEDING)
                      source 0
                """)
    }

    @Test func `equal calls are computed once`() {
        let over = "AVG(v) OVER (PARTITION BY k LIMIT DURATION(minute, 1))"
        #expect(outputPlan("SELECT \(over) AS a, \(over) + 1 AS b FROM telemetry").split(separator: "\n").count == 3)
        let group = outputPlan("SELECT SUM(v) AS a, SUM(v) / COUNT(*) AS b FROM telemetry GROUP BY Tumbling(hour, 1)")
        #expect(group.contains("aggregate tumbling hour 1 by all: SUM(v), COUNT(*)"))
    }

    @Test(arguments: [
        ("TumblingWindow(minute, 5)", "tumbling minute 5"),
        ("Tumbling(mi, 5)", "tumbling minute 5"),
        ("TUMBLINGWINDOW(n, 5, -1)", "tumbling minute 5 offset minute -1"),
        ("TumblingWindow(Duration(hh, 1))", "tumbling hour 1"),
        ("TumblingWindow(Duration(minute, 10), Offset(millisecond, -1))", "tumbling minute 10 offset millisecond -1"),
        ("TumblingWindow(dd, 7)", "tumbling day 7"),
        ("TumblingWindow(d, 1)", "tumbling day 1"),
        ("TumblingWindow(mcs, 15)", "tumbling tick 150"),
        ("TumblingWindow(ms, 100)", "tumbling millisecond 100"),
        ("HoppingWindow(second, 60, 30)", "hopping minute 1 every second 30"),
        ("Hopping(ss, 10, 5, 2)", "hopping second 10 every second 5 offset second 2"),
        ("HOPPING(Duration(minute, 1), Hop(s, 30))", "hopping minute 1 every second 30"),
        ("Hopping(Hop(s, 30), Duration(minute, 1), Offset(s, 5))", "hopping minute 1 every second 30 offset second 5"),
        ("HoppingWindow(second, 30, 30)", "tumbling second 30"),
    ])
    func `windows are read in all their spellings`(_ text: String, _ window: String) {
        #expect(
            outputPlan("SELECT COUNT(*) FROM telemetry GROUP BY \(text)")
                == "project count = COUNT(*)\n  aggregate \(window) by all: COUNT(*)\n    source 0")
    }

    @Test func `a grouped SELECT has keys, expressions over keys, and the window's edges`() {
        #expect(
            outputPlan(
                """
                SELECT UPPER(Site) AS k, LEN(upper(Site)) AS l, loc.x AS x, window_start() AS s, window_end() AS e,
                    System.Timestamp() AS t, DATEADD(second, -5, System.Timestamp) AS u, System.Window().Id AS id
                FROM telemetry t GROUP BY upper(t.Site), loc, Tumbling(second, 5)
                """) == """
                    project k = UPPER(Site), l = LEN(UPPER(Site)), x = loc.x, s = window_start(), e = window_end(), \
                    t = window_end(), u = DATEADD('second', -5, window_end()), id = NULL
                      aggregate tumbling second 5 by UPPER(Site), loc: none
                        source 0
                    """)
    }

    @Test func `aggregates take expressions, DISTINCT and FILTER`() {
        #expect(
            outputPlan(
                """
                SELECT COUNT(DISTINCT a), COUNT(telemetry) AS c, SUM(b * 2) FILTER (WHERE a > 1) AS s,
                    COUNT(*) FILTER (WHERE a > 2) AS n FROM telemetry GROUP BY Tumbling(second, 5)
                """) == """
                    project count = COUNT(DISTINCT a), c = COUNT(*), \
                    s = SUM(CASE WHEN (a > 1) THEN (b * 2) ELSE NULL END), n = COUNT(CASE WHEN (a > 2) THEN 1 ELSE NULL END)
                      aggregate tumbling second 5 by all: COUNT(DISTINCT a), COUNT(*), \
                    SUM(CASE WHEN (a > 1) THEN (b * 2) ELSE NULL END), COUNT(CASE WHEN (a > 2) THEN 1 ELSE NULL END)
                        source 0
                    """)
    }

    @Test func `columns without a name get one`() {
        #expect(
            outputPlan(
                "SELECT r.a.b, COUNT(x) OVER (ROWS 1 PRECEDING), ABS(c), ABS(d), e + 1, e + 2, CAST(f AS bit),"
                    + " System.Timestamp(), [g h] FROM telemetry"
            ).split(separator: "\n").first?.description
                == "project b = r.a.b, count = over0, abs = ABS(c), abs2 = ABS(d), column1 = (e + 1), column2 = (e + 2),"
                + " cast = CAST(f AS bit), timestamp = System.Timestamp(), [g h]")
    }

    @Test func `statements share a source with the same timeline`() {
        let text = """
            SELECT a INTO x FROM telemetry TIMESTAMP BY ts
            SELECT b INTO y FROM Telemetry t TIMESTAMP BY t.ts
            SELECT c INTO z FROM telemetry
            SELECT d INTO x FROM telemetry TIMESTAMP BY DATEADD(millisecond, n, '1970-01-01T00:00:00Z')
            """
        #expect(
            Array(plan(text).split(separator: "\n").prefix(9))
                == """
                source 0: telemetry
                  time: ts
                  fields: ts, a, b
                source 1: telemetry
                  time: enqueued
                  fields: c
                source 2: telemetry
                  time: DATEADD('millisecond', n, '1970-01-01T00:00:00Z')
                  fields: n, d
                """.split(separator: "\n"))
    }

    @Test func `a star is the whole body, and named columns win`() {
        #expect(
            plan("SELECT 99 AS Temp, * EXCEPT (a, b) FROM telemetry") == """
                source 0: telemetry
                  time: enqueued
                  fields: *
                output output
                  project Temp = 99, * EXCEPT (a, b) = *
                    source 0
                """)
        #expect(outputPlan("SELECT t.*, r.s.* FROM telemetry t") == "project *, * = r.s\n  source 0")
    }

    @Test func `fields behind the star of a step are read alone`() {
        let text = """
            WITH c AS (SELECT *, (voltage - 0.5) * 100 AS celsius FROM telemetry TIMESTAMP BY timestamp),
                d AS (SELECT *, celsius + 1 AS more FROM c)
            SELECT deviceId, room.name, AVG(more) AS m INTO a FROM d GROUP BY deviceId, room.name, Tumbling(minute, 1)
            """
        #expect(
            plan(text) == """
                source 0: telemetry
                  time: timestamp
                  fields: timestamp, voltage, deviceId, room.name
                step 0
                  project * = NULL, celsius = ((voltage - 0.5) * 100), deviceId, [room.name] = room.name
                    source 0
                step 1
                  project * = NULL, celsius, more = (celsius + 1), deviceId, [room.name]
                    step 0
                output a
                  project deviceId, name = [room.name], m = AVG(more)
                    aggregate tumbling minute 1 by deviceId, [room.name]: AVG(more)
                      step 1
                """)
    }

    @Test func `a star over a step lists its columns`() {
        let steps = "WITH s AS (SELECT a, b + 1 AS c, d FROM telemetry) "
        #expect(outputPlan(steps + "SELECT * FROM s") == "project a, c, d\n  step 0")
        #expect(
            outputPlan(steps + "SELECT * EXCEPT (C), UPPER(d) AS d FROM s x") == "project a, d = UPPER(d)\n  step 0")
        #expect(outputPlan(steps + "SELECT A, x.c.e FROM s x") == "project A = a, e = c.e\n  step 0")
    }

    @Test func `steps that nobody reads are dropped with a warning`() {
        let text = "WITH s AS (SELECT a FROM telemetry), u AS (SELECT b FROM alarms) SELECT a FROM s"
        #expect(plan(text).contains("alarms") == false)
        #expect(warnings(text) == ["1:38 unused-step"])
    }

    @Test func `an alias is visible further right, and a field stays a field`() {
        #expect(
            outputPlan("SELECT v * 2 AS w, w + 1 AS x FROM telemetry")
                == "project w = (v * 2), x = ((v * 2) + 1)\n  source 0")
        #expect(
            outputPlan("SELECT v * 2 AS w, AVG(w) OVER (PARTITION BY k ROWS 2 PRECEDING) AS m FROM telemetry")
                .contains("AVG((v * 2))"))
        #expect(
            outputPlan("SELECT UPPER(s) AS s, LEN(s) AS n FROM telemetry").hasPrefix("project s = UPPER(s), n = LEN(s)")
        )
        #expect(
            outputPlan("SELECT 1 AS v, v + 1 AS x FROM telemetry WHERE v > 3").hasPrefix("project v = 1, x = (v + 1)"))
        #expect(
            outputPlan("SELECT 1 AS v, telemetry.v + 1 AS x FROM telemetry").hasPrefix("project v = 1, x = (v + 1)"))
        #expect(
            outputPlan("SELECT AVG(v) AS m, m * 2 AS d FROM telemetry GROUP BY Tumbling(second, 1) HAVING m > 1")
                .hasPrefix("project m = AVG(v), d = (AVG(v) * 2)\n  filter (AVG(v) > 1)"))
    }

    @Test func `names of the system stand behind fields of the body`() {
        #expect(
            plan("SELECT PartitionId, EventEnqueuedUtcTime AS e, [PartitionId] AS p FROM telemetry") == """
                source 0: telemetry
                  time: enqueued
                  fields: PartitionId, partition(), EventEnqueuedUtcTime, enqueued()
                output output
                  project PartitionId = COALESCE(PartitionId, partition()), \
                e = COALESCE(EventEnqueuedUtcTime, enqueued()), p = PartitionId
                    source 0
                """)
    }

    @Test func `HAVING without GROUP BY and PARTITION BY change nothing`() {
        #expect(
            outputPlan("SELECT a FROM telemetry PARTITION BY k INTO 4 WHERE b = 1 HAVING c = 2")
                == "project a\n  filter ((b = 1) AND (c = 2))\n    source 0")
        #expect(plan("SELECT a FROM telemetry PARTITION BY k").contains("fields: a\n"))
    }

    @Test func `warnings name likely slips`() {
        #expect(warnings("SELECT v * 2 AS w FROM telemetry WHERE w > 3") == ["1:40 alias-not-visible"])
        #expect(warnings("SELECT v AS w FROM telemetry WHERE w > 3") == ["1:36 alias-not-visible"])
        #expect(warnings("SELECT UPPER(s) AS s FROM telemetry WHERE s = 'x'") == [])
        #expect(
            warnings("SELECT a FROM telemetry WHERE b = NULL OR NULL <> c") == [
                "1:35 null-comparison", "1:43 null-comparison",
            ])
        #expect(warnings("SELECT a FROM telemetry WHERE site = \"x\"") == ["1:38 double-quotes"])
        #expect(warnings("SELECT a FROM telemetry WHERE \"my field\" = 3") == [])
        #expect(
            warnings("SELECT COUNT(*) FROM telemetry GROUP BY HoppingWindow(second, 5, 10)") == [
                "1:41 hop-skips-events"
            ])
    }

    @Test func `deep but allowed expressions compile on any thread`() {
        let chain = "a" + String(repeating: " + a", count: 198)
        #expect(errors("SELECT \(chain) AS x FROM telemetry GROUP BY a, Tumbling(second, 1)") == [])
        #expect(errors("SELECT \(chain) AS x, x + \(chain.dropLast(20)) AS y FROM telemetry") == [])
        let cases =
            String(repeating: "CASE WHEN a = 1 THEN ", count: 30) + "2" + String(repeating: " ELSE 3 END", count: 30)
        #expect(errors("SELECT \(cases) AS x FROM telemetry") == [])
    }
}
