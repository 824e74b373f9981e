import OgawaCore
import OgawaSQL

/// An aggregate over the different values of each slot, which NULL is not among; 1 and 1.0 are one value.
///
/// **Shape.** A table of the places of values in the lists, open-addressed with linear probing at a load of at most 1/2. State per
/// value: 25 to 33 bytes and its text.
final class DistinctAccumulator: Accumulator {
    private let inner: Accumulator
    private let lists = ValueLists(keyCount: 0)
    private var table: [Int32] = Array(repeating: -1, count: 64)
    private var used = 0

    init(_ call: AggregateCall, _ inner: Accumulator) {
        self.inner = inner
        super.init(call)
    }

    override var isMergeable: Bool { false }

    override func grow(to count: Int) {
        super.grow(to: count)
        lists.grow(to: count)
        inner.grow(to: count)
    }

    override func clear(_ slot: Int) {
        var node = lists.head(slot)
        while node >= 0 {
            remove(node)
            node = Int(lists.next[node])
        }
        lists.clear(slot)
        inner.clear(slot)
    }

    override func removeAll() {
        super.removeAll()
        lists.removeAll()
        inner.removeAll()
        table = Array(repeating: -1, count: 64)
        used = 0
    }

    override func add(_ row: Int, _ input: AggregateInput, slot: Int) {
        if let argument = input.argument { add(argument, row, slot) }
    }

    private func add(_ argument: Operand, _ row: Int, _ slot: Int) {
        guard argument.tag(row) != .null, insert(argument, row, slot) else { return }
        inner.add(row, AggregateInput(argument: argument, filter: nil, order: []), slot: slot)
    }

    /// Takes a value that the slot does not have yet.
    private func insert(_ argument: Operand, _ row: Int, _ slot: Int) -> Bool {
        var place = hash(argument, row, slot) & (table.count - 1)
        while table[place] >= 0 {
            let node = Int(table[place])
            if Int(lists.slots[node]) == slot, isSame(node, argument, row) { return false }
            place = (place + 1) & (table.count - 1)
        }
        table[place] = Int32(truncatingIfNeeded: lists.append(argument, [], row, to: slot))
        used += 1
        if used * 2 > table.count { growTable() }
        return true
    }

    private func isSame(_ node: Int, _ argument: Operand, _ row: Int) -> Bool {
        let stored = lists.values.operand
        return kind(stored.tag(node)) == kind(argument.tag(row)) && orderTotally(stored, node, argument, row) == 0
    }

    private func kind(_ tag: ValueTag) -> ValueTag { tag == .float ? .bigint : tag }

    private func hash(_ argument: Operand, _ row: Int, _ slot: Int) -> Int {
        let tag = argument.tag(row)
        var bits = argument.bits(row)
        if tag == .float, let whole = Int64(exactly: Double(bitPattern: bits)) { bits = UInt64(bitPattern: whole) }
        var hash = UInt64(truncatingIfNeeded: slot) &* 0x9e37_79b9_7f4a_7c15 ^ UInt64(kind(tag).rawValue)
        if TagSet.heaped.contains(tag.set) {
            for byte in argument.column.heap.bytes(bits) { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        } else {
            hash ^= bits
        }
        let product = hash.multipliedFullWidth(by: 0xd6e8_feb8_6659_fd93)
        return Int(truncatingIfNeeded: (product.high ^ product.low) & 0x7fff_ffff)
    }

    private func growTable() {
        let old = table
        table = Array(repeating: -1, count: old.count * 2)
        for node in old where node >= 0 { place(node) }
    }

    private func place(_ node: Int32) {
        let index = Int(node)
        var place = hash(lists.values.operand, index, Int(lists.slots[index])) & (table.count - 1)
        while table[place] >= 0 { place = (place + 1) & (table.count - 1) }
        table[place] = node
    }

    /// Takes a value out of the table and closes the gap.
    private func remove(_ node: Int) {
        var place = hash(lists.values.operand, node, Int(lists.slots[node])) & (table.count - 1)
        while table[place] >= 0, Int(table[place]) != node { place = (place + 1) & (table.count - 1) }
        guard table[place] >= 0 else { return }
        table[place] = -1
        used -= 1
        var following = (place + 1) & (table.count - 1)
        while table[following] >= 0 {
            let moved = table[following]
            table[following] = -1
            self.place(moved)
            following = (following + 1) & (table.count - 1)
        }
    }

    override func merge(_ other: Accumulator, from source: Int, into slot: Int) {
        guard let other = other as? DistinctAccumulator else { return }
        var node = other.lists.head(source)
        while node >= 0 {
            add(other.lists.values.operand, node, slot)
            node = Int(other.lists.next[node])
        }
    }

    override func write(_ slot: Int, into column: Column) { inner.write(slot, into: column) }

    override func save(to writer: inout StateWriter) {
        super.save(to: &writer)
        lists.save(to: &writer)
        inner.save(to: &writer)
    }

    override func restore(from reader: inout StateReader) throws {
        try super.restore(from: &reader)
        removeAll(keeping: count)
        try lists.restore(from: &reader, count: count)
        try inner.restore(from: &reader)
        guard inner.count == count else { throw StateError() }
        while lists.next.count * 2 > table.count { table = Array(repeating: -1, count: table.count * 2) }
        for node in lists.next.indices { place(Int32(truncatingIfNeeded: node)) }
        used = lists.next.count
    }

    private func removeAll(keeping count: Int) {
        removeAll()
        super.grow(to: count)
    }
}
