import OgawaCore
import OgawaLog
import OgawaPlatform
import OgawaTesting
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct WaitTests {
    @Test func `a waiting task wakes for records and for idle markers`() async throws {
        let bench = TestBench()
        let log = try bench.open()
        defer { log.close() }
        let partition = log.partition
        for round in 0..<50 {
            let position = partition.endPosition
            async let waiting: Void = partition.waitForRecords(beyond: position)
            bench.clock.advance(by: .seconds(1))
            if round % 2 == 0 {
                _ = try await partition.append(event("\(round)"))
            } else {
                _ = try await partition.appendIdleMarker()
            }
            try await waiting
            #expect(try partition.read(from: position, maxByteCount: 1) != nil)
        }
        try await partition.waitForRecords(beyond: partition.startPosition)
    }

    @Test func `a waiting task ends when it is cancelled, before or during the wait`() async throws {
        let log = try TestBench().open()
        defer { log.close() }
        let partition = log.partition
        for isEarly in [true, false] {
            let task = Task { try await partition.waitForRecords(beyond: partition.endPosition) }
            if !isEarly { for _ in 0..<20 { await Task.yield() } }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
        _ = try await partition.append(event("still working"))
    }

    @Test func `waiting tasks and threads end when the log is closed`() async throws {
        let log = try TestBench().open()
        let partition = log.partition
        let position = partition.endPosition
        let task = Task { try await partition.waitForRecords(beyond: position) }
        let outcome = Mutex<Bool?>(nil)
        let thread = DedicatedThread(name: "reader") {
            let isReady = partition.waitForRecordsBlocking(beyond: position, timeout: .seconds(60))
            outcome.withLock { $0 = isReady }
        }
        log.close()
        thread.join()
        #expect(outcome.withLock { $0 } == false)
        await #expect { try await task.value } throws: { ($0 as? LogError)?.code == .closed }
    }

    @Test func `a waiting thread wakes for records, for a bell and for the time`() throws {
        let bench = TestBench()
        let log = try bench.open()
        defer { log.close() }
        let partition = log.partition
        let start = partition.endPosition
        #expect(!partition.waitForRecordsBlocking(beyond: start, timeout: .milliseconds(1)))

        // Once rung before the waiting began, and once during it.
        let bell = Bell()
        bell.ring()
        #expect(!partition.waitForRecordsBlocking(beyond: start, timeout: .seconds(60), bell: bell))
        let ringer = DedicatedThread(name: "ringer") {
            Bell().wait(timeout: .milliseconds(5))
            bell.ring()
        }
        #expect(!partition.waitForRecordsBlocking(beyond: start, timeout: .seconds(60), bell: bell))
        ringer.join()

        let appender = DedicatedThread(name: "appender") { _ = try? partition.appendBlocking(event("x")) }
        #expect(partition.waitForRecordsBlocking(beyond: start, timeout: .seconds(60)))
        appender.join()
        #expect(partition.waitForRecordsBlocking(beyond: start, timeout: .zero))
    }

    @Test func `a follower reads everything while writers write`() async throws {
        let log = try TestBench().open(segmentByteCount: 3000)
        defer { log.close() }
        let partition = log.partition
        async let writing: Void = {
            for index in 0..<300 { _ = try await partition.append(event("\(index)")) }
        }()
        var seen: [String] = []
        var position = partition.startPosition
        while seen.count < 300 {
            try await partition.waitForRecords(beyond: position)
            while let (batch, next) = try partition.read(from: position, maxByteCount: 500) {
                for index in 0..<batch.count { seen.append(batch.body(at: index)) }
                position = next
            }
        }
        try await writing
        #expect(seen == (0..<300).map { "\($0)" })
    }
}
