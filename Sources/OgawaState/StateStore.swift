import OgawaCore
import OgawaPlatform
import Synchronization

/// The embedded state: a key space that functions and Redis clients share, in memory and, if it has a folder, on disk.
///
/// **Isolation.** Any thread may call; one at a time works on the keys.
package final class StateStore: Sendable {
    /// Effects that may wait in memory before who makes more has to write them.
    static let mostWaitingBytes = 32 << 20

    // SAFETY: reached only inside `lock`, or before anyone else has the store.
    nonisolated(unsafe) let space: KeySpace
    let lock = Mutex<Void>(())
    let clock: any WallClock
    package let options: StateOptions
    /// What was noticed when the files were read.
    package let recoveryNotes: [String]
    // SAFETY: set once by `open` before anyone else has the store.
    private(set) nonisolated(unsafe) var journal: Journal?
    // SAFETY: as above.
    private nonisolated(unsafe) var background: StateBackground?
    let files: StateFiles?

    /// The folder, and the lock that keeps others out of it.
    struct StateFiles: Sendable {
        var directory: String
        var fileSystem: any FileSystem
        var lock: any FileLock
    }

    /// A state in memory only, which ends with the process.
    package init(clock: any WallClock = SystemClock(), options: StateOptions = StateOptions(), seed: UInt64) {
        self.clock = clock
        self.options = options
        space = KeySpace(seed: seed)
        recoveryNotes = []
        files = nil
        if options.runsInBackground { background = StateBackground(store: self) }
    }

    private init(_ recovered: RecoveredState, clock: any WallClock, options: StateOptions, files: StateFiles) {
        self.clock = clock
        self.options = options
        self.files = files
        space = recovered.space
        recoveryNotes = recovered.notes
    }

    /// Opens the state of a folder, or begins one.
    ///
    /// - Parameter seed: a number by chance, for the hashes of a new state; one that is there keeps its own.
    package static func open(
        directory: String, fileSystem: any FileSystem, clock: any WallClock = SystemClock(),
        options: StateOptions = StateOptions(), seed: UInt64
    ) throws -> StateStore {
        do {
            try fileSystem.createDirectory(directory)
            let lock = try fileSystem.lock(
                directory + "/" + StateFileName.lock, holder: "process \(processIdentifier)")
            var recovery = StateRecovery(directory: directory, fileSystem: fileSystem, seed: seed)
            let recovered = try recovery.run()
            let files = StateFiles(directory: directory, fileSystem: fileSystem, lock: lock)
            let store = StateStore(recovered, clock: clock, options: options, files: files)
            store.journal = Journal(
                store: store, directory: directory, fileSystem: fileSystem, file: recovered.file,
                name: recovered.fileName, sequence: recovered.sequence, byteCount: recovered.journalByteCount)
            store.space.effects.pointee.isOn = true
            if options.runsInBackground { store.background = StateBackground(store: store) }
            return store
        } catch {
            throw StateError.of(error, "state \(directory)")
        }
    }

    /// Writes and syncs what waits, and gives the folder up.
    package func close() throws {
        background?.stop()
        defer { files?.lock.unlock() }
        setRefusal("MISCONF the state is closed")
        try journal?.close()
    }

    /// Works on the keys at the present time.
    @inline(__always)
    func withSpace<Result>(_ body: (KeySpace) throws -> Result) rethrows -> Result {
        let now = clock.now().ticks / Timestamp.ticksPerMillisecond
        return try lock.withLock { _ in
            space.state.pointee.now = now
            return try body(space)
        }
    }

    /// A client without a socket, for tests and for the command line.
    package func makeClient(interface: RedisInterface = RedisInterface()) -> StateClient {
        StateClient(store: self, interface: interface)
    }

    func setRefusal(_ text: String?) { lock.withLock { _ in space.state.pointee.refusal = text } }

    /// Bytes that keys and values take.
    package var memoryByteCount: Int { lock.withLock { _ in space.heap.pointee.byteCount } }

    // MARK: Durability

    /// Returns when every change so far is on the disk.
    package func flush() throws {
        guard let journal else { return }
        let sequence = lock.withLock { _ in space.effects.pointee.nextSequence }
        try journal.makeDurable(below: sequence)
    }

    /// Calls back when every change so far is on the disk; on a thread of the store.
    package func flush(_ completion: @escaping @Sendable (Result<Void, StateError>) -> Void) {
        guard let background, journal != nil else {
            return completion(Result { try flush() }.mapError { StateError.of($0, "state") })
        }
        background.flush(completion)
    }

    // MARK: Snapshots

    /// Writes a snapshot while others go on working, then removes the files that it makes needless.
    ///
    /// - Returns: false where there was nothing to write or the store is being closed.
    @discardableResult
    package func takeSnapshot(isStopping: () -> Bool = { false }) throws -> Bool {
        guard let journal, let files else { return false }
        do {
            // Each clearing of a database makes an attempt void.
            for _ in 0..<5 {
                if let isDone = try attemptSnapshot(journal, files, isStopping) { return isDone }
            }
            return false
        } catch {
            throw StateError.of(error, "state snapshot in \(files.directory)")
        }
    }

    /// One attempt; nil where it has to be made again.
    private func attemptSnapshot(_ journal: Journal, _ files: StateFiles, _ isStopping: () -> Bool) throws -> Bool? {
        let start = try journal.roll()
        let name = StateFileName.make(start, StateFileName.snapshot)
        let target = files.directory + "/" + name
        if try files.fileSystem.byteCount(of: target) != nil { return false }
        let temporary = files.directory + "/" + StateFileName.temporary
        let file = try files.fileSystem.open(temporary, .replace)
        do {
            let end = try withoutActuallyEscaping(isStopping) { isStopping in
                var writer = SnapshotWriter(store: self, file: file, isStopping: isStopping)
                defer { writer.free() }
                return try writer.write()
            }
            try journal.makeDurable(below: end)
        } catch SnapshotWriter.Interruption.cleared {
            return nil
        } catch SnapshotWriter.Interruption.stopping {
            return false
        }
        try files.fileSystem.rename(temporary, to: target)
        try files.fileSystem.syncDirectory(files.directory)
        try removeOldFiles(files)
        return true
    }

    /// Keeps the two newest snapshots and the journal behind the older one.
    private func removeOldFiles(_ files: StateFiles) throws {
        let names = try files.fileSystem.listDirectory(files.directory)
        let snapshots = StateFileName.sequences(names, StateFileName.snapshot)
        guard snapshots.count >= 2 else { return }
        let oldest = snapshots[snapshots.count - 2]
        for sequence in snapshots where sequence < oldest {
            try files.fileSystem.remove(files.directory + "/" + StateFileName.make(sequence, StateFileName.snapshot))
        }
        for sequence in StateFileName.sequences(names, StateFileName.journal) where sequence < oldest {
            try files.fileSystem.remove(files.directory + "/" + StateFileName.make(sequence, StateFileName.journal))
        }
        try files.fileSystem.syncDirectory(files.directory)
    }

    /// Whether the journal is long enough for a snapshot to be worth its while.
    var wantsSnapshot: Bool {
        guard let journal, journal.failure == nil else { return false }
        return journal.byteCount > max(options.snapshotByteCount, Int64(memoryByteCount))
    }
}
