// The writer of a partition: takes all appends that wait, lays them out as record batches, writes them with one call, makes
// them durable with one sync, and only then shows them to readers and calls back. While the disk works the next group gathers,
// so groups grow with the load and a lone append waits for nothing but its own sync.
//
// What can go wrong, and what is done about it:
// - The disk is full: the half-written group is cut off again, its appends fail, and the next group is tried.
// - A sync fails: which pages reached the disk is unknown, and the system will not tell again. The group is cut off as well as
//   may be, its appends fail, and nothing is taken any more until the log is opened again and read from the disk.
// - A write fails otherwise: as after a failed sync.

import OgawaCore
import OgawaPlatform

/// Owns the end of a partition.
///
/// **Isolation.** Made and run on the partition's thread.
final class PartitionWriter {
    /// A group stops growing at this, so that a full queue does not make every append wait for all of it.
    private static let groupByteCount = 4 << 20

    private let partition: LogPartition
    private let clock: any WallClock
    private let buffer = WriteBuffer()
    private var file: any File
    private var segment: Segment
    /// The end of what was written and acknowledged, or will be when the sync succeeds.
    private var end: Int64
    private var syncedEnd: Int64
    private var nextOffset: Offset
    private var lastTime: Int64
    private var producers: [String: [UInt8]]
    /// The segment is new; its first write begins with a head batch and shows it to readers.
    private var isSegmentNew = false
    private var unsyncedSince: ContinuousClock.Instant?
    private var backlog: ArraySlice<PendingAppend> = []

    init(partition: LogPartition, clock: any WallClock, recovered: RecoveredPartition) {
        self.partition = partition
        self.clock = clock
        file = recovered.activeFile
        // SAFETY: recovery gives at least the segment whose file it gives.
        segment = recovered.segments[recovered.segments.count - 1]
        end = segment.byteCount
        syncedEnd = end
        nextOffset = segment.nextOffset
        lastTime = recovered.lastTime
        producers = recovered.producers
    }

    /// Works until the partition closes or fails.
    func run() {
        while true {
            let isClosing = takeQueue()
            do {
                if !backlog.isEmpty {
                    try commit(nextGroup())
                } else if isClosing {
                    return try sync()
                } else {
                    partition.bell.wait(timeout: timeToSync())
                }
                if let rest = timeToSync(), rest <= .zero { try sync() }
            } catch {
                return stop(LogError.of(error, partition.label))
            }
        }
    }

    /// Gets what waits in the queue, if nothing is left of it here; tells whether the partition closes.
    private func takeQueue() -> Bool {
        guard backlog.isEmpty else { return false }
        return partition.state.withLock { state in
            backlog = state.queue[...]
            state.queue = []
            return state.isClosing
        }
    }

    private func nextGroup() -> ArraySlice<PendingAppend> {
        var byteCount = 0
        var end = backlog.startIndex
        while end < backlog.endIndex, byteCount < PartitionWriter.groupByteCount {
            byteCount += backlog[end].byteCount
            end += 1
        }
        let group = backlog[..<end]
        backlog = backlog[end...]
        return group
    }

    /// Writes one group and answers its appends; throws only what stops the partition for good.
    private func commit(_ group: ArraySlice<PendingAppend>) throws {
        do {
            if shouldRoll(before: group) { try roll() }
            let written = encode(group)
            try write()
            end += Int64(buffer.count)
            try makeDurable()
            publish(written, group)
            for (append, receipt) in zip(group, written.receipts) { append.completion(.success(receipt)) }
        } catch let error as LogError {
            partition.state.withLock { state in
                state.pendingByteCount -= group.reduce(0) { $0 + $1.byteCount }
            }
            // The condition must be known before an append fails by it, so that who asks again gets the same answer.
            if error.code != .diskFull { partition.state.withLock { $0.condition = .failed(error) } }
            for append in group { append.completion(.failure(error)) }
            if error.code != .diskFull { throw error }
        }
    }

    private struct Written {
        var batches: [(header: BatchHeader, start: Int)]
        var receipts: [AppendReceipt]
        var producers: [String: [UInt8]]
    }

    /// Lays the group out in the buffer.
    private func encode(_ group: ArraySlice<PendingAppend>) -> Written {
        buffer.removeAll()
        let time = min(max(clock.now().ticks, lastTime, Timestamp.min.ticks), Timestamp.max.ticks)
        var writer = BatchWriter(
            partition: partition.id, nextOffset: nextOffset, time: time, unsyncedByteCount: Int(end - syncedEnd),
            buffer: buffer)
        if isSegmentNew { writer.addHead(producers: producers, lastTime: lastTime) }
        var receipts: [AppendReceipt] = []
        receipts.reserveCapacity(group.count)
        var reachedTime = lastTime
        var newProducers: [String: [UInt8]] = [:]
        for append in group {
            let firstOffset = writer.nextOffset
            switch append.work {
            case .events(let events, let producer?):
                writer.add(events, producer: producer)
                newProducers[producer.producer] = producer.state
                reachedTime = time
            case .events(let events, nil) where !events.isEmpty:
                writer.add(events)
                reachedTime = time
            case .idleMarker where time > reachedTime:
                writer.addIdleMarker()
                reachedTime = time
            case .events, .idleMarker, .roll: break
            }
            receipts.append(
                AppendReceipt(
                    partition: partition.id, firstOffset: firstOffset,
                    count: Int(writer.nextOffset.rawValue - firstOffset.rawValue),
                    enqueuedTime: Timestamp(ticks: reachedTime)))
        }
        writer.finish()
        return Written(batches: writer.batches, receipts: receipts, producers: newProducers)
    }

