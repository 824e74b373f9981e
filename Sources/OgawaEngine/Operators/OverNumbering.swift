import OgawaCore
import OgawaSQL

/// ISFIRST: whether a row is the first of its interval among those that satisfy WHEN.
///
/// Intervals are (start, end], like tumbling windows. State per key: 8 bytes.
final class FirstOfIntervalState: OverState {
    private let interval: Int64
    /// The end of the interval of the last row that took part, per key.
    private var ends: [Int64] = []

    init(interval: Int64, heap: TextHeap) {
        self.interval = max(1, interval)
        super.init(heap: heap)
    }

    override func reserveKeys(_ count: Int) {
        guard count > ends.count else { return }
        ends.append(contentsOf: repeatElement(.min, count: count - ends.count))
    }

    override func process(_ rows: OverRows) {
        startResult(rows)
        for row in 0..<rows.count {
            guard rows.takesPart(row) else {
                result.append(.bigint, 0)
                continue
            }
            let key = Int(rows.keys[row])
            let end = end(of: rows.times[row])
            result.append(.bigint, ends[key] == end ? 0 : 1)
            ends[key] = end
        }
    }

    private func end(of time: Int64) -> Int64 {
        let distance = time &- Timestamp.min.ticks
        let floor = floorDivide(distance, interval) &* interval
        return floor == distance ? time : Timestamp.min.ticks &+ floor &+ interval
    }

    override func save(to writer: inout StateWriter) { writer.write(ends) }

    override func restore(from reader: inout StateReader) throws { ends = try reader.readArray(of: Int64.self) }
}

/// ROW_NUMBER without a limit: how many rows of the key have come; NULL for a row that does not satisfy WHEN.
///
/// State per key: 8 bytes.
final class CountingState: OverState {
    private var counts: [Int64] = []

    override func reserveKeys(_ count: Int) {
        guard count > counts.count else { return }
        counts.append(contentsOf: repeatElement(0, count: count - counts.count))
    }

    override func process(_ rows: OverRows) {
        startResult(rows)
        for row in 0..<rows.count {
            guard rows.takesPart(row) else {
                result.append(.null, 0)
                continue
            }
            let key = Int(rows.keys[row])
            counts[key] &+= 1
            result.append(.bigint, UInt64(bitPattern: counts[key]))
        }
    }

    override func save(to writer: inout StateWriter) { writer.write(counts) }

    override func restore(from reader: inout StateReader) throws { counts = try reader.readArray(of: Int64.self) }
}

/// ROW_NUMBER with LIMIT DURATION: the row's place among those of the last `ticks`; NULL for a row that does not satisfy WHEN.
///
/// State per key: 16 bytes and 8 for each row of the frame.
final class RecentNumberState: OverState {
    private let ticks: Int64
    private let rings = ValueRings(width: 0)

    init(_ call: OverCall, heap: TextHeap) {
        ticks = call.frame.ticks
        super.init(heap: heap)
    }

    override func reserveKeys(_ count: Int) { rings.reserveKeys(count) }

    override func process(_ rows: OverRows) {
        startResult(rows)
        for row in 0..<rows.count {
            let key = Int(rows.keys[row])
            let time = rows.times[row]
            rings.removeRows(key, notAfter: time &- ticks)
            guard rows.takesPart(row) else {
                result.append(.null, 0)
                continue
            }
            result.append(.bigint, UInt64(rings.append(key, time: time) + 1))
        }
    }

    override func save(to writer: inout StateWriter) { rings.save(to: &writer) }

    override func restore(from reader: inout StateReader) throws { try rings.restore(from: &reader) }
}
