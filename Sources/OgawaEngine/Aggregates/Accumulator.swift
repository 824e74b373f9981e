import OgawaCore
import OgawaSQL

// Aggregates over slots: one accumulator holds one aggregate of many groups, one slot each. NULL is ignored; a group of NULLs only gives
// NULL (COUNT: 0). Results depend on the rows of a slot and their order only. `merge` takes the rows of another slot as later rows than its
// own, so that panes and stacks of panes give what one pane would (floats up to rounding, always in the same way).

/// The running values of one aggregate, one per slot.
///
/// **Isolation.** Owned by one operator.
class Accumulator {
    let call: AggregateCall
    /// The number of slots.
    private(set) var count = 0

    init(_ call: AggregateCall) { self.call = call }

    /// Makes an accumulator for a call.
    static func make(_ call: AggregateCall) -> Accumulator {
        if call.isDistinct {
            var plain = call
            plain.isDistinct = false
            return DistinctAccumulator(call, make(plain))
        }
        switch call.function {
        case .count: return CountAccumulator(call)
        case .sum, .average: return SumAccumulator(call)
        case .minimum, .maximum: return BestAccumulator(call)
        case .deviation, .populationDeviation, .variance, .populationVariance: return DeviationAccumulator(call)
        case .continuousPercentile, .discretePercentile: return PercentileAccumulator(call)
        case .topOne: return TopOneAccumulator(call)
        case .collectTop: return CollectTopAccumulator(call)
        case .collect: return CollectAccumulator(call)
        case .first, .last: return EdgeAccumulator(call)
        }
    }

    /// Whether `merge` takes constant time, so that sliding windows need not add their rows anew.
    var isMergeable: Bool { true }

    /// Adds empty slots.
    func grow(to count: Int) { self.count = max(self.count, count) }

    /// Empties a slot.
    func clear(_ slot: Int) {}

    /// Forgets all slots and keeps the room.
    func removeAll() { count = 0 }

    /// Adds a row to a slot.
    func add(_ row: Int, _ input: AggregateInput, slot: Int) {}

    /// Adds rows; `slots` has one element per row of the range.
    func add(_ rows: Range<Int>, _ input: AggregateInput, slots: UnsafePointer<Int32>) {
        for (index, row) in rows.enumerated() { add(row, input, slot: Int(slots[index])) }
    }

    /// Adds the rows of a slot of another accumulator of the same call behind those of a slot.
    func merge(_ other: Accumulator, from source: Int, into slot: Int) {}

    /// Appends a slot's result.
    func write(_ slot: Int, into column: Column) {}

    func save(to writer: inout StateWriter) { writer.write(count) }

    /// Takes what ``save(to:)`` wrote.
    func restore(from reader: inout StateReader) throws {
        removeAll()
        count = try reader.readCount()
    }
}

/// COUNT.
final class CountAccumulator: Accumulator {
    private var counts: [Int64] = []

    override func grow(to count: Int) {
        super.grow(to: count)
        if counts.count < count { counts.append(contentsOf: repeatElement(0, count: count - counts.count)) }
    }

    override func clear(_ slot: Int) { counts[slot] = 0 }

    override func removeAll() {
        super.removeAll()
        counts.removeAll(keepingCapacity: true)
    }

    override func add(_ row: Int, _ input: AggregateInput, slot: Int) {
        if let argument = input.argument, argument.tag(row) == .null { return }
        counts[slot] += 1
    }

    override func add(_ rows: Range<Int>, _ input: AggregateInput, slots: UnsafePointer<Int32>) {
        counts.withUnsafeMutableBufferPointer { counts in
            guard let argument = input.argument, argument.column.tagSet.contains(.null) else {
                for index in 0..<rows.count { counts[Int(slots[index])] += 1 }
                return
            }
            for (index, row) in rows.enumerated() where argument.tag(row) != .null {
                counts[Int(slots[index])] += 1
            }
        }
    }

    override func merge(_ other: Accumulator, from source: Int, into slot: Int) {
        guard let added = (other as? CountAccumulator)?.counts[source] else { return }
        counts[slot] += added
    }

    override func write(_ slot: Int, into column: Column) {
        column.append(.bigint, UInt64(bitPattern: counts[slot]))
    }

    override func save(to writer: inout StateWriter) {
        super.save(to: &writer)
        writer.write(counts)
    }

    override func restore(from reader: inout StateReader) throws {
        try super.restore(from: &reader)
        counts = try reader.readArray(of: Int64.self)
        guard counts.count == count else { throw StateError() }
    }
}

/// SUM and AVG: bigints are added exactly in 128 bits and floats apart from them, so that a SUM of bigints is a bigint and exact; AVG is a
/// float, also of bigints.
///
/// State per slot: 32 bytes.
final class SumAccumulator: Accumulator {
    private struct Sum {
        var wholes: Int128 = 0
        var floats = 0.0
        /// Twice the number of values, and 1 where one of them was a float.
        var countAndFlag: UInt64 = 0

        var count: UInt64 { countAndFlag >> 1 }
        var hasFloat: Bool { countAndFlag & 1 != 0 }

        @inline(__always)
        mutating func add(_ number: Double) {
            floats += number
            countAndFlag = (countAndFlag &+ 2) | 1
        }

        @inline(__always)
        mutating func add(_ number: Int64) {
            wholes &+= Int128(number)
            countAndFlag &+= 2
        }
    }

