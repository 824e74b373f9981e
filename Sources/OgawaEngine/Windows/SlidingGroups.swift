import OgawaCore
import OgawaSQL

// The last rows of each key and the aggregates over them.
//
// Aggregates that can be merged use two stacks: each of the older entries ("front") has the aggregate from itself to the front's end, the newer
// ones ("back") share one; when the front is used up, the back becomes the front in one backward pass. Each entry is touched a constant
// number of times, and results depend on the sequence of additions and removals only. Aggregates that keep their rows (Collect, CollectTop,
// percentiles, DISTINCT) are put together anew for each result.
//
// State: what EntryStore holds, and the aggregates once per entry and once per key.

/// Rows of keys in order, with aggregates over those that are there.
final class SlidingGroups {
    let entries: EntryStore
    private let fronts: [Accumulator]
    private let backs: [Accumulator]
    private let results: [Accumulator]
    private let mergeable: [Int]
    private let holistic: [Int]
    private var path: [Int] = []

    init(_ calls: [AggregateCall]) {
        entries = EntryStore(calls)
        fronts = calls.map(Accumulator.make)
        backs = calls.map(Accumulator.make)
        results = calls.map(Accumulator.make)
        results.grow(to: 1)
        let all = results
        mergeable = calls.indices.filter { all[$0].isMergeable }
        holistic = calls.indices.filter { !all[$0].isMergeable }
    }

    func reserve(keyCount: Int) {
        entries.reserve(keyCount: keyCount)
        for index in mergeable { backs[index].grow(to: keyCount) }
    }

    func count(_ key: Int) -> Int { Int(entries.chains[key].count) }

    /// The oldest entry of a key, or -1.
    func oldest(_ key: Int) -> Int { Int(entries.chains[key].head) }

    func push(_ key: Int, time: Int64, _ inputs: [AggregateInput], _ row: Int) {
        let number = UInt32(truncatingIfNeeded: key)
        let entry = entries.append(time: time, key: number, group: number, inputs, row)
        if entries.chains[key].middle < 0 { entries.chains[key].middle = Int32(truncatingIfNeeded: entry) }
        for index in mergeable { backs[index].add(row, inputs[index], slot: key) }
    }

    /// Drops the oldest entry of a key.
    func popFront(_ key: Int, ofAll: Bool) {
        let chain = entries.chains[key]
        guard chain.head >= 0 else { return }
        if chain.head == chain.middle { turnOver(key) }
        for index in mergeable { fronts[index].clear(Int(chain.head)) }
        if ofAll { entries.dropOldest() } else { entries.dropFirst(of: key) }
    }

    /// Makes the back the front: each entry gets the aggregate from itself to the newest one.
    private func turnOver(_ key: Int) {
        path.removeAll(keepingCapacity: true)
        var entry = oldest(key)
        while entry >= 0 {
            path.append(entry)
            entry = Int(entries.next[entry])
        }
        for index in mergeable {
            fronts[index].grow(to: entries.count)
            var newer = -1
            for entry in path.reversed() {
                fronts[index].clear(entry)
                fronts[index].add(entry, entries.inputs[index], slot: entry)
                if newer >= 0 { fronts[index].merge(fronts[index], from: newer, into: entry) }
                newer = entry
            }
            backs[index].clear(key)
        }
        entries.chains[key].middle = -1
    }

    /// The aggregates over the entries of a key, in slot 0 until the next call.
    func results(_ key: Int) -> [Accumulator] {
        results.clear(0)
        let chain = entries.chains[key]
        for index in mergeable {
            if chain.head != chain.middle { results[index].merge(fronts[index], from: Int(chain.head), into: 0) }
            if chain.middle >= 0 { results[index].merge(backs[index], from: key, into: 0) }
        }
        if !holistic.isEmpty {
            var entry = oldest(key)
            while entry >= 0 {
                for index in holistic { results[index].add(entry, entries.inputs[index], slot: 0) }
                entry = Int(entries.next[entry])
            }
        }
        return results
    }

    func save(to writer: inout StateWriter, byKey: Bool) {
        entries.save(to: &writer, byKey: byKey)
        // Where the front ends decides how floats are rounded later.
        for chain in entries.chains {
            var length = 0
            var entry = Int(chain.head)
            while entry >= 0, entry != Int(chain.middle) {
                length += 1
                entry = Int(entries.next[entry])
            }
            writer.write(length)
        }
    }

    func restore(from reader: inout StateReader, keyCount: Int) throws {
        reserve(keyCount: keyCount)
        try entries.restore(from: &reader, keyCount: keyCount, groupCount: keyCount)
        for key in 0..<keyCount {
            let length = try reader.readInt()
            guard length >= 0, length <= count(key) else { throw StateError() }
            try restoreStacks(key, frontLength: length)
        }
    }

    private func restoreStacks(_ key: Int, frontLength: Int) throws {
        var all: [Int] = []
        var entry = oldest(key)
        while entry >= 0 {
            all.append(entry)
            entry = Int(entries.next[entry])
        }
        let back = all[frontLength...]
        entries.chains[key].middle = back.first.map { Int32(truncatingIfNeeded: $0) } ?? -1
        for index in mergeable {
            fronts[index].grow(to: entries.count)
            var newer = -1
            for entry in all[..<frontLength].reversed() {
                fronts[index].clear(entry)
                fronts[index].add(entry, entries.inputs[index], slot: entry)
                if newer >= 0 { fronts[index].merge(fronts[index], from: newer, into: entry) }
                newer = entry
            }
            for entry in back { backs[index].add(entry, entries.inputs[index], slot: key) }
        }
    }
}
