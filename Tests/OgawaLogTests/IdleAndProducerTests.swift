import OgawaCore
import OgawaLog
import OgawaTesting
import Testing

@Suite struct IdleAndProducerTests {
    @Test func `idle markers keep the offset, survive reopening and are read where they were set`() async throws {
        let bench = TestBench()
        let log = try bench.open(segmentByteCount: 200)
        var times: [Timestamp] = []
        for index in 0..<6 {
            _ = try await log.partition.append(event("\(index)"))
            for _ in 0..<2 {
                bench.clock.advance(by: .seconds(1))
                times.append(try await log.partition.appendIdleMarker())
            }
            #expect(log.partition.nextOffset.rawValue == Int64(index + 1))
            #expect(log.partition.lastEnqueuedTime == times.last)
        }
        let expected = (0..<6).flatMap { ["\($0)", "idle", "idle"] }
        #expect(try log.partition.bodies() == expected)
        log.close()
        let again = try bench.open(segmentByteCount: 200)
        defer { again.close() }
        #expect(bench.fileSystem.paths.filter { $0.hasSuffix(".segment") }.count > 2)
        #expect(try again.partition.bodies() == expected)
        #expect(again.partition.endPosition == LogPosition(offset: Offset(rawValue: 6), enqueuedTime: times[11]))
        #expect(try again.partition.bodies(from: again.partition.endPosition) == [])

        // From every position on the way, what follows is the same whether the place is remembered or searched.
        var position = again.partition.startPosition
        for index in 0..<expected.count {
            #expect(try again.partition.bodies(from: position) == Array(expected[index...]))
            let (batch, next) = try #require(try again.partition.read(from: position, maxByteCount: 1))
            #expect(batch.count == (expected[index] == "idle" ? 0 : 1))
            #expect(batch.bytes.count >= EventBatch.paddingByteCount)
            #expect(batch.lastEnqueuedTime == next.enqueuedTime)
            position = next
        }
        #expect(position == again.partition.endPosition)
    }

    @Test func `an idle marker is not stored when time has not moved`() async throws {
        let bench = TestBench()
        let log = try bench.open()
        defer { log.close() }
        let receipt = try await log.partition.append(event("a"))
        #expect(try await log.partition.appendIdleMarker() == receipt.enqueuedTime)
        let end = log.partition.endPosition
        #expect(try log.partition.bodies() == ["a"])
        #expect(!log.partition.waitForRecordsBlocking(beyond: end, timeout: .zero))
        let before = log.partition.position(at: Offset(rawValue: 1))
        #expect(!log.partition.waitForRecordsBlocking(beyond: before, timeout: .zero))
    }

    @Test func `a producer's progress survives reopening, rolling and retention`() async throws {
        let bench = TestBench()
        let log = try bench.open(segmentByteCount: 300, retention: Retention(byteCount: 600))
        _ = try await log.partition.append(event("x"), producer: ProducerState(producer: "once", state: [7]))
        _ = try await log.partition.append(
            PendingEvents(), producer: ProducerState(producer: "alone", state: [8, 9]))
        for index in 0..<30 {
            let state = ProducerState(producer: "often", state: Array("\(index)".utf8))
            let receipt = try await log.partition.append(event("\(index)"), producer: state)
            #expect(receipt.firstOffset.rawValue == Int64(index + 1))
            #expect(log.partition.lastProducerState("often") == Array("\(index)".utf8))
        }
        log.enforceRetention()
        #expect(log.partition.firstOffset > Offset(rawValue: 10))
        log.close()
        let again = try bench.open(segmentByteCount: 300)
        defer { again.close() }
        #expect(again.partition.lastProducerState("once") == [7])
        #expect(again.partition.lastProducerState("alone") == [8, 9])
        #expect(again.partition.lastProducerState("often") == Array("29".utf8))
        #expect(again.partition.lastProducerState("never") == nil)
        #expect(try again.partition.bodies().last == "29")
    }

    @Test func `a producer's events and progress are stored together or not at all`() async throws {
        let bench = TestBench()
        let log = try bench.open()
        _ = try await log.partition.append(event("first"), producer: ProducerState(producer: "fn", state: [1]))
        let start = Int(log.partition.byteCount)
        let large = (0..<700).map { "\($0) " + String(repeating: "x", count: 1000) }
        _ = try await log.partition.append(events(large), producer: ProducerState(producer: "fn", state: [2]))
        log.close()
        let bytes = try #require(bench.fileSystem.contents(of: bench.segmentPath()))
        #expect(bytes.count > 700_000)
        for cut in [start, start + 1, start + 60, start + 300_000, bytes.count - 1, bytes.count] {
            bench.fileSystem.setContents(of: bench.segmentPath(), to: Array(bytes[..<cut]))
            let again = try bench.open()
            defer { again.close() }
            let isWhole = cut == bytes.count
            #expect(again.partition.nextOffset.rawValue == (isWhole ? 701 : 1))
            #expect(again.partition.lastProducerState("fn") == [isWhole ? 2 : 1])
        }
    }
}
