import OgawaCore
import OgawaSQL
import Testing

@Suite struct PartitioningTests {
    private func program(_ text: String) throws -> Program {
        try compile(SourceText(name: "q.sql", text: text), catalog: catalog).program
    }

    @Test(arguments: [
        ("SELECT a FROM telemetry WHERE b = 1", Partitioning.perPartition),
        ("SELECT AVG(a) OVER (PARTITION BY deviceId ROWS 9 PRECEDING) FROM telemetry", .perPartition),
        ("SELECT AVG(a) OVER (PARTITION BY site, deviceId LIMIT DURATION(second, 1)) FROM telemetry", .perPartition),
        ("SELECT AVG(a) OVER (PARTITION BY site ROWS 9 PRECEDING) FROM telemetry", .merged),
        ("SELECT AVG(a) OVER (ROWS 9 PRECEDING) FROM telemetry", .merged),
        ("SELECT AVG(a) FROM telemetry GROUP BY deviceId, Tumbling(second, 1)", .perPartition),
        ("SELECT AVG(a) FROM telemetry GROUP BY UPPER(deviceId), Tumbling(second, 1)", .merged),
        ("SELECT AVG(a) FROM telemetry GROUP BY Tumbling(second, 1)", .merged),
        ("SELECT AVG(a) FROM telemetry GROUP BY room.deviceId, Tumbling(second, 1)", .merged),
        ("SELECT AVG(a) FROM telemetry GROUP BY deviceId, Session(second, 5, 60)", .merged),
        (
            "SELECT AVG(a) FROM telemetry GROUP BY deviceId, Session(second, 5, 60) OVER (PARTITION BY deviceId)",
            .perPartition
        ),
        (
            "SELECT AVG(a) FROM telemetry GROUP BY deviceId, Windows(Tumbling(second, 5), Session(second, 5, 60))",
            .merged
        ),
        ("SELECT AVG(a) FROM telemetry GROUP BY deviceId, Sliding(second, 5) OVER (WHEN b = 1)", .merged),
        ("SELECT AVG(a) FROM telemetry GROUP BY deviceId, StateWindow(b = 1)", .perPartition),
        (
            "WITH s AS (SELECT deviceId AS d, a FROM telemetry) SELECT AVG(a) FROM s GROUP BY d, Tumbling(second, 1)",
            .perPartition
        ),
        (
            "WITH s AS (SELECT *, a + 1 AS b FROM telemetry) SELECT AVG(b) FROM s GROUP BY deviceId, Tumbling(second, 1)",
            .perPartition
        ),
        (
            """
            WITH s AS (SELECT deviceId, AVG(a) AS m FROM telemetry GROUP BY deviceId, Tumbling(second, 1))
            SELECT MAX(m) AS m FROM s GROUP BY Tumbling(minute, 1)
            """, .merged
        ),
        (
            """
            SELECT AVG(a) INTO x FROM telemetry GROUP BY deviceId, Tumbling(second, 1)
            SELECT AVG(a) INTO y FROM telemetry GROUP BY Tumbling(second, 1)
            """, .merged
        ),
        ("SELECT t.a, r.name FROM telemetry t JOIN rooms r ON t.room = r.id", .perPartition),
        (
            "SELECT AVG(t.a) FROM telemetry t LEFT JOIN rooms r ON t.room = r.id GROUP BY t.deviceId, Tumbling(second, 1)",
            .perPartition
        ),
        (
            "SELECT AVG(t.a) FROM telemetry t JOIN rooms r ON t.room = r.id GROUP BY r.name, Tumbling(second, 1)",
            .merged
        ),
    ])
    func `a program runs per partition when all its state is keyed by the partition key`(
        _ text: String, _ expected: Partitioning
    ) throws {
        #expect(try program(text).partitioning(keyField: "deviceId") == expected)
    }

    @Test func `a program tells what reference data it reads`() throws {
        let text = """
            WITH named AS (SELECT t.deviceId, r.name FROM telemetry t JOIN ROOMS r ON t.room = r.id)
            SELECT deviceId, name INTO x FROM named
            """
        #expect(try program(text).references == ["rooms"])
        #expect(try program("SELECT a FROM telemetry").references.isEmpty)
    }

    @Test func `a program tells its outputs, their columns, and whether it has state`() throws {
        let program = try program(
            "SELECT a, * INTO x FROM telemetry SELECT b, COUNT(*) INTO y FROM telemetry GROUP BY b, Tumbling(second, 1)"
                + " SELECT c INTO X FROM telemetry")
        #expect(program.outputs == ["x", "y"])
        #expect(program.statements[0].columns == [.named("a"), .spread(excluding: [])])
        #expect(program.statements[1].columns == [.named("b"), .named("count")])
        #expect(program.isStateless == false)
        #expect(try self.program("SELECT a FROM telemetry WHERE b > 1").isStateless)
    }

    @Test func `outputs and inputs are looked up in the catalog`() {
        let known = Catalog(streams: ["telemetry"], outputs: ["hot", "cold"])
        #expect(errors("SELECT a INTO HOT FROM Telemetry", known) == [])
        #expect(errors("SELECT a INTO hott FROM telemetry", known) == ["1:15 unknown-output"])
        #expect(errors("SELECT a FROM telemetry", known) == ["1:1 unknown-output"])
        let open = Catalog(streams: [], acceptsAnyStream: true)
        #expect(errors("SELECT a FROM anything", open) == [])
        #expect(plan("SELECT a INTO hot FROM Telemetry", known).hasPrefix("source 0: telemetry\n"))
    }
}