    private func write() throws {
        guard buffer.count > 0 else { return }
        do {
            try file.writeAll(buffer.bytes, at: end)
        } catch {
            let failure = LogError.of(error, "\(partition.label): segment \(segment.name)")
            do {
                try file.truncate(to: end)
            } catch {
                throw LogError(
                    .io, "\(failure.message), and the half-written end could not be cut off: \(error)",
                    hint: "check the disk, then restart")
            }
            throw failure
        }
    }

    /// Waits for the disk as far as the stream's durability asks for it.
    private func makeDurable() throws {
        guard end > syncedEnd else { return }
        guard case .fsync = partition.settings.withLock({ $0.durability }) else {
            if unsyncedSince == nil { unsyncedSince = .now }
            return
        }
        do {
            try sync()
        } catch {
            // Nobody was told of these bytes; what can be taken back is.
            try? file.truncate(to: end - Int64(buffer.count))
            throw error
        }
    }

    private func sync() throws {
        guard end > syncedEnd else { return }
        do {
            try file.sync()
        } catch {
            throw LogError(
                .failedSync,
                "\(partition.label): segment \(segment.name): the disk did not confirm bytes \(syncedEnd) to \(end): \(error)",
                hint: "check the disk, then restart; the partition is read from the disk again")
        }
        syncedEnd = end
        unsyncedSince = nil
    }

    /// How long until unsynced bytes are due; nil where none are or ever will be.
    private func timeToSync() -> Duration? {
        guard let unsyncedSince, case .interval(let interval) = partition.settings.withLock({ $0.durability }) else {
            return nil
        }
        return ContinuousClock.now.duration(to: unsyncedSince + interval)
    }

    /// Shows what is durable to readers and wakes those who wait for it.
    private func publish(_ written: Written, _ group: ArraySlice<PendingAppend>) {
        let start = end - Int64(buffer.count)
        segment.add(written.batches.lazy.map { ($0.header, start + Int64($0.start)) })
        for (producer, state) in written.producers { producers[producer] = state }
        let isNew = isSegmentNew && !written.batches.isEmpty
        if isNew { isSegmentNew = false }
        if let last = written.batches.last {
            nextOffset = last.header.nextOffset
            lastTime = last.header.lastTime
        }
        let ready = partition.state.withLock { state in
            if isNew { state.segments.append(segment) }
            state.nextOffset = nextOffset
            state.lastTime = lastTime
            for batch in written.batches {
                if batch.header.count > 0 { state.idleTime = nil }
                if batch.header.attributes.contains(.idleMarker) { state.idleTime = batch.header.lastTime }
            }
            for (producer, progress) in written.producers { state.producers[producer] = progress }
            state.pendingByteCount -= group.reduce(0) { $0 + $1.byteCount }
            return state.takeReadyWaiters()
        }
        for waiter in ready { waiter.end(.ready) }
    }

    /// Whether the next group belongs into a new segment.
    private func shouldRoll(before group: ArraySlice<PendingAppend>) -> Bool {
        // A segment is named by its first offset, so one without records cannot have a successor.
        guard nextOffset > segment.base else { return false }
        let limit = Int64(partition.settings.withLock { $0.segmentByteCount })
        let byteCount = group.reduce(0) { $0 + Int64($1.byteCount) }
        return end + byteCount > limit || group.contains { if case .roll = $0.work { true } else { false } }
    }

    /// Closes the segment and begins the next one.
    private func roll() throws {
        try sync()
        // Without it the next start makes the index again.
        try? segment.saveIndex()
        let next = partition.directory + "/" + SegmentName.segment(nextOffset)
        let created: any File
        do {
            created = try partition.fileSystem.open(next, .create)
        } catch {
            throw LogError.of(error, "\(partition.label): new segment \(SegmentName.segment(nextOffset))")
        }
        do {
            try partition.fileSystem.syncDirectory(partition.directory)
        } catch {
            throw LogError(
                .failedSync, "\(partition.label): the disk did not confirm the folder \(partition.directory): \(error)",
                hint: "check the disk, then restart")
        }
        file = created
        segment = Segment(
            index: SegmentIndex(base: nextOffset), directory: partition.directory, fileSystem: partition.fileSystem,
            file: created)
        end = 0
        syncedEnd = 0
        isSegmentNew = true
    }

    /// Fails everything that waits; the partition takes nothing more.
    private func stop(_ error: LogError) {
        let waiting = partition.state.withLock { state in
            state.condition = .failed(error)
            state.pendingByteCount = 0
            defer { state.queue = [] }
            return backlog + state.queue
        }
        backlog = []
        for append in waiting { append.completion(.failure(error)) }
    }
}
