import OgawaCore

/// Sorts the rows of each substream by event time, apart from the other substreams'.
///
/// Rows stay where they were appended until more than half of them are gone; each substream has a short sorted list of row numbers.
///
/// **Isolation.** Owned by one source.
final class SubstreamBuffer {
    private struct Entry {
        var time: Int64
        var row: Int32
    }

    private let columnCount: Int
    private var held: [Column]
    private var heldCount = 0
    private var waiting: [[Entry]] = []
    private var waitingCount = 0
    private let output: ColumnBatch
    private var rows: [Int32] = []

    init(columnCount: Int) {
        self.columnCount = columnCount
        held = SubstreamBuffer.columns(columnCount)
        let heap = TextHeap()
        output = ColumnBatch(columns: (0..<columnCount).map { _ in Column(heap: heap) }, heap: heap)
    }

    /// The heap of the batches given out.
    var heap: TextHeap { output.heap }

    /// The least time of the rows that wait.
    var earliestTime: Int64? { waitingCount == 0 ? nil : waiting.compactMap { $0.first?.time }.min() }

    func append(_ batch: ColumnBatch) {
        rows = (0..<batch.count).map { Int32(truncatingIfNeeded: $0) }
        rows.withUnsafeBufferPointer { rows in
            for (target, source) in zip(held, batch.columns) { target.appendCopies(of: source, rows: rows) }
        }
        for (lane, time) in zip(batch.lanes, batch.times) { insert(time, lane: Int(lane)) }
    }

    private func insert(_ time: Int64, lane: Int) {
        while waiting.count <= lane { waiting.append([]) }
        // Rows mostly come in order, so the place is sought from the end; equal times keep their order of arrival.
        var place = waiting[lane].count
        while place > 0, waiting[lane][place - 1].time > time { place -= 1 }
        waiting[lane].insert(Entry(time: time, row: Int32(truncatingIfNeeded: heldCount)), at: place)
        heldCount += 1
        waitingCount += 1
    }

    /// The rows of some substreams up to the time that each has reached; valid until the next call.
    func release(_ lanes: [UInt32], upTo watermark: (UInt32) -> Int64) -> ColumnBatch {
        rows.removeAll(keepingCapacity: true)
        output.times.removeAll(keepingCapacity: true)
        output.lanes.removeAll(keepingCapacity: true)
        for lane in lanes where Int(lane) < waiting.count {
            let limit = watermark(lane)
            let count = waiting[Int(lane)].prefix { $0.time <= limit }.count
            guard count > 0 else { continue }
            for entry in waiting[Int(lane)][..<count] {
                rows.append(entry.row)
                output.times.append(entry.time)
                output.lanes.append(lane)
            }
            waiting[Int(lane)].removeFirst(count)
        }
        waitingCount -= rows.count
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
        guard heldCount > 1024 || waitingCount == 0, waitingCount * 2 <= heldCount else { return }
        let columns = SubstreamBuffer.columns(columnCount)
        var survivors: [Int32] = []
        for lane in waiting.indices {
            for index in waiting[lane].indices {
                survivors.append(waiting[lane][index].row)
                waiting[lane][index].row = Int32(truncatingIfNeeded: survivors.count - 1)
            }
        }
        survivors.withUnsafeBufferPointer { rows in
            for (target, source) in zip(columns, held) { target.appendCopies(of: source, rows: rows) }
        }
        held = columns
        heldCount = survivors.count
    }

    func save(to writer: inout StateWriter) {
        compact()
        for column in held { writer.write(column) }
        writer.write(waiting.map { Int64($0.count) })
        writer.write(waiting.flatMap { $0.map(\.time) })
        writer.write(waiting.flatMap { $0.map { Int64($0.row) } })
    }

    func restore(from reader: inout StateReader, laneCount: Int) throws {
        for column in held { try reader.read(into: column) }
        let counts = try reader.readArray(of: Int64.self)
        let times = try reader.readArray(of: Int64.self)
        let rows = try reader.readArray(of: Int64.self)
        heldCount = rows.isEmpty ? 0 : (held.first?.count ?? times.count)
        guard counts.count <= laneCount, times.count == rows.count,
            counts.allSatisfy({ (0...Int64(times.count)).contains($0) }),
            counts.reduce(0, +) == Int64(times.count), rows.allSatisfy({ $0 >= 0 && $0 < Int64(heldCount) })
        else { throw StateError() }
        var next = 0
        waiting = counts.map { count in
            defer { next += Int(count) }
            return (next..<next + Int(count)).map { Entry(time: times[$0], row: Int32(truncatingIfNeeded: rows[$0])) }
        }
        waitingCount = times.count
    }
}
