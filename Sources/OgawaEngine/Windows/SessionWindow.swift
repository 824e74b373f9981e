import OgawaCore
import OgawaSQL

// Session windows. A session begins with a row, goes on while rows come at most `timeout` apart, and ends `timeout` after its last row. At every
// multiple of `maximum` since 0001-01-01T00:00:00Z, sessions that began at least `maximum` before end there, whatever comes; rows that
// follow within the timeout are in a session that begins at that point. So a session is less than twice `maximum` long.
// Without PARTITION BY all keys share one line of sessions, and the rows of each are grouped.
//
// State: 64 bytes per partition with an open session, and per group in it 12 bytes and its accumulators; 4 bytes per key beside the key.

/// Session windows.
final class SessionWindow: GroupWindow {
    /// The sessions of one partition, of which at most one is open.
    private struct Line: BitwiseCopyable {
        var start: Int64 = 0
        /// The time of the last row.
        var last: Int64 = 0
        /// Where the maximal duration ends the session.
        var checkpoint: Int64 = 0
        /// Counts sessions in order of their first rows.
        var number: Int64 = 0
        /// The checkpoint that ended the session before; `Int64.min` where it went out.
        var cut: Int64 = .min
        var firstSlot: Int32 = -1
        var lastSlot: Int32 = -1
        var isOpen = false
    }

    private let timeout: Int64
    private let maximum: Int64
    private var lines: [Line] = []
    private var waiting = EndQueue()
    private var sessionCount: Int64 = 0
    private let accumulators: [Accumulator]
    /// The slot of each key's open group, or -1.
    private var slotOfKey: [Int32] = []
    private var keyOfSlot: [UInt32] = []
    /// The next group of the same session.
    private var nextSlot: [Int32] = []
    private var freeSlots: [Int32] = []

    init(timeout: Int64, maximum: Int64, _ parts: Parts) throws {
        guard timeout > 0, maximum > 0 else { throw EngineError("a session's timeout and length must be positive") }
        self.timeout = timeout
        self.maximum = maximum
        accumulators = parts.aggregates.map(Accumulator.make)
        super.init(parts)
    }

    private func reserve() {
        let (lineCount, keyCount) = (parts.partitions.interner.count, parts.groups.interner.count)
        if lines.count < lineCount { lines.append(contentsOf: repeatElement(Line(), count: lineCount - lines.count)) }
        if slotOfKey.count < keyCount {
            slotOfKey.append(contentsOf: repeatElement(-1, count: keyCount - slotOfKey.count))
        }
    }

    override func add(_ input: GroupInput) {
        reserve()
        let times = input.batch.times
        var checked = Int64.min
        for row in times.indices {
            let time = times[row]
            if time != checked {
                close(before: time)
                checked = time
            }
            let partition = Int(parts.partitions.ids[row])
            if lines[partition].isOpen { lines[partition].last = time } else { open(partition, time) }
            let slot = slot(of: parts.groups.ids[row], in: partition)
            accumulators.add(row, input.aggregates, slot: slot)
        }
    }

    private func open(_ partition: Int, _ time: Int64) {
        var line = lines[partition]
        line.start = time
        if line.cut != .min, time &- line.last <= timeout {
            // A row exactly at a multiple is in the session that ends there.
            line.start = line.cut &+ (time &- line.cut &- 1) / maximum &* maximum
        }
        line.last = time
        line.cut = .min
        line.checkpoint = nextMultiple(of: maximum, at: line.start &+ maximum, origin: Timestamp.min.ticks)
        line.number = sessionCount
        line.isOpen = true
        sessionCount += 1
        lines[partition] = line
        waiting.insert(end: end(of: partition), number: line.number, item: Int32(truncatingIfNeeded: partition))
    }

    private func end(of partition: Int) -> Int64 { min(lines[partition].last &+ timeout, lines[partition].checkpoint) }

    private func slot(of key: UInt32, in partition: Int) -> Int {
        let known = slotOfKey[Int(key)]
        if known >= 0 { return Int(known) }
        let slot: Int32
        if let free = freeSlots.popLast() {
            slot = free
        } else {
            slot = Int32(truncatingIfNeeded: keyOfSlot.count)
            keyOfSlot.append(0)
            nextSlot.append(-1)
            accumulators.grow(to: keyOfSlot.count)
        }
        slotOfKey[Int(key)] = slot
        keyOfSlot[Int(slot)] = key
        nextSlot[Int(slot)] = -1
        let last = lines[partition].lastSlot
        if last >= 0 { nextSlot[Int(last)] = slot } else { lines[partition].firstSlot = slot }
        lines[partition].lastSlot = slot
        return Int(slot)
    }

