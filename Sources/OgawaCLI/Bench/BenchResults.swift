import Ogawa
import OgawaCore

/// Throughput by HTTP, next to the disk.
struct HTTPResult: Sendable {
    var name: String
    var eventsPerSecond = 0.0
    var bytesPerSecond = 0.0
    /// Processor seconds of the server for a million events, until all of them were acknowledged.
    var ingestCPU: Double?
    /// The same until the function had written all rows.
    var totalCPU: Double?
    var acknowledged = LatencyFigures()
    var pushedBackCount = 0
    /// Rows a second from the first event to the last row; nil without a function.
    var rowsPerSecond: Double?
    /// `dd conv=fdatasync` right before and right after, in bytes a second.
    var disk: (before: Double, after: Double) = (0, 0)

    /// The share of the disk's own durable rate, of the better of the two runs of dd.
    var diskShare: Double { bytesPerSecond / max(1, max(disk.before, disk.after)) }

    var json: JSONValue {
        func value(_ number: Double?) -> JSONValue { number.map { .float($0) } ?? .null }
        return .object([
            JSONMember("name", .string(name)), JSONMember("eventsPerSecond", .float(eventsPerSecond)),
            JSONMember("megabytesPerSecond", .float(bytesPerSecond / 1e6)),
            JSONMember("ingestCPUSecondsPerMillion", value(ingestCPU)),
            JSONMember("totalCPUSecondsPerMillion", value(totalCPU)),
            JSONMember("rowsPerSecond", value(rowsPerSecond)), JSONMember("acknowledged", acknowledged.json),
            JSONMember("pushedBack", .integer(Int64(pushedBackCount))),
            JSONMember("ddBeforeMegabytesPerSecond", .float(disk.before / 1e6)),
            JSONMember("ddAfterMegabytesPerSecond", .float(disk.after / 1e6)),
            JSONMember("shareOfDisk", .float(diskShare)),
        ])
    }
}

/// Throughput by MQTT QoS 1 of one server.
struct MQTTResult: Sendable {
    var name: String
    var messagesPerSecond = 0.0
    var bytesPerSecond = 0.0
    /// Processor seconds of the server for a million messages.
    var cpu: Double?

    var json: JSONValue {
        .object([
            JSONMember("name", .string(name)), JSONMember("messagesPerSecond", .float(messagesPerSecond)),
            JSONMember("megabytesPerSecond", .float(bytesPerSecond / 1e6)),
            JSONMember("cpuSecondsPerMillion", cpu.map { .float($0) } ?? .null),
        ])
    }
}

/// Everything that a bench measured; nil is what it was not asked for.
struct BenchResults: Sendable {
    var machine = MachineFigures()
    var http: [HTTPResult]?
    var mqtt: [MQTTResult]?
    var latency: [LatencyResult]?
    var start: StartResult?
    var sql: JSONValue?

    var json: JSONValue {
        var members = [JSONMember("version", .string(OgawaVersion.text)), JSONMember("machine", machine.json)]
        if let http { members.append(JSONMember("http", .array(http.map(\.json)))) }
        if let mqtt { members.append(JSONMember("mqtt", .array(mqtt.map(\.json)))) }
        if let latency { members.append(JSONMember("latency", .array(latency.map(\.json)))) }
        if let start { members.append(JSONMember("start", start.json)) }
        if let sql { members.append(JSONMember("sql", sql)) }
        return .object(members)
    }
}

// MARK: - For people

