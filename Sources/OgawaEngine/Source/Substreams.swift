import OgawaCore
import OgawaSQL

// TIMESTAMP BY … OVER key: each key has a timeline of its own. A device whose clock or network lags then neither loses events to
// another device's watermark nor holds up the others. What is late is still judged by arrival, for all alike.
// Rows go on with the number of their substream (their lane), in order per lane. The numbers are shared by all sources of a
// pipeline, so that a join finds the lane of a key on both sides.
//
// State per substream: 16 bytes and its key; with an out-of-order tolerance also the rows that wait.

/// The timelines of one source's substreams.
///
/// **Isolation.** Owned by one source.
final class Substreams {
    private let keys: [ExpressionNode]
    private let interner: KeyInterner
    private let fresh: Timeline
    private var timelines: [Timeline] = []
    private let buffer: SubstreamBuffer?
    private var ids: [UInt32] = []
    private var touched: [UInt32] = []
    private var isTouched: [Bool] = []
    /// The partition that each substream's events come from: the first one's.
    private var homes: [Int32] = []
    /// For each partition the recorded time that its substreams have passed, with or without events.
    private var floors: [Int64]

    init(
        keys: [ExpressionNode], interner: KeyInterner, policy: OrderingPolicy, columnCount: Int, partitionCount: Int
    ) {
        floors = Array(repeating: .min, count: partitionCount)
        self.keys = keys
        self.interner = interner
        fresh = Timeline(policy)
        buffer = policy.outOfOrder > .zero ? SubstreamBuffer(columnCount: columnCount) : nil
    }

    /// The heap of the rows given out; nil where they stay on the source's.
    var heap: TextHeap? { buffer?.heap }

    /// The least time that a substream has reached; `Int64.min` before the first event.
    var watermark: Int64 {
        let floor = floors.min() ?? .min
        return timelines.map(\.watermark).filter { $0 != .min }.min().map { max($0, floor) } ?? floor
    }

    /// A time that must be passed for the rows that wait; nil where none waits.
    var awaitedTime: Int64? { buffer?.earliestTime }

    /// Finds the substream of every row.
    func identify(_ batch: ColumnBatch, partition: Int, _ context: EvaluationContext) {
        let operands = keys.map { $0.evaluate(batch, context, active: nil) }
        interner.intern(operands, count: batch.count, into: &ids)
        for lane in touched { isTouched[Int(lane)] = false }
        touched.removeAll(keepingCapacity: true)
        while timelines.count < interner.count {
            timelines.append(fresh)
            homes.append(-1)
            isTouched.append(false)
        }
        for lane in ids where homes[Int(lane)] < 0 {
            homes[Int(lane)] = Int32(truncatingIfNeeded: partition)
            timelines[Int(lane)].arrive(floors[partition])
        }
    }

    /// The substream of a row of the batch that was identified last.
    func lane(of row: Int) -> UInt32 { ids[row] }

    /// A row's timeline, to be asked for its verdict.
    func judge(_ eventTime: Int64, arrival: Int64, row: Int) -> Timeline.Verdict {
        let lane = Int(ids[row])
        if !isTouched[lane] {
            isTouched[lane] = true
            touched.append(ids[row])
        }
        return timelines[lane].judge(eventTime, arrival: arrival)
    }

    /// The time that a row's substream has reached.
    func watermark(of row: Int) -> Int64 { timelines[Int(ids[row])].watermark }

    /// Gives the rows that may go on, and tells the readers how far each substream has come.
    func pass(_ batch: ColumnBatch, to source: EventSource) throws {
        if let buffer {
            buffer.append(batch)
            try source.emit(buffer.release(touched) { timelines[Int($0)].watermark })
        } else {
            try source.emit(batch)
        }
        for lane in touched { try source.advance(lane: lane, to: timelines[Int(lane)].watermark) }
    }

    /// The end of the input.
    func finish(source: EventSource) throws {
        for partition in floors.indices { try reach(.max, partition: partition, source: source) }
    }

    /// Learns a partition's recorded time, which its substreams follow less the late tolerance.
    func reach(recorded time: Int64, partition: Int, source: EventSource) throws {
        var timeline = fresh
        timeline.reach(time)
        try reach(timeline.watermark, partition: partition, source: source)
    }

    private func reach(_ time: Int64, partition: Int, source: EventSource) throws {
        guard time > floors[partition] else { return }
        let passed = floors.min() ?? .min
        floors[partition] = time
        let lanes = homes.indices.filter { homes[$0] == Int32(truncatingIfNeeded: partition) }
            .map { UInt32(truncatingIfNeeded: $0) }
        for lane in lanes { timelines[Int(lane)].arrive(time) }
        if let buffer { try source.emit(buffer.release(lanes) { _ in time }) }
        if floors.count > 1 { for lane in lanes { try source.advance(lane: lane, to: time) } }
        let least = floors.min() ?? .min
        if least > passed { try source.advance(to: least) }
    }

    func save(to writer: inout StateWriter) {
        interner.save(to: &writer)
        writer.write(floors)
        writer.write(homes.map { Int64($0) })
        writer.write(timelines.map(\.watermark))
        buffer?.save(to: &writer)
    }

    func restore(from reader: inout StateReader) throws {
        try interner.restore(from: &reader)
        let storedFloors = try reader.readArray(of: Int64.self)
        homes = try reader.readArray(of: Int64.self).map { Int32(truncatingIfNeeded: $0) }
        guard storedFloors.count == floors.count else { throw StateError() }
        floors = storedFloors
        timelines = try reader.readArray(of: Int64.self).map { watermark in
            var timeline = fresh
            timeline.arrive(watermark)
            return timeline
        }
        guard timelines.count <= interner.count, homes.count == timelines.count else { throw StateError() }
        isTouched = Array(repeating: false, count: timelines.count)
        try buffer?.restore(from: &reader, laneCount: timelines.count)
    }
}
