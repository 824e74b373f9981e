// A stream of a project's log as the input of a query: its partitions merged in the order in which their events were enqueued.

import Ogawa
import OgawaCore
import OgawaEngine
import OgawaLog
import OgawaPlatform

/// Reads a stream from its first event to what was its end when the reading began.
///
/// **Isolation.** One thread; holds the data folder's lock until it goes.
final class LogInput: QueryInput {
    /// One partition on its way through the merge.
    private struct Cursor {
        let partition: LogPartition
        let end: Offset
        var position: LogPosition
        var batch = EventBatch()
        var index = 0

        /// Loads the next stored batch where the last one is used up; false at the end.
        mutating func fill() throws -> Bool {
            while index >= batch.count {
                guard position.offset < end,
                    let (next, after) = try partition.read(from: position, maxByteCount: 1 << 20)
                else {
                    return false
                }
                (batch, position, index) = (next, after, 0)
            }
            return true
        }

        var time: Int64 { batch.enqueuedTimes[index] }
    }

    private static let batchCount = 4096

    private let log: Log
    private var cursors: [Cursor]
    private var readCount: Int64 = 0
    private let totalCount: Int64
    private var offset = Offset.zero

    /// Opens the project's log.
    ///
    /// **Errors.** ``LogError``, such as that another process has the folder open; ``CommandFailure`` where there are no data yet.
    init(project: Project, stream name: String) throws {
        let folder = project.dataDirectory + "/log"
        guard let settings = project.stream(name), TextFile.isDirectory(folder) else {
            throw CommandFailure(
                "\(project.directory) has no data yet: there is no folder \(folder)",
                hint: "run it first: ogawa run \(project.directory)")
        }
        let configuration = StreamConfiguration(
            name: settings.name, partitionCount: settings.partitionCount, durability: settings.durability,
            retention: Retention(age: nil, byteCount: nil))
        do {
            log = try Log.open(directory: folder, streams: [configuration], clock: SystemClock())
        } catch let error as LogError where error.code == .locked {
            throw CommandFailure(
                error.message, hint: "end the running instance first, or ask it: ogawa rows TABLE, ogawa tail \(name)")
        }
        cursors = (log.stream(settings.name)?.partitions ?? []).map {
            Cursor(partition: $0, end: $0.nextOffset, position: $0.startPosition)
        }
        totalCount = cursors.reduce(0) { $0 + $1.end.rawValue - $1.partition.firstOffset.rawValue }
    }

    deinit { log.close() }

    /// The stream's own policy, with room to sort what the partitions bring past each other.
    static func policy(_ project: Project, stream name: String) -> OrderingPolicy {
        guard let settings = project.stream(name) else { return OrderingPolicy() }
        return OrderingPolicy(
            late: settings.lateTolerance, early: settings.earlyTolerance,
            outOfOrder: max(settings.outOfOrderTolerance, settings.lateTolerance),
            action: settings.orderingAction == .drop ? .drop : .adjust)
    }

    var progress: Double { totalCount > 0 ? Double(readCount) / Double(totalCount) : 1 }

    func next() throws -> EventBatch? {
        var pending = PendingEvents()
        var times: [Int64] = []
        while times.count < LogInput.batchCount {
            var first: Int?
            for index in cursors.indices where try cursors[index].fill() {
                if first.map({ cursors[index].time < cursors[$0].time }) ?? true { first = index }
            }
            guard let first else { break }
            times.append(cursors[first].time)
            let (batch, index) = (cursors[first].batch, cursors[first].index)
            batch.bytes.withUnsafeBytes { bytes in
                func slice(_ slice: ByteSlice) -> UnsafeRawBufferPointer {
                    UnsafeRawBufferPointer(rebasing: bytes[slice.range])
                }
                pending.append(
                    key: slice(batch.keys[index]), body: slice(batch.bodies[index]),
                    properties: slice(batch.properties[index]))
            }
            cursors[first].index += 1
        }
        guard let last = times.last else { return nil }
        readCount += Int64(times.count)
        var merged = EventBatch(firstOffset: offset)
        merged.bytes = pending.bytes + [UInt8](repeating: 0, count: EventBatch.paddingByteCount)
        merged.keys = pending.keys
        merged.bodies = pending.bodies
        merged.properties = pending.properties
        merged.enqueuedTimes = times
        merged.lastEnqueuedTime = Timestamp(ticks: last)
        offset = merged.nextOffset
        return merged
    }
}
