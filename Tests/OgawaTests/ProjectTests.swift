import Ogawa
import OgawaCore
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A project folder that goes away with the test.
private final class Folder {
    let path: String

    init(_ yaml: String?) throws {
        path = "/tmp/ogawa-project-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try TextFile.createDirectory(path)
        if let yaml { try TextFile.write("\(path)/ogawa.yaml", yaml) }
    }

    deinit {
        for folder in ["functions/", "tests/", ""] {
            for name in (try? TextFile.list("\(path)/\(folder)")) ?? [] { unlink("\(path)/\(folder)\(name)") }
            rmdir("\(path)/\(folder)")
        }
    }

    func load(_ environment: [String: String] = [:]) throws -> Project {
        try Project.load(directory: path, environment: environment)
    }
}

/// The findings about a text, without the folder's name.
private func findings(_ yaml: String, environment: [String: String] = [:]) throws -> String {
    let folder = try Folder(yaml)
    do {
        _ = try folder.load(environment)
        return ""
    } catch let error as DiagnosticList {
        return error.description.replacing("\(folder.path)/", with: "")
    }
}

@Suite struct ProjectTests {
    @Test func `the settings of the design load as they read`() throws {
        let folder = try Folder(
            """
            streams:
              telemetry: { partitions: 2, retention: 7d, time: timestamp, late: 5s, outOfOrder: 0s }
              raw: { retention: { age: 1d, size: 10GiB }, durability: interval(50ms), policy: drop, early: 1m, key: id }
            outputs:
              temperature: { table: { key: deviceId, range: time, keep: 30d } }
              copies: { stream: RAW }
            listen: { http: 0.0.0.0:9000, mqtt: ":1884" }
            log: embedded
            """)
        let project = try folder.load()
        #expect(project.streams.map(\.name) == ["telemetry", "raw"])
        let telemetry = try #require(project.stream("Telemetry"))
        #expect(telemetry.partitionCount == 2)
        #expect(telemetry.retentionAge == .seconds(7 * 86_400))
        #expect(telemetry.timeField == "timestamp")
        #expect(telemetry.durability == .fsync)
        #expect(telemetry.earlyTolerance == .seconds(300))
        let raw = try #require(project.stream("raw"))
        #expect(raw.retentionByteCount == 10 << 30)
        #expect(raw.retentionAge == .seconds(86_400))
        #expect(raw.durability == .interval(.milliseconds(50)))
        #expect(raw.orderingAction == .drop)
        #expect(raw.keyField == "id")
        #expect(
            project.output("temperature")?.kind
                == .table(
                    TableSettings(key: "deviceId", range: "time", keep: .seconds(30 * 86_400))))
        #expect(project.output("copies")?.kind == .stream("raw"))
        #expect(project.listen.http == ListenAddress(host: "0.0.0.0", port: 9000))
        #expect(project.listen.mqtt == ListenAddress(host: "127.0.0.1", port: 1884))
        #expect(project.telemetryStream == "telemetry")
        #expect(project.dataDirectory == "\(folder.path)/data")
        #expect(throws: ProjectError.self) { try project.listen.requireLoopback() }
    }

    @Test func `an unknown key is told with place, caret and the nearest name`() throws {
        let text = try findings("streams:\n  telemetry: { partitons: 4 }\n")
        #expect(
            text == """
                ogawa.yaml:2:16: error: stream 'telemetry' has no setting 'partitons'
                 2 |   telemetry: { partitons: 4 }
                   |                ^^^^^^^^^
                 hint: did you mean 'partitions'?
                """)
    }

    @Test func `every mistake of a file is told at once, in order`() throws {
        let text = try findings(
            """
            stream: {}
            streams:
              "größe": {}
              telemetry: { partitions: many, late: 5 seconds, policy: ajust }
              Telemetry: {}
            outputs:
              hot: { alert: { webhook: x } }
              copy: { stream: telemetri }
              table: { table: { range: time } }
            """)
        let lines = text.split(separator: "\n").filter { $0.contains("error:") }.map(String.init)
        #expect(
            lines == [
                "ogawa.yaml:1:1: error: ogawa.yaml has no setting 'stream'",
                "ogawa.yaml:3:3: error: 'größe' can't be the name of the stream",
                "ogawa.yaml:4:28: error: partitions of stream 'telemetry' is 'many', expected a whole number from 1 to 256",
                "ogawa.yaml:4:40: error: late of stream 'telemetry' is '5 seconds', expected a duration such as 50ms, 5s, 10m, 1h30m, 7d or PT5S",
                "ogawa.yaml:4:59: error: policy of stream 'telemetry' is 'ajust', expected one of adjust, drop",
                "ogawa.yaml:5:3: error: the stream 'Telemetry' has the name of the stream 'telemetry'",
                "ogawa.yaml:7:10: error: output 'hot' is of the kind 'alert', which is not there yet",
                "ogawa.yaml:8:19: error: output 'copy' goes to the stream 'telemetri', which does not exist",
            ])
        #expect(text.contains("hint: did you mean 'adjust'?"))
    }

    @Test func `broken YAML is an error at its place`() throws {
        #expect(try findings("streams:\n\ttelemetry: {}\n").hasPrefix("ogawa.yaml:2:1: error: not valid YAML"))
        #expect(try findings("streams: { a: {}, a: {} }").contains("occurs twice"))
        #expect(try findings("- a\n- b\n").contains("must be a mapping, not a list"))
        #expect(try findings("# nothing\n").contains("has no streams"))
    }

    @Test func `the environment fills values in`() throws {
        let yaml = "streams: { telemetry: { partitions: \"${PARTS}\", late: \"${LATE:-9s}\" } }"
        let project = try Folder(yaml).load(["PARTS": "3"])
        #expect(project.streams[0].partitionCount == 3)
        #expect(project.streams[0].lateTolerance == .seconds(9))
        let text = try findings(yaml)
        #expect(text.contains("uses ${PARTS}, and the environment has no PARTS"))
        #expect(EnvironmentExpansion.expand("a$${B}$c", environment: [:]) == .text("a${B}$c"))
        #expect(EnvironmentExpansion.expand("${B", environment: [:]) == .malformed)
        #expect(EnvironmentExpansion.expand("${9}", environment: [:]) == .malformed)
    }

    @Test func `functions are the files by name, and the leavings of editors are none`() throws {
        let folder = try Folder("streams: { telemetry: }")
        try TextFile.createDirectory("\(folder.path)/functions")
        for name in ["b.sql", "a.sql", ".a.sql.swp", "a.sql~", "notes.md"] {
            try TextFile.write("\(folder.path)/functions/\(name)", "SELECT 1")
        }
        try TextFile.write("\(folder.path)/functions/alert.js", "module.exports = () => []")
        let project = try folder.load()
        #expect(project.functions.map(\.name) == ["a", "b"])
        #expect(project.functions[0].path == "functions/a.sql")
        #expect(project.hosted.map(\.name) == ["alert"])
        #expect(project.hosted[0].path == "functions/alert.js")
        #expect(project.streams.map(\.name) == ["telemetry", "dead-letters"])
        try TextFile.write("\(folder.path)/functions/a.py", "def handler(events, context): pass")
        let error = #expect(throws: ProjectError.self) { try folder.load() }
        #expect(error?.code == "duplicate-function")
    }

    @Test func `a folder without a project says how to make one`() throws {
        let folder = try Folder(nil)
        let error = #expect(throws: ProjectError.self) { try folder.load() }
        #expect(error?.code == "not-a-project")
        #expect(error?.hint?.contains("ogawa init") == true)
    }

    @Test func `the template loads without findings`() throws {
        let folder = try Folder(nil)
        try Template.temperature.write(to: folder.path)
        let project = try folder.load()
        #expect(project.streams.map(\.name) == ["telemetry"])
        #expect(project.functions.map(\.name) == ["temperature"])
        let error = #expect(throws: ProjectError.self) { try Template.temperature.write(to: folder.path) }
        #expect(error?.code == "exists")
    }
}

