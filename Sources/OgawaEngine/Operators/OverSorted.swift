import OgawaCore
import OgawaSQL

// Functions of the frame's rows in an order: PERCENTILE_*, TopOne, CollectTop, ROW_NUMBER with ORDER BY, MIN and MAX of text.

/// What is read off the sorted frame.
enum SortedFunction {
    case percentile(share: Double, isContinuous: Bool)
    case topOne
    case collectTop(count: Int)
    case rowNumber

    /// Whether rows whose order value is NULL are passed over.
    var ignoresNull: Bool {
        if case .percentile = self { return true }
        return false
    }
}

/// The rows of each key's frame, and their numbers sorted by the values of ORDER BY.
///
/// Equal rows keep the order of arrival, and NULL is lower than any value. State per key: 48 bytes, and for each row of the frame 12 bytes, 9 to 16
/// bytes per value and the text. A row is put in its place by binary search.
final class SortedState: OverState {
    private let function: SortedFunction
    private let frame: OverCall.Frame
    private let name: String
    private let range: SourceRange
    /// How the rows are ordered: one flag per key of ORDER BY.
    private let isDescending: [Bool]
    /// Whether text is ordered by its bytes; otherwise it must spell a number.
    private let ordersText: Bool
    private let rings: ValueRings
    /// Where the value lies in a row, behind the order values.
    private let valueIndex: Int
    private let texts: ValueTexts?
    /// Row numbers per key, from the first in order to the last.
    ///
    /// A row's number counts up from its key's first row.
    private var sorted: [[UInt32]] = []
    /// The number of each key's oldest row.
    private var oldest: [UInt32] = []

    /// - Parameter isDescending: one flag per value of `OverRows.order`.
    init(
        _ call: OverCall, _ function: SortedFunction, isDescending: [Bool], ordersText: Bool = false, heap: TextHeap
    ) {
        self.function = function
        self.isDescending = isDescending
        self.ordersText = ordersText
        frame = call.frame
        name = call.function.name
        range = call.range
        valueIndex = isDescending.count
        let hasValue: Bool
        switch function {
        case .topOne, .collectTop: hasValue = true
        case .percentile, .rowNumber: hasValue = false
        }
        rings = ValueRings(width: isDescending.count + (hasValue ? 1 : 0))
        if case .collectTop = function { texts = ValueTexts(heap: heap) } else { texts = nil }
        super.init(heap: heap)
    }

    override func reserveKeys(_ count: Int) {
        rings.reserveKeys(count)
        while sorted.count < count {
            sorted.append([])
            oldest.append(0)
        }
    }

    override func process(_ rows: OverRows) {
        startResult(rows)
        if let texts, let value = rows.arguments.first { texts.encode(value, count: rows.count, times: rows.times) }
        let (ticks, rowLimit) = (frame.ticks, frame.rowLimit)
        for row in 0..<rows.count {
            let key = Int(rows.keys[row])
            let time = rows.times[row]
            let isAdded = rows.takesPart(row) && canOrder(rows, row)
            while rings.count(key) > 0, rings.time(key, 0) <= time &- ticks { removeFirst(key) }
            if isAdded, rings.count(key) >= rowLimit { removeFirst(key) }
            let place = isAdded ? add(key, rows, row) : nil
            write(key, place: place)
        }
    }

    // MARK: Rows

    /// Whether every order value has a place in an order; reports one that has not.
    private func canOrder(_ rows: OverRows, _ row: Int) -> Bool {
        for operand in rows.order {
            let isFit: Bool
            switch operand.tag(row) {
            case .null, .bigint, .float, .bit: isFit = true
            case .datetime:
                if case .percentile(_, true) = function { isFit = false } else { isFit = true }
            case .text: isFit = ordersText || operand.number(row) != nil
            case .record, .array: isFit = false
            }
            if !isFit {
                rows.context.fail(
                    row: row, "\(name) orders by numbers and datetimes, found \(operand.describe(row))", range)
                return false
            }
        }
        return true
    }

    /// Adds a row and gives its place in the order; nil where it has none.
    private func add(_ key: Int, _ rows: OverRows, _ row: Int) -> Int? {
        let index = rings.append(key, time: rows.times[row])
        for (value, operand) in rows.order.enumerated() {
            if operand.tag(row) == .text, !ordersText {
                rings.set(
                    key, index, value, tag: .float, bits: (operand.number(row) ?? 0).bitPattern,
                    heap: operand.column.heap)
            } else {
                rings.set(key, index, value, tag: operand.tag(row), bits: operand.bits(row), heap: operand.column.heap)
            }
        }
        if let texts {
            rings.set(key, index, valueIndex, tag: .text, bytes: texts.bytes(row))
        } else if case .topOne = function, let value = rows.arguments.first {
            rings.set(key, index, valueIndex, tag: value.tag(row), bits: value.bits(row), heap: value.column.heap)
        }
        if function.ignoresNull, rings.tag(key, index, 0) == .null { return nil }
        let place = place(key, index)
        sorted[key].insert(oldest[key] &+ UInt32(truncatingIfNeeded: index), at: place)
        return place
    }

