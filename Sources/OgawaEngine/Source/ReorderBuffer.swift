import OgawaCore

// Holds rows until no earlier one can come, then gives them in order of (time, partition, arrival). Rows that come in order stand in
// a queue, which costs nothing; a row behind the queue's last goes to a binary heap, and what goes out is merged from
// the two. The rows themselves stay where they were appended until more than half of them are gone, so that a row is moved a
// constant number of times.
//
// State: 24 bytes per row, 9 bytes per row and column, and the text.

/// Sorts rows of one or more partitions by event time.
///
/// **Isolation.** Owned by one pipeline.
final class ReorderBuffer {
    private struct Entry {
        var time: Int64
        var partition: Int32
        var row: Int32

        /// Row numbers grow with arrival.
        @inline(__always)
        static func isBefore(_ a: Entry, _ b: Entry) -> Bool {
            if a.time != b.time { return a.time < b.time }
            if a.partition != b.partition { return a.partition < b.partition }
            return a.row < b.row
        }
    }

    private let columnCount: Int
    private var held: [Column]
    private var heldTimes: [Int64] = []
    /// In order; those before ``queueStart`` are gone.
    private var queue: [Entry] = []
    private var queueStart = 0
    /// A binary heap.
    private var stragglers: [Entry] = []
    private var output: ColumnBatch
    private var rows: [Int32] = []

    /// - Parameter heap: of the batches given out.
    init(columnCount: Int, heap: TextHeap = TextHeap()) {
        self.columnCount = columnCount
        held = ReorderBuffer.columns(columnCount)
        output = ColumnBatch(columns: (0..<columnCount).map { _ in Column(heap: heap) }, heap: heap)
    }

    /// The heap of the batches given out.
    var heap: TextHeap { output.heap }

    /// The rows that wait.
    var count: Int { queue.count - queueStart + stragglers.count }

    func append(_ batch: ColumnBatch, partition: PartitionID) {
        let textCount = zip(held, batch.columns).reduce(0) { $0 + $1.1.textByteCount(batch.count) }
        if let heap = held.first?.heap, batch.heap.count <= 2 * textCount + 4096 {
            // All text at once, and then each position moves by as much.
            let start = heap.count
            _ = heap.append(batch.heap.base, count: batch.heap.count)
            for (target, source) in zip(held, batch.columns) {
                target.appendMoved(source, count: batch.count, by: start)
            }
        } else {
            rows = (0..<batch.count).map { Int32(truncatingIfNeeded: $0) }
            rows.withUnsafeBufferPointer { rows in
                for (target, source) in zip(held, batch.columns) { target.appendCopies(of: source, rows: rows) }
            }
        }
        var row = Int32(truncatingIfNeeded: heldTimes.count)
        heldTimes.append(contentsOf: batch.times)
        queue.reserveCapacity(queue.count + batch.count)
        for time in batch.times {
            let entry = Entry(time: time, partition: partition.rawValue, row: row)
            if queueStart == queue.count || !Entry.isBefore(entry, queue[queue.count - 1]) {
                queue.append(entry)
            } else {
                push(entry)
            }
            row += 1
        }
    }

    /// At most `limit` rows up to a time, in order, valid until the next call; empty where there are none.
    func release(upTo time: Int64, isInclusive: Bool, limit: Int = .max) -> ColumnBatch {
        rows.removeAll(keepingCapacity: true)
        output.times.removeAll(keepingCapacity: true)
        while rows.count < limit {
            let isLate =
                queueStart == queue.count
                || stragglers.first.map { Entry.isBefore($0, queue[queueStart]) } ?? false
            guard let first = isLate ? stragglers.first : queue[queueStart],
                first.time < time || (isInclusive && first.time == time)
            else { break }
            rows.append(first.row)
            output.times.append(first.time)
            if isLate { pop() } else { queueStart += 1 }
        }
        output.heap.count = 0
        rows.withUnsafeBufferPointer { rows in
            for (target, source) in zip(output.columns, held) {
                target.finish(count: 0, tagSet: [])
                target.appendCopies(of: source, rows: rows)
            }
        }
        compact()
        return output
    }

    private static func columns(_ count: Int) -> [Column] {
        let heap = TextHeap()
        return (0..<count).map { _ in Column(heap: heap) }
    }

    private func compact() {
        let count = count
        guard heldTimes.count > 1024 || count == 0, count * 2 <= heldTimes.count else { return }
        if count == 0 {
            for column in held { column.finish(count: 0, tagSet: []) }
            held.first?.heap.count = 0
            heldTimes.removeAll(keepingCapacity: true)
            queue.removeAll(keepingCapacity: true)
            queueStart = 0
            return
        }
        queue.removeFirst(queueStart)
        queueStart = 0
        // Row numbers must go on growing with arrival, so the survivors keep their order.
        let survivors = (queue + stragglers).map(\.row).sorted()
        var renumbered = [Int32](repeating: 0, count: heldTimes.count)
        for (index, row) in survivors.enumerated() { renumbered[Int(row)] = Int32(truncatingIfNeeded: index) }
        let columns = ReorderBuffer.columns(columnCount)
        survivors.withUnsafeBufferPointer { rows in
            for (target, source) in zip(columns, held) { target.appendCopies(of: source, rows: rows) }
        }
        held = columns
        heldTimes = survivors.map { heldTimes[Int($0)] }
        for index in queue.indices { queue[index].row = renumbered[Int(queue[index].row)] }
        for index in stragglers.indices { stragglers[index].row = renumbered[Int(stragglers[index].row)] }
    }

    func save(to writer: inout StateWriter) {
        for column in held { writer.write(column) }
        writer.write(heldTimes)
        let entries = queue[queueStart...] + stragglers
        writer.write(entries.map(\.time))
        writer.write(entries.map { Int64($0.partition) << 32 | Int64($0.row) })
    }

    func restore(from reader: inout StateReader) throws {
        for column in held { try reader.read(into: column) }
        heldTimes = try reader.readArray(of: Int64.self)
        let times = try reader.readArray(of: Int64.self)
        let places = try reader.readArray(of: Int64.self)
        guard times.count == places.count, held.allSatisfy({ $0.count == heldTimes.count }) else { throw StateError() }
        let entries = zip(times, places).map {
            Entry(
                time: $0, partition: Int32(truncatingIfNeeded: $1 >> 32),
                row: Int32(truncatingIfNeeded: $1 & 0x7fff_ffff))
        }
        guard entries.allSatisfy({ Int($0.row) < heldTimes.count }) else { throw StateError() }
        queue = entries.sorted(by: Entry.isBefore)
    }

    private func push(_ entry: Entry) {
        stragglers.append(entry)
        var child = stragglers.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard Entry.isBefore(stragglers[child], stragglers[parent]) else { return }
            stragglers.swapAt(child, parent)
            child = parent
        }
    }

    private func pop() {
        let last = stragglers.removeLast()
        guard !stragglers.isEmpty else { return }
        stragglers[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < stragglers.count {
                if Entry.isBefore(stragglers[child], stragglers[least]) { least = child }
            }
            if least == parent { return }
            stragglers.swapAt(parent, least)
            parent = least
        }
    }
}
