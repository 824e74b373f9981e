import OgawaCore
import OgawaLog
import OgawaServer
import OgawaStore
import Synchronization

// What the server asks of an instance: readiness, names, rows, and the reports behind /status, /devices and /rejections.

extension Instance: ServerBackend {
    package var backend: any ServerBackend { self }

    package var isReady: Bool { state.withLock { $0.core != nil } }

    package var liveNames: [String] {
        guard let core = state.withLock({ $0.core }) else { return [] }
        var names: [String] = []
        for output in core.outputs.outputs where !names.contains(output.name) { names.append(output.name) }
        return names
    }

    package var tableNames: [String] {
        guard let core = state.withLock({ $0.core }) else { return [] }
        return core.outputs.outputs.compactMap { output in
            if case .table = output.target { output.name } else { nil }
        }
    }

    package func query(table name: String, _ query: TableQuery) throws -> TableRows {
        let output = state.withLock { $0.core }?.outputs.output(name)
        guard let output, case .table(let table) = output.target else {
            throw ProjectError(code: "unknown-table", message: "the table \(name) does not exist")
        }
        return try table.query(query)
    }

    package func devices(limit: Int) -> [DeviceReport] { tracker.devices(limit: limit) }

    package func rejections(limit: Int) -> RejectionsReport { rejections.newest(limit) }

    package func status() -> StatusReport {
        let now = clock.now()
        return state.withLock { state in
            let core = state.core
            let meter = state.meter
            return StatusReport(
                name: state.project.name, startedAt: startedAt.description,
                uptimeSeconds: now.duration(since: startedAt).inSeconds, now: now.description,
                version: OgawaVersion.text,
                listen: state.endpoints.map { ListenReport(http: $0.http, mqtt: $0.mqtt) },
                streams: core?.log.streams.map { $0.report(meter) } ?? [],
                functions: functionReports(state, now),
                outputs: core?.outputs.outputs.compactMap { $0.report(core?.outputs, meter) } ?? [],
                rejected: rejections.total,
                connections: ConnectionsReport(
                    http: core?.http.connectionCount ?? 0, mqtt: core?.mqtt.connectionCount ?? 0,
                    live: feed.subscriberCount))
        }
    }
}

extension Instance {
    /// The running functions, then those that have never compiled.
    private func functionReports(_ state: borrowing State, _ now: Timestamp) -> [FunctionReport] {
        let (services, meter, problems) = (state.services, state.meter, state.problems)
        let running = services.map { service in
            service.report(
                now: now, eventsPerSecond: meter.rate("function " + service.name),
                problem: problems[service.name]?.reason)
        }
        let names = Set(running.map(\.name))
        let broken = problems.filter { !names.contains($0.key) }.sorted { $0.key < $1.key }
        return running
            + broken.map { name, problem in
                FunctionReport(
                    name: name, file: problem.file, state: "failed", inputs: [], outputs: [],
                    lastError: problem.reason)
            }
    }
}

/// The product.
package enum OgawaVersion {
    /// The version that `ogawa --version` and the status tell.
    package static let text = "0.1.0"
}

extension OutputRegistry.Output {
    fileprivate func report(_ registry: OutputRegistry?, _ meter: RateMeter) -> OutputReport? {
        let rows = registry?.rowCount(name) ?? 0
        let rate = meter.rate("output " + name)
        switch target {
        case .table(let table):
            let configuration = table.configuration
            return OutputReport(
                name: name, kind: "table", rows: table.rowCount, rowsPerSecond: rate, columns: table.columns,
                key: configuration.key, range: configuration.range)
        case .stream(let stream, let keyField):
            // A stream that no function writes is an input only.
            if stream.name == name, rows == 0 { return nil }
            return OutputReport(name: name, kind: "stream", rows: rows, rowsPerSecond: rate, columns: [], key: keyField)
        }
    }
}

extension LogStream {
    /// Events appended since the stream began.
    var eventCount: Int64 { partitions.reduce(0) { $0 + $1.nextOffset.rawValue } }

    fileprivate func report(_ meter: RateMeter) -> StreamReport {
        StreamReport(
            name: name, partitions: partitions.count, events: Int(clamping: eventCount),
            bytes: partitions.reduce(0) { $0 + $1.byteCount }, eventsPerSecond: meter.rate("stream " + name),
            firstOffset: partitions.map(\.firstOffset.rawValue), nextOffset: partitions.map(\.nextOffset.rawValue))
    }
}
