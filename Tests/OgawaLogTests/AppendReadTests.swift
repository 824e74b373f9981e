import OgawaCore
import OgawaLog
import OgawaPlatform
import OgawaTesting
import Testing

@Suite struct AppendReadTests {
    @Test func `what was appended is read back in order with offsets and times`() async throws {
        let bench = TestBench()
        let log = try bench.open()
        defer { log.close() }
        let partition = log.partition
        let first = try await partition.append(events(["a", "b"], key: "dev-1"))
        bench.clock.advance(by: .seconds(1))
        var third = PendingEvents()
        third.append(key: "dev-2", body: "c", properties: #"{"p":1}"#)
        let second = try await partition.append(third)
        #expect(first.firstOffset == Offset(rawValue: 0) && first.count == 2)
        #expect(second.firstOffset == Offset(rawValue: 2) && second.count == 1)
        #expect(second.enqueuedTime.duration(since: first.enqueuedTime) == .seconds(1))

        let (batch, next) = try #require(try partition.read(from: partition.startPosition, maxByteCount: 1 << 20))
        #expect(batch.count == 3)
        #expect(batch.firstOffset == .zero)
        #expect((0..<3).map { batch.key(at: $0) } == ["dev-1", "dev-1", "dev-2"])
        #expect((0..<3).map { batch.body(at: $0) } == ["a", "b", "c"])
        #expect(String(decoding: batch.bytes[batch.properties[2].range], as: UTF8.self) == #"{"p":1}"#)
        #expect(batch.properties[0].count == 0)
        #expect(batch.enqueuedTimes[1] == first.enqueuedTime.ticks)
        #expect(batch.enqueuedTimes[2] == second.enqueuedTime.ticks)
        #expect(batch.lastEnqueuedTime == second.enqueuedTime)
        #expect(batch.bytes.suffix(EventBatch.paddingByteCount).allSatisfy { $0 == 0 })
        #expect(next == partition.endPosition)
        #expect(try partition.read(from: next, maxByteCount: 1 << 20) == nil)
    }

    @Test func `a read from the middle of a batch begins at the record asked for`() async throws {
        let log = try TestBench().open()
        defer { log.close() }
        _ = try await log.partition.append(events((0..<100).map { "\($0)" }))
        let position = log.partition.position(at: Offset(rawValue: 42))
        let (batch, next) = try #require(try log.partition.read(from: position, maxByteCount: 1))
        #expect(batch.firstOffset == Offset(rawValue: 42))
        #expect(batch.body(at: 0) == "42")
        #expect(batch.count == 58)
        #expect(next.offset == Offset(rawValue: 100))
    }

    @Test func `a log opened again reads the same over many segments`() async throws {
        let bench = TestBench()
        let log = try bench.open(segmentByteCount: 500)
        var expected: [String] = []
        for index in 0..<60 {
            let body = "event \(index) " + String(repeating: "x", count: index)
            expected.append(body)
            _ = try await log.partition.append(event(body))
        }
        #expect(try log.partition.bodies() == expected)
        log.close()
        let again = try bench.open(segmentByteCount: 500)
        defer { again.close() }
        #expect(bench.fileSystem.paths.filter { $0.hasSuffix(".segment") }.count > 5)
        #expect(again.recoveryNotes == [])
        #expect(again.partition.nextOffset == Offset(rawValue: 60))
        #expect(try again.partition.bodies() == expected)
        #expect(try again.partition.bodies(maxByteCount: 1) == expected)
        for offset in 0..<60 {
            let position = again.partition.position(at: Offset(rawValue: Int64(offset)))
            #expect(try again.partition.bodies(from: position) == Array(expected[offset...]))
        }
    }

    @Test func `the same key goes to the same partition and keeps its order`() async throws {
        let bench = TestBench()
        let configuration = StreamConfiguration(name: "t", partitionCount: 4)
        let log = try bench.open(configuration)
        let stream = try #require(log.stream("t"))
        for round in 0..<5 {
            var batch = PendingEvents()
            for device in 0..<40 { batch.append(key: "dev-\(device)", body: "\(round)") }
            let receipts = try await stream.append(batch)
            #expect(receipts.reduce(0) { $0 + $1.count } == 40)
            #expect(receipts.map(\.partition) == receipts.map(\.partition).sorted())
        }
        log.close()
        let again = try bench.open(configuration)
        defer { again.close() }
        var seen: [String: [String]] = [:]
        for partition in again.streams[0].partitions {
            var position = partition.startPosition
            while let (batch, next) = try partition.read(from: position, maxByteCount: 300) {
                for index in 0..<batch.count {
                    let key = batch.key(at: index)
                    seen["\(partition.id)/\(key)", default: []].append(batch.body(at: index))
                    let home = Array(key.utf8).withUnsafeBytes { again.streams[0].partition(forKey: $0) }
                    #expect(home === partition)
                }
                position = next
            }
        }
        #expect(seen.count == 40)
        #expect(seen.values.allSatisfy { $0 == ["0", "1", "2", "3", "4"] })
    }

    @Test func `appends from many threads are all kept, each thread's in its order`() throws {
        let log = try TestBench().open(segmentByteCount: 20_000)
        let threads = (0..<8).map { thread in
            DedicatedThread(name: "test") {
                for index in 0..<100 { _ = try? log.partition.appendBlocking(event("\(thread) \(index)")) }
            }
        }
        for thread in threads { thread.join() }
        defer { log.close() }
        let bodies = try log.partition.bodies()
        #expect(bodies.count == 800)
        for thread in 0..<8 {
            #expect(bodies.filter { $0.hasPrefix("\(thread) ") } == (0..<100).map { "\(thread) \($0)" })
        }
    }

    @Test func `an append without events changes nothing`() async throws {
        let log = try TestBench().open()
        defer { log.close() }
        let receipt = try await log.partition.append(PendingEvents())
        #expect(receipt.count == 0)
        #expect(log.partition.byteCount == 0)
        #expect(try await log.streams[0].append(PendingEvents()).allSatisfy { $0.count == 0 })
    }

    @Test func `a large append is stored in several batches and read in pieces`() async throws {
        let log = try TestBench().open()
        defer { log.close() }
        let bodies = (0..<3000).map { "\($0) " + String(repeating: "y", count: 400) }
        let receipt = try await log.partition.append(events(bodies))
        #expect(receipt.count == 3000)
        let (batch, _) = try #require(
            try log.partition.read(from: log.partition.startPosition, maxByteCount: 1000))
        #expect(batch.count < 1000)
        #expect(try log.partition.bodies(maxByteCount: 1000) == bodies)
    }

    @Test func `a real disk gives back what it was given`() async throws {
        let directory = "/tmp/ogawa-log-test-\(processIdentifier)-\(UInt64.random(in: 0 ... .max))"
        let fileSystem = POSIXFileSystem()
        let configuration = StreamConfiguration(name: "disk", partitionCount: 1, segmentByteCount: 4000)
        let log = try Log.open(directory: directory, streams: [configuration], clock: SystemClock())
        let bodies = (0..<200).map { "event \($0)" }
        for body in bodies { _ = try await log.partition.append(event(body)) }
        #expect(try log.partition.bodies() == bodies)
        log.close()
        let again = try Log.open(directory: directory, streams: [configuration], clock: SystemClock())
        #expect(again.recoveryNotes == [])
        #expect(try again.partition.bodies() == bodies)
        again.close()
        #expect(try fileSystem.listDirectory(directory + "/disk/0").count > 4)
        try removeTree(directory)
    }
}
