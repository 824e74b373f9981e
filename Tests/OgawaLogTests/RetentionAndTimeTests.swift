import OgawaCore
import OgawaLog
import OgawaTesting
import Testing

@Suite struct RetentionAndTimeTests {
    /// Appends one event an hour.
    private func fill(_ bench: TestBench, _ log: Log, _ range: Range<Int>) async throws -> [Timestamp] {
        var times: [Timestamp] = []
        for index in range {
            times.append(try await log.partition.append(event("\(index)")).enqueuedTime)
            bench.clock.advance(by: .seconds(3600))
        }
        return times
    }

    @Test func `retention by age removes whole old segments and never the newest`() async throws {
        let bench = TestBench()
        let retention = Retention(age: .seconds(24 * 3600))
        let log = try bench.open(segmentByteCount: 300, retention: retention)
        let times = try await fill(bench, log, 0..<72)
        let before = log.partition.startPosition
        log.enforceRetention()
        let first = Int(log.partition.firstOffset.rawValue)
        #expect(first > 40)
        let limit = bench.clock.now().advanced(by: .seconds(-24 * 3600))
        #expect(times[first - 1] < limit, "nothing goes before its time")
        #expect(try log.partition.bodies() == (first..<72).map { "\($0)" })

        // A reader from before gets what is left, and can see that.
        let (batch, _) = try #require(try log.partition.read(from: before, maxByteCount: 1))
        #expect(batch.firstOffset.rawValue == Int64(first))
        #expect(batch.body(at: 0) == "\(first)")

        bench.clock.advance(by: .seconds(1000 * 3600))
        log.enforceRetention()
        #expect(log.partition.nextOffset == Offset(rawValue: 72))
        #expect(bench.fileSystem.paths.filter { $0.hasSuffix(".segment") }.count >= 1)
        log.close()
        let again = try bench.open(segmentByteCount: 300, retention: retention)
        defer { again.close() }
        #expect(again.partition.nextOffset == Offset(rawValue: 72))
        #expect(again.partition.lastEnqueuedTime == times[71])
        #expect(again.recoveryNotes == [])
    }

    @Test func `a segment that gets few records is closed in time to be removed`() async throws {
        let bench = TestBench()
        let log = try bench.open(retention: Retention(age: .seconds(24 * 3600)))
        defer { log.close() }
        for index in 0..<100 {
            _ = try await log.partition.append(event("\(index)"))
            bench.clock.advance(by: .seconds(3600))
            log.enforceRetention()
            _ = try await log.partition.append(PendingEvents())
        }
        let kept = 100 - log.partition.firstOffset.rawValue
        #expect(kept >= 24 && kept <= 36)
        #expect(try log.partition.bodies().count == Int(kept))
    }

    @Test func `retention by size keeps the newest bytes`() async throws {
        let bench = TestBench()
        let log = try bench.open(segmentByteCount: 500, retention: Retention(byteCount: 2000))
        defer { log.close() }
        _ = try await fill(bench, log, 0..<200)
        #expect(log.partition.byteCount > 5000)
        log.enforceRetention()
        #expect(log.partition.byteCount <= 2000)
        #expect(log.partition.byteCount > 1000)
        let first = Int(log.partition.firstOffset.rawValue)
        #expect(try log.partition.bodies() == (first..<200).map { "\($0)" })
        let files = bench.fileSystem.paths.filter { $0.hasPrefix(TestBench.directory + "/s/0/") }
        let segments = files.filter { $0.hasSuffix(".segment") }.count
        #expect(files.count == 2 * segments - 1, "an index beside every closed segment, and none left over")
    }

    @Test func `a segment that cannot be removed is tried again`() async throws {
        let bench = TestBench()
        let log = try bench.open(segmentByteCount: 500, retention: Retention(byteCount: 1000))
        _ = try await fill(bench, log, 0..<50)
        bench.fileSystem.inject(.fail(.other), at: .remove, call: 2)
        log.enforceRetention()
        #expect(log.recoveryNotes.count == 1)
        #expect(bench.fileSystem.contents(of: bench.segmentPath()) != nil)
        log.enforceRetention()
        #expect(bench.fileSystem.contents(of: bench.segmentPath()) == nil)
        let first = log.partition.firstOffset
        log.close()
        let again = try bench.open(segmentByteCount: 500)
        defer { again.close() }
        #expect(again.partition.firstOffset == first)
        #expect(again.recoveryNotes == [])
    }

    @Test func `a time leads to the first record enqueued at or after it`() async throws {
        let bench = TestBench()
        let log = try bench.open(segmentByteCount: 300)
        let times = try await fill(bench, log, 0..<40)
        for isReopened in [false, true] {
            let log = isReopened ? try bench.open(segmentByteCount: 300) : log
            for index in 0..<40 {
                for (shift, expected) in [(Int64(-1), index), (0, index), (1, index + 1)] {
                    let time = Timestamp(ticks: times[index].ticks + shift)
                    let position = log.partition.position(since: time)
                    #expect(position.offset.rawValue == Int64(expected))
                    #expect(try log.partition.bodies(from: position) == (expected..<40).map { "\($0)" })
                }
            }
            #expect(log.partition.position(since: .min).offset == .zero)
            #expect(log.partition.position(since: .max).offset == Offset(rawValue: 40))
            log.close()
        }
    }

    @Test func `idle markers at or after a time are read from its position, earlier ones are not`() async throws {
        let bench = TestBench()
        let log = try bench.open()
        defer { log.close() }
        _ = try await log.partition.append(event("a"))
        bench.clock.advance(by: .seconds(10))
        _ = try await log.partition.appendIdleMarker()
        bench.clock.advance(by: .seconds(10))
        let second = try await log.partition.appendIdleMarker()
        bench.clock.advance(by: .seconds(10))
        _ = try await log.partition.append(event("b"))
        let position = log.partition.position(since: second)
        #expect(try log.partition.bodies(from: position) == ["idle", "b"])
        let later = log.partition.position(since: second.advanced(by: .seconds(1)))
        #expect(try log.partition.bodies(from: later) == ["b"])
    }

    @Test func `the sparse index finds every record in a large segment`() async throws {
        let bench = TestBench()
        let log = try bench.open()
        var count = 0
        for round in 0..<60 {
            let bodies = (0..<20).map { "\(count + $0) " + String(repeating: "x", count: 200 + round) }
            _ = try await log.partition.append(events(bodies))
            bench.clock.advance(by: .seconds(1))
            count += 20
        }
        log.close()
        let again = try bench.open()
        defer { again.close() }
        #expect(again.partition.byteCount > 4 * 65_536)
        for offset in stride(from: 0, to: count, by: 7) {
            let position = again.partition.position(at: Offset(rawValue: Int64(offset)))
            let (batch, _) = try #require(try again.partition.read(from: position, maxByteCount: 1))
            #expect(batch.firstOffset.rawValue == Int64(offset))
            #expect(batch.body(at: 0).hasPrefix("\(offset) "))
        }
    }
}
