import OgawaCore
import OgawaEngine
import OgawaJSON

/// What came of one case.
package struct CaseResult: Sendable {
    package var name: String
    /// Empty where the case passed.
    package var differences: [String]

    package var hasPassed: Bool { differences.isEmpty }
}

/// Runs test cases through the engine that serves live functions, with time taken from the events.
package enum CaseRun {
    /// Runs one case.
    ///
    /// - Parameter batchSize: events a batch; results do not depend on it.
    package static func run(_ file: CaseFile, batchSize: Int = 1024) -> CaseResult {
        do {
            let rows = try rows(of: file, batchSize: batchSize)
            return CaseResult(name: file.name, differences: file.differences(actual: rows))
        } catch {
            if case .error = file.expect, !isMissingFeature(error) {
                return CaseResult(name: file.name, differences: [])
            }
            let lines = String(describing: error).split(separator: "\n", omittingEmptySubsequences: false)
            return CaseResult(name: file.name, differences: lines.map(String.init))
        }
    }

    /// Whether the query only fails because the language is not complete yet, which proves nothing about an expected error.
    private static func isMissingFeature(_ error: any Error) -> Bool {
        let isMissing = { (code: String) in code == "not-supported-yet" }
        if let list = error as? DiagnosticList { return list.diagnostics.allSatisfy { isMissing($0.code) } }
        return (error as? ProjectError).map { isMissing($0.code) } ?? false
    }

    /// The rows of each output as JSON lines.
    package static func rows(of file: CaseFile, batchSize: Int) throws -> [String: [String]] {
        if let reference = file.reference.first {
            throw ProjectError(
                code: "not-supported-yet", message: "reference data (\(reference.name)) is not there yet")
        }
        let policy = OrderingPolicy(
            late: file.lateArrival ?? .seconds(5), outOfOrder: file.outOfOrder ?? .zero,
            action: file.action == .drop ? .drop : .adjust)
        let names = file.inputs.map(\.name)
        let policies = Dictionary(names.map { ($0, policy) }, uniquingKeysWith: { first, _ in first })
        let query = try QueryRun(file.query, inputs: names, policies: policies)
        let inputs = file.inputs.map { (name: $0.name, input: CaseEvents($0.events, batchSize: batchSize)) }
        let collected = RowCollector()
        _ = try query.run(inputs) { output, rows in collected.add(rows, to: output) }
        return collected.rows
    }
}

/// Rows as JSON lines by output.
private final class RowCollector {
    private(set) var rows: [String: [String]] = [:]
    private let encoder = RowEncoder()

    func add(_ batch: RowBatch, to output: String) {
        encoder.clear()
        let lines = encoder.encode(batch)
        for line in lines {
            rows[output, default: []].append(
                String(decoding: UnsafeBufferPointer(rebasing: encoder.bytes[line.range]), as: UTF8.self))
        }
    }
}

/// The events of a case in batches.
private final class CaseEvents: QueryInput {
    private let events: [CaseEvent]
    private let batchSize: Int
    private var index = 0

    init(_ events: [CaseEvent], batchSize: Int) {
        self.events = events
        self.batchSize = max(1, batchSize)
    }

    var progress: Double { events.isEmpty ? 1 : Double(index) / Double(events.count) }

    func next() throws -> EventBatch? {
        guard index < events.count else { return nil }
        var pending = PendingEvents()
        var batch = EventBatch(firstOffset: Offset(rawValue: Int64(index)))
        for event in events[index...].prefix(batchSize) {
            pending.append(key: "", body: event.json, properties: event.metadata ?? "")
            batch.enqueuedTimes.append(event.arrival?.ticks ?? Pipeline.arrivesAtOwnTime)
            index += 1
        }
        batch.bytes = pending.bytes + Array(repeating: 0, count: EventBatch.paddingByteCount)
        batch.keys = pending.keys
        batch.bodies = pending.bodies
        batch.properties = pending.properties
        batch.lastEnqueuedTime = Timestamp(ticks: batch.enqueuedTimes.last ?? 0)
        return batch
    }
}
