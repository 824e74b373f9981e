// `ogawa bench sql`: what queries cost, file to file and within the engine.

import Ogawa
import OgawaCore
import OgawaEngine

/// One line of the figures; a nil cost is a query that did not run, and why.
struct SQLFigure {
    var name: String
    var cost: SQLCost?
    var note = ""
}

/// The measurements of stream SQL.
struct SQLBench {
    /// A folder for the workload, of which there are some hundred megabytes.
    let folder: String
    let eventCount: Int
    let program: String
    private(set) var figures: [(title: String, figures: [SQLFigure])] = []

    /// The queries of thermo: a row per event for the last ten readings, five minutes at a time, a row per event for the last minute.
    static let queries: [(name: String, sql: String, writesRows: Bool)] = [
        (
            "A, last 10 readings",
            "SELECT deviceId, System.Timestamp() AS t, AVG(\(Thermo.celsius)) OVER (PARTITION BY deviceId ROWS 9 PRECEDING) AS m "
                + "FROM i TIMESTAMP BY timestamp", true
        ),
        (
            "B, 5 minutes",
            "SELECT deviceId, System.Timestamp() AS t, AVG(\(Thermo.celsius)) AS m FROM i TIMESTAMP BY timestamp "
                + "GROUP BY deviceId, TumblingWindow(minute, 5)", false
        ),
        (
            "C, last 60 seconds",
            "SELECT deviceId, System.Timestamp() AS t, AVG(\(Thermo.celsius)) OVER (PARTITION BY deviceId "
                + "LIMIT DURATION(second, 60)) AS m FROM i TIMESTAMP BY timestamp", true
        ),
    ]

    init(folder: String, eventCount: Int, program: String) {
        self.folder = folder
        self.eventCount = eventCount
        self.program = program
    }

    /// Runs everything; `say` is told what comes.
    mutating func run(_ say: (String) -> Void) throws {
        try fileToFile(say)
        try start(say)
        try otherQueries(say)
        try keys(say)
        try partitions(say)
        try memory(say)
    }

    private func file(_ thermo: Thermo) throws -> String {
        let name = "thermo-\(thermo.deviceCount)-\(thermo.eventCount)-\(thermo.disorder).ndjson"
        let path = "\(folder)/\(name)"
        if !TextFile.exists(path) { try thermo.write(to: path) }
        return path
    }

    private mutating func fileToFile(_ say: (String) -> Void) throws {
        var lines: [SQLFigure] = []
        for deviceCount in [1000, 100_000] {
            let input = try file(Thermo(deviceCount: deviceCount, eventCount: eventCount))
            for query in SQLBench.queries {
                say("\(query.name), \(Figure.grouped(Int64(deviceCount))) devices")
                let output = query.writesRows ? ["--output", "\(folder)/rows.ndjson"] : ["--count"]
                let runs = try (0..<3).map { _ in
                    try measureProgram(
                        [program, "query", query.sql, "--input", "i=\(input)"] + output,
                        errorFile: "\(folder)/query.err")
                }
                var cost = runs.sorted { $0.cpuSeconds < $1.cpuSeconds }[1]
                cost.eventCount = eventCount
                let end = query.writesRows ? "to a file" : "rows counted"
                lines.append(
                    SQLFigure(
                        name: "\(query.name), \(Figure.grouped(Int64(deviceCount))) devices", cost: cost, note: end))
            }
        }
        figures.append(("ogawa query, file in, median of 3", lines))
    }

    private mutating func start(_ say: (String) -> Void) throws {
        say("start of a small query")
        let input = try file(Thermo(deviceCount: 10, eventCount: 10))
        let runs = try (0..<10).map { _ in
            try measureProgram(
                [program, "query", SQLBench.queries[0].sql, "--input", "i=\(input)", "--count"],
                errorFile: "\(folder)/query.err")
        }
        let seconds = runs.map(\.seconds).sorted()
        let text = "\(Figure.seconds(seconds[5])), slowest \(Figure.seconds(seconds[9]))"
        figures.append(("Start", [SQLFigure(name: "small query from start to end, median of 10", note: text)]))
    }

