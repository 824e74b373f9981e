// Events on their way in (gateway to log) and out (log to functions): one block of bytes and flat arrays of
// positions, so that a batch of any size costs a handful of allocations.

/// Where a run of bytes lies in a batch's storage.
public struct ByteSlice: Hashable, Sendable {
    public var start: UInt32
    public var count: UInt32

    @inlinable
    public init(start: Int, count: Int) {
        self.start = UInt32(truncatingIfNeeded: start)
        self.count = UInt32(truncatingIfNeeded: count)
    }

    /// The slice as a range of byte positions.
    @inlinable
    public var range: Range<Int> { Int(start)..<Int(start) + Int(count) }
}

/// Records of one partition, in offset order.
///
/// **Shape.** `bytes` ends with at least ``paddingByteCount`` zero bytes which belong to no event, so that a JSON
/// parser may read past a body's end. Arrays have one element per event. A batch without events only tells
/// that the partition's time reached ``lastEnqueuedTime`` (an idle marker of the log).
/// **Units.** Times are ticks (``Timestamp``).
public struct EventBatch: Sendable {
    public static let paddingByteCount = 64

    public var partition: PartitionID
    /// The offset of event 0, or of the next event where there is none.
    public var firstOffset: Offset
    public var bytes: [UInt8]
    public var keys: [ByteSlice]
    public var bodies: [ByteSlice]
    /// Properties of each event as one JSON object text; empty where there are none.
    public var properties: [ByteSlice]
    /// Monotone per partition.
    public var enqueuedTimes: [Int64]
    /// The enqueued time that the partition has reached with this batch.
    public var lastEnqueuedTime: Timestamp

    public init(partition: PartitionID = PartitionID(0), firstOffset: Offset = .zero) {
        self.partition = partition
        self.firstOffset = firstOffset
        bytes = []
        keys = []
        bodies = []
        properties = []
        enqueuedTimes = []
        lastEnqueuedTime = .min
    }

    @inlinable
    public var count: Int { bodies.count }

    /// The offset behind the last event.
    @inlinable
    public var nextOffset: Offset { firstOffset.advanced(by: bodies.count) }

    /// Key bytes of an event as text.
    public func key(at index: Int) -> String { String(decoding: bytes[keys[index].range], as: UTF8.self) }

    /// Body bytes of an event as text.
    public func body(at index: Int) -> String { String(decoding: bytes[bodies[index].range], as: UTF8.self) }

    /// Only the events of a range of indices; the bytes are shared until someone writes.
    public func slice(_ range: Range<Int>) -> EventBatch {
        var part = EventBatch(partition: partition, firstOffset: firstOffset.advanced(by: range.lowerBound))
        part.bytes = bytes
        part.keys = Array(keys[range])
        part.bodies = Array(bodies[range])
        part.properties = Array(properties[range])
        part.enqueuedTimes = Array(enqueuedTimes[range])
        part.lastEnqueuedTime =
            range.upperBound == count ? lastEnqueuedTime : Timestamp(ticks: part.enqueuedTimes.last ?? .min)
        return part
    }
}

/// Events that wait to be appended: keys, properties and bodies without offsets and times.
///
/// **Shape.** As ``EventBatch``, but without padding; the log stamps offset and enqueued time.
public struct PendingEvents: Sendable {
    public private(set) var bytes: [UInt8] = []
    public private(set) var keys: [ByteSlice] = []
    public private(set) var bodies: [ByteSlice] = []
    public private(set) var properties: [ByteSlice] = []

    public init() {}

    public var count: Int { bodies.count }
    public var isEmpty: Bool { bodies.isEmpty }

    /// Adds one event; `properties` is a JSON object text or empty.
    public mutating func append(
        key: UnsafeRawBufferPointer, body: UnsafeRawBufferPointer,
        properties: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
    ) {
        keys.append(store(key))
        bodies.append(store(body))
        self.properties.append(store(properties))
    }

    /// Adds one event from text; for tests and small tools.
    public mutating func append(key: String, body: String, properties: String = "") {
        Array(key.utf8).withUnsafeBytes { key in
            Array(body.utf8).withUnsafeBytes { body in
                Array(properties.utf8).withUnsafeBytes { append(key: key, body: body, properties: $0) }
            }
        }
    }

    public mutating func reserveCapacity(events: Int, bytes byteCount: Int) {
        keys.reserveCapacity(events)
        bodies.reserveCapacity(events)
        properties.reserveCapacity(events)
        bytes.reserveCapacity(byteCount)
    }

    private mutating func store(_ source: UnsafeRawBufferPointer) -> ByteSlice {
        let start = bytes.count
        bytes.append(contentsOf: source)
        return ByteSlice(start: start, count: source.count)
    }
}
