import OgawaCore
import OgawaSQL

/// Windows that begin together and end one step after the other, up to the full size: a running total of the day, every minute.
///
/// There is a row at every step from the first row of the span on, also where a step brought no new rows.
///
/// State: one pane for all steps of a span.
final class CumulatingWindow: GroupWindow {
    private let size: Int64
    private let step: Int64
    private let origin: Int64
    private let pane: Pane
    private let map = SlotMap()
    /// The end of the next window of the present span; nil without rows.
    private var nextEnd: Int64?

    init(size: Int64, step: Int64, offset: Int64, _ parts: Parts) throws {
        guard size > 0, step > 0, size % step == 0 else {
            throw EngineError("the step of a cumulating window must divide its size")
        }
        self.size = size
        self.step = step
        origin = Timestamp.min.ticks + offset % size
        pane = Pane(parts.aggregates.map(Accumulator.make))
        super.init(parts)
    }

    override func add(_ input: GroupInput) {
        let times = input.batch.times
        var row = 0
        while row < times.count {
            close(before: times[row])
            let end = nextMultiple(of: step, at: times[row], origin: origin)
            let next = endOfRun(times, from: row, upTo: end)
            if nextEnd == nil {
                pane.reset(end: nextMultiple(of: size, at: end, origin: origin))
                map.startOver()
                nextEnd = end
            }
            pane.add(row..<next, input, parts.groups, map)
            row = next
        }
    }

    override var earliestEnd: Int64? { nextEnd }

    override func close(before time: Int64) {
        while let end = nextEnd, end < time {
            for slot in 0..<pane.count {
                write(key: pane.keys[slot], pane.accumulators, slot: slot, start: pane.end &- size, end: end)
            }
            nextEnd = end < pane.end ? end &+ step : nil
        }
    }

    override func markKeys(_ isLive: inout [Bool]) -> Bool {
        if nextEnd != nil { pane.markKeys(&isLive) }
        return true
    }

    override func renumberKeys(_ numbers: [UInt32]) {
        if nextEnd != nil { pane.renumberKeys(numbers) } else { pane.reset(end: 0) }
        map.clear()
        pane.enter(into: map, parts.groups)
    }

    override func save(to writer: inout StateWriter) {
        writer.write(nextEnd ?? .min)
        pane.save(to: &writer)
    }

    override func restore(from reader: inout StateReader) throws {
        let end = try reader.readInt64()
        nextEnd = end == .min ? nil : end
        try pane.restore(from: &reader, keyCount: parts.groups.interner.count)
        if let nextEnd {
            let (rest, overflow) = pane.end.subtractingReportingOverflow(nextEnd)
            guard !overflow, rest >= 0, rest < size, rest % step == 0 else { throw StateError() }
        }
        pane.enter(into: map, parts.groups)
    }
}

/// The groups of each instant.
final class SnapshotWindow: GroupWindow {
    private let pane: Pane
    private let map = SlotMap()
    private var instant: Int64?

    override init(_ parts: Parts) {
        pane = Pane(parts.aggregates.map(Accumulator.make))
        super.init(parts)
    }

    override func add(_ input: GroupInput) {
        let times = input.batch.times
        var row = 0
        while row < times.count {
            let time = times[row]
            close(before: time)
            let next = endOfRun(times, from: row, upTo: time)
            if instant == nil {
                pane.reset(end: time)
                map.startOver()
                instant = time
            }
            pane.add(row..<next, input, parts.groups, map)
            row = next
        }
    }

    override var earliestEnd: Int64? { instant }

    override func close(before time: Int64) {
        guard let end = instant, end < time else { return }
        for slot in 0..<pane.count {
            write(key: pane.keys[slot], pane.accumulators, slot: slot, start: end, end: end)
        }
        instant = nil
    }

    override func markKeys(_ isLive: inout [Bool]) -> Bool {
        if instant != nil { pane.markKeys(&isLive) }
        return true
    }

    override func renumberKeys(_ numbers: [UInt32]) {
        if instant != nil { pane.renumberKeys(numbers) } else { pane.reset(end: 0) }
        map.clear()
        pane.enter(into: map, parts.groups)
    }

    override func save(to writer: inout StateWriter) {
        writer.write(instant ?? .min)
        pane.save(to: &writer)
    }

    override func restore(from reader: inout StateReader) throws {
        let end = try reader.readInt64()
        instant = end == .min ? nil : end
        try pane.restore(from: &reader, keyCount: parts.groups.interner.count)
        pane.enter(into: map, parts.groups)
    }
}
