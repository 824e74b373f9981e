import OgawaCore
import OgawaSQL

/// The groups of one span of time and their running aggregates.
///
/// **Shape.** A slot per group, in order of first appearance; every array has one element per slot.
final class Pane {
    private(set) var end: Int64 = 0
    private(set) var keys: [UInt32] = []
    private var slots: [UInt32: Int32] = [:]
    private var accumulators: [Accumulator]
    private var rowSlots: [Int32] = []

    init(aggregates: [AggregateCall]) { accumulators = aggregates.map(Accumulator.init) }

    var count: Int { keys.count }

    func reset(end: Int64) {
        self.end = end
        keys.removeAll(keepingCapacity: true)
        slots.removeAll(keepingCapacity: true)
        for index in accumulators.indices { accumulators[index].reset() }
    }

    /// Adds a run of rows.
    func add(_ rows: Range<Int>, ids: [UInt32], arguments: [Operand?]) {
        rowSlots.removeAll(keepingCapacity: true)
        for row in rows { rowSlots.append(slot(ids[row])) }
        for index in accumulators.indices {
            accumulators[index].grow(to: keys.count)
            accumulators[index].add(rows, slots: rowSlots, argument: arguments[index])
        }
    }

    /// Adds the groups of a later pane.
    func merge(_ other: Pane) {
        rowSlots.removeAll(keepingCapacity: true)
        for key in other.keys { rowSlots.append(slot(key)) }
        for index in accumulators.indices {
            accumulators[index].grow(to: keys.count)
            accumulators[index].merge(other.accumulators[index], slots: rowSlots)
        }
    }

    /// Appends the value of an aggregate for a group.
    func write(_ aggregate: Int, slot: Int, into column: Column) {
        accumulators[aggregate].write(slot, into: column)
    }

    /// The first failure since the last call, with the aggregate's index.
    func takeFailure() -> (aggregate: Int, message: String)? {
        for index in accumulators.indices {
            if let message = accumulators[index].takeFailure() { return (index, message) }
        }
        return nil
    }

    @inline(__always)
    private func slot(_ key: UInt32) -> Int32 {
        if let slot = slots[key] { return slot }
        let slot = Int32(truncatingIfNeeded: keys.count)
        slots[key] = slot
        keys.append(key)
        return slot
    }
}
