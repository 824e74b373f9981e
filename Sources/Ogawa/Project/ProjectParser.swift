// ogawa.yaml to settings. One method per section; each reports what it can't read and goes on.

import OgawaCore
import OgawaLog
import Yams

/// Turns the text of ogawa.yaml into a ``Project`` without functions.
struct ProjectParser {
    private static let keys = [
        "name", "listen", "data", "telemetry", "streams", "outputs", "references", "functions", "checkpoints", "log",
        "state",
        "store",
    ]
    private static let streamKeys = [
        "partitions", "retention", "time", "key", "late", "early", "outOfOrder", "policy", "durability",
    ]

    var reader: SettingsReader
    private var name: String?
    private var listen = ListenSettings()
    private var checkpointInterval: Duration?
    private var data = "data"
    private var telemetry: (name: String, range: SourceRange)?
    private var streams: [StreamSettings] = []
    private(set) var outputs: [OutputSettings] = []
    var references: [ReferenceSettings] = []
    /// Tables that reference data name.
    var referenceTables: [(reference: String, table: String, range: SourceRange)] = []
    /// The folder that paths are relative to.
    private(set) var directory = "."
    /// Lower-case names of streams and outputs, with what they name.
    private var taken: [String: String] = [:]
    private var streamTargets: [(output: String, stream: String, range: SourceRange)] = []

    init(source: SourceText, environment: [String: String]) throws(DiagnosticList) {
        reader = SettingsReader(yaml: try YAMLText(source), environment: environment)
    }

    mutating func parse(directory: String) throws(DiagnosticList) -> Project {
        self.directory = directory
        if let root = reader.yaml.root {
            for entry in reader.entries(root, "ogawa.yaml", form: "settings such as 'streams: { telemetry: {} }'") {
                section(entry)
            }
        }
        resolveNames()
        resolveReferences()
        if !reader.diagnostics.isEmpty {
            let sorted = reader.diagnostics.sorted { $0.range.lowerBound < $1.range.lowerBound }
            throw DiagnosticList(source: reader.yaml.source, diagnostics: sorted)
        }
        let folder = TextFile.absolute(directory).split(separator: "/").last.map(String.init)
        var project = Project(
            name: name ?? folder ?? "ogawa", directory: directory, streams: streams, outputs: outputs, listen: listen,
            dataDirectory: TextFile.join(directory, data), telemetryStream: telemetryStream,
            source: reader.yaml.source)
        if let checkpointInterval { project.checkpointInterval = checkpointInterval }
        project.references = references
        return project
    }

    private var telemetryStream: String? {
        telemetry?.name ?? streams.first { $0.name.lowercased() == "telemetry" }?.name
            ?? (streams.count == 1 ? streams[0].name : nil)
    }

    private mutating func section(_ entry: SettingsEntry) {
        let value = entry.value
        switch entry.key {
        case "name": name = reader.text(value, "name", expected: "a text")
        case "data": if let path = reader.text(value, "data", expected: "a folder's path") { data = path }
        case "telemetry":
            if let stream = reader.text(value, "telemetry", expected: "a stream's name") {
                telemetry = (stream, reader.range(of: value))
            }
        case "listen": readListen(value)
        // Read by those who find the functions.
        case "functions": break
        case "checkpoints": readCheckpoints(value)
        case "streams":
            for stream in reader.entries(value, "streams", form: "'NAME: { partitions: 4 }' lines") {
                readStream(stream)
            }
        case "outputs":
            for output in reader.entries(value, "outputs", form: "'NAME: { table: { key: deviceId } }' lines") {
                readOutput(output)
            }
        case "log": readPart(value, "log", only: "embedded")
        case "state": readPart(value, "state", only: "memory")
        case "store": readPart(value, "store", only: "sqlite")
        case "references":
            for reference in reader.entries(value, "references", form: "'NAME: { file: NAME.csv }' lines") {
                readReference(reference)
            }
        default: reader.unknown(entry, of: "ogawa.yaml", known: ProjectParser.keys)
        }
    }

    private mutating func readPart(_ value: Node, _ what: String, only known: String) {
        guard let found = reader.text(value, what, expected: "'\(known)'"), found != known else { return }
        reader.report(
            "not-yet", "\(what) is '\(found.prefix(60))', and only '\(known)' is there yet",
            hint: "write '\(what): \(known)' or remove the line", at: reader.range(of: value))
    }

