import OgawaCore
import OgawaJSON
import OgawaSQL

/// The first stage: events to columns on one timeline per partition, then in order of time.
///
/// With one partition and no out-of-order tolerance rows pass at once; otherwise they wait in a ``ReorderBuffer`` until the watermark, of
/// several partitions the least one, has passed them.
final class EventSource: Operator {
    private let plan: SourcePlan
    private let decoder: BodyDecoder
    private let bodyColumns: [Int]
    private let batch: ColumnBatch
    private let timestamp: ExpressionNode?
    private let context: EvaluationContext
    private let selector: RowSelector
    private var timelines: [Timeline]
    private let buffer: ReorderBuffer?
    private let isMerging: Bool
    private let findings: FindingCollector
    private var problems: [UInt8] = []
    private var rows: [Int32] = []
    private var times: [Int64] = []
    private var released = Int64.min

    /// The heap of the batches given out.
    var heap: TextHeap { buffer?.heap ?? batch.heap }

    init(
        _ plan: SourcePlan, partitionCount: Int, configuration: Pipeline.Configuration, findings: FindingCollector
    ) throws {
        self.plan = plan
        self.findings = findings
        var paths: [[String]] = []
        var bodyColumns: [Int] = []
        for (index, field) in plan.fields.enumerated() {
            if case .body(let path) = field {
                paths.append(path)
                bodyColumns.append(index)
            }
        }
        self.bodyColumns = bodyColumns
        decoder = BodyDecoder(paths: paths, readsAll: configuration.readsWholeBodies)
        let heap = TextHeap(capacity: 65_536)
        batch = ColumnBatch(columns: plan.fields.map { _ in Column(heap: heap) }, heap: heap)
        timestamp = try plan.timestamp.map(ExpressionCompiler(heap: heap).node)
        context = EvaluationContext(heap: heap)
        selector = RowSelector(columnCount: plan.fields.count, heap: heap)
        timelines = Array(repeating: Timeline(configuration.policy), count: partitionCount)
        isMerging = partitionCount > 1
        // Without TIMESTAMP BY the ordering policies do not apply: enqueued times are in order already.
        let isSorting = isMerging || (plan.timestamp != nil && configuration.policy.outOfOrder > .zero)
        buffer = isSorting ? ReorderBuffer(columnCount: plan.fields.count) : nil
    }

    /// The time that every partition has passed.
    var watermark: Int64 { timelines.map(\.watermark).min() ?? .min }

    override var earliestOpenEnd: Int64? {
        let waiting = buffer.flatMap { $0.count > 0 ? watermark : nil }
        return [waiting, super.earliestOpenEnd].compactMap { $0 }.min()
    }

    func process(events: EventBatch) throws {
        let partition = isMerging ? events.partition.index : 0
        precondition(partition < timelines.count, "EventSource: unknown partition")
        if events.count == 0 {
            timelines[partition].reach(events.lastEnqueuedTime.ticks)
        } else {
            decode(events)
            stamp(events, partition)
            let kept = rows.count == events.count ? batch : selector.select(rows, of: batch)
            kept.times = times
            if let buffer { buffer.append(kept, partition: events.partition) } else { try emit(kept) }
        }
        try pass(watermark, isInclusive: !isMerging)
    }

    /// The end of the input: everything that waits goes out and every window closes.
    func finish() throws { try pass(.max, isInclusive: true) }

    private func pass(_ time: Int64, isInclusive: Bool) throws {
        guard time > released else { return }
        released = time
        if let buffer { try emit(buffer.release(upTo: time, isInclusive: isInclusive)) }
        try advance(to: time)
    }

    private func decode(_ events: EventBatch) {
        batch.heap.count = 0
        // The batch's times are set only after the policy; selection copies them, so they need their length now.
        batch.times = events.enqueuedTimes
        events.bytes.withUnsafeBufferPointer { bytes in
            events.bodies.withUnsafeBufferPointer { bodies in
                _ = decoder.decode(
                    bytes: bytes, bodies: bodies, into: bodyColumns.map { batch.columns[$0] }, heap: batch.heap,
                    problems: &problems)
            }
            for (index, field) in plan.fields.enumerated() { fill(batch.columns[index], field, events, bytes) }
        }
    }

    private func fill(
        _ column: Column, _ field: SourceField, _ events: EventBatch, _ bytes: UnsafeBufferPointer<UInt8>
    ) {
        if case .body = field { return }
        column.finish(count: 0, tagSet: [])
        for row in 0..<events.count {
            switch field {
            case .body: return
            case .key:
                let key = UnsafeBufferPointer(rebasing: bytes[events.keys[row].range])
                column.append(.text, key.baseAddress.map { batch.heap.append($0, count: key.count) } ?? 0)
            case .partition: column.append(.bigint, UInt64(UInt32(bitPattern: events.partition.rawValue)))
            case .offset:
                column.append(.bigint, UInt64(bitPattern: events.firstOffset.advanced(by: row).rawValue))
            case .enqueuedTime: column.append(.datetime, UInt64(bitPattern: events.enqueuedTimes[row]))
            case .property(let path):
                let object = UnsafeBufferPointer(rebasing: bytes[events.properties[row].range])
                let found = findMember(in: object, path: path, heap: batch.heap)
                column.append(found.tag, found.value)
            }
        }
    }

