import OgawaCore
import OgawaLog
import OgawaPlatform
import OgawaTesting
import Synchronization
import Testing

/// The n-th call loop: one course of work is repeated, each time with the power going at a later call, until a run sees no crash.
@Suite struct CrashTests {
    /// What a run was told before the power went.
    private struct Witness {
        var sent: [String] = []
        /// Bodies by acknowledged offset.
        var acknowledged: [Int64: String] = [:]
        var state: [UInt8]?
        /// Progress that was sent but not acknowledged may be there as well.
        var lastSentState: [UInt8]?
        var lastTime = Timestamp.min
    }

    private static let segmentByteCount = 700
    private static let retention = Retention(byteCount: 2500)

    /// Opens, appends, rolls, removes old segments, closes; stops at the first error.
    private func work(_ bench: TestBench, _ witness: inout Witness, rounds: Int, label: String) {
        guard
            let log = try? bench.open(
                segmentByteCount: CrashTests.segmentByteCount, retention: CrashTests.retention)
        else { return }
        defer { log.close() }
        for round in 0..<rounds {
            bench.clock.advance(by: round % 3 == 0 ? .seconds(-1) : .seconds(2))
            let bodies = (0..<1 + round % 3).map { "\(label) \(round) \($0)" }
            witness.sent += bodies
            let state = Array("\(label) \(round)".utf8)
            let producer = round % 2 == 0 ? ProducerState(producer: "fn", state: state) : nil
            if producer != nil { witness.lastSentState = state }
            guard let receipt = try? log.partition.appendBlocking(events(bodies), producer: producer) else { return }
            for (index, body) in bodies.enumerated() {
                witness.acknowledged[receipt.firstOffset.rawValue + Int64(index)] = body
            }
            if producer != nil { witness.state = state }
            witness.lastTime = receipt.enqueuedTime
            if round % 8 == 7 { log.enforceRetention() }
        }
    }

