import OgawaCore
import OgawaSQL

/// Rows that windows look back at: what the aggregates read of them, in one order of time for all and chained per key.
///
/// **Shape.** 36 bytes a row and 9 bytes per argument, filter and element of ORDER BY, and their text; 16 bytes a key. Places of dropped
/// rows are used again.
/// **Isolation.** Owned by one operator.
final class EntryStore {
    /// The rows of one key.
    struct Chain {
        var head: Int32 = -1
        var tail: Int32 = -1
        var count: Int32 = 0
        /// The first row that is not in the front of a pair of stacks; -1 where all are.
        var middle: Int32 = -1
    }

    private let stores: [[ValueStore]]
    /// What the aggregates read; a row is an entry.
    let inputs: [AggregateInput]
    private(set) var times: [Int64] = []
    /// The key whose chain an entry is in.
    private(set) var keys: [UInt32] = []
    /// The group that an entry counts in.
    private(set) var groups: [UInt32] = []
    /// Counts entries in order of arrival.
    private(set) var sequences: [Int64] = []
    /// The next entry of the same key.
    private(set) var next: [Int32] = []
    private var nextOfAll: [Int32] = []
    private var free: [Int32] = []
    private(set) var oldest: Int32 = -1
    private var newest: Int32 = -1
    private var sequence: Int64 = 0
    var chains: [Chain] = []

    init(_ calls: [AggregateCall]) {
        var stores: [[ValueStore]] = []
        inputs = calls.map { call in
            let isPercentile = call.function == .continuousPercentile || call.function == .discretePercentile
            let argument = call.argument.map { _ in ValueStore() }
            let filter = call.filter.map { _ in ValueStore() }
            let order = (isPercentile ? [] : call.order).map { _ in ValueStore() }
            stores.append([argument, filter].compactMap { $0 } + order)
            return AggregateInput(
                argument: argument?.operand, filter: filter?.operand, order: order.map(\.operand))
        }
        self.stores = stores
    }

    var count: Int { times.count }

    func reserve(keyCount: Int) {
        if chains.count < keyCount {
            chains.append(contentsOf: repeatElement(Chain(), count: keyCount - chains.count))
        }
    }

    /// Adds a row at the end of all and of its key's chain, and returns its place.
    @discardableResult
    func append(time: Int64, key: UInt32, group: UInt32, _ inputs: [AggregateInput], _ row: Int) -> Int {
        let entry = place()
        times[entry] = time
        keys[entry] = key
        groups[entry] = group
        sequences[entry] = sequence
        sequence += 1
        for (index, input) in inputs.enumerated() {
            var store = 0
            func keep(_ operand: Operand?) {
                guard let operand else { return }
                stores[index][store].set(entry, from: operand, row)
                store += 1
            }
            keep(input.argument)
            keep(input.filter)
            for operand in input.order { keep(operand) }
        }
        let number = Int32(truncatingIfNeeded: entry)
        if newest >= 0 { nextOfAll[Int(newest)] = number } else { oldest = number }
        newest = number
        let tail = chains[Int(key)].tail
        if tail >= 0 { next[Int(tail)] = number } else { chains[Int(key)].head = number }
        chains[Int(key)].tail = number
        chains[Int(key)].count += 1
        return entry
    }

    private func place() -> Int {
        if let entry = free.popLast() {
            next[Int(entry)] = -1
            nextOfAll[Int(entry)] = -1
            return Int(entry)
        }
        let entry = times.count
        times.append(0)
        keys.append(0)
        groups.append(0)
        sequences.append(0)
        next.append(-1)
        nextOfAll.append(-1)
        for store in stores.joined() { store.grow(to: entry + 1) }
        return entry
    }

    /// Drops the first entry of a key; only for stores that drop in the order of one key.
    func dropFirst(of key: Int) {
        let entry = Int(chains[key].head)
        guard entry >= 0 else { return }
        chains[key].head = next[entry]
        chains[key].count -= 1
        if chains[key].head < 0 { chains[key].tail = -1 }
        for store in stores.joined() { store.clear(entry) }
        free.append(Int32(truncatingIfNeeded: entry))
    }

    /// Drops the oldest entry of all, which is the first of its key.
    func dropOldest() {
        let entry = Int(oldest)
        guard entry >= 0 else { return }
        oldest = nextOfAll[entry]
        if oldest < 0 { newest = -1 }
        dropFirst(of: Int(keys[entry]))
    }

    /// Entries in the order of arrival, or of each key one after the other where only those orders are kept.
    func save(to writer: inout StateWriter, byKey: Bool) {
        var order: [Int] = []
        if byKey {
            for chain in chains {
                var entry = Int(chain.head)
                while entry >= 0 {
                    order.append(entry)
                    entry = Int(next[entry])
                }
            }
        } else {
            var entry = Int(oldest)
            while entry >= 0 {
                order.append(entry)
                entry = Int(nextOfAll[entry])
            }
        }
        writer.write(order.count)
        for entry in order {
            writer.write(times[entry])
            writer.write(Int(keys[entry]))
            writer.write(Int(groups[entry]))
            writer.write(sequences[entry])
            for store in stores.joined() { writer.write(store.column.value(at: entry)) }
        }
        writer.write(sequence)
    }

    func restore(from reader: inout StateReader, keyCount: Int, groupCount: Int) throws {
        reserve(keyCount: keyCount)
        let heap = TextHeap(capacity: 256)
        for _ in 0..<(try reader.readCount(ofSize: 32)) {
            let time = try reader.readInt64()
            let (key, group) = (try reader.readInt(), try reader.readInt())
            guard (0..<keyCount).contains(key), (0..<groupCount).contains(group) else { throw StateError() }
            sequence = try reader.readInt64()
            heap.count = 0
            let row = try stores.map { stores in
                try stores.map { _ in
                    let column = Column(heap: heap)
                    column.append(try reader.readValue())
                    return Operand(column: column, isConstant: true)
                }
            }
            let inputs = row.map { AggregateInput(argument: nil, filter: nil, order: $0) }
            append(
                time: time, key: UInt32(truncatingIfNeeded: key), group: UInt32(truncatingIfNeeded: group), inputs, 0)
        }
        sequence = try reader.readInt64()
    }
}
