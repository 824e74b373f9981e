import OgawaCore
import OgawaEngine
import OgawaLog
import OgawaPlatform

/// A stream of a project's log as the input of a query, from its first event to what was its end at the opening.
///
/// Every partition keeps a timeline of its own, idle markers included, so that a query gives the rows that a live function
/// gives.
/// **Isolation.** One thread; holds the data folder's lock until it goes.
package final class LogInput: QueryInput {
    private struct Cursor {
        let partition: LogPartition
        let end: LogPosition
        var position: LogPosition
    }

    private static let batchByteCount = 1 << 20
    private let log: Log
    private var cursors: [Cursor]
    private var readCount: Int64 = 0
    private let totalCount: Int64

    /// Opens the project's log.
    ///
    /// - Throws: ``ProjectError`` where there are no data yet, ``LogError``, such as that another process has the folder open.
    package init(project: Project, stream settings: StreamSettings) throws {
        let folder = project.dataDirectory + "/log"
        guard TextFile.isDirectory(folder) else {
            throw ProjectError(
                code: "no-data", message: "\(project.directory) has no data yet: there is no folder \(folder)",
                hint: "run it first: ogawa run \(project.directory)")
        }
        // Reading must delete nothing, whatever the retention.
        var configuration = settings.logConfiguration
        configuration.retention = Retention()
        log = try Log.open(directory: folder, streams: [configuration], clock: SystemClock())
        cursors = (log.stream(settings.name)?.partitions ?? []).map {
            Cursor(partition: $0, end: $0.endPosition, position: $0.startPosition)
        }
        totalCount = cursors.reduce(0) { $0 + $1.end.offset.rawValue - $1.position.offset.rawValue }
    }

    deinit { log.close() }

    package var partitionCount: Int { cursors.count }

    package var progress: Double { totalCount > 0 ? Double(readCount) / Double(totalCount) : 1 }

    package func next() throws -> EventBatch? {
        // The partition that is furthest behind comes next, so that little waits for the others.
        while true {
            let open = cursors.indices.filter { cursors[$0].position < cursors[$0].end }
            guard
                let index = open.min(by: {
                    cursors[$0].position.enqueuedTime < cursors[$1].position.enqueuedTime
                })
            else { return nil }
            let cursor = cursors[index]
            guard
                let (batch, next) = try cursor.partition.read(
                    from: cursor.position, maxByteCount: LogInput.batchByteCount)
            else {
                cursors[index].position = cursor.end
                continue
            }
            cursors[index].position = next
            readCount += Int64(batch.count)
            return batch
        }
    }
}