    /// Brings the session that ends first to the head of the queue: ends were noted when sessions were opened, and move on with each row.
    private func settleFirst() {
        while let first = waiting.first {
            let end = end(of: Int(first.item))
            if end == first.end { return }
            waiting.moveFirst(to: end)
        }
    }

    override var earliestEnd: Int64? {
        settleFirst()
        return waiting.first?.end
    }

    override func close(before time: Int64) {
        while let first = waiting.first, first.end < time {
            settleFirst()
            guard let first = waiting.first, first.end < time else { return }
            waiting.removeFirst()
            close(Int(first.item), end: first.end)
        }
    }

    private func close(_ partition: Int, end: Int64) {
        var slot = lines[partition].firstSlot
        while slot >= 0 {
            let key = keyOfSlot[Int(slot)]
            write(key: key, accumulators, slot: Int(slot), start: lines[partition].start, end: end)
            accumulators.clear(Int(slot))
            slotOfKey[Int(key)] = -1
            freeSlots.append(slot)
            slot = nextSlot[Int(slot)]
        }
        lines[partition].firstSlot = -1
        lines[partition].lastSlot = -1
        lines[partition].isOpen = false
        lines[partition].cut = end == lines[partition].checkpoint ? end : .min
    }

    override func save(to writer: inout StateWriter) {
        writer.write(sessionCount)
        for line in lines {
            for value in [line.start, line.last, line.checkpoint, line.number, line.cut] { writer.write(value) }
            writer.write(line.isOpen)
            var keys: [UInt32] = []
            var slots: [Int32] = []
            var slot = line.firstSlot
            while slot >= 0 {
                keys.append(keyOfSlot[Int(slot)])
                slots.append(slot)
                slot = nextSlot[Int(slot)]
            }
            writer.write(keys)
            writer.write(slots)
        }
        writer.write(keyOfSlot.count)
        accumulators.save(to: &writer)
    }

    override func restore(from reader: inout StateReader) throws {
        reserve()
        sessionCount = try reader.readInt64()
        var slots: [[Int32]] = []
        var keys: [[UInt32]] = []
        for index in lines.indices {
            lines[index].start = try reader.readInt64()
            lines[index].last = try reader.readInt64()
            lines[index].checkpoint = try reader.readInt64()
            lines[index].number = try reader.readInt64()
            lines[index].cut = try reader.readInt64()
            lines[index].isOpen = try reader.readBool()
            keys.append(try readKeys(&reader, of: parts.groups))
            slots.append(try reader.readArray(of: Int32.self))
        }
        let slotCount = try reader.readInt()
        // A slot has been given to a key, of which there are not more.
        guard slotCount >= 0, slotCount <= slotOfKey.count else { throw StateError() }
        keyOfSlot = Array(repeating: 0, count: slotCount)
        nextSlot = Array(repeating: -1, count: slotCount)
        try accumulators.restore(from: &reader, count: slotCount)
        var isUsed = Array(repeating: false, count: slotCount)
        for index in lines.indices {
            guard slots[index].count == keys[index].count else { throw StateError() }
            for (slot, key) in zip(slots[index], keys[index]) {
                guard (0..<slotCount).contains(Int(slot)), !isUsed[Int(slot)], slotOfKey[Int(key)] < 0 else {
                    throw StateError()
                }
                isUsed[Int(slot)] = true
                freeSlots = [slot]
                _ = self.slot(of: key, in: index)
            }
            if lines[index].isOpen {
                let item = Int32(truncatingIfNeeded: index)
                waiting.insert(end: end(of: index), number: lines[index].number, item: item)
            }
        }
        freeSlots = (0..<Int32(truncatingIfNeeded: slotCount)).filter { !isUsed[Int($0)] }.reversed()
    }
}

/// Items in order of (end, number): a binary heap.
struct EndQueue {
    struct Element {
        var end: Int64
        var number: Int64
        var item: Int32
    }

    private var elements: [Element] = []

    var first: Element? { elements.first }

    mutating func insert(end: Int64, number: Int64, item: Int32) {
        elements.append(Element(end: end, number: number, item: item))
        var index = elements.count - 1
        while index > 0, isBefore(index, (index - 1) / 2) {
            elements.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    /// Gives the first item a later end.
    mutating func moveFirst(to end: Int64) {
        guard !elements.isEmpty else { return }
        elements[0].end = end
        sink()
    }

    mutating func removeFirst() {
        guard let last = elements.popLast(), !elements.isEmpty else { return }
        elements[0] = last
        sink()
    }

    private mutating func sink() {
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < elements.count && isBefore(child, least) {
                least = child
            }
            if least == index { return }
            elements.swapAt(index, least)
            index = least
        }
    }

    private func isBefore(_ first: Int, _ second: Int) -> Bool {
        let (a, b) = (elements[first], elements[second])
        return a.end != b.end ? a.end < b.end : a.number < b.number
    }
}
