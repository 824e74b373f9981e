import OgawaCore
import OgawaState
import OgawaTesting
import Synchronization
import Testing

/// What was written is there after closing, killing and opening.
@Suite struct RecoveryTests {
    @Test(arguments: 1...20)
    func `random commands are read back as they left the state`(seed: UInt64) throws {
        let bench = TestBench()
        var commands = RandomCommands(seed: seed)
        for round in 0..<4 {
            let store = try bench.open()
            let client = store.makeClient()
            for step in 0..<300 {
                if step % 50 == 0 { _ = client.run("SELECT", "\(commands.below(2))") }
                _ = client.run(words: commands.next())
                if step % 100 == 99 { bench.clock.advance(by: .milliseconds(commands.below(30_000))) }
                if commands.below(100) == 0 { try store.takeSnapshot() }
                if commands.below(400) == 0 { _ = client.run("FLUSHALL") }
            }
            store.removeEnded()
            let before = contents(client)
            #expect(!before.isEmpty)
            if round % 2 == 0 { try store.close() } else { try store.flush() }
            bench.fileSystem.killProgram()
            let again = try bench.open()
            #expect(contents(again.makeClient()) == before, "seed \(seed), round \(round)")
            try again.close()
        }
    }

    /// Runs commands between the slices of a snapshot, where the lock is free.
    private final class BusyFileSystem: FileSystem {
        let base: MemoryFileSystem
        let onWrite: Mutex<(@Sendable () -> Void)?> = Mutex(nil)

        init(base: MemoryFileSystem) { self.base = base }

        final class BusyFile: File {
            let base: any File
            let owner: BusyFileSystem

            init(base: any File, owner: BusyFileSystem) {
                self.base = base
                self.owner = owner
            }

            func byteCount() throws -> Int64 { try base.byteCount() }
            func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws -> Int {
                let work = owner.onWrite.withLock { $0 }
                work?()
                return try base.write(bytes, at: position)
            }
            func read(into target: UnsafeMutableRawBufferPointer, at position: Int64) throws -> Int {
                try base.read(into: target, at: position)
            }
            func sync() throws { try base.sync() }
            func truncate(to byteCount: Int64) throws { try base.truncate(to: byteCount) }
        }

        func createDirectory(_ path: String) throws { try base.createDirectory(path) }
        func listDirectory(_ path: String) throws -> [String] { try base.listDirectory(path) }
        func syncDirectory(_ path: String) throws { try base.syncDirectory(path) }
        func open(_ path: String, _ mode: FileMode) throws -> any File {
            let file = try base.open(path, mode)
            return path.hasSuffix("temporary") ? BusyFile(base: file, owner: self) : file
        }
        func byteCount(of path: String) throws -> Int64? { try base.byteCount(of: path) }
        func rename(_ source: String, to target: String) throws { try base.rename(source, to: target) }
        func remove(_ path: String) throws { try base.remove(path) }
        func freeByteCount(at path: String) throws -> Int64 { try base.freeByteCount(at: path) }
        func lock(_ path: String, holder: String) throws -> any FileLock { try base.lock(path, holder: holder) }
    }

    /// A client that the file system's hook may use.
    private final class Worker: Sendable {
        // SAFETY: the hook runs on the test's own thread.
        nonisolated(unsafe) var commands: RandomCommands
        nonisolated(unsafe) let client: StateClient
        nonisolated(unsafe) var slices = 0

        init(_ client: StateClient, seed: UInt64) {
            self.client = client
            commands = RandomCommands(seed: seed)
            commands.fieldCount = 400
            commands.keyCount = 12
            commands.valueByteCount = 300
        }

        func work(_ count: Int) {
            for _ in 0..<count { _ = client.run(words: commands.next()) }
        }

        func fill() {
            for number in 0..<400 {
                _ = client.run("HSET", "k1", "f\(number)", String(repeating: "x", count: 300))
                _ = client.run("RPUSH", "k2", String(repeating: "y", count: 300))
                _ = client.run("ZADD", "k3", "\(number)", "f\(number)")
                _ = client.run("SADD", "k4", "v\(number)")
                _ = client.run("SET", "filler\(number)", String(repeating: "z", count: 300))
            }
            _ = client.run("PEXPIREAT", "k1", "9999999999999")
        }
    }

    @Test(arguments: 1...30)
    func `a snapshot taken while commands go on is as good as one taken alone`(seed: UInt64) throws {
        let bench = TestBench()
        let busy = BusyFileSystem(base: bench.fileSystem)
        let store = try bench.open(through: busy)
        let worker = Worker(store.makeClient(), seed: seed)
        worker.fill()
        busy.onWrite.withLock {
            $0 = {
                worker.slices += 1
                if worker.slices < 200 { worker.work(Int(1 + seed % 40)) }
                // A list that never rests is written whole in the end.
                if seed % 3 == 0 { _ = worker.client.run("RPUSH", "k2", "again") }
            }
        }
        #expect(try store.takeSnapshot())
        #expect(worker.slices > 5)
        busy.onWrite.withLock { $0 = nil }
        worker.work(200)
        let before = contents(worker.client)
        try store.close()
        bench.fileSystem.restart(keeping: .nothing)
        let again = try bench.open()
        #expect(again.recoveryNotes.isEmpty)
        #expect(contents(again.makeClient()) == before, "seed \(seed)")
        try again.close()
    }

