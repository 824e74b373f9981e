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
    private let declared: DeclaredTypes
    private let batch: ColumnBatch
    private let timestamp: ExpressionNode?
    private let context: EvaluationContext
    private let selector: RowSelector
    private var timelines: [Timeline]
    private let buffer: ReorderBuffer?
    private let substreams: Substreams?
    private let isMerging: Bool
    private let findings: FindingCollector
    /// Takes the events that miss the timeline; nil where they are adjusted or dropped.
    let late: LateOutlet?
    private var problems: [UInt8] = []
    private var problemCount = 0
    private var reader = ISO8601Reader()
    private let stopsAtDisorder: Bool
    private var hasDisorder = false
    private var rows: [Int32] = []
    private var times: [Int64] = []
    private var released = Int64.min

    /// The heap of the batches given out.
    var heap: TextHeap { substreams?.heap ?? buffer?.heap ?? batch.heap }

    init(
        _ plan: SourcePlan, input: Pipeline.Configuration.Input, readsWholeBodies: Bool,
        findings: FindingCollector,
        lanes: KeyInterner
    ) throws {
        self.plan = plan
        self.findings = findings
        late = plan.divertsLate ? LateOutlet(body: plan.fields.firstIndex(of: .body(path: [])) ?? 0) : nil
        declared = DeclaredTypes(plan.declaredTypes)
        var paths: [[String]] = []
        var bodyColumns: [Int] = []
        for (index, field) in plan.fields.enumerated() {
            if case .body(let path) = field {
                paths.append(path)
                bodyColumns.append(index)
            }
        }
        self.bodyColumns = bodyColumns
        decoder = BodyDecoder(paths: paths, readsAll: readsWholeBodies)
        let heap = TextHeap(capacity: 65_536)
        batch = ColumnBatch(columns: plan.fields.map { _ in Column(heap: heap) }, heap: heap)
        timestamp = try plan.timestamp.map(ExpressionCompiler(heap: heap).node)
        context = EvaluationContext(heap: heap)
        selector = RowSelector(columnCount: plan.fields.count, heap: heap)
        timelines = Array(repeating: Timeline(input.policy), count: input.partitionCount)
        isMerging = input.partitionCount > 1
        stopsAtDisorder = input.policy.requiresOrder
        // Without TIMESTAMP BY the ordering policies do not apply: enqueued times are in order already.
        let isSorting = isMerging || (plan.timestamp != nil && input.policy.outOfOrder > .zero)
        buffer = isSorting && plan.substreamKeys.isEmpty ? ReorderBuffer(columnCount: plan.fields.count) : nil
        guard !plan.substreamKeys.isEmpty else {
            substreams = nil
            return
        }
        substreams = Substreams(
            keys: try plan.substreamKeys.map(ExpressionCompiler(heap: heap).node), interner: lanes,
            policy: input.policy, columnCount: plan.fields.count, partitionCount: input.partitionCount)
    }

    /// The time that every partition has passed.
    var watermark: Int64 { substreams?.watermark ?? timelines.map(\.watermark).min() ?? .min }

    override var earliestOpenEnd: Int64? {
        let waiting = buffer.flatMap { $0.count > 0 ? watermark : nil }
        return [waiting, substreams?.awaitedTime, super.earliestOpenEnd].compactMap { $0 }.min()
    }

    func process(events: EventBatch) throws {
        let partition = isMerging ? events.partition.index : 0
        precondition(partition < timelines.count, "EventSource: unknown partition")
        if let substreams {
            try process(events, partition, substreams)
            return
        }
        if events.count == 0 {
            timelines[partition].reach(events.lastEnqueuedTime.ticks)
        } else {
            decode(events)
            stamp(events, partition)
            fillOwnArrivals(events)
            if stopsAtDisorder, hasDisorder { throw OutOfOrderInput() }
            let kept = times.count == events.count ? batch : selector.select(rows, of: batch)
            kept.times = times
            if let buffer { buffer.append(kept, partition: events.partition) } else { try emit(kept) }
        }
        try late?.flush()
        try pass(watermark, isInclusive: !isMerging)
    }

    private func process(_ events: EventBatch, _ partition: Int, _ substreams: Substreams) throws {
        guard events.count > 0 else {
            return try substreams.reach(
                recorded: events.lastEnqueuedTime.ticks, partition: partition, source: self)
        }
        decode(events)
        substreams.identify(batch, partition: partition, context)
        stamp(events, 0)
        if stopsAtDisorder, hasDisorder { throw OutOfOrderInput() }
        fillOwnArrivals(events)
        let kept = selector.select(rows, of: batch)
        kept.times = times
        kept.lanes = rows.map { substreams.lane(of: Int($0)) }
        try late?.flush()
        try substreams.pass(kept, to: self)
    }

    /// The end of the input: everything that waits goes out and every window closes.
    func finish() throws {
        if let substreams { return try substreams.finish(source: self) }
        try pass(.max, isInclusive: true)
    }

    override func save(to writer: inout StateWriter) {
        writer.write(released)
        writer.write(timelines.map(\.watermark))
        buffer?.save(to: &writer)
        substreams?.save(to: &writer)
    }

    override func restore(from reader: inout StateReader) throws {
        released = try reader.readInt64()
        let watermarks = try reader.readArray(of: Int64.self)
        guard watermarks.count == timelines.count else { throw StateError() }
        for (index, watermark) in watermarks.enumerated() { timelines[index].arrive(watermark) }
        try buffer?.restore(from: &reader)
        try substreams?.restore(from: &reader)
    }

    private func pass(_ time: Int64, isInclusive: Bool) throws {
        guard time > released else { return }
        released = time
        while let buffer, buffer.count > 0 {
            let batch = buffer.release(upTo: time, isInclusive: isInclusive, limit: EventSource.releasedRowCount)
            guard batch.count > 0 else { break }
            try emit(batch)
        }
        try advance(to: time)
    }

    private func decode(_ events: EventBatch) {
        batch.heap.count = 0
        // The batch's times are set only after the policy; selection copies them, so they need their length now.
        batch.times = events.enqueuedTimes
        events.bytes.withUnsafeBufferPointer { bytes in
            events.bodies.withUnsafeBufferPointer { bodies in
                problemCount = decoder.decode(
                    bytes: bytes, bodies: bodies, into: bodyColumns.map { batch.columns[$0] }, heap: batch.heap,
                    problems: &problems)
            }
            for (index, field) in plan.fields.enumerated() { fill(batch.columns[index], field, events, bytes) }
        }
        problemCount += declared.apply(to: batch, count: events.count)
    }

    /// Of events that arrived at their own time, that time is when they were enqueued.
    private func fillOwnArrivals(_ events: EventBatch) {
        for (index, field) in plan.fields.enumerated() {
            guard case .enqueuedTime = field else { continue }
            let column = batch.columns[index]
            for (position, time) in times.enumerated() {
                let row = rows.isEmpty ? position : Int(rows[position])
                if events.enqueuedTimes[row] == EventSource.arrivesAtOwnTime {
                    column.values[row] = UInt64(bitPattern: time)
                }
            }
        }
    }

    private func fill(
        _ column: Column, _ field: SourceField, _ events: EventBatch, _ bytes: UnsafeBufferPointer<UInt8>
    ) {
        if case .body = field { return }
        column.finish(count: 0, tagSet: [])
        if case .property(let path) = field {
            let metadata = EventMetadata(path, input: plan.input)
            for row in 0..<events.count { metadata.append(to: column, events, row, bytes) }
            return
        }
        for row in 0..<events.count {
            switch field {
            case .body, .property: return
            case .key:
                let key = UnsafeBufferPointer(rebasing: bytes[events.keys[row].range])
                column.append(.text, key.baseAddress.map { batch.heap.append($0, count: key.count) } ?? 0)
            case .partition: column.append(.bigint, UInt64(UInt32(bitPattern: events.partition.rawValue)))
            case .offset:
                column.append(.bigint, UInt64(bitPattern: events.firstOffset.advanced(by: row).rawValue))
            case .enqueuedTime: column.append(.datetime, UInt64(bitPattern: events.enqueuedTimes[row]))
            }
        }
    }

    /// Decides each event's time; fills `rows` and `times` with those that stay.
    private func stamp(_ events: EventBatch, _ partition: Int) {
        rows.removeAll(keepingCapacity: true)
        times.removeAll(keepingCapacity: true)
        let stamps = timestamp?.evaluate(batch, context, active: nil)
        let failures = context.takeFailures()
        if let stamps, failures.isEmpty { stampPlain(events, partition, stamps) }
        let plainCount = times.count
        if plainCount == events.count { return }
        for row in 0..<plainCount { rows.append(Int32(truncatingIfNeeded: row)) }
        for row in plainCount..<events.count {
            if problems[row] != 0 {
                let problem = BodyDecoder.Problem(rawValue: problems[row]) ?? .malformed
                findings.drop(.undecodable, events, row) { problem.reason }
                continue
            }
            if let reason = declared.misfit(at: row, in: batch) {
                findings.drop(.undecodable, events, row) { reason }
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

    /// Stamps the first rows, as long as they are as nearly always: sound, with a time of text or datetime, in order and in time.
    private func stampPlain(_ events: EventBatch, _ partition: Int, _ stamps: Operand) {
        let isText = stamps.column.isUniform(.text)
        guard problemCount == 0, substreams == nil, !stamps.isConstant,
            isText || stamps.column.isUniform(.datetime)
        else { return }
        let (values, heap) = (stamps.column.values, stamps.column.heap)
        var (timeline, reader, count) = (timelines[partition], reader, 0)
        times.append(contentsOf: repeatElement(0, count: events.count))
        times.withUnsafeMutableBufferPointer { times in
            events.enqueuedTimes.withUnsafeBufferPointer { arrivals in
                while count < times.count {
                    let bits = values[count]
                    guard let time = isText ? reader.ticks(heap.bytes(bits)) : Int64(bitPattern: bits) else { return }
                    let enqueued = arrivals[count]
                    let arrival = enqueued == EventSource.arrivesAtOwnTime ? time : enqueued
                    guard timeline.isPlain(time, arrival: arrival) else { return }
                    times[count] = time
                    count &+= 1
                }
            }
        }
        times.removeLast(times.count - count)
        (timelines[partition], self.reader) = (timeline, reader)
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
            let watermark = substreams?.watermark(of: row) ?? timelines[partition].watermark
            let limit = isBehindOthers ? watermark : arrival
            let seconds = Timestamp(ticks: eventTime).duration(since: Timestamp(ticks: limit)).inSeconds
            let shown = formatNumber((seconds.magnitude * 1000).rounded() / 1000)
            let relation = (seconds < 0 ? "behind " : "ahead of ") + (isBehindOthers ? "the watermark" : "its arrival")
            return "event time \(Timestamp(ticks: eventTime)) is \(shown) s \(relation)"
        }
        let verdict =
            substreams?.judge(eventTime, arrival: arrival, row: row)
            ?? timelines[partition].judge(eventTime, arrival: arrival)
        if let late, let kind = verdict.finding {
            if kind == .outOfOrder { hasDisorder = true }
            findings.drop(kind, events, row) { "\(distance(kind)); sent to the output for late events" }
            late.take(kind, eventTime: eventTime, arrival: arrival, row: row, of: batch)
            return
        }
        switch verdict {
        case .keep(let time): keep(row, time)
        case .adjust(let time, let kind):
            if kind == .outOfOrder { hasDisorder = true }
            findings.adjust(kind, events, row) { "\(distance(kind)); adjusted to \(Timestamp(ticks: time))" }
            keep(row, time)
        case .drop(let kind):
            if kind == .outOfOrder { hasDisorder = true }
            findings.drop(kind, events, row) { "\(distance(kind)); dropped" }
        }
    }

    @inline(__always)
    private func keep(_ row: Int, _ time: Int64) {
        rows.append(Int32(truncatingIfNeeded: row))
        times.append(time)
    }

    /// Rows that were put in order leave in batches that fit the processor's caches.
    private static let releasedRowCount = 4096

    /// In place of an enqueued time: the event arrived exactly at its own event time (file input).
    static let arrivesAtOwnTime = Int64.min
}

/// An event stands behind a newer one although the input's policy says that none does (``OrderingPolicy/requiresOrder``).
package struct OutOfOrderInput: Error {}

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