    private var sums: [Sum] = []

    override func grow(to count: Int) {
        super.grow(to: count)
        if sums.count < count { sums.append(contentsOf: repeatElement(Sum(), count: count - sums.count)) }
    }

    override func clear(_ slot: Int) { sums[slot] = Sum() }

    override func removeAll() {
        super.removeAll()
        sums.removeAll(keepingCapacity: true)
    }

    override func add(_ row: Int, _ input: AggregateInput, slot: Int) {
        guard let argument = input.argument else { return }
        switch argument.tag(row) {
        case .float: sums[slot].add(Double(bitPattern: argument.bits(row)))
        case .bigint, .bit: sums[slot].add(Int64(bitPattern: argument.bits(row)))
        default: return
        }
    }

    override func add(_ rows: Range<Int>, _ input: AggregateInput, slots: UnsafePointer<Int32>) {
        guard let argument = input.argument, argument.column.isUniform(.float), !argument.isConstant else {
            super.add(rows, input, slots: slots)
            return
        }
        let values = argument.column.values + rows.lowerBound
        sums.withUnsafeMutableBufferPointer { sums in
            for index in 0..<rows.count { sums[Int(slots[index])].add(Double(bitPattern: values[index])) }
        }
    }

    override func merge(_ other: Accumulator, from source: Int, into slot: Int) {
        guard let other = other as? SumAccumulator else { return }
        let sum = other.sums[source]
        sums[slot].wholes &+= sum.wholes
        sums[slot].floats += sum.floats
        let flag = (sums[slot].countAndFlag | sum.countAndFlag) & 1
        sums[slot].countAndFlag = ((sums[slot].count &+ sum.count) << 1) | flag
    }

    override func write(_ slot: Int, into column: Column) {
        let sum = sums[slot]
        guard sum.count > 0 else {
            column.append(.null, 0)
            return
        }
        let total = sum.wholes == 0 ? sum.floats : sum.floats + Double(sum.wholes)
        if call.function == .average {
            column.append(.float, (total / Double(sum.count)).bitPattern)
        } else if !sum.hasFloat, let whole = Int64(exactly: sum.wholes) {
            column.append(.bigint, UInt64(bitPattern: whole))
        } else {
            column.append(.float, total.bitPattern)
        }
    }

    override func save(to writer: inout StateWriter) {
        super.save(to: &writer)
        for sum in sums {
            writer.write(sum.wholes)
            writer.write(sum.floats)
            writer.write(sum.countAndFlag)
        }
    }

    override func restore(from reader: inout StateReader) throws {
        try super.restore(from: &reader)
        for _ in 0..<count {
            let (wholes, floats) = (try reader.readInt128(), try reader.readDouble())
            sums.append(Sum(wholes: wholes, floats: floats, countAndFlag: try reader.readUInt64()))
        }
    }
}

/// STDEV, STDEVP, VAR and VARP by the method of Welford, merged by the formula of Chan, Golub and LeVeque: no sum of squares that loses
/// the digits of values far from 0.
///
/// State per slot: 24 bytes.
final class DeviationAccumulator: Accumulator {
    private struct Moments {
        var count = 0.0
        var mean = 0.0
        /// The sum of squared distances from the mean.
        var squares = 0.0
    }

    private var moments: [Moments] = []

    override func grow(to count: Int) {
        super.grow(to: count)
        if moments.count < count {
            moments.append(contentsOf: repeatElement(Moments(), count: count - moments.count))
        }
    }

    override func clear(_ slot: Int) { moments[slot] = Moments() }

    override func removeAll() {
        super.removeAll()
        moments.removeAll(keepingCapacity: true)
    }

    override func add(_ row: Int, _ input: AggregateInput, slot: Int) {
        guard let argument = input.argument, argument.tag(row) != .null, let number = argument.number(row) else {
            return
        }
        moments[slot].count += 1
        let distance = number - moments[slot].mean
        moments[slot].mean += distance / moments[slot].count
        moments[slot].squares += distance * (number - moments[slot].mean)
    }

    override func merge(_ other: Accumulator, from source: Int, into slot: Int) {
        guard let other = (other as? DeviationAccumulator)?.moments[source], other.count > 0 else { return }
        let own = moments[slot]
        guard own.count > 0 else {
            moments[slot] = other
            return
        }
        let count = own.count + other.count
        let distance = other.mean - own.mean
        moments[slot].count = count
        moments[slot].mean = own.mean + distance * (other.count / count)
        moments[slot].squares = own.squares + other.squares + distance * distance * (own.count * other.count / count)
    }

    override func write(_ slot: Int, into column: Column) {
        let isSample = call.function == .deviation || call.function == .variance
        let divisor = moments[slot].count - (isSample ? 1 : 0)
        guard divisor > 0 else {
            column.append(.null, 0)
            return
        }
        let variance = max(0, moments[slot].squares / divisor)
        let isRoot = call.function == .deviation || call.function == .populationDeviation
        column.append(.float, (isRoot ? variance.squareRoot() : variance).bitPattern)
    }

    override func save(to writer: inout StateWriter) {
        super.save(to: &writer)
        writer.write(moments)
    }

    override func restore(from reader: inout StateReader) throws {
        try super.restore(from: &reader)
        moments = try reader.readArray(of: Moments.self)
        guard moments.count == count else { throw StateError() }
    }
}
