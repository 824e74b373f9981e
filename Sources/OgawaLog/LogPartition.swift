// A partition: appends go through a queue to one writer thread, reads go straight to the files. What both share is small and
// guarded by one lock, which is never held during a call to the disk or to a caller's code.

import OgawaCore
import OgawaPlatform
import Synchronization

/// One ordered, durable sequence of records.
///
/// **Isolation.** Any thread or task. Appends never wait for readers and readers never for appends.
package final class LogPartition: Sendable {
    package let id: PartitionID
    let label: String
    let settings: Mutex<PartitionSettings>
    let fileSystem: any FileSystem
    let directory: String
    let state: Mutex<PartitionState>
    /// Rings for the writer when there is work.
    let bell = Bell()
    private let writer: DedicatedThread
    /// Segments that retention took out and whose files are still to be removed.
    let doomed = Mutex<[Segment]>([])

    init(
        id: PartitionID, label: String, directory: String, settings: PartitionSettings, fileSystem: any FileSystem,
        clock: any WallClock, recovered: RecoveredPartition
    ) {
        self.id = id
        self.label = label
        self.directory = directory
        self.settings = Mutex(settings)
        self.fileSystem = fileSystem
        state = Mutex(PartitionState(recovered))
        let link = WriterLink()
        writer = DedicatedThread(name: "log-\(id)") {
            guard let partition = link.take() else { return }
            PartitionWriter(partition: partition, clock: clock, recovered: recovered).run()
        }
        link.give(self)
    }

    /// The first offset that is still kept.
    package var firstOffset: Offset { state.withLock { $0.firstOffset } }
    /// The offset of the next record; all before it are acknowledged, as durable as the stream asks for, and readable.
    package var nextOffset: Offset { state.withLock { $0.nextOffset } }
    /// The enqueued time of the last record or idle marker; `Timestamp.min` where there is none.
    package var lastEnqueuedTime: Timestamp { Timestamp(ticks: state.withLock { $0.lastTime }) }
    /// The size of all segments.
    package var byteCount: Int64 { state.withLock { $0.segments }.reduce(0) { $0 + $1.byteCount } }
    /// Bytes that wait to become durable.
    package var pendingByteCount: Int { state.withLock { $0.pendingByteCount } }
    /// Why the partition takes no more appends; nil while it does.
    package var failure: LogError? {
        state.withLock { state in
            if case .failed(let error) = state.condition { error } else { nil }
        }
    }

    /// The newest durable progress of a producer; nil where it never appended here.
    package func lastProducerState(_ producer: String) -> [UInt8]? { state.withLock { $0.producers[producer] } }

    /// Appends events in order, together with a producer's progress, and calls back when they are durable.
    ///
    /// **Shape.** Events with a producer are stored in one record batch. An append without events but with a producer stores its
    /// progress alone.
    /// **Isolation.** The callback runs on the writer thread, or at once on the caller's where the append is refused; it must not block.
    /// **Errors.** `busy` and `tooLarge` at once; `diskFull` (may be tried again); `failedSync`, `io` and `closed` for good.
    package func append(
        _ events: PendingEvents, producer: ProducerState? = nil,
        completion: @escaping @Sendable (Result<AppendReceipt, LogError>) -> Void
    ) {
        enqueue(.events(events, producer), completion: completion)
    }

    /// Appends events in order, together with a producer's progress, and returns when they are durable.
    ///
    /// **Isolation.** Suspends; cancelling does not take the append back.
    package func append(_ events: PendingEvents, producer: ProducerState? = nil) async throws -> AppendReceipt {
        try await withCheckedThrowingContinuation { continuation in
            append(events, producer: producer) { continuation.resume(with: $0) }
        }
    }

    /// Records that time has passed without events, so that a replay closes the same windows.
    ///
    /// **Shape.** Offsets do not change. Where the clock has not moved beyond the last enqueued time nothing is stored.
    ///
    /// - Returns: the enqueued time that the partition has reached.
    package func appendIdleMarker() async throws -> Timestamp {
        try await withCheckedThrowingContinuation { continuation in
            enqueue(.idleMarker) { continuation.resume(with: $0.map(\.enqueuedTime)) }
        }
    }

    func enqueue(
        _ work: PendingAppend.Work, completion: @escaping @Sendable (Result<AppendReceipt, LogError>) -> Void
    ) {
        let append = PendingAppend(work: work, completion: completion)
        let limit = settings.withLock { $0.pendingByteCountLimit }
        let refusal: LogError? = state.withLock { state in
            if let refusal = state.refusal(label) ?? self.refusal(append.byteCount, limit, state.pendingByteCount) {
                return refusal
            }
            state.pendingByteCount += append.byteCount
            state.queue.append(append)
            return nil
        }
        if let refusal { return completion(.failure(refusal)) }
        bell.ring()
    }

    /// Why an append of a size is not taken now.
    func refusal(_ byteCount: Int, _ limit: Int, _ pending: Int) -> LogError? {
        let appendLimit = min(limit, PendingAppend.maxByteCount)
        if byteCount > appendLimit {
            return LogError(
                .tooLarge, "\(label): an append of \(byteCount) bytes, at most \(appendLimit) at once",
                hint: "split it into smaller appends")
        }
        if pending + byteCount > limit {
            return LogError(
                .busy, "\(label): \(pending) bytes wait to be written, at most \(limit)",
                hint: "try again in a moment; if it lasts, the disk is slower than the events")
        }
        return nil
    }

    /// Writes what waits, makes it durable and ends the writer thread and all waiting; blocks until done.
    ///
    /// **Isolation.** Not from a completion: those run on the thread that this waits for.
    func close() {
        let isFirst = state.withLock { state in
            if state.isClosing { return false }
            state.isClosing = true
            return true
        }
        guard isFirst else { return }
        bell.ring()
        writer.join()
        let waiters = state.withLock { state in
            if case .open = state.condition { state.condition = .closed }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.end(.closed) }
        for segment in state.withLock({ $0.segments }) { segment.closeFile() }
    }
}

/// Hands a partition to its writer thread, which starts before the partition is whole.
private final class WriterLink: Sendable {
    private let bell = Bell()
    private let partition = Mutex<LogPartition?>(nil)

    func give(_ value: LogPartition) {
        partition.withLock { $0 = value }
        bell.ring()
    }

    func take() -> LogPartition? {
        bell.wait()
        return partition.withLock { partition in
            defer { partition = nil }
            return partition
        }
    }
}

extension LogPartition {
    /// Why an append of a size would not be taken at this moment; nil where it would.
    func refusalNow(of byteCount: Int) -> LogError? {
        let limit = settings.withLock { $0.pendingByteCountLimit }
        return state.withLock { $0.refusal(label) ?? refusal(byteCount, limit, $0.pendingByteCount) }
    }
}
