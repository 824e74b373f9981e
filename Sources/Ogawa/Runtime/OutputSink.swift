import OgawaCore
import OgawaEngine
import OgawaHost
import OgawaJSON
import OgawaLog
import OgawaPlatform
import OgawaServer
import OgawaStore
import Synchronization

// Where a statement's rows go. A sink stores rows and progress together, and after a restart tells how far it got: rows up to there are
// computed again (the function needs its state) and not written again. A sink with several parts that commit apart, such as
// the partitions of a stream, keeps the progress of each.

/// Takes the rows of one statement of one runner, together with the runner's progress.
///
/// **Isolation.** Called by one runner's thread; may block on the disk.
protocol OutputSink: AnyObject {
    /// The progress of each part as last stored; nil for a part that has stored nothing.
    func storedProgress(partitionCount: Int) throws -> [Progress?]

    /// Stores rows and progress durably enough that a restart finds both or neither.
    ///
    /// - Parameter isSuppressed: per part, whether its rows of this step are stored already.
    /// - Returns: per part, whether it has stored the progress now.
    func write(_ rows: RowBatch, progress: Progress, isSuppressed: [Bool]) throws -> [Bool]

    /// The same for rows that are bodies of events, as functions in other languages give them.
    func write(_ rows: OutputRows, progress: Progress, isSuppressed: [Bool]) throws -> [Bool]
}

/// Rows into a table, in one transaction with the progress.
final class TableSink: OutputSink {
    private let table: Table
    private let producer: String
    private let report: (String) -> Void

    init(table: Table, producer: String, report: @escaping (String) -> Void) {
        self.table = table
        self.producer = producer
        self.report = report
    }

    func storedProgress(partitionCount: Int) throws -> [Progress?] {
        [try table.progress(of: producer).flatMap { Progress($0, partitionCount: partitionCount) }]
    }

    func write(_ rows: RowBatch, progress: Progress, isSuppressed: [Bool]) throws -> [Bool] {
        if isSuppressed[0] { return [false] }
        let written = try table.write(rows, producer: producer, progress: progress.bytes)
        for refusal in written.refusals { report(refusal.message) }
        return [true]
    }

    func write(_ rows: OutputRows, progress: Progress, isSuppressed: [Bool]) throws -> [Bool] {
        try write(rows.batch, progress: progress, isSuppressed: isSuppressed)
    }
}

/// Rows into a stream of the log, as events keyed by the stream's key field.
///
/// Each partition's rows and progress are one record batch of the log. A row without the key field goes to the partition of the empty key.
final class StreamSink: OutputSink {
    private let stream: LogStream
    private let keyField: String
    private let producer: String
    private let encoder = RowEncoder()

    init(stream: LogStream, keyField: String, producer: String) {
        self.stream = stream
        self.keyField = keyField
        self.producer = producer
    }

    func storedProgress(partitionCount: Int) throws -> [Progress?] {
        stream.partitions.map { partition in
            partition.lastProducerState(producer).flatMap { Progress($0, partitionCount: partitionCount) }
        }
    }

