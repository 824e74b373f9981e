import GRDB
import OgawaCore
import OgawaStore
import Testing

@Suite struct TableValueTests {
    let folder: StoreFolder
    let store: TableStore

    init() throws {
        folder = try StoreFolder()
        store = try TableStore(path: folder.path)
    }

    @Test func `every type comes back as it went in`() throws {
        let table = try store.table(temperature)
        let values: [(String, Value)] = [
            ("whole", .bigint(.max)), ("broken", .float(20.0)), ("flag", .bit(true)), ("text", .text("é\0\n\"")),
            ("instant", .datetime(.max)), ("record", .record(#"{"a":[1,2]}"#)), ("array", .array("[]")),
            ("nothing", .null), ("empty", .text("")),
        ]
        let report = try table.write(
            batch([("deviceId", [.text("a")]), ("time", [.datetime(time(0))])] + values.map { ($0, [$1]) }),
            producer: "f", progress: [])
        #expect(report.writtenCount == 1)
        let rows = try table.query(TableQuery())
        #expect(rows.columns == ["deviceId", "time"] + values.map(\.0))
        #expect(rows.rows == [[.text("a"), .datetime(time(0))] + values.map(\.1)])
    }

    @Test(arguments: ValueTag.allCases)
    func `a column of one type takes values of every other type exactly`(main: ValueTag) throws {
        let samples: [Value] = [
            .bigint(20), .float(20), .float(20.5), .bit(true), .bit(false), .text("20"), .text("true"), .text(""),
            .datetime(time(1)), .text(time(1).description), .record("{}"), .array("[1]"), .null, .bigint(.min),
            .text("{}"), .float(.infinity), .bigint(9_007_199_254_740_993),
        ]
        let table = try store.table(TableConfiguration(name: "mixed", key: "id"))
        let first = samples.first { $0.tag == main } ?? .null
        try table.write(batch([("id", [.bigint(-1)]), ("v", [first])]), producer: "f", progress: [])
        let ids = samples.indices.map { Value.bigint(Int64($0)) }
        try table.write(batch([("id", ids), ("v", samples)]), producer: "f", progress: [])
        #expect(try table.query(TableQuery())["v"] == [first] + samples)
        // And once more the other way round: updates replace the exact form, too.
        let reversed = Array(samples.reversed())
        try table.write(batch([("id", ids), ("v", reversed)]), producer: "f", progress: [])
        #expect(try table.query(TableQuery())["v"] == [first] + reversed)
    }

    @Test func `keys of different types are different keys, numbers compare as numbers`() throws {
        let table = try store.table(TableConfiguration(name: "keys", key: "id"))
        let keys: [Value] = [.text("17"), .bigint(17), .bit(true), .text("true"), .datetime(time(0)), .float(17.5)]
        for key in keys { try table.write(batch([("id", [key]), ("v", [key])]), producer: "f", progress: []) }
        #expect(table.rowCount == keys.count)
        #expect(Set(try table.query(TableQuery())["id"]) == Set(keys))
        #expect(Set(try table.query(TableQuery(key: "17"))["v"]) == [.text("17"), .bigint(17)])
        #expect(Set(try table.query(TableQuery(key: "true"))["v"]) == [.bit(true), .text("true")])
        #expect(try table.query(TableQuery(key: "17.5"))["v"] == [.float(17.5)])
        #expect(try table.query(TableQuery(key: "2026-01-01T00:00:00Z"))["v"] == [.datetime(time(0))])
    }

    @Test func `NaN becomes null, and a NaN key refuses the row`() throws {
        let table = try store.table(TableConfiguration(name: "nan", key: "id"))
        let report = try table.write(
            batch([("id", [.bigint(1), .float(.nan)]), ("v", [.float(.nan), .float(1)])]), producer: "f", progress: [])
        #expect(report.writtenCount == 1)
        #expect(report.refusals.map(\.code) == [.missingKey])
        #expect(try table.query(TableQuery())["v"] == [.null])
    }

    @Test func `other programs read plain columns with declared types`() throws {
        let table = try store.table(temperature)
        try table.write(
            batch([
                ("deviceId", [.text("a"), .text("a")]), ("time", [.datetime(time(0)), .datetime(time(1))]),
                ("celsius", [.float(20.5), .bigint(21)]), ("ok", [.bit(true), .null]),
            ]), producer: "f", progress: [])
        let other = try DatabaseQueue(path: folder.path)
        try other.read { database in
            #expect(try Double.fetchOne(database, sql: "SELECT sum(celsius) FROM temperature") == 41.5)
            #expect(
                try String.fetchAll(database, sql: "SELECT time FROM temperature")
                    == ["2026-01-01T00:00:00.0000000Z", "2026-01-01T00:00:01.0000000Z"])
            let types = try Row.fetchAll(database, sql: "PRAGMA table_info(temperature)").map { $0["type"] as String }
            #expect(types == ["TEXT", "TEXT", "REAL", "BOOLEAN", ""])
        }
    }

    @Test func `a spread record becomes columns, and named columns win over its fields`() throws {
        let table = try store.table(temperature)
        let rows = spread(
            [
                #" { "deviceId" : "a", "time":"2026-01-01T00:00:00Z", "v":1.5,"n":-7 ,"s":"q\"\u00e9\ud83d\ude00\ud800x","b":true} "#,
                #"{"deviceId":"b","time":"2026-01-01T00:00:01Z","o":{"x":"}]\""},"l":[{},[]],"z":null,"big":12345678901234567890,"b":false,"b":true}"#,
            ], excluding: ["n"], named: [("v", [.text("named"), .null])])
        let report = try table.write(rows, producer: "f", progress: [])
        #expect(report.refusals.isEmpty)
        let answer = try table.query(TableQuery())
        #expect(answer.columns == ["deviceId", "time", "s", "b", "o", "l", "z", "big", "v"])
        #expect(
            answer.rows == [
                [
                    .text("a"), .text("2026-01-01T00:00:00Z"), .text("q\"é😀\u{fffd}x"), .bit(true), .null, .null, .null,
                    .null, .text("named"),
                ],
                [
                    .text("b"), .text("2026-01-01T00:00:01Z"), .null, .bit(false), .record(#"{"x":"}]\""}"#),
                    .array("[{},[]]"), .null, .float(1.2345678901234567e19), .null,
                ],
            ])
        #expect(try table.query(TableQuery(from: time(1)))["deviceId"] == [.text("b")])
        #expect(try table.query(TableQuery(to: time(1)))["deviceId"] == [.text("a")])
    }

    @Test func `a column that a row does not have keeps its value, however rows are batched`() throws {
        let records = [#"{"id":1,"a":1,"b":2}"#, #"{"id":1,"a":3}"#, #"{"id":1,"c":4}"#, #"{"id":1,"b":null}"#]
        let one = try store.table(TableConfiguration(name: "one", key: "id"))
        try one.write(spread(records), producer: "f", progress: [])
        let many = try store.table(TableConfiguration(name: "many", key: "id"))
        for record in records { try many.write(spread([record]), producer: "f", progress: []) }
        let expected: [[Value]] = [[.bigint(1), .bigint(3), .null, .bigint(4)]]
        #expect(try one.query(TableQuery()).rows == expected)
        #expect(try many.query(TableQuery()).rows == expected)
        #expect(one.rowCount == 1)
    }
}