    private mutating func readCheckpoints(_ value: Node) {
        for entry in reader.entries(value, "checkpoints", form: "'{ every: 10s }'") {
            guard entry.key == "every" else {
                reader.unknown(entry, of: "checkpoints", known: ["every"])
                continue
            }
            if let every = reader.duration(entry.value, "checkpoints.every") { checkpointInterval = every }
        }
    }

    private mutating func readListen(_ value: Node) {
        for entry in reader.entries(value, "listen", form: "'{ http: 127.0.0.1:8080, mqtt: 127.0.0.1:1883 }'") {
            guard ["http", "mqtt", "redis"].contains(entry.key) else {
                reader.unknown(entry, of: "listen", known: ["http", "mqtt", "redis"])
                continue
            }
            let what = "listen.\(entry.key)"
            let expected = "an address such as 127.0.0.1:8080"
            guard let address = reader.parsed(entry.value, what, expected: expected, { ListenAddress($0) }) else {
                continue
            }
            switch entry.key {
            case "http": listen.http = address
            case "mqtt": listen.mqtt = address
            default: listen.redis = address
            }
        }
    }

    /// Checks that a name can stand in SQL, in addresses and as a folder, and that it is the only one of its kind.
    mutating func claim(_ entry: SettingsEntry, as kind: String) -> Bool {
        let bytes = entry.key.utf8
        let isWord = bytes.allSatisfy {
            ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7a) || ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x5f || $0 == 0x2d
        }
        guard isWord, let first = bytes.first, bytes.count <= 64, first | 0x20 >= 0x61 || first == 0x5f else {
            reader.report(
                "bad-name", "'\(entry.key.prefix(80))' can't be the name of \(kind)",
                hint: "use at most 64 letters, digits, '_' and '-', and begin with a letter", at: entry.keyRange)
            return false
        }
        if let other = taken.updateValue("\(kind) '\(entry.key)'", forKey: entry.key.lowercased()) {
            reader.report(
                "duplicate-name", "\(kind) '\(entry.key)' has the name of \(other)",
                hint: "names of streams, outputs and reference data differ by more than letter case", at: entry.keyRange
            )
            return false
        }
        return true
    }

    private mutating func readStream(_ entry: SettingsEntry) {
        guard claim(entry, as: "the stream") else { return }
        var stream = StreamSettings(name: entry.key)
        let what = "stream '\(entry.key)'"
        for setting in reader.entries(entry.value, what, form: "'{ partitions: 4, retention: 7d }'") {
            let place = "\(setting.key) of \(what)"
            let value = setting.value
            switch setting.key {
            case "partitions": reader.integer(value, place, in: 1...256).map { stream.partitionCount = $0 }
            case "retention": readRetention(value, place, &stream)
            case "time": stream.timeField = reader.text(value, place, expected: "a field's name")
            case "key": reader.text(value, place, expected: "a field's name").map { stream.keyField = $0 }
            case "late": reader.duration(value, place).map { stream.lateTolerance = $0 }
            case "early": reader.duration(value, place).map { stream.earlyTolerance = $0 }
            case "outOfOrder": reader.duration(value, place).map { stream.outOfOrderTolerance = $0 }
            case "policy":
                reader.choice(value, place, OrderingAction.allCases.map(\.rawValue))
                    .flatMap(OrderingAction.init).map { stream.orderingAction = $0 }
            case "durability":
                reader.parsed(value, place, expected: "fsync, interval(50ms) or os", ProjectParser.durability)
                    .map { stream.durability = $0 }
            default: reader.unknown(setting, of: what, known: ProjectParser.streamKeys)
            }
        }
        streams.append(stream)
    }

    private static func durability(_ text: String) -> Durability? {
        switch text {
        case "fsync": return .fsync
        case "os": return .os
        default:
            guard text.hasPrefix("interval("), text.hasSuffix(")"),
                let interval = Duration(quantity: String(text.dropFirst(9).dropLast())), interval > .zero
            else { return nil }
            return .interval(interval)
        }
    }

    private mutating func readRetention(_ value: Node, _ place: String, _ stream: inout StreamSettings) {
        guard case .mapping = value else {
            stream.retentionAge = reader.duration(value, place)
            return
        }
        stream.retentionAge = nil
        for entry in reader.entries(value, place, form: "'{ age: 7d, size: 10GB }'") {
            switch entry.key {
            case "age": stream.retentionAge = reader.duration(entry.value, "age in \(place)")
            case "size": stream.retentionByteCount = reader.byteCount(entry.value, "size in \(place)")
            default: reader.unknown(entry, of: place, known: ["age", "size"])
            }
        }
    }

    private mutating func readOutput(_ entry: SettingsEntry) {
        guard claim(entry, as: "the output") else { return }
        let what = "output '\(entry.key)'"
        let kinds = reader.entries(entry.value, what, form: "'{ table: { key: deviceId } }' or '{ stream: NAME }'")
        guard let kind = kinds.first else {
            if case .mapping = entry.value {
                reader.report(
                    "bad-value", "\(what) says not where its rows go", hint: "give it a table or a stream",
                    at: entry.keyRange)
            }
            return
        }
        if kinds.count > 1 {
            reader.report(
                "bad-value", "\(what) has \(kinds.count) kinds, expected one",
                hint: "make an output of each and write two SELECTs", at: kinds[1].keyRange)
        }
        switch kind.key {
        case "table":
            if let table = readTable(kind, what) {
                outputs.append(OutputSettings(name: entry.key, kind: .table(table)))
            }
        case "stream":
            if let stream = reader.text(kind.value, "stream of \(what)", expected: "a stream's name") {
                streamTargets.append((entry.key, stream, reader.range(of: kind.value)))
                outputs.append(OutputSettings(name: entry.key, kind: .stream(stream)))
            }
        case "alert", "command", "webhook", "mqtt", "file":
            reader.report(
                "not-yet", "\(what) is of the kind '\(kind.key)', which is not there yet",
                hint: "use a table or a stream", at: kind.keyRange)
        default: reader.unknown(kind, of: what, known: ["table", "stream"])
        }
    }

    private mutating func readTable(_ kind: SettingsEntry, _ what: String) -> TableSettings? {
        var key: String?
        var range: String?
        var keep: (value: Duration, range: SourceRange)?
        for entry in reader.entries(kind.value, "table of \(what)", form: "'{ key: deviceId, range: time, keep: 30d }'")
        {
            let place = "\(entry.key) of \(what)"
            switch entry.key {
            case "key": key = reader.text(entry.value, place, expected: "a column's name")
            case "range": range = reader.text(entry.value, place, expected: "a column's name")
            case "keep": keep = reader.duration(entry.value, place).map { ($0, entry.keyRange) }
            default: reader.unknown(entry, of: "table of \(what)", known: ["key", "range", "keep"])
            }
        }
        guard let key else {
            if reader.diagnostics.isEmpty {
                reader.report(
                    "missing-key", "the table of \(what) has no key",
                    hint: "name the column that a row is about: key: deviceId",
                    at: kind.keyRange)
            }
            return nil
        }
        if let keep, range == nil {
            reader.report(
                "bad-value", "keep of \(what) needs a range column, whose time tells a row's age",
                hint: "add range: time", at: keep.range)
        }
        return TableSettings(key: key, range: range, keep: keep?.value)
    }

    /// Looks up the names that settings refer to, once all of them are known.
    private mutating func resolveNames() {
        let names = streams.map(\.name)
        func spelling(_ name: String) -> String? { names.first { $0.lowercased() == name.lowercased() } }
        func hint(_ name: String) -> String {
            nearestName(to: name, in: names).map { "did you mean '\($0)'?" }
                ?? "streams: \(names.isEmpty ? "none" : names.joined(separator: ", "))"
        }
        if let wanted = telemetry {
            if let found = spelling(wanted.name) {
                telemetry?.name = found
            } else {
                reader.report(
                    "unknown-stream", "telemetry names the stream '\(wanted.name)', which does not exist",
                    hint: hint(wanted.name), at: wanted.range)
            }
        }
        for target in streamTargets {
            if let found = spelling(target.stream) {
                for index in outputs.indices where outputs[index].name == target.output {
                    outputs[index].kind = .stream(found)
                }
            } else {
                reader.report(
                    "unknown-stream",
                    "output '\(target.output)' goes to the stream '\(target.stream)', which does not exist",
                    hint: hint(target.stream), at: target.range)
            }
        }
        if streams.isEmpty, reader.diagnostics.isEmpty {
            reader.report(
                "missing-streams", "the project has no streams", hint: "add a line such as: streams: { telemetry: {} }",
                at: SourceRange(0, 0))
        }
    }
}
