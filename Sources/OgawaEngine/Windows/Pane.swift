import OgawaCore

/// The groups of one span of time and their running aggregates.
///
/// **Shape.** A slot per group, in order of first appearance.
final class Pane {
    private(set) var end: Int64 = 0
    private(set) var keys: [UInt32] = []
    let accumulators: [Accumulator]
    private var rowSlots: [Int32] = []

    init(_ accumulators: [Accumulator]) { self.accumulators = accumulators }

    var count: Int { keys.count }

    func reset(end: Int64) {
        self.end = end
        keys.removeAll(keepingCapacity: true)
        accumulators.removeAll()
    }

    /// Adds a run of rows; `map` knows the slots of this pane's keys and of no others.
    func add(_ rows: Range<Int>, _ input: GroupInput, _ groups: KeySpace, _ map: SlotMap) {
        map.slots(of: groups.ids[rows], keyCount: groups.interner.count, keys: &keys, into: &rowSlots)
        rowSlots.withUnsafeBufferPointer { slots in
            guard let slots = slots.baseAddress else { return }
            for (index, accumulator) in accumulators.enumerated() {
                accumulator.grow(to: keys.count)
                accumulator.add(rows, input.aggregates[index], slots: slots)
            }
        }
    }

    /// Adds the groups of a later pane.
    func merge(_ other: Pane, _ groups: KeySpace, _ map: SlotMap) {
        map.slots(of: other.keys[...], keyCount: groups.interner.count, keys: &keys, into: &rowSlots)
        for (index, accumulator) in accumulators.enumerated() {
            accumulator.grow(to: keys.count)
            for (source, slot) in rowSlots.enumerated() {
                accumulator.merge(other.accumulators[index], from: source, into: Int(slot))
            }
        }
    }

    /// Makes a map know this pane's slots and no others.
    func enter(into map: SlotMap, _ groups: KeySpace) {
        map.startOver()
        var known: [UInt32] = []
        map.slots(of: keys[...], keyCount: groups.interner.count, keys: &known, into: &rowSlots)
    }

    func markKeys(_ isLive: inout [Bool]) { for key in keys { isLive[Int(key)] = true } }

    func renumberKeys(_ numbers: [UInt32]) {
        for slot in keys.indices { keys[slot] = numbers[Int(keys[slot])] }
    }

    func save(to writer: inout StateWriter) {
        writer.write(end)
        writer.write(keys)
        accumulators.save(to: &writer)
    }

    func restore(from reader: inout StateReader, keyCount: Int) throws {
        end = try reader.readInt64()
        keys = try reader.readArray(of: UInt32.self)
        guard Set(keys).count == keys.count, keys.allSatisfy({ Int($0) < keyCount }) else { throw StateError() }
        try accumulators.restore(from: &reader, count: keys.count)
    }
}
