import OgawaCore

// UNION: several inputs become one, in order of time. A row goes on when every input has passed its time, so that the order does not depend
// on how the inputs' batches interleave: rows of one time follow each other in order of the inputs, then of arrival.
//
// State: the rows that wait for another input, about 9 bytes a column and their text.

/// Rows that wait, in the order in which they came, which is that of time.
final class RowQueue {
    private(set) var columns: [Column]
    private(set) var times: [Int64] = []
    private(set) var head = 0
    private var rows: [Int32] = []

    init(columnCount: Int) {
        let heap = TextHeap()
        columns = (0..<columnCount).map { _ in Column(heap: heap) }
    }

    /// The time of the first row; nil where none waits.
    var firstTime: Int64? { head < times.count ? times[head] : nil }

    func append(_ batch: ColumnBatch) {
        rows.removeAll(keepingCapacity: true)
        for row in 0..<batch.count { rows.append(Int32(truncatingIfNeeded: row)) }
        rows.withUnsafeBufferPointer { rows in
            for (target, source) in zip(columns, batch.columns) { target.appendCopies(of: source, rows: rows) }
        }
        times.append(contentsOf: batch.times)
    }

    /// Moves rows from the front to the end of a batch.
    func move(_ count: Int, to batch: ColumnBatch) {
        rows.removeAll(keepingCapacity: true)
        for row in head..<head + count { rows.append(Int32(truncatingIfNeeded: row)) }
        rows.withUnsafeBufferPointer { rows in
            for (target, source) in zip(batch.columns, columns) { target.appendCopies(of: source, rows: rows) }
        }
        batch.times.append(contentsOf: times[head..<head + count])
        head += count
    }

    /// Frees the room of rows that are gone, once they are most of it.
    func compact(force: Bool = false) {
        if head == times.count {
            for column in columns { column.finish(count: 0, tagSet: []) }
            columns.first?.heap.count = 0
        } else {
            guard force || (head > 1024 && head * 2 > times.count) else { return }
            rows = (head..<times.count).map { Int32(truncatingIfNeeded: $0) }
            let heap = TextHeap()
            let survivors = columns.map { _ in Column(heap: heap) }
            rows.withUnsafeBufferPointer { rows in
                for (target, source) in zip(survivors, columns) { target.appendCopies(of: source, rows: rows) }
            }
            columns = survivors
        }
        times.removeFirst(head)
        head = 0
    }

    func save(to writer: inout StateWriter) {
        compact(force: true)
        writer.write(times)
        for column in columns { writer.write(column) }
    }

    func restore(from reader: inout StateReader) throws {
        times = try reader.readArray(of: Int64.self)
        head = 0
        for column in columns { try reader.read(into: column) }
        guard columns.allSatisfy({ $0.count == times.count }) else { throw StateError() }
    }
}

/// Takes the rows or times of one of several inputs for the operator behind it.
final class InputPort: Operator {
    private let take: (ColumnBatch) throws -> Void
    private let reach: (Int64) throws -> Void

    init(
        to reader: Operator, process: @escaping (ColumnBatch) throws -> Void,
        advance: @escaping (Int64) throws -> Void
    ) {
        take = process
        reach = advance
        super.init()
        connect(reader)
    }

    override func process(_ batch: ColumnBatch) throws { try take(batch) }

    override func advance(to time: Int64) throws { try reach(time) }
}

/// Brings several inputs into one order of time.
final class MergeInputs: Operator {
    private static let batchRowCount = 4096
    private let queues: [RowQueue]
    private var watermarks: [Int64]
    private var released = Int64.min
    private let output: ColumnBatch

    init(inputCount: Int, columnCount: Int, outputHeap: TextHeap) {
        queues = (0..<inputCount).map { _ in RowQueue(columnCount: columnCount) }
        watermarks = Array(repeating: .min, count: inputCount)
        output = ColumnBatch(columns: (0..<columnCount).map { _ in Column(heap: outputHeap) }, heap: outputHeap)
    }

    /// The operator that takes the rows of an input; the input keeps it, and it does not keep the merge alive twice.
    func input(_ index: Int) -> Operator {
        InputPort(
            to: self, process: { [unowned self] in queues[index].append($0) },
            advance: { [unowned self] in try advance(input: index, to: $0) })
    }

    override func process(_ batch: ColumnBatch) throws { queues[0].append(batch) }

    private func advance(input: Int, to time: Int64) throws {
        watermarks[input] = max(watermarks[input], time)
        let least = watermarks.min() ?? .max
        guard least > released else { return }
        released = least
        while try emitRows(before: least) {}
        for queue in queues { queue.compact() }
        try advance(to: least)
    }

    /// Emits one batch; false where no row was left.
    private func emitRows(before limit: Int64) throws -> Bool {
        output.heap.count = 0
        output.times.removeAll(keepingCapacity: true)
        for column in output.columns { column.finish(count: 0, tagSet: []) }
        while output.count < MergeInputs.batchRowCount, let (index, count) = nextRun(before: limit) {
            queues[index].move(min(count, MergeInputs.batchRowCount - output.count), to: output)
        }
        guard output.count > 0 else { return false }
        try emit(output)
        return true
    }

    /// The input whose row comes next, and how many of its rows follow each other.
    private func nextRun(before limit: Int64) -> (index: Int, count: Int)? {
        var best: Int?
        var rival: (time: Int64, index: Int) = (limit, -1)
        for (index, queue) in queues.enumerated() {
            guard let time = queue.firstTime, time < limit else { continue }
            guard let known = best, let bestTime = queues[known].firstTime else {
                best = index
                continue
            }
            if time < bestTime {
                rival = min(rival, (bestTime, known), by: <)
                best = index
            } else {
                rival = min(rival, (time, index), by: <)
            }
        }
        guard let best else { return nil }
        let queue = queues[best]
        var end = queue.head + 1
        while end < queue.times.count, (queue.times[end], best) < rival { end += 1 }
        return (best, end - queue.head)
    }

    override var earliestOpenEnd: Int64? {
        (queues.compactMap(\.firstTime) + [super.earliestOpenEnd].compactMap { $0 }).min()
    }

    override func save(to writer: inout StateWriter) {
        writer.write(watermarks)
        writer.write(released)
        for queue in queues { queue.save(to: &writer) }
    }

    override func restore(from reader: inout StateReader) throws {
        let stored = try reader.readArray(of: Int64.self)
        guard stored.count == watermarks.count else { throw StateError() }
        watermarks = stored
        released = try reader.readInt64()
        for queue in queues { try queue.restore(from: &reader) }
    }
}

private func min<Element>(_ a: Element, _ b: Element, by isBefore: (Element, Element) -> Bool) -> Element {
    isBefore(b, a) ? b : a
}
