import OgawaCore
import OgawaSQL

/// Sliding windows (t - size, t]: a row of a group wherever a row enters or leaves it, unless nothing is left.
///
/// Everything that changes at one instant gives one row.
/// State: as SlidingGroups, for the rows of the last `size`.
final class SlidingWindow: GroupWindow {
    private let size: Int64
    private let groups: SlidingGroups
    /// Groups that changed at `changeTime`.
    private var changed: [UInt32] = []
    private var isChanged: [Bool] = []
    private var changeTime: Int64 = 0

    init(size: Int64, _ parts: Parts) {
        self.size = size
        groups = SlidingGroups(parts.aggregates)
        super.init(parts)
    }

    private func reserve(keyCount: Int) {
        groups.reserve(keyCount: keyCount)
        if isChanged.count < keyCount {
            isChanged.append(contentsOf: repeatElement(false, count: keyCount - isChanged.count))
        }
    }

    override func add(_ input: GroupInput) {
        reserve(keyCount: parts.groups.interner.count)
        let times = input.batch.times
        for row in times.indices {
            close(before: times[row])
            let key = parts.groups.ids[row]
            groups.push(Int(key), time: times[row], input.aggregates, row)
            changeTime = times[row]
            mark(key)
        }
    }

    private func mark(_ key: UInt32) {
        if isChanged[Int(key)] { return }
        isChanged[Int(key)] = true
        changed.append(key)
    }

    override var earliestEnd: Int64? {
        let oldest = groups.entries.oldest
        let exit = oldest >= 0 ? groups.entries.times[Int(oldest)] &+ size : nil
        guard !changed.isEmpty else { return exit }
        return min(changeTime, exit ?? .max)
    }

    override func close(before time: Int64) {
        while let end = earliestEnd, end < time {
            while groups.entries.oldest >= 0 {
                let entry = Int(groups.entries.oldest)
                guard groups.entries.times[entry] &+ size <= end else { break }
                let key = groups.entries.keys[entry]
                groups.popFront(Int(key), ofAll: true)
                mark(key)
            }
            give(end: end)
        }
    }

    private func give(end: Int64) {
        let entries = groups.entries
        if changed.count > 1 {
            changed.sort { first, second in
                let (one, other) = (groups.oldest(Int(first)), groups.oldest(Int(second)))
                guard one >= 0, other >= 0 else { return one >= 0 }
                return entries.sequences[one] < entries.sequences[other]
            }
        }
        for key in changed {
            isChanged[Int(key)] = false
            guard groups.count(Int(key)) > 0 else { continue }
            write(key: key, groups.results(Int(key)), slot: 0, start: end &- size, end: end)
        }
        changed.removeAll(keepingCapacity: true)
    }

    override func save(to writer: inout StateWriter) {
        groups.save(to: &writer, byKey: false)
        writer.write(changed)
        writer.write(changeTime)
    }

    override func restore(from reader: inout StateReader) throws {
        let keyCount = parts.groups.interner.count
        reserve(keyCount: keyCount)
        try groups.restore(from: &reader, keyCount: keyCount)
        for key in try readKeys(&reader, of: parts.groups) { mark(key) }
        changeTime = try reader.readInt64()
    }
}
