import OgawaCore
import OgawaSQL

// Tumbling and hopping windows, (start, end], aligned to 0001-01-01T00:00:00Z plus the offset.
//
// Rows arrive in order of time, so they fill one pane after another. A pane spans the greatest common divisor of size and hop; each
// row is added to one pane only, and a window's result is the sum of its panes: work per row does not grow with size / hop.
// A window closes when a row or the watermark is past its end; a row exactly at the end still belongs to it.
// Windows without rows give nothing. Groups come out in order of first appearance.
//
// State: per group and pane that has it 4 bytes and its accumulators (AVG: 32 bytes); per key 16 bytes beside the key itself.

/// Tumbling and hopping windows.
final class HoppingWindow: GroupWindow {
    private let size: Int64
    private let hop: Int64
    private let paneSize: Int64
    private let origin: Int64
    private var panes: [Pane] = []
    private var spare: [Pane] = []
    /// The slots of the newest pane.
    private let newest = SlotMap()
    /// The slots of the window that is being put together.
    private let merged = SlotMap()
    /// The end of the last window given; later ends are greater.
    private var lastEnd = Int64.min

    init(size: Int64, hop: Int64, offset: Int64, _ parts: Parts) throws {
        guard size > 0, hop > 0 else { throw EngineError("a window's size and hop must be positive") }
        self.size = size
        self.hop = hop
        paneSize = greatestCommonDivisor(size, hop)
        origin = Timestamp.min.ticks + offset % hop
        super.init(parts)
    }

    override func add(_ input: GroupInput) {
        let times = input.batch.times
        var row = 0
        while row < times.count {
            let end = nextMultiple(of: paneSize, at: times[row], origin: origin)
            close(before: times[row])
            let next = endOfRun(times, from: row, upTo: end)
            if isHeld(end) { pane(ending: end).add(row..<next, input, parts.groups, newest) }
            row = next
        }
    }

    override var earliestEnd: Int64? { panes.first.map(firstWindowEnd) }

    private func pane(ending end: Int64) -> Pane {
        if let last = panes.last, last.end == end { return last }
        let pane = spare.popLast() ?? Pane(makeAccumulators())
        pane.reset(end: end)
        newest.startOver()
        panes.append(pane)
        return pane
    }

    /// Whether any window holds the pane; with a hop above the size some lie between windows.
    private func isHeld(_ paneEnd: Int64) -> Bool {
        nextMultiple(of: hop, at: paneEnd, origin: origin) &- size < paneEnd
    }

    /// The first window end, later than the last one given, of a window that holds the pane.
    private func firstWindowEnd(for pane: Pane) -> Int64 {
        let end = nextMultiple(of: hop, at: pane.end, origin: origin)
        return lastEnd == .min ? end : max(end, lastEnd &+ hop)
    }

    override func close(before time: Int64) {
        while let oldest = panes.first {
            let end = firstWindowEnd(for: oldest)
            guard end < time else { return }
            giveWindow(end: end, panes.prefix { $0.end <= end })
            lastEnd = end
            let nextStart = end &+ hop &- size
            let dropped = panes.prefix { $0.end <= nextStart }.count
            spare += panes[..<dropped]
            panes.removeFirst(dropped)
        }
    }

    private func giveWindow(end: Int64, _ held: ArraySlice<Pane>) {
        guard held.count != 1, let first = held.first else {
            if let pane = held.first { give(pane, end: end) }
            return
        }
        let sum = spare.popLast() ?? Pane(makeAccumulators())
        sum.reset(end: first.end)
        merged.startOver()
        for pane in held { sum.merge(pane, parts.groups, merged) }
        give(sum, end: end)
        spare.append(sum)
    }

    private func give(_ pane: Pane, end: Int64) {
        for slot in 0..<pane.count {
            write(key: pane.keys[slot], pane.accumulators, slot: slot, start: end &- size, end: end)
        }
    }

    override func markKeys(_ isLive: inout [Bool]) -> Bool {
        for pane in panes { pane.markKeys(&isLive) }
        return true
    }

    override func renumberKeys(_ numbers: [UInt32]) {
        for pane in panes { pane.renumberKeys(numbers) }
        newest.clear()
        merged.clear()
        panes.last?.enter(into: newest, parts.groups)
    }

    override func save(to writer: inout StateWriter) {
        writer.write(lastEnd)
        writer.write(panes.count)
        for pane in panes { pane.save(to: &writer) }
    }

    override func restore(from reader: inout StateReader) throws {
        lastEnd = try reader.readInt64()
        panes = []
        for _ in 0..<(try reader.readCount()) {
            let pane = Pane(makeAccumulators())
            try pane.restore(from: &reader, keyCount: parts.groups.interner.count)
            guard panes.last.map({ $0.end < pane.end }) ?? true else { throw StateError() }
            panes.append(pane)
        }
        panes.last?.enter(into: newest, parts.groups)
    }
}

/// The first row after `row` whose time is beyond an end; times are sorted.
func endOfRun(_ times: [Int64], from row: Int, upTo end: Int64) -> Int {
    if times[times.count - 1] <= end { return times.count }
    var next = row + 1
    while times[next] <= end { next += 1 }
    return next
}

/// The smallest `origin + n * step` at or after a time.
func nextMultiple(of step: Int64, at time: Int64, origin: Int64) -> Int64 {
    let distance = time &- origin
    let floor = floorDivide(distance, step) &* step
    return origin &+ floor &+ (floor == distance ? 0 : step)
}

private func greatestCommonDivisor(_ a: Int64, _ b: Int64) -> Int64 {
    var (a, b) = (a, b)
    while b != 0 { (a, b) = (b, a % b) }
    return a
}
