import OgawaCore
import OgawaSQL

/// The rows of one side of a join: those that may still meet a partner, then those that wait for the other side's time.
///
/// **Shape.** Rows have ascending numbers; row n lies at index n - `base`. Rows from `first` to `processed` are linked per key, oldest first. Per
/// row 9 bytes a column, its text and 28 bytes (left: 53); per key 16 bytes beside the interner's.
final class JoinSide {
    private(set) var columns: [Column]
    private(set) var times: [Int64] = []
    private(set) var keys: [UInt32] = []
    private var next: [Int] = []
    private(set) var base = 0
    private(set) var first = 0
    private(set) var processed = 0
    private var heads: [Int] = []
    private var tails: [Int] = []
    var watermark = Int64.min
    private var rows: [Int32] = []

    /// No partner can ever have it: one of its keys is NULL.
    static let noKey = UInt32.max

    init(columnCount: Int) {
        let heap = TextHeap()
        columns = (0..<columnCount).map { _ in Column(heap: heap) }
    }

    var end: Int { base + times.count }
    /// How many rows may still meet a partner or wait.
    var count: Int { end - first }
    /// The time of the next row to be processed.
    var nextTime: Int64? { processed < end ? times[processed - base] : nil }

    func time(_ row: Int) -> Int64 { times[row - base] }

    func append(_ batch: ColumnBatch, keys ids: [UInt32]) {
        rows.removeAll(keepingCapacity: true)
        for row in 0..<batch.count { rows.append(Int32(truncatingIfNeeded: row)) }
        rows.withUnsafeBufferPointer { rows in
            for (target, source) in zip(columns, batch.columns) { target.appendCopies(of: source, rows: rows) }
        }
        times.append(contentsOf: batch.times)
        keys.append(contentsOf: ids)
        next.append(contentsOf: repeatElement(-1, count: batch.count))
    }

    func reserveKeys(_ count: Int) {
        guard heads.count < count else { return }
        heads.append(contentsOf: repeatElement(-1, count: count - heads.count))
        tails.append(contentsOf: repeatElement(-1, count: count - tails.count))
    }

    /// The oldest row of a key, -1 where there is none.
    func head(_ key: UInt32) -> Int { key == JoinSide.noKey ? -1 : heads[Int(key)] }

    /// The next row of the same key, -1 behind the last.
    func next(after row: Int) -> Int { next[row - base] }

    /// Takes the next row in and makes it visible to the other side.
    func processNext() {
        link(processed)
        processed += 1
    }

    private func link(_ row: Int) {
        let key = keys[row - base]
        guard key != JoinSide.noKey else { return }
        let tail = tails[Int(key)]
        if tail >= 0 { next[tail - base] = row } else { heads[Int(key)] = row }
        tails[Int(key)] = row
    }

    /// Forgets the oldest row.
    func dropFirst() {
        let key = keys[first - base]
        if key != JoinSide.noKey {
            heads[Int(key)] = next[first - base]
            if heads[Int(key)] < 0 { tails[Int(key)] = -1 }
        }
        first += 1
    }

    /// Frees the room of rows that are gone; gives how many there were, nil where nothing changed.
    func compact(force: Bool) -> Int? {
        let dead = first - base
        guard dead > 0, force || first == end || (dead > 1024 && dead * 2 > times.count) else { return nil }
        if first == end {
            for column in columns { column.finish(count: 0, tagSet: []) }
            columns.first?.heap.count = 0
        } else {
            rows = (dead..<times.count).map { Int32(truncatingIfNeeded: $0) }
            let heap = TextHeap()
            let survivors = columns.map { _ in Column(heap: heap) }
            rows.withUnsafeBufferPointer { rows in
                for (target, source) in zip(survivors, columns) { target.appendCopies(of: source, rows: rows) }
            }
            columns = survivors
        }
        times.removeFirst(dead)
        keys.removeFirst(dead)
        next.removeFirst(dead)
        base = first
        return dead
    }

    /// Gives every row its key's new number; rows are to be compacted before.
    func renumber(_ number: (UInt32) -> UInt32, keyCount: Int) {
        for index in keys.indices where keys[index] != JoinSide.noKey { keys[index] = number(keys[index]) }
        relink(keyCount: keyCount)
    }

    private func relink(keyCount: Int) {
        heads = Array(repeating: -1, count: keyCount)
        tails = heads
        for index in next.indices { next[index] = -1 }
        for row in first..<processed { link(row) }
    }

    func save(to writer: inout StateWriter) {
        writer.write(base)
        writer.write(processed)
        writer.write(watermark)
        writer.write(times)
        writer.write(keys)
        for column in columns { writer.write(column) }
    }

    func restore(from reader: inout StateReader, keyCount: Int) throws {
        base = try reader.readInt()
        first = base
        processed = try reader.readInt()
        watermark = try reader.readInt64()
        times = try reader.readArray(of: Int64.self)
        keys = try reader.readArray(of: UInt32.self)
        for column in columns { try reader.read(into: column) }
        guard keys.count == times.count, columns.allSatisfy({ $0.count == times.count }),
            (0...Int.max / 2).contains(base), (base...end).contains(processed),
            keys.allSatisfy({ $0 == JoinSide.noKey || Int($0) < keyCount })
        else { throw StateError() }
        next = Array(repeating: -1, count: times.count)
        relink(keyCount: keyCount)
    }
}

/// The times between which the partners of a left row lie.
struct PartnerRange {
    var from: Int64
    var to: Int64
    /// The time of the row that comes out where no partner came.
    var stamp: Int64

    init(from: Int64, to: Int64, stamp: Int64) { (self.from, self.to, self.stamp) = (from, to, stamp) }

    /// - Parameter time: the time that a bound is counted from; nil where that row has none.
    init(_ bounds: [JoinPlan.Bound], rowTime: Int64, time: (JoinPlan.Bound) -> Int64?) {
        (from, to, stamp) = (.min, .max, .max)
        var isComposite = false
        for bound in bounds {
            guard let start = time(bound) else {
                (from, to, stamp) = (.max, .min, rowTime)
                return
            }
            isComposite = isComposite || bound.leftTime != nil
            from = max(from, PartnerRange.from(bound, start))
            to = min(to, (floorDivide(start, bound.unit) &+ bound.high &+ 1) &* bound.unit &- 1)
            stamp = min(stamp, start &+ bound.high &* bound.unit)
        }
        if isComposite { stamp = max(stamp, rowTime) }
    }

    /// The earliest time of a partner.
    static func from(_ bound: JoinPlan.Bound, _ time: Int64) -> Int64 {
        (floorDivide(time, bound.unit) &+ bound.low) &* bound.unit
    }
}
