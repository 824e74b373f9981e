import OgawaCore
import OgawaSQL

// Functions that give the value of another row of the key.

extension OverCall.Frame {
    /// How far back in time the frame reaches; half of all time where it has no such limit.
    var ticks: Int64 {
        guard case .duration(let ticks) = self else { return 1 << 62 }
        return min(ticks, 1 << 62)
    }

    /// How many rows the frame holds at most.
    var rowLimit: Int {
        guard case .rows(let preceding) = self else { return .max }
        return preceding + 1
    }
}

extension ValueRings {
    /// Removes what a new row at `time` pushes out of the frame; `isAdded` tells whether the row itself will join.
    @inline(__always)
    func makeRoom(_ key: Int, at time: Int64, ticks: Int64, rowLimit: Int, isAdded: Bool) {
        removeRows(key, notAfter: time &- ticks)
        if isAdded, count(key) >= rowLimit { removeFirst(key) }
    }

    /// Copies a row's values in, from the first column on.
    func store(_ key: Int, _ index: Int, _ operands: [Operand], row: Int) {
        for (value, operand) in operands.enumerated() {
            set(key, index, value, tag: operand.tag(row), bits: operand.bits(row), heap: operand.column.heap)
        }
    }
}

/// LAG: the value of the row `offset` rows before the current one among those that satisfy WHEN, where it is young enough.
///
/// State per key: 16 bytes, and for each of `offset` rows 24 bytes and the text.
final class LagState: OverState {
    private let offset: Int
    private let ticks: Int64
    private let rings = ValueRings(width: 1)

    init(_ call: OverCall, offset: Int, heap: TextHeap) {
        self.offset = offset
        ticks = call.frame.ticks
        super.init(heap: heap)
    }

    override func reserveKeys(_ count: Int) { rings.reserveKeys(count) }

    override func process(_ rows: OverRows) {
        startResult(rows)
        guard let value = rows.arguments.first else { return }
        let fallback = rows.arguments.count > 1 ? rows.arguments[1] : nil
        for row in 0..<rows.count {
            let key = Int(rows.keys[row])
            let time = rows.times[row]
            let index = rings.count(key) - offset
            if index >= 0, rings.time(key, index) > time &- ticks {
                rings.write(key, index, 0, into: result)
            } else {
                result.append(fallback, row)
            }
            guard rows.takesPart(row) else { continue }
            if rings.count(key) >= offset { rings.removeFirst(key) }
            let new = rings.append(key, time: time)
            rings.set(key, new, 0, tag: value.tag(row), bits: value.bits(row), heap: value.column.heap)
        }
    }

    override func save(to writer: inout StateWriter) { rings.save(to: &writer) }

    override func restore(from reader: inout StateReader) throws { try rings.restore(from: &reader) }
}

extension Column {
    /// Adds an operand's value, or NULL where there is none.
    @inline(__always)
    func append(_ operand: Operand?, _ row: Int) {
        guard let operand else {
            append(.null, 0)
            return
        }
        append(operand.tag(row), operand.bits(row))
    }
}

/// LAST: the value of the newest row that satisfies WHEN, which may be the current one.
///
/// State per key: 40 bytes and the text.
final class LastState: OverState {
    private let ticks: Int64
    private let rings = ValueRings(width: 1)

    init(_ call: OverCall, heap: TextHeap) {
        ticks = call.frame.ticks
        super.init(heap: heap)
    }

    override func reserveKeys(_ count: Int) { rings.reserveKeys(count) }

    override func process(_ rows: OverRows) {
        startResult(rows)
        guard let value = rows.arguments.first else { return }
        let fallback = rows.arguments.count > 1 ? rows.arguments[1] : nil
        for row in 0..<rows.count {
            let key = Int(rows.keys[row])
            let time = rows.times[row]
            if rows.takesPart(row) {
                result.append(value, row)
                let index = rings.count(key) > 0 ? 0 : rings.append(key, time: time)
                rings.setTime(key, index, time)
                rings.set(key, index, 0, tag: value.tag(row), bits: value.bits(row), heap: value.column.heap)
            } else if rings.count(key) > 0, rings.time(key, 0) > time &- ticks {
                rings.write(key, 0, 0, into: result)
            } else {
                result.append(fallback, row)
            }
        }
    }

    override func save(to writer: inout StateWriter) { rings.save(to: &writer) }

    override func restore(from reader: inout StateReader) throws { try rings.restore(from: &reader) }
}

/// FIRST: the value of the oldest row of the frame.
///
/// State per key: 16 bytes, and for each row of the frame 24 bytes and the text.
final class FirstState: OverState {
    private let frame: OverCall.Frame
    private let rings = ValueRings(width: 1)

