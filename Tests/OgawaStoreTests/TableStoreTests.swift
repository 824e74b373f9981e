import GRDB
import OgawaCore
import OgawaStore
import Testing

@Suite struct TableStoreTests {
    let folder: StoreFolder

    init() throws { folder = try StoreFolder() }

    private func row(_ device: String) -> RowBatch {
        batch([("deviceId", [.text(device)]), ("time", [.datetime(time(0))]), ("v", [.bigint(1)])])
    }

    @Test func `everything is there after closing and opening`() throws {
        var store = try TableStore(path: folder.path)
        var table = try store.table(temperature)
        try table.write(row("a"), producer: "f", progress: [1, 2])
        try table.write(
            batch([("deviceId", [.text("b")]), ("time", [.datetime(time(1))]), ("v", [.text("x")])]), producer: "f",
            progress: [3])
        let before = try table.query(TableQuery())
        store.close()
        store = try TableStore(path: folder.path)
        table = try store.table(temperature)
        #expect(try table.query(TableQuery()) == before)
        #expect(before["v"] == [.bigint(1), .text("x")])
        #expect(try table.progress(of: "f") == [3])
        #expect(table.rowCount == 2)
        #expect(table.columns == ["deviceId", "time", "v"])
        try table.write(row("c"), producer: "f", progress: [4])
        #expect(table.rowCount == 3)
    }

    @Test func `a closed store says so`() throws {
        let store = try TableStore(path: folder.path)
        let table = try store.table(temperature)
        try table.write(row("a"), producer: "f", progress: [1])
        store.close()
        store.close()
        for call in [
            { try table.write(nil, producer: "f", progress: []) as Any }, { try table.query(TableQuery()) as Any },
            { try store.table(temperature) as Any }, { try table.progress(of: "f") as Any },
        ] {
            let error = try #require(throws: StoreError.self) { try call() }
            #expect(error.code == .closed)
        }
    }

    @Test func `one table opened twice is one table`() throws {
        let store = try TableStore(path: folder.path)
        let first = try store.table(temperature)
        var configuration = temperature
        configuration.keep = .seconds(5)
        let second = try store.table(configuration)
        try first.write(row("a"), producer: "f", progress: [])
        try second.write(row("b"), producer: "f", progress: [])
        #expect(first.rowCount == 2)
        #expect(second.configuration.keep == .seconds(5))
    }

    @Test func `changed key settings are an error that names both and the remedy`() throws {
        let store = try TableStore(path: folder.path)
        _ = try store.table(temperature)
        let changed = TableConfiguration(name: "temperature", key: "room")
        for store in [store, try TableStore(path: folder.path)] {
            let error = try #require(throws: StoreError.self) { try store.table(changed) }
            #expect(error.code == .keyChanged)
            for part in ["\"deviceId\"", "\"time\"", "\"room\"", "no range", folder.path] {
                #expect(error.description.contains(part))
            }
        }
    }

    @Test(arguments: [
        TableConfiguration(name: "", key: "k"), TableConfiguration(name: "t", key: ""),
        TableConfiguration(name: "t", key: "k", range: "k"), TableConfiguration(name: "t", key: "k", keep: .seconds(1)),
    ])
    func `settings that contradict each other are an error`(configuration: TableConfiguration) throws {
        let store = try TableStore(path: folder.path)
        let error = try #require(throws: StoreError.self) { try store.table(configuration) }
        #expect(error.code == .badConfiguration)
    }

    @Test func `a file that is no database is named as damaged, with the remedy`() throws {
        try folder.write(Array(repeating: 0x41, count: 8192))
        let error = try #require(throws: StoreError.self) { try TableStore(path: folder.path) }
        #expect(error.code == .damaged)
        #expect(error.hint.contains("rebuilt from the log"))
    }

    @Test func `bytes changed anywhere give an error or an answer, never a crash`() throws {
        let store = try TableStore(path: folder.path)
        let many = (0..<300).map { Value.text("device-\($0)") }
        try store.table(temperature).write(
            batch([
                ("deviceId", many), ("time", many.indices.map { .datetime(time(Int64($0))) }),
                ("v", many.indices.map { $0 % 2 == 0 ? .float(1) : .text("x") }),
            ]), producer: "f", progress: [1])
        store.close()
        let good = try folder.contents()
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        for _ in 0..<60 {
            var bad = good
            let page = Int.random(in: 0..<good.count / 4096, using: &random) * 4096
            for _ in 0..<20 {
                bad[page + Int.random(in: 0..<4096, using: &random)] = .random(in: 0...255, using: &random)
            }
            try folder.write(bad)
            do {
                let store = try TableStore(path: folder.path)
                defer { store.close() }
                let table = try store.table(temperature)
                _ = try table.query(TableQuery(limit: 1000))
                try table.write(row("z"), producer: "f", progress: [2])
            } catch let error as StoreError {
                #expect(!error.hint.isEmpty)
            }
        }
        try folder.write(Array(good.prefix(good.count / 2)))
        #expect(throws: StoreError.self) {
            let store = try TableStore(path: folder.path)
            _ = try store.table(temperature).query(TableQuery(limit: 1000))
        }
    }

    @Test func `files of other programs and of later versions are left alone`() throws {
        try DatabaseQueue(path: folder.path).write { try $0.execute(sql: "CREATE TABLE theirs(a)") }
        let foreign = try #require(throws: StoreError.self) { try TableStore(path: folder.path) }
        #expect(foreign.code == .foreignFile)
        let later = try StoreFolder()
        try TableStore(path: later.path).close()
        try DatabaseQueue(path: later.path).write { try $0.execute(sql: "PRAGMA user_version = 99") }
        let newer = try #require(throws: StoreError.self) { try TableStore(path: later.path) }
        #expect(newer.code == .newerSchema)
        #expect(newer.message.contains("99"))
    }

    @Test func `a folder that is not there is an error`() throws {
        #expect(throws: StoreError.self) { try TableStore(path: folder.directory + "/none/tables.db") }
    }
}

/// A small seeded generator.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
