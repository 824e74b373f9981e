import OgawaCore

/// What a stream's configuration says about each of its partitions.
struct PartitionSettings: Sendable {
    var durability: Durability
    var retention: Retention
    var segmentByteCount: Int
    var pendingByteCountLimit: Int

    init(_ configuration: StreamConfiguration) {
        durability = configuration.durability
        retention = configuration.retention
        segmentByteCount = configuration.segmentByteCount
        pendingByteCountLimit = configuration.pendingByteCountLimit
    }
}

/// An append in the queue of the writer.
struct PendingAppend: Sendable {
    enum Work: Sendable {
        case events(PendingEvents, ProducerState?)
        case idleMarker
        /// Begins a new segment, so that retention can take the old one.
        case roll
    }

    /// Half of what a record batch may be, since a producer's events are one batch and the estimate is rough.
    static let maxByteCount = BatchHeader.maxBatchByteCount / 2

    var work: Work
    var completion: @Sendable (Result<AppendReceipt, LogError>) -> Void
    /// About what the append takes on the disk.
    let byteCount: Int

    init(work: Work, completion: @escaping @Sendable (Result<AppendReceipt, LogError>) -> Void) {
        self.work = work
        self.completion = completion
        switch work {
        case .events(let events, let producer):
            byteCount =
                BatchHeader.byteCount + events.bytes.count + events.count * 8
                + (producer.map { $0.state.count + $0.producer.utf8.count } ?? 0)
        case .idleMarker, .roll: byteCount = BatchHeader.byteCount
        }
    }
}

/// A place in a file that a reader has just come to, so that its next read need not search.
struct ReadCursor {
    var position: LogPosition
    var base: Offset
    var place: Int64
}

/// What the writer, the readers and the callers of a partition share, under its lock.
struct PartitionState {
    enum Condition {
        case open
        /// The writer has stopped for good.
        case failed(LogError)
        case closed
    }

    private static let cursorCount = 8

    var condition = Condition.open
    var isClosing = false
    var queue: [PendingAppend] = []
    var pendingByteCount = 0
    var segments: [Segment]
    var nextOffset: Offset
    var lastTime: Int64
    /// The time of the last idle marker behind the last record.
    var idleTime: Int64?
    var producers: [String: [UInt8]]
    var waiters: [Waiter] = []
    private var cursors: [ReadCursor] = []
    private var oldestCursor = 0

    init(_ recovered: RecoveredPartition) {
        segments = recovered.segments
        nextOffset = recovered.segments.last?.nextOffset ?? .zero
        lastTime = recovered.lastTime
        idleTime = recovered.idleTime
        producers = recovered.producers
    }

    var firstOffset: Offset { segments.first?.base ?? .zero }

    /// Whether a read from the position would give something.
    func hasMore(beyond position: LogPosition) -> Bool {
        if nextOffset != position.offset { return nextOffset > position.offset }
        return idleTime.map { $0 > position.enqueuedTime.ticks } ?? false
    }

    /// Why nothing can be appended any more; nil where it can.
    func refusal(_ label: String) -> LogError? {
        if case .failed(let error) = condition { return error }
        if isClosing { return LogError(.closed, "\(label): the log is closed") }
        return nil
    }

    /// Where a reader that comes back to a position had got to.
    func cursor(at position: LogPosition) -> ReadCursor? { cursors.first { $0.position == position } }

    /// Keeps the place of a reader, forgetting the one that was kept longest.
    mutating func keep(_ cursor: ReadCursor) {
        if cursors.count < PartitionState.cursorCount {
            cursors.append(cursor)
        } else {
            cursors[oldestCursor] = cursor
            oldestCursor = (oldestCursor + 1) % PartitionState.cursorCount
        }
    }
}

extension PartitionState {
    /// Takes out the waiters that have something to read now.
    mutating func takeReadyWaiters() -> [Waiter] {
        guard !waiters.isEmpty else { return [] }
        let all = waiters
        waiters = all.filter { !hasMore(beyond: $0.position) }
        return all.filter { hasMore(beyond: $0.position) }
    }
}
