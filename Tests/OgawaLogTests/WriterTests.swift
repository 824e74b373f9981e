import OgawaCore
import OgawaLog
import OgawaPlatform
import OgawaTesting
import Synchronization
import Testing

/// Blocks the syncs of a disk until it is opened.
private final class Gate: Sendable {
    private let isOpen = Mutex(false)
    private let bell = Bell()
    let reached = Bell()

    func pass() {
        reached.ring()
        while !isOpen.withLock({ $0 }) { bell.wait(timeout: .milliseconds(50)) }
    }

    func open() {
        isOpen.withLock { $0 = true }
        bell.ring()
    }
}

/// Collects the answers to appends.
private final class Answers: Sendable {
    private let results = Mutex<[Result<AppendReceipt, LogError>]>([])
    private let bell = Bell()

    func add(_ result: Result<AppendReceipt, LogError>) {
        results.withLock { $0.append(result) }
        bell.ring()
    }

    func wait(for count: Int) -> [Result<AppendReceipt, LogError>] {
        while results.withLock({ $0.count }) < count { bell.wait() }
        return results.withLock { $0 }
    }

    var count: Int { results.withLock { $0.count } }
}

@Suite struct WriterTests {
    @Test func `appends that wait for the disk are made durable by one sync`() throws {
        let bench = TestBench()
        let log = try bench.open()
        defer { log.close() }
        let gate = Gate()
        bench.fileSystem.onSync { gate.pass() }
        let before = bench.fileSystem.callCount(.sync)
        let writes = bench.fileSystem.callCount(.write)
        let answers = Answers()
        log.partition.append(event("first")) { answers.add($0) }
        gate.reached.wait()
        for index in 0..<500 { log.partition.append(event("\(index)")) { answers.add($0) } }
        #expect(answers.count == 0)
        #expect(log.partition.nextOffset == .zero, "readers see nothing that is not durable")
        #expect(log.partition.pendingByteCount > 500)
        gate.open()
        let results = answers.wait(for: 501)
        #expect(try results.map { try $0.get().firstOffset.rawValue } == Array(0...500))
        #expect(bench.fileSystem.callCount(.sync) - before == 2)
        #expect(bench.fileSystem.callCount(.write) - writes == 2)
        #expect(log.partition.pendingByteCount == 0)
        #expect(try log.partition.bodies().count == 501)
    }

