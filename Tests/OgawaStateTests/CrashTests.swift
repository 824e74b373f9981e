import OgawaCore
import OgawaState
import OgawaTesting
import Testing

/// The n-th call loop: one course of work is repeated, each time with the power going at a later call, until a run sees no crash.
@Suite struct CrashTests {
    /// What a run was told before the power went.
    private struct Witness {
        /// Rounds whose commit was flushed.
        var flushed = -1
        /// The last round that was begun.
        var begun = -1
    }

    private static let keyCount = 5

    /// Opens, commits, takes snapshots, closes; stops at the first error.
    private func work(_ bench: TestBench, _ witness: inout Witness, rounds: Range<Int>) {
        guard let store = try? bench.open() else { return }
        defer { try? store.close() }
        guard let lease = try? store.acquire(function: "sum", part: "0") else { return }
        for round in rounds {
            witness.begun = round
            var changes = (0..<CrashTests.keyCount).map { StateChange(key: "key\($0)", value: Array("\(round)".utf8)) }
            changes.append(StateChange(key: "round \(round)", value: [1]))
            changes.append(StateChange(key: "round \(round - 2)", value: nil))
            let commit = StateCommit(
                function: "sum", part: "0", changes: changes, progress: Array("\(round)".utf8), epoch: lease.epoch,
                now: bench.clock.now())
            guard (try? store.commit(commit)) != nil else { return }
            if round % 2 == 1 {
                guard (try? store.flush()) != nil else { return }
                witness.flushed = round
            }
            if round % 5 == 4 {
                guard (try? store.takeSnapshot()) != nil else { return }
                witness.flushed = round
            }
        }
    }

    /// Opens what the crash left: changes and progress belong together, and nothing flushed is lost.
    private func check(_ bench: TestBench, _ witness: Witness, _ place: Comment) throws -> Int {
        let store = try bench.open()
        defer { try? store.close() }
        let lease = try store.acquire(function: "sum", part: "0")
        let progress = lease.progress.flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? -1
        #expect(progress >= witness.flushed && progress <= witness.begun, place)
        let keys = (0..<CrashTests.keyCount).map { "key\($0)" }
        for value in try store.load(function: "sum", keys: keys, now: bench.clock.now()) {
            #expect(value.map { String(decoding: $0, as: UTF8.self) } ?? "-1" == "\(progress)", place)
        }
        let rounds = try store.entries(function: "sum", now: bench.clock.now()).keys.filter { $0.hasPrefix("round") }
        let expected = Set([progress, progress - 1].filter { $0 >= 0 }.map { "round \($0)" })
        #expect(Set(rounds) == expected, place)
        return progress
    }

    private func crashAtEveryCall(_ survival: (UInt64) -> MemoryFileSystem.Survival, rounds: Int) throws -> Int {
        for call in 1... {
            let bench = TestBench()
            var witness = Witness()
            bench.fileSystem.inject(.crash, atCall: call)
            work(bench, &witness, rounds: 0..<rounds)
            if !bench.fileSystem.isCrashed { return call }
            bench.fileSystem.restart(keeping: survival(UInt64(call)))
            let progress = try check(bench, witness, "crash at call \(call)")
            // And once more on what is left, without a fault.
            var second = Witness(flushed: progress, begun: progress)
            work(bench, &second, rounds: progress + 1..<progress + 9)
            bench.fileSystem.restart(keeping: .nothing)
            _ = try check(bench, second, "after the crash at call \(call)")
        }
        return 0
    }

    @Test func `a power cut at any call loses nothing flushed and tears nothing when the disk kept nothing unsynced`()
        throws
    {
        #expect(try crashAtEveryCall({ _ in .nothing }, rounds: 22) > 40)
    }

    @Test func `the same when the disk kept everything`() throws {
        #expect(try crashAtEveryCall({ _ in .everything }, rounds: 22) > 40)
    }

    @Test(arguments: 1...6)
    func `the same whatever the disk kept`(seed: UInt64) throws {
        #expect(try crashAtEveryCall({ .random(seed: seed &* 1_000_003 &+ $0) }, rounds: 22) > 40)
    }

    @Test func `a call that fails anywhere loses nothing flushed, and changes are refused or written later`() throws {
        for code in [FileSystemError.Code.other, .noSpace] {
            for call in 1... {
                let bench = TestBench()
                var witness = Witness()
                bench.fileSystem.inject(.fail(code), atCall: call)
                work(bench, &witness, rounds: 0..<22)
                if bench.fileSystem.clearFaults() { break }
                _ = try check(bench, witness, "\(code) at call \(call)")
                bench.fileSystem.restart(keeping: .random(seed: UInt64(call)))
                _ = try check(bench, witness, "crash after \(code) at call \(call)")
            }
        }
    }

    @Test func `a full disk refuses changes until there is room, and forgets nothing`() throws {
        let bench = TestBench()
        let store = try bench.open()
        let client = store.makeClient()
        #expect(client.run("SET", "a", "1") == "+OK\r\n")
        bench.fileSystem.inject(.fail(.noSpace), at: .write, call: 1)
        #expect(throws: StateError.self) { try store.flush() }
        #expect(client.run("SET", "a", "2").hasPrefix("-MISCONF the state cannot be written"))
        #expect(client.run("GET", "a") == "$1\r\n1\r\n")
        try store.flush()
        #expect(client.run("SET", "a", "3") == "+OK\r\n")
        try store.close()
        bench.fileSystem.restart(keeping: .nothing)
        let again = try bench.open()
        #expect(again.makeClient().run("GET", "a") == "$1\r\n3\r\n")
        try again.close()
    }

    @Test func `after a failed sync nothing is taken until the state is opened again`() throws {
        let bench = TestBench()
        let store = try bench.open()
        let client = store.makeClient()
        #expect(client.run("SET", "a", "1") == "+OK\r\n")
        try store.flush()
        #expect(client.run("SET", "a", "2") == "+OK\r\n")
        bench.fileSystem.inject(.fail(.other), at: .sync, call: 1)
        #expect(throws: StateError.self) { try store.flush() }
        #expect(client.run("SET", "a", "3").hasPrefix("-MISCONF"))
        #expect(throws: StateError.self) { try store.flush() }
        #expect(throws: StateError.self) { try store.close() }
        bench.fileSystem.restart(keeping: .nothing)
        let again = try bench.open()
        #expect(again.makeClient().run("GET", "a") == "$1\r\n1\r\n")
        try again.close()
    }
}
