// Partitions side by side: each has a pipeline of its own, as the live runner gives it, on a thread.

import Ogawa
import OgawaCore
import OgawaEngine
import OgawaPlatform
import OgawaSQL
import Synchronization

/// Query A over the partitions of a file on one or more threads.
///
/// Reading and dealing come before the clock starts; decoding,
/// computing and encoding the rows are measured.
struct PartitionRun {
    let path: String
    let partitionCount: Int
    let threadCount: Int

    func measure() throws -> SQLCost {
        let input = try InputFile(path: path, hasOwnTime: true)
        var batches: [[EventBatch]] = Array(repeating: [], count: partitionCount)
        while let batch = try input.next() {
            for part in DealtInput.deal(batch, partitionCount) where part.count > 0 {
                batches[part.partition.index].append(part)
            }
        }
        let program = try compile(
            SourceText(name: "<bench>", text: SQLBench.queries[0].sql), catalog: Catalog(streams: ["i"])
        ).program
        let work = batches
        let failed = Failure()
        var cost = SQLCost()
        let cpuBefore = ownCPUSeconds()
        let start = ContinuousClock.now
        let (partitionCount, threadCount) = (partitionCount, threadCount)
        let threads = (0..<threadCount).map { thread in
            DedicatedThread(name: "bench") {
                for partition in stride(from: thread, to: partitionCount, by: threadCount) {
                    do {
                        try PartitionRun.run(program, work[partition])
                    } catch {
                        failed.value.withLock { $0 = String(describing: error) }
                    }
                }
            }
        }
        for thread in threads { thread.join() }
        cost.seconds = (ContinuousClock.now - start).inSeconds
        cost.cpuSeconds = ownCPUSeconds() - cpuBefore
        if let failure = failed.value.withLock({ $0 }) { throw CommandFailure("the query failed: \(failure)") }
        cost.eventCount = work.joined().reduce(0) { $0 + $1.count }
        return cost
    }

    private static func run(_ program: Program, _ batches: [EventBatch]) throws {
        let encoder = RowWriter()
        let pipeline = try Pipeline(
            program, configuration: Pipeline.Configuration(isStrict: true, readsWholeBodies: true),
            emit: { _, rows in encoder.take(rows) })
        for batch in batches { try pipeline.process(batch, input: "i") }
        try pipeline.finish()
    }
}

/// Why a thread stopped.
private final class Failure: Sendable {
    let value = Mutex<String?>(nil)
}
