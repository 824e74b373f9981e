import OgawaCore
import OgawaSQL
import Testing

@Suite struct ScalarBindingTests {
    @Test func `CREATE TABLE adds its fields to the source and shows them in the plan`() {
        let shown = plan("CREATE TABLE telemetry (Temp float, at datetime) SELECT temp FROM telemetry TIMESTAMP BY at")
        #expect(
            shown == """
                source 0: telemetry
                  time: at
                  fields: Temp, at
                  only events with: Temp float, at datetime
                output output
                  project temp = Temp
                    source 0
                """)
    }

    @Test(
        arguments: [
            ("CREATE TABLE telemetry (a bigint, A float) SELECT a FROM telemetry", ["1:35 duplicate-column"]),
            (
                "CREATE TABLE telemetry (a bigint) CREATE TABLE Telemetry (b bit) SELECT a FROM telemetry",
                ["1:48 duplicate-table"]
            ),
            ("CREATE TABLE rooms (a bigint) SELECT a FROM telemetry", ["1:14 misplaced-table"]),
            ("CREATE TABLE nowhere (a bigint) SELECT a FROM telemetry", ["1:14 unknown-input"]),
            ("CREATE TABLE telemetry (a int) SELECT a FROM telemetry", ["1:27 unknown-type"]),
            ("SELECT TRANSLATE(a, 'xyz', 'xy') FROM telemetry", ["1:21 translate-lengths"]),
            ("SELECT GetMetadataPropertyValue(a, 'EventId') FROM telemetry", ["1:33 unknown-input"]),
            ("SELECT GetMetadataPropertyValue(telemetry, b) FROM telemetry", ["1:44 invalid-metadata-path"]),
            ("SELECT GetMetadataPropertyValue(telemetry, '[User') FROM telemetry", ["1:44 invalid-metadata-path"]),
            ("SELECT GetMetadataPropertyValue(telemetry, '') FROM telemetry", ["1:44 invalid-metadata-path"]),
            (
                "SELECT GetMetadataPropertyValue(telemetry, '[EventHub].[EventProcessedUtcTime]') FROM telemetry",
                ["1:44 processing-time"]
            ),
            (
                "WITH s AS (SELECT a FROM telemetry) SELECT GetMetadataPropertyValue(s, 'EventId') FROM s",
                ["1:69 misplaced-metadata"]
            ),
            ("SELECT GetArrayElements(a) FROM telemetry", ["1:8 misplaced-apply"]),
            ("SELECT SUBSTRING(a, 1) FROM telemetry", ["1:8 wrong-argument-count"]),
            ("SELECT DATEPART('hour', a) FROM telemetry", ["1:17 unknown-date-part"]),
        ])
    func `what cannot be bound is told with its place`(_ text: String, _ expected: [String]) {
        #expect(errors(text) == expected)
    }

    @Test(
        arguments: [
            ("CASE WHEN a THEN 1 ELSE 0.5 END", ValueTag.float), ("CASE WHEN a THEN b ELSE 0.5 END", nil),
            ("CASE WHEN a THEN TRUE ELSE 1 END", .bigint), ("CASE WHEN a THEN 'x' ELSE NULL END", .text),
            ("LEN(a) + 1", .bigint), ("LEN(a) / 2.0", .float), ("a + 1", nil), ("a + 1.5", .float), ("a > 1", .bit),
            ("DATEADD(day, 1, a)", .datetime), ("ABS(-3)", .bigint), ("COALESCE(1, 2)", .bigint),
            ("COALESCE(1, a)", nil),
            ("CAST(a AS bit)", .bit), ("System.Timestamp()", .datetime), ("NULLIF('a', a)", .text),
        ] as [(String, ValueTag?)])
    func `types are known before any value is there, or not at all`(_ sql: String, _ type: ValueTag?) throws {
        let source = SourceText(name: "q.sql", text: "SELECT x = \(sql) FROM telemetry")
        let program = try compile(source, catalog: catalog).program
        guard case .project(_, let items) = program.statements[0].plan else {
            Issue.record("no projection")
            return
        }
        #expect(items[0].expression.staticType == type)
    }
}
