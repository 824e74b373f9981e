import OgawaCore
import OgawaSQL

// Aggregates that keep their rows. A sliding window adds the rows of each result anew.

/// An aggregate over the list of a slot's rows.
class ListAccumulator: Accumulator {
    fileprivate let lists: ValueLists
    fileprivate let isDescending: [Bool]

    fileprivate init(_ call: AggregateCall, keyCount: Int) {
        lists = ValueLists(keyCount: keyCount)
        isDescending = call.order.map(\.isDescending)
        super.init(call)
    }

    override var isMergeable: Bool { false }

    override func grow(to count: Int) {
        super.grow(to: count)
        lists.grow(to: count)
    }

    override func clear(_ slot: Int) { lists.clear(slot) }

    override func removeAll() {
        super.removeAll()
        lists.removeAll()
    }

    override func add(_ row: Int, _ input: AggregateInput, slot: Int) {
        guard let argument = input.argument, input.takesPart(row) else { return }
        take(argument, input.order, row, slot)
    }

    fileprivate func take(_ argument: Operand, _ order: [Operand], _ row: Int, _ slot: Int) {
        lists.append(argument, order, row, to: slot)
    }

    override func merge(_ other: Accumulator, from source: Int, into slot: Int) {
        guard let other = other as? ListAccumulator else { return }
        let order = other.lists.keys.map(\.operand)
        var node = other.lists.head(source)
        while node >= 0 {
            take(other.lists.values.operand, order, node, slot)
            node = Int(other.lists.next[node])
        }
    }

    override func save(to writer: inout StateWriter) {
        super.save(to: &writer)
        lists.save(to: &writer)
    }

    override func restore(from reader: inout StateReader) throws {
        try super.restore(from: &reader)
        try lists.restore(from: &reader, count: count)
    }
}

/// Collect: the values of all rows, NULL among them, in order of time.
final class CollectAccumulator: ListAccumulator {
    init(_ call: AggregateCall) { super.init(call, keyCount: 0) }

    override func write(_ slot: Int, into column: Column) {
        let heap = column.heap
        let start = heap.count
        JSONOutput.append("[", to: heap)
        var node = lists.head(slot)
        while node >= 0 {
            if node != lists.head(slot) { JSONOutput.append(",", to: heap) }
            JSONOutput.append(lists.values.operand, node, to: heap)
            node = Int(lists.next[node])
        }
        JSONOutput.append("]", to: heap)
        column.append(.array, TextHeap.pack(start: start, count: heap.count - start))
    }
}

/// CollectTop: the first rows in an order, of equals the earliest first, each as `{"rank":n,"value":v}`.
final class CollectTopAccumulator: ListAccumulator {
    init(_ call: AggregateCall) { super.init(call, keyCount: call.order.count) }

    override func take(_ argument: Operand, _ order: [Operand], _ row: Int, _ slot: Int) {
        let limit = max(1, Int(call.parameter))
        lists.insert(argument, order, row, into: slot, isDescending: isDescending, limit: limit)
    }

    override func write(_ slot: Int, into column: Column) {
        let heap = column.heap
        let start = heap.count
        JSONOutput.append("[", to: heap)
        var rank = 0
        var node = lists.head(slot)
        while node >= 0 {
            rank += 1
            JSONOutput.append(rank == 1 ? "{\"rank\":" : ",{\"rank\":", to: heap)
            JSONOutput.append(String(rank), to: heap)
            JSONOutput.append(",\"value\":", to: heap)
            JSONOutput.append(lists.values.operand, node, to: heap)
            JSONOutput.append("}", to: heap)
            node = Int(lists.next[node])
        }
        JSONOutput.append("]", to: heap)
        column.append(.array, TextHeap.pack(start: start, count: heap.count - start))
    }
}

/// PERCENTILE_CONT and PERCENTILE_DISC over the values that are not NULL.
final class PercentileAccumulator: ListAccumulator {
    private var order: [Int32] = []

    init(_ call: AggregateCall) { super.init(call, keyCount: 0) }

    override func take(_ argument: Operand, _ order: [Operand], _ row: Int, _ slot: Int) {
        if argument.tag(row) != .null { lists.append(argument, [], row, to: slot) }
    }

    override func write(_ slot: Int, into column: Column) {
        order.removeAll(keepingCapacity: true)
        var node = lists.head(slot)
        while node >= 0 {
            order.append(Int32(truncatingIfNeeded: node))
            node = Int(lists.next[node])
        }
        guard !order.isEmpty else {
            column.append(.null, 0)
            return
        }
        let values = lists.values.operand
        let isDescending = isDescending.first ?? false
        order.sort { first, second in
            let comparison = orderTotally(values, Int(first), values, Int(second))
            return isDescending ? comparison > 0 : comparison < 0
        }
        if call.function == .discretePercentile { writeDiscrete(into: column) } else { writeContinuous(into: column) }
    }

    /// The first value whose share of the values up to it is at least the wanted one.
    private func writeDiscrete(into column: Column) {
        let count = Double(order.count)
        var low = 0
        var high = order.count - 1
        while low < high {
            let middle = (low + high) / 2
            if Double(middle + 1) / count >= call.parameter { high = middle } else { low = middle + 1 }
        }
        column.appendCopy(of: lists.values.column, row: Int(order[low]))
    }

    /// The value at the place 1 + p (n - 1), on the line between its neighbours.
    private func writeContinuous(into column: Column) {
        let place = call.parameter * Double(order.count - 1)
        let whole = min(Int(place.rounded(.down)), order.count - 1)
        let values = lists.values.operand
        let low = values.number(Int(order[whole])) ?? 0
        let high = values.number(Int(order[min(whole + 1, order.count - 1)])) ?? 0
        let fraction = place - Double(whole)
        column.append(.float, (fraction == 0 ? low : low + (high - low) * fraction).bitPattern)
    }
}
