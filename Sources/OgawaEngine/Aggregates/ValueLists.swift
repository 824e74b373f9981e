import OgawaCore

/// A list of rows per slot, each row with a value and the keys that it is ordered by, chained through one flat store.
///
/// **Shape.** 17 bytes a row, 9 more per key, and the text; 12 bytes a slot. Rows of cleared slots are used again.
/// **Isolation.** Owned by one operator.
final class ValueLists {
    private struct List {
        var head: Int32 = -1
        var tail: Int32 = -1
        var count: Int32 = 0
    }

    let values = ValueStore()
    let keys: [ValueStore]
    private(set) var next: [Int32] = []
    private(set) var slots: [Int32] = []
    private var free: [Int32] = []
    private var lists: [List] = []

    init(keyCount: Int) { keys = (0..<keyCount).map { _ in ValueStore() } }

    func count(_ slot: Int) -> Int { Int(lists[slot].count) }

    /// The first row of a slot, or -1; ``next`` leads on.
    func head(_ slot: Int) -> Int { Int(lists[slot].head) }

    func grow(to count: Int) {
        if lists.count < count { lists.append(contentsOf: repeatElement(List(), count: count - lists.count)) }
    }

    func removeAll() {
        lists.removeAll(keepingCapacity: true)
        next.removeAll(keepingCapacity: true)
        slots.removeAll(keepingCapacity: true)
        free.removeAll(keepingCapacity: true)
        for store in [values] + keys { store.removeAll() }
    }

    func clear(_ slot: Int) {
        var node = lists[slot].head
        while node >= 0 {
            let following = next[Int(node)]
            release(Int(node))
            node = following
        }
        lists[slot] = List()
    }

    private func release(_ node: Int) {
        values.clear(node)
        for key in keys { key.clear(node) }
        free.append(Int32(truncatingIfNeeded: node))
    }

    private func makeNode(_ argument: Operand, _ order: [Operand], _ row: Int, slot: Int) -> Int {
        let node: Int
        if let reused = free.popLast() {
            node = Int(reused)
        } else {
            node = next.count
            next.append(-1)
            slots.append(0)
            for store in [values] + keys { store.grow(to: node + 1) }
        }
        next[node] = -1
        slots[node] = Int32(truncatingIfNeeded: slot)
        values.set(node, from: argument, row)
        for (index, operand) in order.enumerated() { keys[index].set(node, from: operand, row) }
        return node
    }

    /// Adds a row at the end of a slot's list and returns its place.
    @discardableResult
    func append(_ argument: Operand, _ order: [Operand], _ row: Int, to slot: Int) -> Int {
        let node = makeNode(argument, order, row, slot: slot)
        link(node, behind: Int(lists[slot].tail), in: slot)
        return node
    }

    /// Adds a row where it belongs in the order, behind its equals, and drops what is behind `limit` rows.
    func insert(
        _ argument: Operand, _ order: [Operand], _ row: Int, into slot: Int, isDescending: [Bool], limit: Int
    ) {
        let stored = keys.map(\.operand)
        func isBehind(_ node: Int) -> Bool {
            orderTotally(order, row, stored, node, isDescending: isDescending) >= 0
        }
        let tail = Int(lists[slot].tail)
        var previous = -1
        if tail >= 0, isBehind(tail) {
            if Int(lists[slot].count) >= limit { return }
            previous = tail
        } else {
            var node = Int(lists[slot].head)
            while node >= 0, isBehind(node) {
                previous = node
                node = Int(next[node])
            }
        }
        link(makeNode(argument, order, row, slot: slot), behind: previous, in: slot)
        if Int(lists[slot].count) > limit { dropLast(of: slot) }
    }

    private func link(_ node: Int, behind previous: Int, in slot: Int) {
        let number = Int32(truncatingIfNeeded: node)
        if previous < 0 {
            next[node] = lists[slot].head
            lists[slot].head = number
        } else {
            next[node] = next[previous]
            next[previous] = number
        }
        if next[node] < 0 { lists[slot].tail = number }
        lists[slot].count += 1
    }

    private func dropLast(of slot: Int) {
        var previous = -1
        var node = Int(lists[slot].head)
        while node >= 0, next[node] >= 0 {
            previous = node
            node = Int(next[node])
        }
        guard node >= 0 else { return }
        release(node)
        lists[slot].tail = Int32(truncatingIfNeeded: previous)
        if previous >= 0 { next[previous] = -1 } else { lists[slot].head = -1 }
        lists[slot].count -= 1
    }

    func save(to writer: inout StateWriter) {
        for slot in lists.indices {
            writer.write(count(slot))
            var node = head(slot)
            while node >= 0 {
                for store in [values] + keys { writer.write(store.column.value(at: node)) }
                node = Int(next[node])
            }
        }
    }

    /// Takes what ``save(to:)`` wrote of `count` slots.
    func restore(from reader: inout StateReader, count: Int) throws {
        removeAll()
        grow(to: count)
        let heap = TextHeap(capacity: 256)
        let row = (0...keys.count).map { _ in Column(heap: heap) }
        for slot in 0..<count {
            for _ in 0..<(try reader.readCount()) {
                heap.count = 0
                for column in row {
                    column.finish(count: 0, tagSet: [])
                    column.append(try reader.readValue())
                }
                let operands = row.map { Operand(column: $0, isConstant: true) }
                append(operands[0], Array(operands.dropFirst()), 0, to: slot)
            }
        }
    }
}
