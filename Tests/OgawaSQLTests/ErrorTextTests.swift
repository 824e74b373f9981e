import OgawaCore
import OgawaSQL
import Testing

// The words of errors are part of what users see; a change here is a change of the interface.
@Suite struct ErrorTextTests {
    @Test(arguments: [
        (
            "SELECT AVERAGE(voltage) FROM telemetry",
            """
            q.sql:1:8: error: there is no function 'AVERAGE'
             1 | SELECT AVERAGE(voltage) FROM telemetry
               |        ^^^^^^^
             hint: use AVG
            """
        ),
        (
            "SELECT ROUN(v, 1) FROM telemtry",
            """
            q.sql:1:8: error: there is no function 'ROUN'
             1 | SELECT ROUN(v, 1) FROM telemtry
               |        ^^^^
             hint: did you mean ROUND?
            q.sql:1:24: error: there is no input or step 'telemtry'
             1 | SELECT ROUN(v, 1) FROM telemtry
               |                        ^^^^^^^^
             hint: did you mean telemetry?
            """
        ),
        (
            "SELECT AVG(v)\nFROM telemetry\nGROUP BY k",
            """
            q.sql:3:1: error: GROUP BY needs a window, because a stream does not end
             3 | GROUP BY k
               | ^^^^^^^^
             hint: add a window such as TumblingWindow(minute, 1)
            """
        ),
        (
            "SELECT a FORM telemetry",
            """
            q.sql:1:10: error: unexpected 'FORM', expected ',', INTO or FROM
             1 | SELECT a FORM telemetry
               |          ^^^^
             hint: did you mean FROM?
            """
        ),
        (
            "SELECT a.v FROM telemetry a JOIN alarms b ON a.k = b.k",
            """
            q.sql:1:34: error: a join of two streams needs a bound in time; 'b' is read as a stream, because it is not \
            among the project's reference data, and so is 'a'
             1 | SELECT a.v FROM telemetry a JOIN alarms b ON a.k = b.k
               |                                  ^^^^^^^^
             hint: add AND DATEDIFF(second, a, b) BETWEEN 0 AND 10 to ON
            """
        ),
        (
            "WITH s AS (SELECT celsius FROM telemetry) SELECT celcius FROM s WHERE celsius = \"hot\"",
            """
            q.sql:1:50: error: step 's' has no column 'celcius'
             1 | WITH s AS (SELECT celsius FROM telemetry) SELECT celcius FROM s WHERE celsius = "hot"
               |                                                  ^^^^^^^
             hint: did you mean celsius?
            q.sql:1:81: error: step 's' has no column 'hot'
             1 | WITH s AS (SELECT celsius FROM telemetry) SELECT celcius FROM s WHERE celsius = "hot"
               |                                                                                 ^^^^^
             hint: did you mean the text 'hot'? Double quotes name a column
            """
        ),
        (
            "SELECT deviceID FROM telemetry GROUP BY deviceId, Tumbling(second, 1)",
            """
            q.sql:1:8: error: 'deviceID' is neither a key of GROUP BY nor inside an aggregate function
             1 | SELECT deviceID FROM telemetry GROUP BY deviceId, Tumbling(second, 1)
               |        ^^^^^^^^
             hint: GROUP BY has 'deviceId': fields of events differ by case
            """
        ),
        (
            "SELECT LAG(v) OVER (PARTITION BY k) FROM telemetry",
            """
            q.sql:1:15: error: LAG needs OVER (… LIMIT DURATION(unit, n)), because a stream does not end
             1 | SELECT LAG(v) OVER (PARTITION BY k) FROM telemetry
               |               ^^^^^^^^^^^^^^^^^^^^^
             hint: write LAG(…) OVER (LIMIT DURATION(minute, 10))
            """
        ),
        (
            "SELECT COUNT(*) FROM telemetry GROUP BY Tumbling(minutes, 5)",
            """
            q.sql:1:50: error: there is no unit of time 'minutes'
             1 | SELECT COUNT(*) FROM telemetry GROUP BY Tumbling(minutes, 5)
               |                                                  ^^^^^^^
             hint: write minute
            """
        ),
        (
            "SELECT 温度 AS t, 部屋 FROM telemetry GROUP BY Tumbling(second, 1)",
            """
            q.sql:1:8: error: '温度' is neither a key of GROUP BY nor inside an aggregate function
             1 | SELECT 温度 AS t, 部屋 FROM telemetry GROUP BY Tumbling(second, 1)
               |        ^^
             hint: add 温度 to GROUP BY, or take MAX(温度), AVG(温度) …
            q.sql:1:17: error: '部屋' is neither a key of GROUP BY nor inside an aggregate function
             1 | SELECT 温度 AS t, 部屋 FROM telemetry GROUP BY Tumbling(second, 1)
               |                 ^^
             hint: add 部屋 to GROUP BY, or take MAX(部屋), AVG(部屋) …
            """
        ),
    ])
    func `an error reads as written here`(_ text: String, _ expected: String) {
        #expect(rendered(text) == expected)
    }
}
