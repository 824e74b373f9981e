import GRDB
import OgawaCore
import OgawaStore
import Testing

@Suite struct TableTests {
    let folder: StoreFolder
    let store: TableStore

    init() throws {
        folder = try StoreFolder()
        store = try TableStore(path: folder.path)
    }

    private func readings(_ device: String, _ seconds: some Sequence<Int64>) -> RowBatch {
        let seconds = Array(seconds)
        return batch([
            ("deviceId", seconds.map { _ in .text(device) }), ("time", seconds.map { .datetime(time($0)) }),
            ("celsius", seconds.map { .float(Double($0)) }),
        ])
    }

    @Test func `a repeat changes nothing, a correction changes the row`() throws {
        let table = try store.table(temperature)
        for _ in 0..<3 { try table.write(readings("a", 0..<10), producer: "f", progress: [1]) }
        #expect(table.rowCount == 10)
        let before = try table.query(TableQuery())
        try table.write(readings("a", 0..<10), producer: "f", progress: [1])
        #expect(try table.query(TableQuery()) == before)
        try table.write(
            batch([("deviceId", [.text("a")]), ("time", [.datetime(time(3))]), ("celsius", [.float(-1)])]),
            producer: "f", progress: [2])
        #expect(table.rowCount == 10)
        #expect(try table.query(TableQuery(key: "a", from: time(3), limit: 1))["celsius"] == [.float(-1)])
    }

