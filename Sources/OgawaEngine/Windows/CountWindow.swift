import OgawaCore
import OgawaSQL

/// Windows of `size` rows of a group, beginning with every `step`-th row; a row comes out with the last of them, at its time.
///
/// Windows that are not full when the input ends give nothing.
/// State: where windows do not overlap 16 bytes and the accumulators per group; else as SlidingGroups, for the last `size` rows.
final class CountWindow: GroupWindow {
    private let size: Int
    private let step: Int
    /// Where windows overlap.
    private let sliding: SlidingGroups?
    private let accumulators: [Accumulator]
    /// Rows since the last window began; with overlapping windows, rows that are still wanted for the next one, counted down.
    private var counts: [Int] = []
    private var starts: [Int64] = []

    init(size: Int, step: Int, _ parts: Parts) {
        self.size = max(1, size)
        self.step = max(1, step)
        sliding = step < size ? SlidingGroups(parts.aggregates) : nil
        accumulators = parts.aggregates.map(Accumulator.make)
        super.init(parts)
    }

    private func reserve() {
        let keyCount = parts.groups.interner.count
        sliding?.reserve(keyCount: keyCount)
        if sliding == nil { accumulators.grow(to: keyCount) }
        if counts.count < keyCount {
            counts.append(contentsOf: repeatElement(sliding == nil ? 0 : size, count: keyCount - counts.count))
            starts.append(contentsOf: repeatElement(0, count: keyCount - starts.count))
        }
    }

    override func add(_ input: GroupInput) {
        reserve()
        for row in input.batch.times.indices {
            let key = parts.groups.ids[row]
            if let sliding { slide(sliding, key, input, row) } else { count(key, input, row) }
        }
    }

    private func count(_ key: UInt32, _ input: GroupInput, _ row: Int) {
        let slot = Int(key)
        let time = input.batch.times[row]
        if counts[slot] == 0 { starts[slot] = time }
        counts[slot] += 1
        if counts[slot] <= size { accumulators.add(row, input.aggregates, slot: slot) }
        if counts[slot] == size {
            write(key: key, accumulators, slot: slot, start: starts[slot], end: time)
            accumulators.clear(slot)
        }
        if counts[slot] == step { counts[slot] = 0 }
    }

    private func slide(_ sliding: SlidingGroups, _ key: UInt32, _ input: GroupInput, _ row: Int) {
        let slot = Int(key)
        let time = input.batch.times[row]
        if sliding.count(slot) == size { sliding.popFront(slot, ofAll: false) }
        sliding.push(slot, time: time, input.aggregates, row)
        counts[slot] -= 1
        guard counts[slot] == 0 else { return }
        counts[slot] = step
        let start = sliding.entries.times[sliding.oldest(slot)]
        write(key: key, sliding.results(slot), slot: 0, start: start, end: time)
    }

    override func save(to writer: inout StateWriter) {
        writer.write(counts)
        writer.write(starts)
        if let sliding { sliding.save(to: &writer, byKey: true) } else { accumulators.save(to: &writer) }
    }

    override func restore(from reader: inout StateReader) throws {
        let keyCount = parts.groups.interner.count
        counts = try reader.readArray(of: Int.self)
        starts = try reader.readArray(of: Int64.self)
        let limit = sliding == nil ? step : size
        guard counts.count == starts.count, counts.count <= keyCount, counts.allSatisfy({ (0...limit).contains($0) })
        else { throw StateError() }
        if let sliding {
            try sliding.restore(from: &reader, keyCount: counts.count)
            guard counts.indices.allSatisfy({ sliding.count($0) <= size }) else { throw StateError() }
        } else {
            try accumulators.restore(from: &reader, count: counts.count)
        }
    }
}

/// Windows from a row that opens one to a row that closes it, per group; or of neighbours for which one condition holds.
///
/// With two conditions the row comes out with the closing row, which belongs to the window; the opening row may close it, too. With one
/// condition it comes out at the time of the first row for which the condition does not hold, which does not belong to it.
/// Windows that are open when the input ends give nothing.
/// State: 9 bytes and the accumulators per group.
final class StateWindow: GroupWindow {
    private let hasClose: Bool
    private let accumulators: [Accumulator]
    private var isOpen: [Bool] = []
    private var starts: [Int64] = []

    init(hasClose: Bool, _ parts: Parts) {
        self.hasClose = hasClose
        accumulators = parts.aggregates.map(Accumulator.make)
        super.init(parts)
    }

    private func reserve() {
        let keyCount = parts.groups.interner.count
        accumulators.grow(to: keyCount)
        if isOpen.count < keyCount {
            isOpen.append(contentsOf: repeatElement(false, count: keyCount - isOpen.count))
            starts.append(contentsOf: repeatElement(0, count: keyCount - starts.count))
        }
    }

    override func add(_ input: GroupInput) {
        reserve()
        for row in input.batch.times.indices {
            let key = Int(parts.groups.ids[row])
            let time = input.batch.times[row]
            let holds = conditions[0].isTrue(row)
            if !isOpen[key], holds {
                isOpen[key] = true
                starts[key] = time
            }
            guard isOpen[key] else { continue }
            if hasClose || holds { accumulators.add(row, input.aggregates, slot: key) }
            if hasClose ? conditions[1].isTrue(row) : !holds { give(key, end: time) }
        }
    }

    private func give(_ key: Int, end: Int64) {
        write(key: UInt32(truncatingIfNeeded: key), accumulators, slot: key, start: starts[key], end: end)
        accumulators.clear(key)
        isOpen[key] = false
    }

    override func save(to writer: inout StateWriter) {
        writer.write(starts)
        for flag in isOpen { writer.write(flag) }
        accumulators.save(to: &writer)
    }

    override func restore(from reader: inout StateReader) throws {
        starts = try reader.readArray(of: Int64.self)
        guard starts.count <= parts.groups.interner.count else { throw StateError() }
        for _ in starts { isOpen.append(try reader.readBool()) }
        try accumulators.restore(from: &reader, count: starts.count)
    }
}