    private mutating func otherQueries(_ say: (String) -> Void) throws {
        let ordered = try file(Thermo(eventCount: eventCount))
        let shuffled = try file(Thermo(eventCount: eventCount, disorder: 5000))
        let one = [(name: "i", path: ordered)]
        let devices = (0..<10_000).map { number in
            "{\"id\":\"dev-\(String(String(number + 1_000_000).dropFirst()))\",\"room\":\"room-\(number % 100)\"}"
        }
        let fences = (0..<1000).map { number in
            let (x, y) = (Double(number % 40), Double(number / 40))
            let corners = [(x, y), (x + 0.9, y), (x + 0.9, y + 0.9), (x, y + 0.9), (x, y)]
            let ring = corners.map { "[\($0.0),\($0.1)]" }.joined(separator: ",")
            return "{\"name\":\"f\(number)\",\"area\":{\"type\":\"Polygon\",\"coordinates\":[[\(ring)]]}}"
        }
        let time = "TIMESTAMP BY timestamp"
        let cases: [(String, SQLQuery)] = [
            ("plain filter", SQLQuery(sql: "SELECT deviceId, voltage FROM i \(time) WHERE voltage > 0.9", inputs: one)),
            (
                "A, sorted, 5 s out of order",
                SQLQuery(sql: SQLBench.queries[0].sql, inputs: [("i", shuffled)], outOfOrder: .seconds(5))
            ),
            (
                "session window, 5 s, at most 60 s",
                SQLQuery(
                    sql:
                        "SELECT deviceId, COUNT(*) AS n FROM i \(time) GROUP BY deviceId, SessionWindow(second, 5, 60)",
                    inputs: one)
            ),
            (
                "join of two streams within 2 s",
                SQLQuery(
                    sql: "SELECT l.deviceId, r.voltage FROM l \(time) JOIN r \(time) "
                        + "ON l.deviceId = r.deviceId AND DATEDIFF(second, l, r) BETWEEN 0 AND 2",
                    inputs: [("l", ordered), ("r", ordered)])
            ),
            (
                "join with 10 000 reference rows",
                SQLQuery(
                    sql: "SELECT i.deviceId, d.room FROM i \(time) JOIN d ON i.deviceId = d.id", inputs: one,
                    references: [ReferenceTable(name: "d", versions: [ReferenceVersion(json: devices)])])
            ),
            (
                "geofence, 1 000 polygons",
                SQLQuery(
                    sql: "SELECT i.deviceId, f.name FROM i \(time) JOIN f "
                        + "ON ST_WITHIN(CreatePoint(voltage * 25, voltage * 40), f.area) = 1",
                    inputs: [
                        ("i", try file(Thermo(eventCount: max(1, eventCount / 100))))
                    ], references: [ReferenceTable(name: "f", versions: [ReferenceVersion(json: fences)])])
            ),
        ]
        var lines: [SQLFigure] = []
        for (name, query) in cases {
            say(name)
            lines.append(measured(name, query))
        }
        figures.append(("Other queries, within the engine, rows counted", lines))
    }

    private mutating func keys(_ say: (String) -> Void) throws {
        var lines: [SQLFigure] = []
        for deviceCount in [1, 10, 100, 1000, 10_000, 100_000, 1_000_000] {
            let name = "\(Figure.grouped(Int64(deviceCount))) devices"
            say("A, \(name)")
            let input = try file(Thermo(deviceCount: deviceCount, eventCount: eventCount))
            lines.append(measured(name, SQLQuery(sql: SQLBench.queries[0].sql, inputs: [("i", input)])))
        }
        figures.append(("A as devices grow, within the engine, rows counted", lines))
    }

    private mutating func partitions(_ say: (String) -> Void) throws {
        let input = try file(Thermo(eventCount: eventCount))
        var lines: [SQLFigure] = []
        for count in [1, 2, 4, 8, 16] {
            say("B, \(count) partitions")
            lines.append(
                measured(
                    "merged, \(count) partitions",
                    SQLQuery(sql: SQLBench.queries[1].sql, inputs: [("i", input)], partitionCount: count)))
        }
        for count in [1, 2] {
            say("A, a pipeline per partition on \(count) threads")
            let cost = try PartitionRun(path: input, partitionCount: 2, threadCount: count).measure()
            lines.append(SQLFigure(name: "A, 2 partitions on \(count) threads", cost: cost))
        }
        if let one = lines[lines.count - 2].cost, let two = lines[lines.count - 1].cost {
            lines[lines.count - 1].note =
                "\(Figure.fixed(two.eventsPerSecond / one.eventsPerSecond, 2)) × of one thread"
        }
        figures.append(("Partitions, within the engine, rows counted", lines))
    }

    private mutating func memory(_ say: (String) -> Void) throws {
        let many = try file(Thermo(deviceCount: 100_000, eventCount: 1_000_000))
        let one = try file(Thermo(deviceCount: 1, eventCount: 1_000_000))
        let time = "FROM i TIMESTAMP BY timestamp"
        let over = "OVER (PARTITION BY deviceId"
        let cases = [
            ("AVG, 10 rows", "SELECT AVG(voltage) \(over) ROWS 9 PRECEDING) AS m \(time)"),
            ("AVG, 60 s", "SELECT AVG(voltage) \(over) LIMIT DURATION(second, 60)) AS m \(time)"),
            ("LAG", "SELECT LAG(voltage) \(over)) AS m \(time)"),
            ("tumbling AVG, 5 min", "SELECT AVG(voltage) AS m \(time) GROUP BY deviceId, TumblingWindow(minute, 5)"),
            (
                "hopping AVG, 5 min by 1 min",
                "SELECT AVG(voltage) AS m \(time) GROUP BY deviceId, HoppingWindow(minute, 5, 1)"
            ),
            ("session, 5 min", "SELECT AVG(voltage) AS m \(time) GROUP BY deviceId, SessionWindow(minute, 5, 60)"),
            ("sliding AVG, 60 s", "SELECT AVG(voltage) AS m \(time) GROUP BY deviceId, SlidingWindow(second, 60)"),
        ]
        var lines: [SQLFigure] = []
        for (name, sql) in cases {
            say("memory: \(name)")
            var figure = measured(name, SQLQuery(sql: sql, inputs: [("i", many)]))
            let base = measured(name, SQLQuery(sql: sql, inputs: [("i", one)]))
            if let held = figure.cost?.heldByteCount, let less = base.cost?.heldByteCount {
                figure.note = "\(Figure.fixed(Double(held - less) / 100_000, 0)) bytes per key"
            }
            lines.append(figure)
        }
        figures.append(("Memory with 100 000 devices beyond that with 1", lines))
    }

    private func measured(_ name: String, _ query: SQLQuery) -> SQLFigure {
        do {
            return SQLFigure(name: name, cost: try query.measure())
        } catch {
            return SQLFigure(name: name, note: "did not run: \(String(describing: error).prefix(120))")
        }
    }
}
