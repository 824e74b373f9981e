import OgawaCore
import OgawaEngine
import OgawaJSON
import OgawaSQL

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
        let policy = OrderingPolicy(
            late: file.lateArrival ?? .seconds(5), outOfOrder: file.outOfOrder ?? .zero,
            action: file.action == .drop ? .drop : .adjust)
        let names = file.inputs.map(\.name)
        let policies = Dictionary(names.map { ($0, policy) }, uniquingKeysWith: { first, _ in first })
        let references = file.reference.map { reference in
            ReferenceTable(name: reference.name, versions: [ReferenceVersion(json: reference.rows)])
        }
        let query = try QueryRun(file.query, inputs: names, references: references, policies: policies)
        let inputs = file.inputs.map { (name: $0.name, input: CaseEvents($0.events, batchSize: batchSize)) }
        let collected = RowCollector()
        _ = try query.run(inputs, emitStatement: { collected.add($1, of: $0) })
        return collected.rows(of: query.program)
    }
}

/// Rows as JSON lines by statement.
private final class RowCollector {
    private var rows: [Int: [(time: Int64, line: String)]] = [:]
    private let encoder = RowEncoder()

    func add(_ batch: RowBatch, of statement: Int) {
        encoder.clear()
        let lines = encoder.encode(batch)
        for (time, line) in zip(batch.times, lines) {
            let text = String(decoding: UnsafeBufferPointer(rebasing: encoder.bytes[line.range]), as: UTF8.self)
            rows[statement, default: []].append((time, text))
        }
    }

    /// The rows of each output; several statements that feed one output give theirs in order of time, then of the statements.
    func rows(of program: Program) -> [String: [String]] {
        var found: [String: [(time: Int64, line: String)]] = [:]
        var feeders: [String: Int] = [:]
        for (index, statement) in program.statements.enumerated() {
            guard let lines = rows[index] else { continue }
            let output = statement.output.lowercased()
            let name = found.keys.first { $0.lowercased() == output } ?? statement.output
            found[name, default: []] += lines
            feeders[name, default: 0] += 1
        }
        return Dictionary(
            uniqueKeysWithValues: found.map { name, lines in
                guard feeders[name, default: 0] > 1 else { return (name, lines.map(\.line)) }
                let order = lines.indices.sorted { (lines[$0].time, $0) < (lines[$1].time, $1) }
                return (name, order.map { lines[$0].line })
            })
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