    @Test func `key, from, to, limit and order choose rows`() throws {
        let table = try store.table(temperature)
        try table.write(readings("a", 0..<100), producer: "f", progress: [])
        try table.write(readings("b", 0..<100), producer: "f", progress: [])
        func seconds(_ query: TableQuery) throws -> [Value] { try table.query(query)["celsius"] }
        #expect(try seconds(TableQuery(key: "a", from: time(5), to: time(8))) == [.float(5), .float(6), .float(7)])
        #expect(
            try seconds(TableQuery(key: "a", to: time(50), limit: 2, descending: true)) == [.float(49), .float(48)])
        #expect(try seconds(TableQuery(from: time(99))) == [.float(99), .float(99)])
        #expect(try seconds(TableQuery(key: "c")).isEmpty)
        #expect(try seconds(TableQuery(limit: 0)).isEmpty)
        #expect(try seconds(TableQuery(limit: StoreLimits.rowsPerQuery)).count == 200)
        let newest = try table.query(TableQuery(limit: 3, newestOverAllKeys: true))
        #expect(newest["celsius"] == [.float(99), .float(99), .float(98)])
        #expect(newest["deviceId"] == [.text("b"), .text("a"), .text("b")])
    }

    @Test func `queries go by an index`() throws {
        let table = try store.table(temperature)
        try table.write(readings("a", 0..<10), producer: "f", progress: [])
        let other = try DatabaseQueue(path: folder.path)
        func plan(_ sql: String) throws -> String {
            try other.read {
                try Row.fetchAll($0, sql: "EXPLAIN QUERY PLAN " + sql)
                    .map { $0["detail"] as String }.joined(separator: "; ")
            }
        }
        let newest = try plan("SELECT * FROM temperature ORDER BY time DESC, deviceId DESC LIMIT 5")
        #expect(newest == "SCAN temperature")
        #expect(try plan("SELECT * FROM temperature WHERE time >= 'a' ORDER BY time, deviceId").contains("(time>?)"))
        let byKey = try plan("SELECT * FROM temperature WHERE deviceId = 'a' AND time >= 'b' ORDER BY time, deviceId")
        #expect(byKey.contains("ogawa_key_temperature (deviceId=? AND time>?)"))
    }

    @Test(arguments: [
        (TableQuery(limit: -1), "limit -1"), (TableQuery(limit: 100_001), "limit 100001"),
    ])
    func `a limit out of range is an error`(query: TableQuery, text: String) throws {
        let table = try store.table(temperature)
        let error = try #require(throws: StoreError.self) { try table.query(query) }
        #expect(error.code == .badQuery)
        #expect(error.message.contains(text))
    }

    @Test func `times against a range column without times are an error`() throws {
        let table = try store.table(TableConfiguration(name: "t", key: "id", range: "n"))
        try table.write(batch([("id", [.text("a")]), ("n", [.bigint(1)])]), producer: "f", progress: [])
        let error = try #require(throws: StoreError.self) { try table.query(TableQuery(from: time(0))) }
        #expect(error.code == .badQuery)
        #expect(error.message.contains("\"n\""))
        let keyed = try store.table(TableConfiguration(name: "k", key: "id"))
        try keyed.write(batch([("id", [.text("a")])]), producer: "f", progress: [])
        #expect(throws: StoreError.self) { try keyed.query(TableQuery(to: time(0))) }
    }

    @Test func `a row without key or range is refused by name and the others are stored`() throws {
        let table = try store.table(temperature)
        let report = try table.write(
            batch([
                ("deviceId", [.text("a"), .null, .text("c")]),
                ("time", [.datetime(time(0)), .datetime(time(1)), .null]),
                ("celsius", [.float(1), .float(2), .text("x")]),
            ]), producer: "f", progress: [9])
        #expect(report.writtenCount == 1)
        #expect(report.refusedCount == 2)
        #expect(report.refusals.map(\.code) == [.missingKey, .missingRange])
        #expect(report.refusals[0].description.contains("\"deviceId\""))
        #expect(try table.progress(of: "f") == [9])
        let none = try table.write(batch([("other", [.bigint(1)])]), producer: "f", progress: [10])
        #expect(none.refusals.map(\.code) == [.missingKey])
        #expect(table.columns == ["deviceId", "time", "celsius"])
        let bad = try table.write(spread(["[1]", "{", #"{"a":1,}"#, #"{"a":01x}"#]), producer: "f", progress: [])
        #expect(bad.refusals.map(\.code) == [.badRecord, .badRecord, .badRecord, .badRecord])
    }

    @Test func `a key column is found in another case when there is no exact one`() throws {
        let table = try store.table(temperature)
        try table.write(
            batch([("DEVICEID", [.text("a")]), ("Time", [.datetime(time(0))])]), producer: "f", progress: [])
        #expect(try table.query(TableQuery(key: "a")).columns == ["deviceId", "time"])
    }

    @Test func `progress and rows commit together or not at all`() throws {
        let table = try store.table(temperature)
        try table.write(readings("a", 0..<3), producer: "f", progress: [1])
        try DatabaseQueue(path: folder.path).write {
            try $0.execute(
                sql: "CREATE TRIGGER fault BEFORE INSERT ON temperature WHEN NEW.celsius = 666 "
                    + "BEGIN SELECT RAISE(ABORT, 'fault'); END")
        }
        let before = try table.query(TableQuery())
        var failing = readings("b", 664..<668)
        failing.items.append(.named("extra"))
        let extra = Column(heap: TextHeap())
        (0..<4).forEach { extra.append(.bigint($0)) }
        failing.columns.append(extra)
        let error = try #require(throws: StoreError.self) {
            try table.write(failing, producer: "f", progress: [2])
        }
        #expect(error.message.contains("fault"))
        #expect(try table.query(TableQuery()) == before)
        #expect(try table.progress(of: "f") == [1])
        #expect(table.rowCount == 3)
        try table.write(nil, producer: "f", progress: [3])
        try table.write(readings("b", 0..<3), producer: "g", progress: [4])
        #expect(try table.progress(of: "f") == [3])
        #expect(try table.progress(of: "g") == [4])
        #expect(try table.progress(of: "h") == nil)
        #expect(table.rowCount == 6)
    }

    @Test func `progress is kept for each table`() throws {
        let first = try store.table(temperature)
        let second = try store.table(TableConfiguration(name: "hot", key: "deviceId"))
        try first.write(nil, producer: "f", progress: [1])
        try second.write(nil, producer: "f", progress: [2])
        #expect(try first.progress(of: "f") == [1])
        #expect(try second.progress(of: "f") == [2])
    }

    @Test func `a batch whose columns do not match is refused whole`() throws {
        let table = try store.table(temperature)
        var rows = readings("a", 0..<3)
        rows.times.append(0)
        let error = try #require(throws: StoreError.self) { try table.write(rows, producer: "f", progress: [1]) }
        #expect(error.code == .badBatch)
        #expect(try table.progress(of: "f") == nil)
    }

    @Test func `hostile names and values are only names and values`() throws {
        let hostile = #""); DROP TABLE temperature; --"#
        let names = [
            hostile, "a\0b", "", "select", "A", "a", "a (exact)", "rowid", "'", "ü\u{301}", "]", "a_2", "名前", "*", "?1",
        ]
        for tableName in [hostile, "sqlite_master", "ogawa_tables", "TABLE", "table", "x\0y"] {
            let table = try store.table(TableConfiguration(name: tableName, key: hostile, range: "a"))
            let columns = names.map { ($0, [Value.text($0), .text(hostile)]) }
            let report = try table.write(batch(columns), producer: hostile, progress: [7])
            #expect(report.writtenCount == 2)
            // Once more with other types, so that companions come.
            try table.write(
                batch(columns + [("a (exact)", [.bigint(1), .bit(true)])]), producer: hostile, progress: [7])
            #expect(try table.query(TableQuery(key: hostile, limit: 10))["名前"] == [.text(hostile), .text("名前")])
            #expect(table.columns == names)
            #expect(table.rowCount == 2)
            #expect(try table.progress(of: hostile) == [7])
        }
    }

    @Test func `too many columns refuse the row`() throws {
        let table = try store.table(TableConfiguration(name: "wide", key: "id"))
        func record(_ range: Range<Int>) -> String {
            #"{"id":1,"# + range.map { "\"f\($0)\":\($0)" }.joined(separator: ",") + "}"
        }
        try table.write(spread([record(0..<500)]), producer: "f", progress: [])
        let report = try table.write(spread([record(500..<600), record(0..<3)]), producer: "f", progress: [])
        #expect(report.refusals.map(\.code) == [.tooManyColumns])
        #expect(report.writtenCount == 1)
        #expect(table.columns.count == 501)
    }

    @Test func `retention deletes old rows in steps and leaves the rest`() throws {
        var configuration = temperature
        configuration.keep = .seconds(60)
        let table = try store.table(configuration)
        try table.write(readings("a", 0..<9000), producer: "f", progress: [])
        #expect(try table.enforceRetention(now: time(60)) == 0)
        #expect(try table.enforceRetention(now: time(8060)) == 8000)
        #expect(table.rowCount == 1000)
        #expect(try table.query(TableQuery(limit: 1))["time"] == [.datetime(time(8000))])
        #expect(try table.enforceRetention(now: time(8060)) == 0)
        #expect(try table.enforceRetention(now: .max) == 1000)
        #expect(try store.table(temperature).enforceRetention(now: .max) == 0)
    }

    @Test func `retention over a range column without times is an error`() throws {
        let table = try store.table(TableConfiguration(name: "t", key: "id", range: "n", keep: .seconds(1)))
        #expect(try table.enforceRetention(now: time(0)) == 0)
        try table.write(batch([("id", [.text("a")]), ("n", [.bigint(1)])]), producer: "f", progress: [])
        let error = try #require(throws: StoreError.self) { try table.enforceRetention(now: time(0)) }
        #expect(error.code == .retentionNeedsDatetime)
    }

    @Test func `readers work while writers write, and see whole transactions`() async throws {
        let table = try store.table(temperature)
        try table.write(readings("a", 0..<50), producer: "f", progress: [0])
        let counts = try await withThrowingTaskGroup(of: [Int].self) { group in
            for _ in 0..<2 {
                group.addTask {
                    try (0..<50).map { _ in try table.query(TableQuery(limit: 10_000)).rows.count }
                }
            }
            for index in 1...40 {
                try table.write(readings("b\(index)", 0..<50), producer: "f", progress: [UInt8(index)])
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(counts.allSatisfy { $0 % 50 == 0 && $0 >= 50 })
        #expect(table.rowCount == 41 * 50)
    }

    @Test func `a hundred thousand rows are quick and the write-ahead log stays short`() throws {
        let table = try store.table(temperature)
        let clock = ContinuousClock()
        let start = clock.now
        for part in 0..<20 {
            try table.write(
                readings("device-\(part % 7)", Int64(part * 5000)..<Int64(part * 5000 + 5000)), producer: "f",
                progress: [])
        }
        let elapsed = clock.now - start
        #expect(table.rowCount == 100_000)
        #expect(elapsed < .seconds(20))
        #expect((1..<100 << 20).contains(folder.logByteCount))
        print("100,000 rows in \(elapsed): \(Int(100_000 / elapsed.inSeconds)) rows/s")
    }
}