extension BenchResults {
    /// The figures as tables, one after the other.
    func lines(width: Int) -> [String] {
        var lines = [
            "\(machine.processor), \(machine.coreCount) cores, \(Figure.bytes(machine.memoryByteCount)), Linux \(machine.kernel)"
                + ", load \(Figure.fixed(machine.loadAverage, 2)) before"
        ]
        func table(_ title: String, _ rows: [(String, String)]) {
            lines += ["", title]
            var table = TableWriter(width: width) { lines.append($0) }
            for (name, value) in rows {
                table.add([JSONMember("figure", .string(name)), JSONMember("value", .string(value))])
            }
            table.finish()
        }
        for result in http ?? [] { table("HTTP, NDJSON in batches of 500, durable: \(result.name)", result.rows) }
        if let mqtt { table("MQTT, QoS 1, 100 connections", BenchResults.rows(mqtt)) }
        for result in latency ?? [] {
            table(
                "Latency at \(Figure.grouped(Int64(result.rate))) events/s, MQTT QoS 1, from the scheduled time: p50 / p99 / p99.9",
                result.rows)
        }
        if let start { table("Start and rest", start.rows) }
        return lines
    }

    private static func rows(_ results: [MQTTResult]) -> [(String, String)] {
        var rows: [(String, String)] = []
        for result in results {
            rows.append((result.name, "\(Figure.fixed(result.messagesPerSecond, 0)) messages/s"))
            if let cpu = result.cpu { rows.append(("  processor", "\(Figure.fixed(cpu)) s per million messages")) }
        }
        if results.count > 1 {
            let ratio = results[0].messagesPerSecond / max(1, results[1].messagesPerSecond)
            rows.append(("\(results[0].name) to \(results[1].name)", "\(Figure.fixed(ratio, 2)) ×"))
        }
        return rows
    }
}

extension HTTPResult {
    fileprivate var rows: [(String, String)] {
        var rows = [
            ("events acknowledged", "\(Figure.fixed(eventsPerSecond, 0)) events/s"),
            ("bytes acknowledged", "\(Figure.fixed(bytesPerSecond / 1e6)) MB/s"),
            (
                "dd conv=fdatasync, before and after",
                "\(Figure.fixed(disk.before / 1e6, 0)) and \(Figure.fixed(disk.after / 1e6, 0)) MB/s"
            ),
            ("share of dd", "\(Figure.fixed(diskShare * 100)) %"),
            ("answer to a batch, p50 / p99 / p99.9", acknowledged.text),
        ]
        if let ingestCPU {
            rows.append(("processor while sending", "\(Figure.fixed(ingestCPU, 2)) s per million events"))
        }
        if let rowsPerSecond { rows.append(("rows computed and stored", "\(Figure.fixed(rowsPerSecond, 0)) rows/s")) }
        if let totalCPU, rowsPerSecond != nil {
            rows.append(("processor until the last row", "\(Figure.fixed(totalCPU, 2)) s per million events"))
        }
        if pushedBackCount > 0 { rows.append(("batches told to come later", Figure.grouped(Int64(pushedBackCount)))) }
        return rows
    }
}

extension LatencyResult {
    fileprivate var rows: [(String, String)] {
        var rows = [
            ("acknowledged, durable", acknowledged.text), ("row stored, asked for by HTTP", stored.text),
            ("row in the live feed", live.text),
        ]
        if missingCount > 0 { rows.append(("never came in the live feed", Figure.grouped(Int64(missingCount)))) }
        return rows
    }
}

extension StartResult {
    fileprivate var rows: [(String, String)] {
        var rows: [(String, String)] = []
        if let medianMilliseconds, let slowest = startMilliseconds.last {
            let text =
                "\(Figure.fixed(medianMilliseconds, 0)) ms (slowest \(Figure.fixed(slowest, 0)) ms of \(startMilliseconds.count))"
            rows.append(("start to first durable event, median", text))
        }
        if let idlePercent { rows.append(("processor when idle", "\(Figure.fixed(idlePercent, 2)) % of a core")) }
        if let idleResidentByteCount { rows.append(("memory when idle", Figure.bytes(idleResidentByteCount))) }
        if let demoResidentByteCount { rows.append(("memory of the demo, peak", Figure.bytes(demoResidentByteCount))) }
        return rows
    }
}