    @Test func `a database that is cleared during a snapshot makes it begin again`() throws {
        let bench = TestBench()
        let busy = BusyFileSystem(base: bench.fileSystem)
        let store = try bench.open(through: busy)
        let worker = Worker(store.makeClient(), seed: 1)
        worker.fill()
        busy.onWrite.withLock {
            $0 = {
                worker.slices += 1
                if worker.slices == 3 {
                    _ = worker.client.run("FLUSHALL")
                    _ = worker.client.run("SET", "after", "1")
                }
            }
        }
        #expect(try store.takeSnapshot())
        try store.close()
        let again = try bench.open()
        #expect(contents(again.makeClient()).count == 1)
        try again.close()
    }

    @Test func `old files go, and the snapshot before the newest stays`() throws {
        let bench = TestBench()
        let store = try bench.open()
        let client = store.makeClient()
        for round in 0..<5 {
            _ = client.run("SET", "round", "\(round)")
            #expect(try store.takeSnapshot())
            // Nothing new makes no new snapshot.
            #expect(try !store.takeSnapshot())
        }
        #expect(bench.paths(".snapshot").count == 2)
        #expect(bench.paths(".journal").count == 2)
        try store.close()
    }

    // MARK: Damage

    private func filled(_ bench: TestBench, snapshots: Int) throws {
        let store = try bench.open()
        let client = store.makeClient()
        for round in 0..<3 + snapshots {
            for number in 0..<20 { _ = client.run("SET", "key\(number)", "value \(round)") }
            try store.flush()
            if round < snapshots { try store.takeSnapshot() }
        }
        try store.close()
    }

    private func flip(_ bench: TestBench, _ path: String, _ byte: Int) throws {
        var bytes = try #require(bench.fileSystem.contents(of: path))
        bytes[byte] ^= 0x40
        bench.fileSystem.setContents(of: path, to: bytes)
    }

    private func failure(_ bench: TestBench) -> StateError? {
        do {
            try bench.open().close()
            return nil
        } catch {
            return error as? StateError
        }
    }

    @Test func `every damaged byte of a journal is named or was never confirmed`() throws {
        let original = TestBench()
        try filled(original, snapshots: 0)
        let path = try #require(original.paths(".journal").first)
        let bytes = try #require(original.fileSystem.contents(of: path))
        var named = 0
        for byte in stride(from: 0, to: bytes.count, by: 7) {
            let bench = TestBench()
            bench.fileSystem.setContents(of: path, to: bytes)
            try flip(bench, path, byte)
            if let error = failure(bench) {
                #expect(
                    error.code == .corrupt && error.message.contains(path) && error.message.contains("damaged at byte"))
                named += 1
            } else {
                // Only the last frame can pass for one that was never confirmed.
                #expect(byte > bytes.count * 6 / 10, "byte \(byte) of \(bytes.count)")
            }
        }
        #expect(named > 100)
    }

    @Test func `a damaged snapshot is replaced by the one before it and the journal, and that is said`() throws {
        let bench = TestBench()
        try filled(bench, snapshots: 3)
        let newest = try #require(bench.paths(".snapshot").last)
        let size = try #require(bench.fileSystem.contents(of: newest)).count
        for byte in stride(from: 0, to: size, by: 11) {
            let copy = TestBench()
            for path in bench.fileSystem.paths {
                copy.fileSystem.setContents(of: path, to: try #require(bench.fileSystem.contents(of: path)))
            }
            try flip(copy, newest, byte)
            let store = try copy.open()
            #expect(store.recoveryNotes.count == 1 && store.recoveryNotes[0].contains(newest))
            #expect(store.makeClient().run("GET", "key7") == "$7\r\nvalue 5\r\n")
            try store.close()
        }
    }

    @Test func `a missing journal is named`() throws {
        let bench = TestBench()
        try filled(bench, snapshots: 1)
        let journal = try #require(bench.paths(".journal").last)
        try bench.fileSystem.remove(journal)
        let error = try #require(failure(bench))
        #expect(error.code == .corrupt && error.message.contains(".journal is missing"))
    }

    @Test func `a state is open only once`() throws {
        let bench = TestBench()
        let store = try bench.open()
        #expect(failure(bench)?.code == .locked)
        try store.close()
        #expect(failure(bench) == nil)
    }
}