    init(_ call: OverCall, heap: TextHeap) {
        frame = call.frame
        super.init(heap: heap)
    }

    override func reserveKeys(_ count: Int) { rings.reserveKeys(count) }

    override func process(_ rows: OverRows) {
        startResult(rows)
        guard let value = rows.arguments.first else { return }
        let (ticks, rowLimit) = (frame.ticks, frame.rowLimit)
        for row in 0..<rows.count {
            let key = Int(rows.keys[row])
            let time = rows.times[row]
            let isAdded = rows.takesPart(row)
            rings.makeRoom(key, at: time, ticks: ticks, rowLimit: rowLimit, isAdded: isAdded)
            if isAdded {
                let index = rings.append(key, time: time)
                rings.set(key, index, 0, tag: value.tag(row), bits: value.bits(row), heap: value.column.heap)
            }
            if rings.count(key) > 0 { rings.write(key, 0, 0, into: result) } else { result.append(.null, 0) }
        }
    }

    override func save(to writer: inout StateWriter) { rings.save(to: &writer) }

    override func restore(from reader: inout StateReader) throws { try rings.restore(from: &reader) }
}

/// HAD_CHANGED and CHANGED: whether the values differ from those of the row before, and the new value where it does.
///
/// Two NULLs are alike, NULL and a value are not; 1 and 1.0 are alike. The first row has changed.
///
/// State per key: 16 bytes, and per value 9 to 16 bytes and the text.
final class ChangeState: OverState {
    private let givesValue: Bool
    private let ticks: Int64
    private let rings: ValueRings

    init(_ call: OverCall, givesValue: Bool, heap: TextHeap) {
        self.givesValue = givesValue
        ticks = call.frame.ticks
        rings = ValueRings(width: call.arguments.count)
        super.init(heap: heap)
    }

    override func reserveKeys(_ count: Int) { rings.reserveKeys(count) }

    override func process(_ rows: OverRows) {
        startResult(rows)
        for row in 0..<rows.count {
            let key = Int(rows.keys[row])
            let time = rows.times[row]
            let isKnown = rings.count(key) > 0 && rings.time(key, 0) > time &- ticks
            let hasChanged = !isKnown || !isSame(key, rows.arguments, row)
            if !givesValue {
                result.append(.bit, hasChanged ? 1 : 0)
            } else {
                result.append(hasChanged ? rows.arguments.first : nil, row)
            }
            guard rows.takesPart(row) else { continue }
            let index = rings.count(key) > 0 ? 0 : rings.append(key, time: time)
            rings.setTime(key, index, time)
            if hasChanged { rings.store(key, index, rows.arguments, row: row) }
        }
    }

    private func isSame(_ key: Int, _ operands: [Operand], _ row: Int) -> Bool {
        for (value, operand) in operands.enumerated() {
            let (old, new) = (rings.tag(key, 0, value), operand.tag(row))
            let (oldBits, newBits) = (rings.bits(key, 0, value), operand.bits(row))
            if TagSet.heaped.contains(old.set) {
                guard old == new, rings.bytes(oldBits).elementsEqual(operand.column.heap.bytes(newBits)) else {
                    return false
                }
            } else if old != new {
                let isNumeric: (ValueTag) -> Bool = { $0 == .bigint || $0 == .float || $0 == .bit }
                guard isNumeric(old), isNumeric(new), orderNumbers(old, oldBits, new, newBits) == .equal else {
                    return false
                }
            } else if oldBits != newBits {
                // Equal floats of different bits are the two zeros.
                guard old == .float, Double(bitPattern: oldBits) == Double(bitPattern: newBits) else { return false }
            }
        }
        return true
    }

    override func save(to writer: inout StateWriter) { rings.save(to: &writer) }

    override func restore(from reader: inout StateReader) throws { try rings.restore(from: &reader) }
}

/// The order of two values that are numbers, bits or datetimes.
@inline(__always)
func orderNumbers(_ tagA: ValueTag, _ bitsA: UInt64, _ tagB: ValueTag, _ bitsB: UInt64) -> Ordering3 {
    if tagA == .float, tagB == .float {
        let (x, y) = (Double(bitPattern: bitsA), Double(bitPattern: bitsB))
        return x < y ? .less : x > y ? .greater : .equal
    }
    if tagA == .float { return orderExactly(Double(bitPattern: bitsA), Int64(bitPattern: bitsB)) }
    if tagB == .float { return orderExactly(Double(bitPattern: bitsB), Int64(bitPattern: bitsA)).reversed }
    let (x, y) = (Int64(bitPattern: bitsA), Int64(bitPattern: bitsB))
    return x < y ? .less : x > y ? .greater : .equal
}
