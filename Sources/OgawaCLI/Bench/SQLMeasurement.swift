// What one run of a query costs: of a program of its own, or of a query within the bench.

import Ogawa
import OgawaCore
import OgawaEngine
import OgawaPlatform

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The cost of one run.
struct SQLCost {
    var eventCount = 0
    var rowCount = 0
    /// User and kernel time.
    var cpuSeconds = 0.0
    var seconds = 0.0
    var peakResidentByteCount: Int64?
    /// Memory from malloc that the run still held after the last batch.
    var heldByteCount: Int64?

    var cpuPerMillion: Double { cpuSeconds / Double(max(1, eventCount)) * 1e6 }
    var eventsPerSecond: Double { Double(eventCount) / max(seconds, 1e-9) }
}

/// Runs a program to its end.
///
/// - Returns: its processor time, real time and peak memory.
func measureProgram(_ arguments: [String], errorFile: String) throws -> SQLCost {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 2, errorFile, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    var texts: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
    defer { for text in texts { free(text) } }
    texts.append(nil)
    var child: pid_t = 0
    let start = ContinuousClock.now
    let code = posix_spawnp(&child, arguments.first ?? "", &actions, nil, texts, environ)
    guard code == 0 else { throw CommandFailure("can't start the query: \(String(cString: strerror(code)))") }
    var status: Int32 = 0
    var usage = rusage()
    while wait4(child, &status, 0, &usage) < 0 && errno == EINTR {}
    guard status == 0 else {
        throw CommandFailure("the query failed: \((try? TextFile.read(errorFile)) ?? "status \(status)")")
    }
    var cost = SQLCost()
    cost.seconds = (ContinuousClock.now - start).inSeconds
    cost.cpuSeconds = usage.cpuSeconds
    cost.peakResidentByteCount = Int64(usage.ru_maxrss) * 1024
    return cost
}

extension rusage {
    fileprivate var cpuSeconds: Double {
        Double(ru_utime.tv_sec + ru_stime.tv_sec) + Double(ru_utime.tv_usec + ru_stime.tv_usec) / 1e6
    }
}

/// A query over files, run within the bench; rows are only counted.
struct SQLQuery {
    var sql: String
    var inputs: [(name: String, path: String)]
    var outOfOrder: Duration = .zero
    var references: [ReferenceTable] = []
    /// More than 1: events are dealt to this many partitions, as the gateway deals them.
    var partitionCount = 1

    func measure() throws -> SQLCost {
        let names = inputs.map(\.name)
        let query = try QueryRun(
            SourceText(name: "<bench>", text: sql), inputs: names, references: references,
            policies: Dictionary(uniqueKeysWithValues: names.map { ($0, OrderingPolicy(outOfOrder: outOfOrder)) }))
        var cost = SQLCost()
        let opened = try inputs.map { name, path -> (name: String, input: any QueryInput) in
            let file = try InputFile(path: path, hasOwnTime: true)
            return (name, partitionCount > 1 ? DealtInput(file, partitionCount: partitionCount) : file)
        }
        let before = heapByteCount()
        let cpuBefore = ownCPUSeconds()
        let start = ContinuousClock.now
        var held: Int64?
        let summary = try query.run(
            opened, isStrict: true, progress: { if $0 >= 1 { held = heapByteCount() } }, emit: { _, _ in })
        cost.seconds = (ContinuousClock.now - start).inSeconds
        cost.cpuSeconds = ownCPUSeconds() - cpuBefore
        if let before, let held { cost.heldByteCount = held - before }
        cost.eventCount = summary.eventCount
        cost.rowCount = summary.rowCount
        return cost
    }
}

/// Processor time of this process so far, in seconds.
func ownCPUSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Deals the events of a file to partitions by the hash of their device.
///
/// **Isolation.** One thread.
final class DealtInput: QueryInput {
    private let file: InputFile
    let partitionCount: Int
    private var waiting: [EventBatch] = []

    init(_ file: InputFile, partitionCount: Int) {
        self.file = file
        self.partitionCount = partitionCount
    }

    var progress: Double { waiting.isEmpty ? file.progress : 0 }

    func next() throws -> EventBatch? {
        if let batch = waiting.popLast() { return batch }
        guard let batch = try file.next() else { return nil }
        waiting = DealtInput.deal(batch, partitionCount).reversed()
        return waiting.popLast()
    }

    /// The events of each partition; the bytes are shared.
    static func deal(_ batch: EventBatch, _ partitionCount: Int) -> [EventBatch] {
        var parts = (0..<partitionCount).map { EventBatch(partition: PartitionID($0), firstOffset: batch.firstOffset) }
        batch.bytes.withUnsafeBytes { bytes in
            for (index, body) in batch.bodies.enumerated() {
                // The device's name stands behind `{"deviceId":"` and has 10 bytes.
                let key = UnsafeRawBufferPointer(rebasing: bytes[Int(body.start) + 13..<Int(body.start) + 23])
                let part = partition(forKey: key, count: partitionCount).index
                parts[part].bodies.append(body)
                parts[part].keys.append(batch.keys[index])
                parts[part].properties.append(batch.properties[index])
                parts[part].enqueuedTimes.append(batch.enqueuedTimes[index])
            }
        }
        for index in parts.indices {
            parts[index].bytes = batch.bytes
            parts[index].lastEnqueuedTime = batch.lastEnqueuedTime
        }
        return parts
    }
}
