import OgawaCore
import OgawaLog
import OgawaPlatform
import OgawaTesting
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A log in memory with its disk and its clock, to be opened, crashed and opened again.
struct TestBench {
    static let directory = "/data/log"

    let fileSystem = MemoryFileSystem()
    let clock = SimulatedClock()

    func open(_ configuration: StreamConfiguration) throws -> Log {
        try Log.open(
            directory: TestBench.directory, streams: [configuration], clock: clock, fileSystem: fileSystem)
    }

    /// Opens a log with one stream `s` of one partition.
    func open(
        segmentByteCount: Int = 64 << 20, durability: Durability = .fsync, retention: Retention = Retention()
    ) throws -> Log {
        try open(
            StreamConfiguration(
                name: "s", partitionCount: 1, durability: durability, retention: retention,
                segmentByteCount: segmentByteCount))
    }

    func segmentPath(_ base: Int = 0, stream: String = "s", partition: Int = 0) -> String {
        let digits = String(base)
        return "\(TestBench.directory)/\(stream)/\(partition)/"
            + String(repeating: "0", count: 20 - digits.count) + digits + ".segment"
    }

    func indexPath(_ base: Int = 0) -> String { segmentPath(base).dropLast("segment".count) + "index" }
}

extension Log {
    /// The first partition of the first stream.
    var partition: LogPartition { streams[0].partitions[0] }
}

/// Events with the given bodies and one key.
func events(_ bodies: [String], key: String = "k") -> PendingEvents {
    var events = PendingEvents()
    for body in bodies { events.append(key: key, body: body) }
    return events
}

/// One event.
func event(_ body: String, key: String = "k") -> PendingEvents { events([body], key: key) }

extension LogPartition {
    /// All events from a position to the end, with the idle markers on the way as `idle`.
    func bodies(from start: LogPosition? = nil, maxByteCount: Int = 1 << 20) throws -> [String] {
        var position = start ?? startPosition
        var bodies: [String] = []
        while let (batch, next) = try read(from: position, maxByteCount: maxByteCount) {
            #expect(next > position)
            if batch.count == 0 { bodies.append("idle") }
            for index in 0..<batch.count { bodies.append(batch.body(at: index)) }
            position = next
        }
        return bodies
    }

    /// Appends and blocks the calling thread until the answer is there.
    func appendBlocking(_ events: PendingEvents, producer: ProducerState? = nil) throws -> AppendReceipt {
        let bell = Bell()
        let answer = Mutex<Result<AppendReceipt, LogError>?>(nil)
        append(events, producer: producer) { result in
            answer.withLock { $0 = result }
            bell.ring()
        }
        bell.wait()
        return try #require(answer.withLock { $0 }).get()
    }
}

/// The error that the body throws, as the log's own.
func logError(_ body: () throws -> Void) -> LogError? {
    do {
        try body()
        return nil
    } catch {
        return error as? LogError
    }
}

/// Removes a folder of a log on the real disk.
func removeTree(_ path: String) throws {
    let fileSystem = POSIXFileSystem()
    for name in try fileSystem.listDirectory(path) {
        let child = path + "/" + name
        if (try? fileSystem.listDirectory(child)) != nil { try removeTree(child) } else { try fileSystem.remove(child) }
    }
    rmdir(path)
}