    @Test func `after a failed sync nothing is taken until the log is opened again`() async throws {
        let bench = TestBench()
        let log = try bench.open()
        _ = try await log.partition.append(event("kept"))
        bench.fileSystem.inject(.fail(.other), at: .sync, call: 1)
        for _ in 0..<2 {
            await #expect { _ = try await log.partition.append(event("lost")) } throws: {
                ($0 as? LogError)?.code == .failedSync
            }
        }
        #expect(log.partition.failure?.code == .failedSync)
        #expect(log.partition.failure?.hint?.contains("restart") == true)
        #expect(try log.partition.bodies() == ["kept"])
        await #expect(throws: LogError.self) { _ = try await log.partition.appendIdleMarker() }
        log.close()
        let again = try bench.open()
        defer { again.close() }
        #expect(try again.partition.bodies() == ["kept"])
        #expect(try await again.partition.append(event("new")).firstOffset == Offset(rawValue: 1))
    }

    @Test func `every append that waits when a sync fails is told so, once`() throws {
        let bench = TestBench()
        let log = try bench.open()
        defer { log.close() }
        let gate = Gate()
        bench.fileSystem.onSync { gate.pass() }
        bench.fileSystem.inject(.fail(.other), at: .sync, call: 1)
        let answers = Answers()
        log.partition.append(event("first")) { answers.add($0) }
        gate.reached.wait()
        for index in 0..<20 { log.partition.append(event("\(index)")) { answers.add($0) } }
        gate.open()
        let results = answers.wait(for: 21)
        #expect(results.allSatisfy { if case .failure(let error) = $0 { error.code == .failedSync } else { false } })
        #expect(log.partition.pendingByteCount == 0)
    }

    @Test func `a full disk refuses, keeps what is there, and takes again when space returns`() async throws {
        let bench = TestBench()
        let log = try bench.open(segmentByteCount: 2000)
        var kept: [String] = []
        for round in 0..<3 {
            bench.fileSystem.setCapacity(1500 * (round + 1))
            var error: LogError?
            for index in 0..<200 where error == nil {
                do {
                    _ = try await log.partition.append(event("\(round) \(index)"))
                    kept.append("\(round) \(index)")
                } catch let failure as LogError {
                    error = failure
                }
            }
            #expect(error?.code == .diskFull)
            #expect(log.partition.failure == nil)
            #expect(try log.partition.bodies() == kept)
        }
        bench.fileSystem.setCapacity(nil)
        #expect(try await log.partition.append(event("last")).firstOffset.rawValue == Int64(kept.count))
        log.close()
        let again = try bench.open(segmentByteCount: 2000)
        defer { again.close() }
        #expect(again.recoveryNotes == [])
        #expect(try again.partition.bodies() == kept + ["last"])
    }

    @Test func `a short write is carried on and a failed write stops the partition`() async throws {
        let bench = TestBench()
        let log = try bench.open()
        defer { log.close() }
        bench.fileSystem.inject(.short, at: .write, call: 1)
        bench.fileSystem.inject(.short, at: .write, call: 2)
        _ = try await log.partition.append(event("whole"))
        bench.fileSystem.inject(.fail(.other), at: .write, call: 1)
        await #expect { _ = try await log.partition.append(event("lost")) } throws: { ($0 as? LogError)?.code == .io }
        await #expect { _ = try await log.partition.append(event("lost")) } throws: { ($0 as? LogError)?.code == .io }
        #expect(try log.partition.bodies() == ["whole"])
    }

    @Test func `appends beyond the bound are refused as busy at once and taken later`() throws {
        let bench = TestBench()
        let log = try bench.open(
            StreamConfiguration(name: "s", partitionCount: 1, pendingByteCountLimit: 1000))
        defer { log.close() }
        let gate = Gate()
        bench.fileSystem.onSync { gate.pass() }
        let answers = Answers()
        let body = String(repeating: "x", count: 300)
        for _ in 0..<5 { log.partition.append(event(body)) { answers.add($0) } }
        let refused = answers.wait(for: 3)
        #expect(refused.allSatisfy { if case .failure(let error) = $0 { error.code == .busy } else { false } })
        let tooLarge = Answers()
        log.partition.append(event(String(repeating: "x", count: 1001))) { tooLarge.add($0) }
        if case .failure(let error) = tooLarge.wait(for: 1)[0] {
            #expect(error.code == .tooLarge)
        } else {
            Issue.record("an append over the bound was taken")
        }
        let whole = Mutex<LogError?>(nil)
        log.streams[0].append(event(body)) { result in
            if case .failure(let error) = result { whole.withLock { $0 = error } }
        }
        #expect(whole.withLock { $0?.code } == .busy)
        gate.open()
        _ = answers.wait(for: 5)
        #expect(try log.partition.appendBlocking(event(body)).count == 1)
    }

    @Test func `durability os and interval answer before the disk does`() async throws {
        for durability in [Durability.os, .interval(.milliseconds(20))] {
            let bench = TestBench()
            let log = try bench.open(durability: durability)
            let synced = Bell()
            bench.fileSystem.onSync { synced.ring() }
            let before = bench.fileSystem.callCount(.sync)
            for index in 0..<10 { _ = try await log.partition.append(event("\(index)")) }
            #expect(try log.partition.bodies().count == 10)
            if durability == .os {
                #expect(bench.fileSystem.callCount(.sync) == before)
            } else {
                #expect(waitFor(synced))
            }
            log.close()
            #expect(bench.fileSystem.callCount(.sync) > before)
            bench.fileSystem.restart(keeping: .nothing)
            let again = try bench.open()
            defer { again.close() }
            #expect(try again.partition.bodies().count == 10)
        }
    }

    private func waitFor(_ bell: Bell) -> Bool { bell.wait(timeout: .seconds(10)) }

    @Test func `enqueued times never step back with the clock, nor over a restart`() async throws {
        let bench = TestBench()
        let log = try bench.open(segmentByteCount: 200)
        var last = Timestamp.min
        for index in 0..<20 {
            bench.clock.advance(by: index % 3 == 0 ? .seconds(10) : .seconds(-8))
            let receipt = try await log.partition.append(event("\(index)"))
            #expect(receipt.enqueuedTime >= last)
            last = receipt.enqueuedTime
        }
        log.close()
        bench.clock.advance(by: .seconds(-86_400))
        let again = try bench.open(segmentByteCount: 200)
        defer { again.close() }
        #expect(again.recoveryNotes == [])
        #expect(again.partition.lastEnqueuedTime == last)
        #expect(try await again.partition.append(event("later")).enqueuedTime == last)
        #expect(try await again.partition.appendIdleMarker() == last)
    }

    @Test func `a changed configuration holds for what comes next`() async throws {
        let bench = TestBench()
        let log = try bench.open(durability: .os)
        defer { log.close() }
        let before = bench.fileSystem.callCount(.sync)
        _ = try await log.partition.append(event("a"))
        #expect(bench.fileSystem.callCount(.sync) == before)
        log.streams[0].update(StreamConfiguration(name: "s", partitionCount: 1, durability: .fsync))
        bench.fileSystem.inject(.fail(.other), at: .sync, call: 2)
        _ = try await log.partition.append(event("b"))
        #expect(bench.fileSystem.callCount(.sync) == before + 1)
        await #expect(throws: LogError.self) { _ = try await log.partition.append(event("c")) }
        #expect(try log.partition.bodies() == ["a", "b"])
    }

    @Test func `streams can be added while others work`() async throws {
        let log = try TestBench().open()
        defer { log.close() }
        let second = try log.add(StreamConfiguration(name: "second", partitionCount: 2))
        #expect(log.streams.map(\.name) == ["s", "second"])
        #expect(log.stream("second") === second)
        #expect(log.stream("third") == nil)
        #expect(logError { try log.add(StreamConfiguration(name: "second", partitionCount: 2)) }?.code == .badLayout)
        #expect(try await second.append(event("x")).count == 1)
    }

    @Test func `closing writes what waits and refuses what comes later`() throws {
        let bench = TestBench()
        let log = try bench.open()
        let gate = Gate()
        bench.fileSystem.onSync { gate.pass() }
        let answers = Answers()
        for index in 0..<50 { log.partition.append(event("\(index)")) { answers.add($0) } }
        let closer = DedicatedThread(name: "closer") { log.close() }
        gate.open()
        closer.join()
        #expect(answers.count == 50)
        let late = Answers()
        log.partition.append(event("late")) { late.add($0) }
        if case .failure(let error) = late.wait(for: 1)[0] {
            #expect(error.code == .closed)
        } else {
            Issue.record("a closed log took an append")
        }
        #expect(logError { _ = try log.add(StreamConfiguration(name: "x")) }?.code == .closed)
        let again = try bench.open()
        defer { again.close() }
        #expect(try again.partition.bodies() == (0..<50).map { "\($0)" })
    }
}