    /// Opens what the crash left and holds it against what was acknowledged.
    private func check(_ bench: TestBench, _ witness: Witness, _ place: Comment) throws {
        let log = try bench.open(segmentByteCount: CrashTests.segmentByteCount, retention: CrashTests.retention)
        defer { log.close() }
        let partition = log.partition
        #expect(!log.recoveryNotes.contains { $0.contains("damaged") || $0.contains("no segment") }, place)
        var position = partition.startPosition
        var found: [Int64: String] = [:]
        var lastTime = Timestamp.min.ticks
        while let (batch, next) = try partition.read(from: position, maxByteCount: 400) {
            #expect(batch.firstOffset.rawValue == position.offset.rawValue, place)
            for index in 0..<batch.count {
                found[batch.firstOffset.rawValue + Int64(index)] = batch.body(at: index)
                #expect(batch.enqueuedTimes[index] >= lastTime, place)
                lastTime = batch.enqueuedTimes[index]
            }
            position = next
        }
        let first = partition.firstOffset.rawValue
        for (offset, body) in witness.acknowledged where offset >= first { #expect(found[offset] == body, place) }
        if let last = witness.acknowledged.keys.max() { #expect(partition.nextOffset.rawValue > last, place) }
        #expect(found.keys.sorted() == Array(first..<partition.nextOffset.rawValue), place)
        let order = found.sorted { $0.key < $1.key }.map(\.value)
        #expect(Set(order).count == order.count && Set(order).isSubset(of: witness.sent), place)
        let ranks = order.compactMap { witness.sent.firstIndex(of: $0) }
        #expect(ranks == ranks.sorted(), place)
        let state = partition.lastProducerState("fn")
        #expect(state == witness.state || state == witness.lastSentState, place)
        #expect(partition.lastEnqueuedTime >= witness.lastTime, place)
    }

    private func crashAtEveryCall(_ survival: (UInt64) -> MemoryFileSystem.Survival, rounds: Int) throws -> Int {
        for call in 1... {
            let bench = TestBench()
            var witness = Witness()
            bench.fileSystem.inject(.crash, atCall: call)
            work(bench, &witness, rounds: rounds, label: "one")
            if !bench.fileSystem.isCrashed { return call }
            bench.fileSystem.restart(keeping: survival(UInt64(call)))
            try check(bench, witness, "crash at call \(call)")
            // And once more on what is left, without a fault: the log must go on as if nothing had been.
            work(bench, &witness, rounds: 12, label: "two")
            bench.fileSystem.restart(keeping: .nothing)
            try check(bench, witness, "after the crash at call \(call)")
        }
        return 0
    }

    @Test func `a power cut at any call loses nothing acknowledged when the disk kept nothing unsynced`() throws {
        let calls = try crashAtEveryCall({ _ in .nothing }, rounds: 60)
        #expect(calls > 150)
    }

    @Test func `a power cut at any call loses nothing acknowledged when the disk kept everything`() throws {
        let calls = try crashAtEveryCall({ _ in .everything }, rounds: 30)
        #expect(calls > 80)
    }

    @Test(arguments: 1...4)
    func `a power cut at any call loses nothing acknowledged whatever the disk kept`(seed: UInt64) throws {
        // The seed of a failing run is in the name of the test.
        let calls = try crashAtEveryCall({ .random(seed: seed &* 1_000_003 &+ $0) }, rounds: 40)
        #expect(calls > 100)
    }

    @Test func `a power cut during recovery loses nothing either`() throws {
        for call in 1... {
            let bench = TestBench()
            var witness = Witness()
            bench.fileSystem.inject(.crash, at: .sync, call: 25)
            work(bench, &witness, rounds: 40, label: "one")
            bench.fileSystem.restart(keeping: .random(seed: UInt64(call)))
            bench.fileSystem.inject(.crash, atCall: call)
            let log = try? bench.open(segmentByteCount: CrashTests.segmentByteCount)
            log?.close()
            let isDone = !bench.fileSystem.isCrashed
            bench.fileSystem.restart(keeping: .random(seed: UInt64(call) + 500))
            try check(bench, witness, "second crash at call \(call)")
            if isDone { break }
        }
    }

    @Test func `a call that fails anywhere loses nothing acknowledged`() throws {
        for code in [FileSystemError.Code.other, .noSpace] {
            for call in 1... {
                let bench = TestBench()
                var witness = Witness()
                bench.fileSystem.inject(.fail(code), atCall: call)
                work(bench, &witness, rounds: 30, label: "one")
                if bench.fileSystem.clearFaults() { break }
                try check(bench, witness, "failure at call \(call)")
                bench.fileSystem.restart(keeping: .random(seed: UInt64(call)))
                try check(bench, witness, "crash after the failure at call \(call)")
            }
        }
    }

    @Test func `what is found after a kill is made durable before anyone reads it`() throws {
        let bench = TestBench()
        let log = try bench.open(durability: .os)
        for index in 0..<10 { _ = try log.partition.appendBlocking(event("\(index)")) }
        bench.fileSystem.killProgram()
        log.close()
        let second = try bench.open()
        let seen = try second.partition.bodies()
        #expect(seen.count == 10)
        bench.fileSystem.restart(keeping: .nothing)
        second.close()
        let third = try bench.open()
        defer { third.close() }
        #expect(try third.partition.bodies() == seen)
    }

    @Test func `closed segments are durable even where appends are not`() throws {
        let bench = TestBench()
        let log = try bench.open(segmentByteCount: 500, durability: .os)
        for index in 0..<50 { _ = try log.partition.appendBlocking(event("\(index)")) }
        let newest = try #require(bench.fileSystem.paths.last { $0.hasSuffix(".segment") })
        let base = try #require(Int(newest.split(separator: "/").last?.prefix(20) ?? ""))
        bench.fileSystem.restart(keeping: .nothing)
        log.close()
        let again = try bench.open(segmentByteCount: 500)
        defer { again.close() }
        #expect(base > 30 && again.partition.nextOffset.rawValue >= base)
        #expect(try again.partition.bodies() == (0..<again.partition.nextOffset.rawValue).map { "\($0)" })
    }

    @Test func `a power cut after retention leaves no hole`() throws {
        for seed in UInt64(1)...30 {
            let bench = TestBench()
            let log = try bench.open(segmentByteCount: 300, retention: Retention(byteCount: 600))
            for index in 0..<30 { _ = try log.partition.appendBlocking(event("\(index)")) }
            // The last removals are not made durable, as if the power went in the middle.
            bench.fileSystem.inject(.crash, at: .remove, call: 6 + Int(seed % 6))
            log.enforceRetention()
            bench.fileSystem.restart(keeping: .random(seed: seed))
            log.close()
            let again = try bench.open(segmentByteCount: 300)
            defer { again.close() }
            #expect(!again.recoveryNotes.contains { $0.contains("no segment") }, "seed \(seed)")
            let first = again.partition.firstOffset.rawValue
            #expect(try again.partition.bodies() == (first..<30).map { "\($0)" }, "seed \(seed)")
        }
    }

    @Test func `a short write anywhere changes nothing`() throws {
        for call in 1...80 {
            let bench = TestBench()
            var witness = Witness()
            bench.fileSystem.inject(.short, at: .write, call: call)
            work(bench, &witness, rounds: 30, label: "one")
            #expect(witness.acknowledged.count == 60)
            try check(bench, witness, "short write at call \(call)")
        }
    }
}
