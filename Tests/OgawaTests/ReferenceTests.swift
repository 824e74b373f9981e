import Ogawa
import OgawaCore
import OgawaJSON
import OgawaEngine
import OgawaPlatform
import OgawaStore
import OgawaTesting
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A data folder that goes away with the test.
private final class DataFolder {
    let path = "/tmp/ogawa-reference-\(getpid())-\(UInt64.random(in: 0 ... .max))"

    init() throws { try TextFile.createDirectory(path) }

    deinit { DataFolder.remove(path) }

    private static func remove(_ path: String) {
        for name in (try? TextFile.list(path)) ?? [] { remove("\(path)/\(name)") }
        if TextFile.isDirectory(path) { rmdir(path) } else { unlink(path) }
    }

    func write(_ name: String, _ text: String) throws -> String {
        try TextFile.write("\(path)/\(name)", text)
        return "\(path)/\(name)"
    }
}

/// The rows of a version as text.
private func rows(_ version: ReferenceVersion?) -> [String] {
    guard let version else { return [] }
    return version.rows.map { String(decoding: version.bytes[$0.range], as: UTF8.self) }
}

/// What a row of `x` at a time finds in the reference data `r`.
private func joined(
    _ folder: DataFolder, with tables: [String: ReferenceTable], at time: Timestamp
) throws -> String {
    let event = try folder.write("event.ndjson", "{\"k\":\"x\",\"ts\":\"\(time)\"}\n")
    let sql = "SELECT r.v INTO out FROM s TIMESTAMP BY ts JOIN r ON s.k = r.k"
    let query = try QueryRun(SourceText(name: "test", text: sql), inputs: ["s"], references: Array(tables.values))
    let encoder = RowEncoder()
    var text = ""
    _ = try query.run(
        [(name: "s", input: try InputFile(path: event, hasOwnTime: true))],
        emit: { (_: String, rows: RowBatch) in
            encoder.clear()
            for line in encoder.encode(rows) { text += String(decoding: encoder.bytes[line.range], as: UTF8.self) }
        })
    return text
}