    private func removeFirst(_ key: Int) {
        if !(function.ignoresNull && rings.tag(key, 0, 0) == .null) {
            // Where it stands is found as it was when it came.
            let place = place(key, 0)
            if place < sorted[key].count, sorted[key][place] == oldest[key] { sorted[key].remove(at: place) }
        }
        rings.removeFirst(key)
        oldest[key] &+= 1
    }

    /// The place of a row among the sorted ones: how many come before it.
    private func place(_ key: Int, _ index: Int) -> Int {
        var low = 0
        var high = sorted[key].count
        while low < high {
            let middle = (low + high) / 2
            let other = Int(sorted[key][middle] &- oldest[key])
            if comes(key, other, before: index) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func comes(_ key: Int, _ first: Int, before second: Int) -> Bool {
        for (value, isDescending) in isDescending.enumerated() {
            switch order(key, first, second, value) {
            case .less: return !isDescending
            case .greater: return isDescending
            default: continue
            }
        }
        return first < second
    }

    private func order(_ key: Int, _ first: Int, _ second: Int, _ value: Int) -> Ordering3 {
        let (a, b) = (rings.tag(key, first, value), rings.tag(key, second, value))
        if a == .null || b == .null { return a == b ? .equal : a == .null ? .less : .greater }
        let (x, y) = (rings.bits(key, first, value), rings.bits(key, second, value))
        switch (a, b) {
        case (.text, .text):
            let (one, other) = (rings.bytes(x), rings.bytes(y))
            return one.lexicographicallyPrecedes(other) ? .less : one.elementsEqual(other) ? .equal : .greater
        // Text is above every number.
        case (.text, _): return .greater
        case (_, .text): return .less
        default: return orderNumbers(a, x, b, y)
        }
    }

    // MARK: Result

    private func write(_ key: Int, place: Int?) {
        switch function {
        case .percentile(let share, let isContinuous): writePercentile(key, share, isContinuous)
        case .topOne:
            guard let first = sorted[key].first else {
                result.append(.null, 0)
                return
            }
            rings.write(key, Int(first &- oldest[key]), valueIndex, into: result)
        case .collectTop(let count):
            let heap = result.heap
            let start = heap.count
            heap.put("[")
            for (rank, number) in sorted[key].prefix(count).enumerated() {
                heap.put(rank == 0 ? "{\"rank\":" : ",{\"rank\":")
                heap.put(rank + 1)
                heap.put(",\"value\":")
                heap.put(rings.bytes(rings.bits(key, Int(number &- oldest[key]), valueIndex)))
                heap.put("}")
            }
            heap.put("]")
            result.append(.array, TextHeap.pack(start: start, count: heap.count - start))
        case .rowNumber:
            guard let place else {
                result.append(.null, 0)
                return
            }
            result.append(.bigint, UInt64(place + 1))
        }
    }

    private func writePercentile(_ key: Int, _ share: Double, _ isContinuous: Bool) {
        let list = sorted[key]
        guard !list.isEmpty else {
            result.append(.null, 0)
            return
        }
        let offset = oldest[key]
        guard isContinuous else {
            rings.write(
                key, Int(list[discreteIndex(share: share, count: list.count)] &- offset), 0, into: result)
            return
        }
        let position = share * Double(list.count - 1)
        let low = min(Int(position), list.count - 1)
        let high = min(low + 1, list.count - 1)
        let first = number(key, Int(list[low] &- offset))
        let second = number(key, Int(list[high] &- offset))
        let part = position - Double(low)
        result.append(.float, (part == 0 ? first : first + (second - first) * part).bitPattern)
    }

    private func number(_ key: Int, _ index: Int) -> Double {
        let bits = rings.bits(key, index, 0)
        return rings.tag(key, index, 0) == .float ? Double(bitPattern: bits) : Double(Int64(bitPattern: bits))
    }

    // MARK: Stored state

    override func save(to writer: inout StateWriter) { rings.save(to: &writer) }

    override func restore(from reader: inout StateReader) throws {
        try rings.restore(from: &reader)
        reserveKeys(rings.keyCount)
        for key in 0..<rings.keyCount {
            let indices = (0..<rings.count(key)).filter { !(function.ignoresNull && rings.tag(key, $0, 0) == .null) }
            sorted[key] = indices.sorted { comes(key, $0, before: $1) }.map { UInt32(truncatingIfNeeded: $0) }
        }
    }
}

/// The index of the smallest of `count` sorted values whose share of the values up to it is at least `share`.
func discreteIndex(share: Double, count: Int) -> Int {
    var rank = max(1, min(count, Int((share * Double(count)).rounded(.up))))
    // The product may be rounded above a whole number.
    while rank > 1, Double(rank - 1) / Double(count) >= share { rank -= 1 }
    return rank - 1
}
