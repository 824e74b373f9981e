import OgawaCore
import OgawaSQL

/// Count, mean and sum of squared distances of some numbers, which two such groups merge to one.
struct Moments {
    var count = 0.0
    var mean = 0.0
    var squares = 0.0

    init() {}

    init(_ number: Double) {
        count = 1
        mean = number
    }

    init(count: Double, mean: Double, squares: Double) {
        self.count = count
        self.mean = mean
        self.squares = squares
    }

    func merged(with other: Moments) -> Moments {
        if count == 0 { return other }
        if other.count == 0 { return self }
        let total = count + other.count
        let distance = other.mean - mean
        return Moments(
            count: total, mean: mean + distance * (other.count / total),
            squares: squares + other.squares + distance * distance * (count * other.count / total))
    }

    /// The variance; nil for too few numbers.
    func variance(isSample: Bool) -> Double? {
        let divisor = isSample ? count - 1 : count
        return divisor > 0 ? squares / divisor : nil
    }
}

/// STDEV, STDEVP, VAR and VARP of the frame, by two stacks: no value is ever subtracted.
///
/// The older rows each carry the moments from themselves to the newest of the older rows; the newer ones share one group of moments.
/// State per key: 56 bytes, and 48 for each row of the frame.
final class DeviationState: OverState {
    private struct Key {
        /// How many of the oldest rows carry moments.
        var front = 0
        var back = Moments()
    }

    private let isSample: Bool
    private let isRoot: Bool
    private let frame: OverCall.Frame
    private let name: String
    private let range: SourceRange
    /// Extra words: the number, 1 where there is one, and the moments of the front from this row on.
    private let rings = ValueRings(width: 0, extraWords: 5)
    private var keys: [Key] = []

    init(_ call: OverCall, isSample: Bool, isRoot: Bool, heap: TextHeap) {
        self.isSample = isSample
        self.isRoot = isRoot
        frame = call.frame
        name = call.function.name
        range = call.range
        super.init(heap: heap)
    }

    override func reserveKeys(_ count: Int) {
        rings.reserveKeys(count)
        guard count > keys.count else { return }
        keys.append(contentsOf: repeatElement(Key(), count: count - keys.count))
    }

    override func process(_ rows: OverRows) {
        startResult(rows)
        guard let value = rows.arguments.first else { return }
        let (ticks, rowLimit) = (frame.ticks, frame.rowLimit)
        for row in 0..<rows.count {
            let key = Int(rows.keys[row])
            let time = rows.times[row]
            while rings.count(key) > 0, rings.time(key, 0) <= time &- ticks { removeFirst(key) }
            if rows.takesPart(row) {
                if rings.count(key) >= rowLimit { removeFirst(key) }
                add(key, time, number(value, row, rows.context))
            }
            write(key)
        }
    }

    private func number(_ value: Operand, _ row: Int, _ context: EvaluationContext) -> Double? {
        if value.tag(row) == .null { return nil }
        let number = value.number(row)
        if number == nil { context.fail(row: row, "\(name) needs numbers, found \(value.describe(row))", range) }
        return number
    }

    private func add(_ key: Int, _ time: Int64, _ number: Double?) {
        // NULL fills a place among ROWS only.
        if number == nil, frame.rowLimit == .max { return }
        let words = rings.extra(key, rings.append(key, time: time))
        guard let number else { return }
        words[0] = number.bitPattern
        words[1] = 1
        keys[key].back = keys[key].back.merged(with: Moments(number))
    }

    private func removeFirst(_ key: Int) {
        if keys[key].front == 0 { turnOver(key) }
        keys[key].front -= 1
        rings.removeFirst(key)
    }

    /// Makes all rows the front.
    private func turnOver(_ key: Int) {
        var moments = Moments()
        for index in (0..<rings.count(key)).reversed() {
            let words = rings.extra(key, index)
            if words[1] != 0 { moments = Moments(Double(bitPattern: words[0])).merged(with: moments) }
            words[2] = moments.count.bitPattern
            words[3] = moments.mean.bitPattern
            words[4] = moments.squares.bitPattern
        }
        keys[key] = Key(front: rings.count(key), back: Moments())
    }

    private func write(_ key: Int) {
        var moments = Moments()
        if keys[key].front > 0 {
            let words = rings.extra(key, 0)
            moments = Moments(
                count: Double(bitPattern: words[2]), mean: Double(bitPattern: words[3]),
                squares: Double(bitPattern: words[4]))
        }
        guard let variance = moments.merged(with: keys[key].back).variance(isSample: isSample) else {
            result.append(.null, 0)
            return
        }
        result.append(.float, (isRoot ? variance.squareRoot() : variance).bitPattern)
    }

    override func save(to writer: inout StateWriter) {
        rings.save(to: &writer)
        for key in keys {
            writer.write(key.front)
            writer.write(key.back.count)
            writer.write(key.back.mean)
            writer.write(key.back.squares)
        }
    }

    override func restore(from reader: inout StateReader) throws {
        try rings.restore(from: &reader)
        reserveKeys(rings.keyCount)
        for key in 0..<rings.keyCount {
            let front = try reader.readInt()
            guard front >= 0, front <= rings.count(key) else { throw StateError() }
            keys[key] = Key(
                front: front,
                back: Moments(
                    count: try reader.readDouble(), mean: try reader.readDouble(), squares: try reader.readDouble()))
        }
    }
}