@Suite struct QuantityTests {
    @Test(arguments: [
        ("50ms", 500_000), ("5s", 50_000_000), ("1h30m", 54_000_000_000), ("1.5s", 15_000_000), ("0s", 0),
        ("7d", 6_048_000_000_000), ("PT5S", 50_000_000), ("PT1M", 600_000_000), ("P1DT2H", 936_000_000_000),
        ("PT0.5S", 5_000_000),
    ])
    func `durations read in both forms`(text: String, ticks: Int64) {
        #expect(Duration(quantity: text)?.ticks == ticks)
    }

    @Test(arguments: [
        "", "5", "s", "5 s", "-5s", "5x", ".5s", "5.s", "1e3s", "PT", "P", "P1M", "99999999w", "PT5", "１s",
    ])
    func `other text is no duration`(text: String) {
        #expect(Duration(quantity: text) == nil)
    }

    @Test func `sizes read with decimal and binary units`() {
        #expect(ByteQuantity.parse("64MiB") == 64 << 20)
        #expect(ByteQuantity.parse("10 GB") == 10_000_000_000)
        #expect(ByteQuantity.parse("1.5KiB") == 1536)
        #expect(ByteQuantity.parse("12") == 12)
        #expect(ByteQuantity.parse("12 parsecs") == nil)
        #expect(ByteQuantity.parse("99999999999TiB") == nil)
        #expect(ByteQuantity.parse("") == nil)
    }

    @Test func `addresses read, and only those of this machine count as loopback`() {
        #expect(ListenAddress("8080") == ListenAddress(host: "127.0.0.1", port: 8080))
        #expect(ListenAddress("[::1]:80") == ListenAddress(host: "::1", port: 80))
        #expect(ListenAddress("::1:80") == nil)
        #expect(ListenAddress("host:65536") == nil)
        #expect(ListenAddress("127.9.9.9:1")?.isLoopback == true)
        #expect(ListenAddress("127.evil.example.com:1")?.isLoopback == false)
        #expect(ListenAddress("0.0.0.0:1")?.isLoopback == false)
        #expect(ListenAddress("localhost:1")?.isLoopback == true)
    }
}
