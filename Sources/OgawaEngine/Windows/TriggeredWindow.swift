import OgawaCore
import OgawaSQL

/// Sliding windows with a trigger: for each row for which the condition holds, the rows of its partition in (t - before, t + after], grouped.
///
/// Triggers of one partition at one instant have the same rows and share them.
/// State: as EntryStore, for the rows of the last `before` and those that a waiting trigger needs; 16 bytes a waiting trigger.
final class TriggeredWindow: GroupWindow {
    private let before: Int64
    private let after: Int64
    private let entries: EntryStore
    private let accumulators: [Accumulator]
    private let map = SlotMap()
    private var triggers: [(time: Int64, partition: UInt32)] = []
    /// Triggers before this place are done.
    private var firstTrigger = 0
    private var found: [Int] = []
    private var groups: [UInt32] = []
    private var keys: [UInt32] = []
    private var slots: [Int32] = []

    init(before: Int64, after: Int64, _ parts: Parts) {
        self.before = before
        self.after = after
        entries = EntryStore(parts.aggregates)
        accumulators = parts.aggregates.map(Accumulator.make)
        super.init(parts)
    }

    override func add(_ input: GroupInput) {
        entries.reserve(keyCount: parts.partitions.interner.count)
        let times = input.batch.times
        for row in times.indices {
            let time = times[row]
            close(before: time)
            drop(now: time)
            let partition = parts.partitions.ids[row]
            entries.append(
                time: time, key: partition, group: parts.groups.ids[row], input.aggregates, row)
            if conditions[0].isTrue(row), !isKnown(time, partition) { triggers.append((time, partition)) }
        }
    }

    private func isKnown(_ time: Int64, _ partition: UInt32) -> Bool {
        var index = triggers.count - 1
        while index >= firstTrigger, triggers[index].time == time {
            if triggers[index].partition == partition { return true }
            index -= 1
        }
        return false
    }

    /// Drops the rows that neither a waiting trigger nor one from now on can reach.
    private func drop(now: Int64) {
        let earliest = firstTrigger < triggers.count ? min(now, triggers[firstTrigger].time) : now
        while entries.oldest >= 0, entries.times[Int(entries.oldest)] <= earliest &- before { entries.dropOldest() }
    }

    override var earliestEnd: Int64? {
        firstTrigger < triggers.count ? triggers[firstTrigger].time &+ after : nil
    }

    override func close(before time: Int64) {
        while firstTrigger < triggers.count, triggers[firstTrigger].time &+ after < time {
            give(triggers[firstTrigger])
            firstTrigger += 1
        }
        if firstTrigger > 1024, firstTrigger * 2 > triggers.count {
            triggers.removeFirst(firstTrigger)
            firstTrigger = 0
        }
    }

    private func give(_ trigger: (time: Int64, partition: UInt32)) {
        let start = trigger.time &- before
        let end = trigger.time &+ after
        found.removeAll(keepingCapacity: true)
        groups.removeAll(keepingCapacity: true)
        var entry = Int(entries.chains[Int(trigger.partition)].head)
        while entry >= 0, entries.times[entry] <= end {
            if entries.times[entry] > start {
                found.append(entry)
                groups.append(entries.groups[entry])
            }
            entry = Int(entries.next[entry])
        }
        map.startOver()
        keys.removeAll(keepingCapacity: true)
        map.slots(of: groups[...], keyCount: parts.groups.interner.count, keys: &keys, into: &slots)
        for (index, accumulator) in accumulators.enumerated() {
            accumulator.removeAll()
            accumulator.grow(to: keys.count)
            for (place, entry) in found.enumerated() {
                accumulator.add(entry, entries.inputs[index], slot: Int(slots[place]))
            }
        }
        for (slot, key) in keys.enumerated() { write(key: key, accumulators, slot: slot, start: start, end: end) }
    }

    override func save(to writer: inout StateWriter) {
        entries.save(to: &writer, byKey: false)
        writer.write(triggers.count - firstTrigger)
        for trigger in triggers[firstTrigger...] {
            writer.write(trigger.time)
            writer.write(Int(trigger.partition))
        }
    }

    override func restore(from reader: inout StateReader) throws {
        let partitionCount = parts.partitions.interner.count
        try entries.restore(
            from: &reader, keyCount: partitionCount, groupCount: parts.groups.interner.count)
        for _ in 0..<(try reader.readCount(ofSize: 16)) {
            let time = try reader.readInt64()
            let partition = try reader.readInt()
            guard (0..<partitionCount).contains(partition) else { throw StateError() }
            triggers.append((time, UInt32(truncatingIfNeeded: partition)))
        }
    }
}