    /// Decides each event's time; fills `rows` and `times` with those that stay.
    private func stamp(_ events: EventBatch, _ partition: Int) {
        rows.removeAll(keepingCapacity: true)
        times.removeAll(keepingCapacity: true)
        let stamps = timestamp?.evaluate(batch, context, active: nil)
        let failures = context.takeFailures()
        for row in 0..<events.count {
            if problems[row] != 0 {
                let problem = BodyDecoder.Problem(rawValue: problems[row]) ?? .malformed
                findings.drop(.undecodable, events, row) { problem.reason }
                continue
            }
            guard let stamps else {
                timelines[partition].arrive(events.enqueuedTimes[row])
                keep(row, events.enqueuedTimes[row])
                continue
            }
            guard let eventTime = ticks(stamps, row) else {
                findings.drop(.undecodable, events, row) {
                    failures.first { $0.row == row }?.error.message
                        ?? "TIMESTAMP BY needs a datetime or ISO 8601 text, found \(stamps.describe(row))"
                }
                continue
            }
            judge(eventTime, row, events, partition)
        }
    }

    @inline(__always)
    private func ticks(_ stamps: Operand, _ row: Int) -> Int64? {
        switch stamps.tag(row) {
        case .datetime: Int64(bitPattern: stamps.bits(row))
        case .text: Timestamp(iso8601: UnsafeRawBufferPointer(stamps.column.heap.bytes(stamps.bits(row))))?.ticks
        default: nil
        }
    }

    private func judge(_ eventTime: Int64, _ row: Int, _ events: EventBatch, _ partition: Int) {
        let enqueued = events.enqueuedTimes[row]
        let arrival = enqueued == EventSource.arrivesAtOwnTime ? eventTime : enqueued
        func distance(_ kind: Finding.Kind) -> String {
            let isBehindOthers = kind == .outOfOrder
            let limit = isBehindOthers ? timelines[partition].watermark : arrival
            let seconds = Timestamp(ticks: eventTime).duration(since: Timestamp(ticks: limit)).inSeconds
            let shown = formatNumber((seconds.magnitude * 1000).rounded() / 1000)
            let relation = (seconds < 0 ? "behind " : "ahead of ") + (isBehindOthers ? "the watermark" : "its arrival")
            return "event time \(Timestamp(ticks: eventTime)) is \(shown) s \(relation)"
        }
        switch timelines[partition].judge(eventTime, arrival: arrival) {
        case .keep(let time): keep(row, time)
        case .adjust(let time, let kind):
            findings.adjust(kind, events, row) { "\(distance(kind)); adjusted to \(Timestamp(ticks: time))" }
            keep(row, time)
        case .drop(let kind): findings.drop(kind, events, row) { "\(distance(kind)); dropped" }
        }
    }

    @inline(__always)
    private func keep(_ row: Int, _ time: Int64) {
        rows.append(Int32(truncatingIfNeeded: row))
        times.append(time)
    }

    /// In place of an enqueued time: the event arrived exactly at its own event time (file input).
    static let arrivesAtOwnTime = Int64.min
}

/// Counts what did not go the usual way and passes on a few examples of each batch.
final class FindingCollector {
    private(set) var counts = FindingCounts()
    private let report: (Finding) -> Void
    private var examplesLeft = 0
    private static let examplesPerBatch = 16

    init(report: @escaping (Finding) -> Void) { self.report = report }

    /// Allows new examples.
    func startBatch() { examplesLeft = FindingCollector.examplesPerBatch }

    func drop(_ kind: Finding.Kind, _ events: EventBatch, _ row: Int, _ reason: () -> String) {
        counts.dropped += 1
        note(kind, events, row, reason)
    }

    func adjust(_ kind: Finding.Kind, _ events: EventBatch, _ row: Int, _ reason: () -> String) {
        note(kind, events, row, reason)
    }

    func fail(_ error: EngineError) {
        counts.errors += 1
        counts.dropped += 1
        guard examplesLeft > 0 else { return }
        examplesLeft -= 1
        report(Finding(kind: .error, key: "", reason: error.message))
    }

    private func note(_ kind: Finding.Kind, _ events: EventBatch, _ row: Int, _ reason: () -> String) {
        switch kind {
        case .late: counts.late += 1
        case .early: counts.early += 1
        case .outOfOrder: counts.outOfOrder += 1
        case .undecodable: counts.undecodable += 1
        case .error: counts.errors += 1
        }
        guard examplesLeft > 0 else { return }
        examplesLeft -= 1
        report(Finding(kind: kind, key: events.key(at: row), reason: reason()))
    }
}
