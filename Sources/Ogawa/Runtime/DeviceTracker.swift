import OgawaCore
import OgawaEngine
import OgawaJSON
import OgawaLog
import OgawaServer
import Synchronization

// Who was heard of, when, and how wrong their clocks are: read from the log, batch by batch, one task per partition.
// A stream's live feed is served by the same reading. Nothing here is stored; after a start the last minutes of
// the log are read again.

/// Follows the streams and keeps the newest facts about each device.
final class DeviceTracker: Sendable {
    /// The most devices that are kept per partition; further ones are not listed.
    static let devicesPerPartition = 50_000
    /// How far back the log is read at the start.
    private static let lookBack = Duration.seconds(900)
    private static let batchByteCount = 1 << 20
    /// The pause between two readings of a partition: people look at the list, nothing waits for it.
    private static let pause = Duration.milliseconds(50)

    private let followers = Mutex<[(partitions: [PartitionDevices], tasks: [Task<Void, Never>])]>([])
    private let feed: LiveFeed
    private let clock: any WallClock

    init(feed: LiveFeed, clock: any WallClock) {
        self.feed = feed
        self.clock = clock
    }

    /// Begins to follow a stream.
    func follow(_ stream: LogStream, timeField: String?) {
        let partitions = stream.partitions.map { _ in PartitionDevices(stream: stream.name) }
        let start = clock.now().advanced(by: .zero - DeviceTracker.lookBack)
        let tasks = zip(stream.partitions, partitions).map { partition, devices in
            // SAFETY: stop() cancels the task.
            Task.detached { [feed] in
                await DeviceTracker.follow(partition, devices, feed, timeField: timeField, since: start)
            }
        }
        followers.withLock { $0.append((partitions, tasks)) }
    }

    /// Ends the tasks.
    func stop() {
        followers.withLock { followers in
            for task in followers.flatMap(\.tasks) { task.cancel() }
        }
    }

    /// The devices by id, at most as many as given.
    func devices(limit: Int) -> [DeviceReport] {
        let partitions = followers.withLock { $0.flatMap(\.partitions) }
        return Array(partitions.flatMap { $0.reports() }.sorted { $0.id < $1.id }.prefix(max(0, limit)))
    }

    private static func follow(
        _ partition: LogPartition, _ devices: PartitionDevices, _ feed: LiveFeed, timeField: String?,
        since start: Timestamp
    ) async {
        var reader = TelemetryReader(timeField: timeField)
        var position = partition.position(since: start)
        while !Task.isCancelled {
            do {
                try await partition.waitForRecords(beyond: position)
                while !Task.isCancelled,
                    let (batch, next) = try partition.read(from: position, maxByteCount: batchByteCount)
                {
                    position = next
                    guard batch.count > 0 else { continue }
                    devices.note(batch, times: reader.times(of: batch))
                    reader.publish(batch, devices.stream, feed)
                    await Task.yield()
                }
                try await Task.sleep(for: pause)
            } catch is CancellationError {
                return
            } catch {
                // A damaged batch stops the list of this partition, not the instance; the functions report it.
                return
            }
        }
    }
}

/// Reads what the tracker needs from a batch.
private struct TelemetryReader {
    private let decoder: BodyDecoder?
    private let heap = TextHeap()
    private let column: Column
    private var problems: [UInt8] = []
    private var eventTimes: [Int64?] = []

    init(timeField: String?) {
        decoder = timeField.map { BodyDecoder(paths: [[$0]], readsAll: false) }
        column = Column(heap: heap)
    }

    /// The devices' own times in ticks, nil where the body has none.
    mutating func times(of batch: EventBatch) -> [Int64?] {
        eventTimes.removeAll(keepingCapacity: true)
        guard let decoder else { return Array(repeating: nil, count: batch.count) }
        heap.count = 0
        batch.bytes.withUnsafeBufferPointer { bytes in
            batch.bodies.withUnsafeBufferPointer { bodies in
                _ = decoder.decode(bytes: bytes, bodies: bodies, into: [column], heap: heap, problems: &problems)
            }
        }
        for row in 0..<batch.count {
            let text = column.tag(at: row) == .text ? heap.bytes(column.values[row]) : nil
            eventTimes.append(text.flatMap { Timestamp(iso8601: UnsafeRawBufferPointer($0))?.ticks })
        }
        return eventTimes
    }

    /// Gives the batch to readers of the stream's live feed.
    func publish(_ batch: EventBatch, _ stream: String, _ feed: LiveFeed) {
        guard feed.hasSubscribers(stream) else { return }
        feed.publish(stream, lines: LiveFrame(events: batch))
    }
}

/// The devices of one partition.
private final class PartitionDevices: Sendable {
    private struct Device {
        var id: String
        var lastSeen: Int64
        var lastEventTime: Int64?
        var events: Int
        var lastBody: [UInt8]
    }

    private struct State {
        var devices: [Device] = []
        var lastRows: [Int32] = []
        var touched: [Int] = []
    }

    let stream: String
    private let state = Mutex(State())
    // SAFETY: only the task that follows the partition calls note(), which alone uses it.
    private nonisolated(unsafe) let interner = KeyInterner()

    init(stream: String) { self.stream = stream }

    func note(_ batch: EventBatch, times: [Int64?]) {
        state.withLock { state in
            batch.bytes.withUnsafeBufferPointer { bytes in
                for row in 0..<batch.count { count(row, of: batch, bytes, &state) }
                // Only the newest body of each device is copied, however many came.
                for id in state.touched {
                    let row = Int(state.lastRows[id])
                    state.devices[id].lastSeen = batch.enqueuedTimes[row]
                    state.devices[id].lastEventTime = times[row]
                    state.devices[id].lastBody = Array(bytes[batch.bodies[row].range])
                    state.lastRows[id] = -1
                }
            }
            state.touched.removeAll(keepingCapacity: true)
        }
    }

    private func count(_ row: Int, of batch: EventBatch, _ bytes: UnsafeBufferPointer<UInt8>, _ state: inout State) {
        let key = UnsafeBufferPointer(rebasing: bytes[batch.keys[row].range])
        if interner.count >= DeviceTracker.devicesPerPartition { return }
        let id = interner.intern(key)
        if id == state.devices.count {
            let text = String(decoding: key, as: UTF8.self)
            state.devices.append(Device(id: text, lastSeen: 0, lastEventTime: nil, events: 0, lastBody: []))
            state.lastRows.append(-1)
        }
        if state.lastRows[id] < 0 { state.touched.append(id) }
        state.lastRows[id] = Int32(truncatingIfNeeded: row)
        state.devices[id].events += 1
    }

    func reports() -> [DeviceReport] {
        state.withLock { state in
            state.devices.map { device in
                let offset = device.lastEventTime.map {
                    Timestamp(ticks: $0).duration(since: Timestamp(ticks: device.lastSeen)).inSeconds
                }
                return DeviceReport(
                    id: device.id, stream: stream, lastSeen: Timestamp(ticks: device.lastSeen).description,
                    lastEventTime: device.lastEventTime.map { Timestamp(ticks: $0).description },
                    clockOffsetSeconds: offset, events: device.events,
                    lastBody: JSONText(String(decoding: device.lastBody, as: UTF8.self)))
            }
        }
    }
}