@Suite struct ReferenceTests {
    @Test(arguments: [
        ("a.csv", "id,limit,note\n1,2.5,\n\"2\",7,2026-11-22T00:00:00Z\n"),
        (
            "a.json",
            "[{\"id\":1,\"limit\":2.5,\"note\":null}, {\"id\":\"2\",\"limit\":7,\"note\":\"2026-11-22T00:00:00Z\"}]"
        ),
        (
            "a.ndjson",
            "{\"id\":1,\"limit\":2.5,\"note\":null}\n{\"id\":\"2\",\"limit\":7,\"note\":\"2026-11-22T00:00:00Z\"}\n"
        ),
    ])
    func `a file of any form gives the same rows`(_ name: String, _ text: String) throws {
        let folder = try DataFolder()
        let content = try ReferenceContent(file: try folder.write(name, text))
        #expect(
            rows(content.version(from: .min)) == [
                #"{"id":1,"limit":2.5,"note":null}"#, #"{"id":"2","limit":7,"note":"2026-11-22T00:00:00Z"}"#,
            ])
    }

    @Test func `what is wrong with a file is told with its row`() throws {
        let folder = try DataFolder()
        func message(_ name: String, _ text: String, key: String? = nil) throws -> String {
            let settings = ReferenceSettings(name: "r", source: .file(try folder.write(name, text)), key: key)
            do {
                _ = try settings.load { _ in nil }
                return ""
            } catch {
                return "\(error)".replacing(folder.path + "/", with: "")
            }
        }
        #expect(try message("a.ndjson", "{\"a\":1}\n[2]\n").contains("row 2 of a.ndjson"))
        #expect(try message("b.csv", "a,b\n1\n").contains("b.csv"))
        #expect(try message("c.csv", "a\n1\n2\n1\n", key: "a").contains("rows 1 and 3 of c.csv have the same a"))
        #expect(try message("d.csv", "a,b\n1,2\n,3\n", key: "a").contains("row 2 of d.csv has no a"))
    }

    @Test func `versions are recorded and found again with their times`() throws {
        let folder = try DataFolder()
        let history = ReferenceHistory(folder: folder.path + "/references/limits", files: POSIXFileSystem())
        #expect(try history.load().isEmpty)
        let times = [Timestamp.min, Timestamp(ticks: 17_408_160_000_000_000), Timestamp(ticks: 17_408_160_000_000_123)]
        for (index, time) in times.enumerated() {
            try history.record(
                ReferenceVersion(validFrom: time, json: ["{\"v\":\(index)}", "{\"w\":\"a\\nb\"}"]))
        }
        let found = try history.load()
        #expect(found.map(\.validFrom) == times)
        #expect(found.map { rows($0)[0] } == ["{\"v\":0}", "{\"v\":1}", "{\"v\":2}"])
        #expect(try history.prune(before: times[2]) == 2)
        #expect(try history.load().map(\.validFrom) == [times[2]])
    }

    @Test func `a changed file is read again and a broken one leaves the rows as they were`() throws {
        let folder = try DataFolder()
        let clock = SimulatedClock()
        let path = try folder.write("limits.csv", "k,v\nx,1\n")
        let settings = ReferenceSettings(name: "limits", source: .file(path), every: .seconds(5))
        let keeper = ReferenceKeeper(dataDirectory: folder.path, clock: clock) { _ in nil }
        #expect(try keeper.update([settings]).isEmpty)
        let table = try #require(keeper.tables["limits"])
        #expect(rows(table.newest) == ["{\"k\":\"x\",\"v\":1}"])
        _ = try folder.write("limits.csv", "k,v\nx,1\ny,22\n")
        #expect(keeper.poll().isEmpty, "not before its time")
        clock.advance(by: .seconds(5))
        let changedAt = clock.now()
        #expect(keeper.poll().count == 1)
        #expect(rows(table.newest).count == 2)
        #expect(table.newest?.validFrom == changedAt)
        _ = try folder.write("limits.csv", "k,v\nx\n")
        clock.advance(by: .seconds(5))
        #expect(keeper.poll().first?.text.contains("stay as they were") == true)
        clock.advance(by: .seconds(5))
        #expect(keeper.poll().isEmpty, "a problem is told once")
        #expect(rows(table.newest).count == 2)
        // A restart finds both versions; the broken file is told again.
        let again = ReferenceKeeper(dataDirectory: folder.path, clock: clock) { _ in nil }
        #expect(try again.update([settings]).count == 1)
        #expect(again.tables["limits"]?.versionCount == 2)
        #expect(again.tables["limits"]?.newest?.validFrom == changedAt)
    }

    @Test func `what changed while nothing ran is a new version at the start`() throws {
        let folder = try DataFolder()
        let clock = SimulatedClock()
        let settings = ReferenceSettings(name: "limits", source: .file(try folder.write("a.json", "[{\"v\":1}]")))
        _ = try ReferenceKeeper(dataDirectory: folder.path, clock: clock) { _ in nil }.update([settings])
        _ = try folder.write("a.json", "[{\"v\":2}]")
        clock.advance(by: .seconds(100))
        let keeper = ReferenceKeeper(dataDirectory: folder.path, clock: clock) { _ in nil }
        #expect(try keeper.update([settings]).isEmpty)
        #expect(keeper.tables["limits"]?.versionCount == 2)
        #expect(keeper.tables["limits"]?.newest?.validFrom == clock.now())
    }

    @Test func `after a restart a new version is valid behind every time that was asked for`() throws {
        let folder = try DataFolder()
        let clock = SimulatedClock()
        let settings = ReferenceSettings(
            name: "r", source: .file(try folder.write("r.json", "[{\"k\":\"x\",\"v\":1}]")))
        // An event comes 90 s ahead of the clock.
        let ahead = clock.now().advanced(by: .seconds(90))
        func run(at time: Timestamp) throws -> String {
            let keeper = ReferenceKeeper(dataDirectory: folder.path, clock: clock) { _ in nil }
            _ = try keeper.update([settings])
            return try joined(folder, with: keeper.tables, at: time)
        }
        #expect(try run(at: ahead) == "{\"v\":1}")
        _ = try folder.write("r.json", "[{\"k\":\"x\",\"v\":2}]")
        clock.advance(by: .seconds(5))
        #expect(try run(at: ahead) == "{\"v\":1}", "the replay finds what was found before")
        #expect(try run(at: ahead.advanced(by: .seconds(2))) == "{\"v\":2}")
    }

    @Test func `versions that no event reads are forgotten on the disk and in memory`() throws {
        let folder = try DataFolder()
        let clock = SimulatedClock()
        let settings = ReferenceSettings(
            name: "r", source: .file(try folder.write("r.json", "[{\"k\":\"x\",\"v\":0}]")), every: .seconds(1))
        let keeper = ReferenceKeeper(dataDirectory: folder.path, clock: clock) { _ in nil }
        _ = try keeper.update([settings])
        #expect(!keeper.hasOldVersions)
        let table = try #require(keeper.tables["r"])
        let start = clock.now()
        for value in 1...3 {
            _ = try folder.write("r.json", "[{\"k\":\"x\",\"v\":\(value)}]" + String(repeating: " ", count: value))
            clock.advance(by: .seconds(10))
            #expect(keeper.isDue)
            #expect(keeper.poll().map(\.isProblem) == [false])
            #expect(!keeper.isDue)
        }
        #expect(keeper.hasOldVersions)
        #expect(keeper.prune(before: start.advanced(by: .seconds(25))).isEmpty)
        #expect(table.versionCount == 2)
        let history = ReferenceHistory(folder: folder.path + "/references/r", files: POSIXFileSystem())
        #expect(try history.load().map { rows($0) } == [[#"{"k":"x","v":2}"#], [#"{"k":"x","v":3}"#]])
        #expect(try joined(folder, with: keeper.tables, at: start.advanced(by: .seconds(25))) == #"{"v":2}"#)
        #expect(try joined(folder, with: keeper.tables, at: start.advanced(by: .seconds(30))) == #"{"v":3}"#)
        keeper.close()
        #expect(keeper.poll().isEmpty)
    }

    @Test func `a missing file is an error at the first start`() throws {
        let folder = try DataFolder()
        let settings = ReferenceSettings(name: "limits", source: .file(folder.path + "/none.csv"))
        let keeper = ReferenceKeeper(dataDirectory: folder.path, clock: SimulatedClock()) { _ in nil }
        #expect(throws: ProjectError.self) { try keeper.update([settings]) }
    }

    @Test func `tables of ours and of SQLite files are reference data`() throws {
        let folder = try DataFolder()
        let store = try TableStore(path: folder.path + "/tables.db")
        let table = try store.table(TableConfiguration(name: "limits", key: "k", range: "t"))
        let heap = TextHeap()
        let columns = (0..<3).map { _ in Column(heap: heap) }
        for (key, time, value) in [("x", 1, 10), ("x", 2, 11), ("y", 1, 20)] {
            columns[0].append(.text(key))
            columns[1].append(.bigint(Int64(time)))
            columns[2].append(.bigint(Int64(value)))
        }
        let batch = RowBatch(
            items: [.named("k"), .named("t"), .named("v")], columns: columns, times: [0, 0, 0])
        try table.write(batch, producer: "p", progress: [])
        let own = ReferenceSettings(name: "r", source: .output("limits"))
        let newest = try own.load { $0 == "limits" ? table : nil }.version(from: .min)
        #expect(Set(rows(newest)) == [#"{"k":"x","t":2,"v":11}"#, #"{"k":"y","t":1,"v":20}"#])
        store.close()
        let foreign = ReferenceSettings(
            name: "r", source: .sqlite(path: folder.path + "/tables.db", table: "ogawa_progress"))
        #expect(try foreign.load { _ in nil }.rows.count == 1)
        let missing = ReferenceSettings(name: "r", source: .sqlite(path: folder.path + "/tables.db", table: "none"))
        #expect(throws: StoreError.self) { try missing.load { _ in nil } }
    }

    /// What loading a project with a text finds.
    private func findings(_ references: String) throws -> (project: Project?, text: String) {
        let folder = try DataFolder()
        let yaml = """
            streams: { telemetry: {} }
            outputs: { temperature: { table: { key: deviceId } }, copies: { stream: telemetry } }
            references:
              \(references)
            """
        _ = try folder.write("ogawa.yaml", yaml)
        do {
            return (try Project.load(directory: folder.path, environment: [:]), folder.path)
        } catch let error as DiagnosticList {
            return (nil, error.description.replacing(folder.path + "/", with: ""))
        }
    }

    @Test func `reference data are named in the project file`() throws {
        let (project, folder) = try findings(
            """
            limits: { file: limits.csv, key: deviceId, every: 1m }
              sites: { file: /srv/plant.db, table: site }
              latest: { table: Temperature }
              rooms: { file: rooms.sqlite }
            """)
        #expect(
            project?.references == [
                ReferenceSettings(
                    name: "limits", source: .file(folder + "/limits.csv"), key: "deviceId", every: .seconds(60)),
                ReferenceSettings(name: "sites", source: .sqlite(path: "/srv/plant.db", table: "site")),
                ReferenceSettings(name: "latest", source: .output("temperature")),
                ReferenceSettings(name: "rooms", source: .sqlite(path: folder + "/rooms.sqlite", table: "rooms")),
            ])
        #expect(project?.catalog.references == ["limits", "sites", "latest", "rooms"])
    }

    @Test(arguments: [
        ("telemetry: { file: a.csv }", "ogawa.yaml:4:3", "has the name of the stream 'telemetry'"),
        ("a: { fil: a.csv }", "ogawa.yaml:4:8", "did you mean 'file'?"),
        ("a: {}", "ogawa.yaml:4:3", "has no source"),
        ("a: { file: a.csv, table: b }", "ogawa.yaml:4:28", "none of SQLite's"),
        ("a: { table: copies }", "ogawa.yaml:4:15", "which does not exist"),
        ("a: { file: a.csv, every: 10ms }", "ogawa.yaml:4:28", "shorter than a second"),
        ("a: { file: a.csv, every: often }", "ogawa.yaml:4:28", "every of reference data 'a'"),
    ])
    func `mistakes in reference data are told at their place`(
        _ references: String, _ place: String, _ words: String
    ) throws {
        let text = try findings(references).text
        #expect(text.contains(place) && text.contains(words), "\(text)")
    }
}