    func write(_ rows: RowBatch, progress: Progress, isSuppressed: [Bool]) throws -> [Bool] {
        encoder.clear()
        let lines = encoder.encode(rows)
        let keys = RowKeys(rows, column: keyField)
        var pending = stream.partitions.map { _ in PendingEvents() }
        for (row, line) in lines.enumerated() {
            let body = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(encoder.bytes)[line.range])
            keys.withKey(of: row) { key in
                let partition = OgawaCore.partition(forKey: key, count: pending.count).index
                if !isSuppressed[partition] { pending[partition].append(key: key, body: body) }
            }
        }
        let state = ProducerState(producer: producer, state: progress.bytes)
        try appendAndWait(pending, state)
        return pending.map { !$0.isEmpty }
    }

    func write(_ rows: OutputRows, progress: Progress, isSuppressed: [Bool]) throws -> [Bool] {
        let keys = RowKeys(rows.batch, column: keyField)
        var pending = stream.partitions.map { _ in PendingEvents() }
        for (index, row) in rows.rows.enumerated() {
            func append(_ key: UnsafeRawBufferPointer) {
                let partition = OgawaCore.partition(forKey: key, count: pending.count).index
                guard !isSuppressed[partition] else { return }
                let properties = (index < rows.properties.count ? rows.properties[index] : nil) ?? ""
                pending[partition].append(
                    key: String(decoding: key, as: UTF8.self),
                    body: String(decoding: rows.bytes[row.range], as: UTF8.self), properties: properties)
            }
            if index < rows.keys.count, var chosen = rows.keys[index] {
                chosen.withUTF8 { append(UnsafeRawBufferPointer($0)) }
            } else {
                keys.withKey(of: index) { append($0) }
            }
        }
        let state = ProducerState(producer: producer, state: progress.bytes)
        try appendAndWait(pending, state)
        return pending.map { !$0.isEmpty }
    }

    /// Appends to all partitions at once and waits until every batch is durable.
    private func appendAndWait(_ pending: [PendingEvents], _ state: ProducerState) throws {
        let waiting = PendingAppends()
        for (partition, events) in zip(stream.partitions, pending) where !events.isEmpty {
            waiting.begin()
            partition.append(events, producer: state) { waiting.end($0) }
        }
        try waiting.wait()
    }
}

/// Counts appends that are under way and keeps the first failure.
private final class PendingAppends: Sendable {
    private struct State {
        var count = 0
        var failure: LogError?
    }

    private let state = Mutex(State())
    private let bell = Bell()

    func begin() { state.withLock { $0.count += 1 } }

    func end(_ result: Result<AppendReceipt, LogError>) {
        state.withLock { state in
            state.count -= 1
            if case .failure(let error) = result, state.failure == nil { state.failure = error }
        }
        bell.ring()
    }

    func wait() throws {
        while true {
            let (isDone, failure) = state.withLock { ($0.count == 0, $0.failure) }
            if isDone {
                if let failure { throw failure }
                return
            }
            bell.wait()
        }
    }
}

/// The key of each row, as text, from a named column.
struct RowKeys {
    private let column: Column?
    private let spread: Column?
    private let name: String

    init(_ rows: RowBatch, column name: String) {
        self.name = name
        column = rows.column(named: name)
        // SELECT *: the key is a member of the spread record.
        let index = column == nil ? rows.items.firstIndex { if case .spread = $0 { true } else { false } } : nil
        spread = index.map { rows.columns[$0] }
    }

    /// Gives the key's UTF-8 bytes; none where the row has no such value.
    func withKey<Result>(of row: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        if let column { return withText(column, tag: column.tag(at: row), bits: column.values[row], body) }
        guard let spread, spread.tag(at: row) == .record else {
            return body(UnsafeRawBufferPointer(start: nil, count: 0))
        }
        let heap = TextHeap(capacity: 256)
        let found = findMember(in: spread.heap.bytes(spread.values[row]), path: [name], heap: heap)
        let single = Column(heap: heap)
        single.append(found.tag, found.value)
        return withText(single, tag: found.tag, bits: found.value, body)
    }

    private func withText<Result>(
        _ column: Column, tag: ValueTag, bits: UInt64, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        switch tag {
        case .text: return body(UnsafeRawBufferPointer(column.heap.bytes(bits)))
        case .null: return body(UnsafeRawBufferPointer(start: nil, count: 0))
        case .bigint:
            var text = String(Int64(bitPattern: bits))
            return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
        case .float:
            var text = formatNumber(Double(bitPattern: bits))
            return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
        default:
            var text = column.heap.string(bits)
            if tag == .datetime { text = Timestamp(ticks: Int64(bitPattern: bits)).description }
            if tag == .bit { text = bits != 0 ? "true" : "false" }
            return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
        }
    }
}
