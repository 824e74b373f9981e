import OgawaCore
import OgawaSQL

// One aggregate over the groups of a pane. NULL is ignored; a group of NULLs only gives NULL (COUNT: 0). bigints are summed
// exactly in 128 bits and floats apart from them, so that a SUM of bigints is a bigint and exact. AVG is a float, also of
// bigints. MIN and MAX compare as `<` does; text takes part only when it was explicitly cast, which cannot be told from a
// value, so text that reads as a number counts as that number and any other text compares as text.

/// The running values of one aggregate, one per slot.
struct Accumulator {
    private let function: AggregateFunction
    private let isDistinct: Bool
    private let countsRows: Bool
    private var counts: [Int64] = []
    private var floatCounts: [Int64] = []
    private var wholes: [Int128] = []
    private var floats: [Double] = []
    private var best: Column
    private var distinct: [Set<Value>] = []
    private var failure: String?

    init(_ call: AggregateCall) {
        function = call.function
        isDistinct = call.isDistinct
        countsRows = call.argument == nil
        best = Column(heap: TextHeap(capacity: 64))
    }

    mutating func reset() {
        counts.removeAll(keepingCapacity: true)
        floatCounts.removeAll(keepingCapacity: true)
        wholes.removeAll(keepingCapacity: true)
        floats.removeAll(keepingCapacity: true)
        distinct.removeAll(keepingCapacity: true)
        best.finish(count: 0, tagSet: [])
        best.heap.count = 0
    }

    private var isBest: Bool { function == .minimum || function == .maximum }

    mutating func grow(to count: Int) {
        while counts.count < count {
            counts.append(0)
            if isDistinct { distinct.append([]) }
            if isBest {
                best.append(.null, 0)
            } else {
                floatCounts.append(0)
                wholes.append(0)
                floats.append(0)
            }
        }
    }

    /// Adds rows; `slots` has one element per row of the range.
    mutating func add(_ rows: Range<Int>, slots: [Int32], argument: Operand?) {
        guard let argument, !countsRows else {
            for slot in slots { counts[Int(slot)] += 1 }
            return
        }
        if isDistinct {
            for (index, row) in rows.enumerated() { addDistinct(argument, row, Int(slots[index])) }
        } else if isBest {
            for (index, row) in rows.enumerated() { addBest(argument, row, Int(slots[index])) }
        } else if argument.column.isUniform(.float), !argument.isConstant {
            let values = argument.column.values
            for (index, row) in rows.enumerated() {
                let slot = Int(slots[index])
                counts[slot] += 1
                floatCounts[slot] += 1
                floats[slot] += Double(bitPattern: values[row])
            }
        } else {
            for (index, row) in rows.enumerated() { addValue(argument, row, Int(slots[index])) }
        }
    }

    private mutating func addValue(_ argument: Operand, _ row: Int, _ slot: Int) {
        switch argument.tag(row) {
        case .null: return
        case .bigint, .bit:
            wholes[slot] += Int128(Int64(bitPattern: argument.bits(row)))
            counts[slot] += 1
        case .float:
            floats[slot] += Double(bitPattern: argument.bits(row))
            floatCounts[slot] += 1
            counts[slot] += 1
        default:
            counts[slot] += 1
            if function == .count { return }
            guard let number = argument.number(row) else {
                counts[slot] -= 1
                failure = failure ?? "\(function.rawValue) needs numbers, found \(argument.describe(row))"
                return
            }
            floats[slot] += number
            floatCounts[slot] += 1
        }
    }

    private mutating func addDistinct(_ argument: Operand, _ row: Int, _ slot: Int) {
        var value = argument.column.value(at: argument.index(row))
        if value == .null { return }
        if case .float(let number) = value, let whole = Int64(exactly: number) { value = .bigint(whole) }
        guard distinct[slot].insert(value).inserted else { return }
        if isBest { addBest(argument, row, slot) } else { addValue(argument, row, slot) }
    }

    private mutating func addBest(_ argument: Operand, _ row: Int, _ slot: Int) {
        if argument.tag(row) == .null { return }
        counts[slot] += 1
        let current = Operand(column: best, isConstant: false)
        let ordering = compare(argument, row, current, slot)
        if ordering == .impossible {
            let found = "\(argument.describe(row)) and \(current.describe(slot))"
            failure = failure ?? "\(function.rawValue) cannot compare \(found)"
            return
        }
        let isBetter = ordering == (function == .minimum ? .less : .greater)
        guard isBetter || best.tag(at: slot) == .null else { return }
        var bits = argument.bits(row)
        let tag = argument.tag(row)
        if TagSet.heaped.contains(tag.set) {
            let bytes = argument.column.heap.bytes(bits)
            bits = bytes.baseAddress.map { best.heap.append($0, count: bytes.count) } ?? 0
        }
        best.tags[slot] = tag.rawValue
        best.values[slot] = bits
        best.tagSet.insert(tag.set)
    }

    /// Adds another pane's values; `slots` maps its slots to this one's.
    mutating func merge(_ other: Accumulator, slots: [Int32]) {
        for (index, slot) in slots.enumerated() {
            let slot = Int(slot)
            if isDistinct {
                let heap = TextHeap(capacity: 64)
                let column = Column(heap: heap)
                for value in other.distinct[index] { column.append(value) }
                let operand = Operand(column: column, isConstant: false)
                for row in 0..<column.count { addDistinct(operand, row, slot) }
            } else if isBest {
                let count = counts[slot] + other.counts[index]
                addBest(Operand(column: other.best, isConstant: false), index, slot)
                counts[slot] = count
            } else {
                counts[slot] += other.counts[index]
                floatCounts[slot] += other.floatCounts[index]
                wholes[slot] += other.wholes[index]
                floats[slot] += other.floats[index]
            }
        }
    }

    /// Appends a slot's result.
    mutating func write(_ slot: Int, into column: Column) {
        let count = counts[slot]
        switch function {
        case .count: column.append(.bigint, UInt64(bitPattern: count))
        case .minimum, .maximum: column.appendCopy(of: best, row: slot)
        case .sum:
            if count == 0 {
                column.append(.null, 0)
            } else if floatCounts[slot] > 0 {
                column.append(.float, (floats[slot] + Double(wholes[slot])).bitPattern)
            } else if let whole = Int64(exactly: wholes[slot]) {
                column.append(.bigint, UInt64(bitPattern: whole))
            } else {
                column.append(.float, Double(wholes[slot]).bitPattern)
            }
        case .average:
            let sum = floats[slot] + Double(wholes[slot])
            if count == 0 { column.append(.null, 0) } else { column.append(.float, (sum / Double(count)).bitPattern) }
        }
    }

    mutating func takeFailure() -> String? {
        defer { failure = nil }
        return failure
    }
}

extension Column {
    /// Adds one row of a column on another heap.
    func appendCopy(of source: Column, row: Int) {
        let tag = source.tag(at: row)
        var bits = source.values[row]
        if TagSet.heaped.contains(tag.set) {
            let bytes = source.heap.bytes(bits)
            bits = bytes.baseAddress.map { heap.append($0, count: bytes.count) } ?? 0
        }
        append(tag, bits)
    }
}
