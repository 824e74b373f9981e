import OgawaCore

/// When an append counts as done.
package enum Durability: Sendable, Equatable {
    /// When it is on the disk; the default. Nothing that was acknowledged is lost by a crash or a power cut.
    case fsync
    /// When the system has it; the disk follows at this interval. A power cut loses up to the interval.
    case interval(Duration)
    /// When the system has it; the disk follows when the system likes. A power cut loses up to half a minute.
    case os
}

/// How long records are kept; whole segments go, and never the one that is written to.
package struct Retention: Sendable, Equatable {
    /// Records enqueued longer ago than this may go.
    package var age: Duration?
    /// The oldest records of a partition go while it holds more bytes than this.
    package var byteCount: Int64?

    package init(age: Duration? = nil, byteCount: Int64? = nil) {
        self.age = age
        self.byteCount = byteCount
    }
}

/// What a stream of the log is to be like.
package struct StreamConfiguration: Sendable {
    /// Letters, digits, `_`, `-` and `.`, not beginning with a dot; names a folder.
    package var name: String
    /// From 1 to 1024; fixed when the stream is made, since a key's partition depends on it.
    package var partitionCount: Int
    package var durability: Durability
    package var retention: Retention
    /// A segment is closed and the next one begun when it would grow beyond this.
    package var segmentByteCount: Int
    /// Appends that would make more than this wait in one partition are refused as busy.
    package var pendingByteCountLimit: Int

    package init(
        name: String, partitionCount: Int = 4, durability: Durability = .fsync, retention: Retention = Retention(),
        segmentByteCount: Int = 64 << 20, pendingByteCountLimit: Int = 32 << 20
    ) {
        self.name = name
        self.partitionCount = partitionCount
        self.durability = durability
        self.retention = retention
        self.segmentByteCount = segmentByteCount
        self.pendingByteCountLimit = pendingByteCountLimit
    }
}

/// Where appended events went.
package struct AppendReceipt: Sendable, Equatable {
    package var partition: PartitionID
    package var firstOffset: Offset
    package var count: Int
    /// The enqueued time that all events of the append got.
    package var enqueuedTime: Timestamp
}

/// Progress of a function that writes into a partition, stored in the same record batch as what it wrote.
///
/// **Shape.** The bytes mean nothing to the log. A batch is whole or absent, so rows and progress never part.
package struct ProducerState: Sendable, Equatable {
    package var producer: String
    package var state: [UInt8]

    package init(producer: String, state: [UInt8]) {
        self.producer = producer
        self.state = state
    }
}

/// How far a reader has come: everything before `offset`, and idle markers at it up to `enqueuedTime`.
///
/// **Shape.** Ordered by offset, then time.
package struct LogPosition: Hashable, Comparable, Sendable {
    package var offset: Offset
    package var enqueuedTime: Timestamp

    package init(offset: Offset, enqueuedTime: Timestamp) {
        self.offset = offset
        self.enqueuedTime = enqueuedTime
    }

    package static func < (lhs: LogPosition, rhs: LogPosition) -> Bool {
        lhs.offset != rhs.offset ? lhs.offset < rhs.offset : lhs.enqueuedTime < rhs.enqueuedTime
    }
}
