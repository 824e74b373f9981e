// A disk in memory that can fail. It keeps what programs see apart from what would survive a power cut: each file knows the
// operations since its last sync, each folder the names since its last sync. A crash decides for every one of them whether the
// disk had got to it, tears writes at any byte, and leaves all open files dead.

import OgawaCore
import Synchronization

/// A file system in memory with faults on demand.
///
/// **Isolation.** Any thread.
package final class MemoryFileSystem: FileSystem {
    /// The calls that can be made to fail.
    package enum Operation: Hashable, Sendable, CaseIterable {
        case write
        case sync
        case rename
        case remove
        case truncate
        case create
        case syncDirectory
    }

    /// What happens instead of a call.
    package enum Effect: Hashable, Sendable {
        /// The call fails and changes nothing; a failed sync forgets what it was to keep.
        case fail(FileSystemError.Code)
        /// A write takes only the first half of its bytes.
        case short
        /// The power goes in the middle of the call; everything fails until ``MemoryFileSystem/restart(keeping:)``.
        case crash
    }

    /// What a power cut leaves of what was never synced.
    package enum Survival: Hashable, Sendable {
        case nothing
        case everything
        /// For every operation a throw of the dice: done, not done, or a write torn at some byte.
        case random(seed: UInt64)
    }

    let state = Mutex(MemoryDisk())

    package init() {}

    /// Makes the n-th of the coming calls of a kind, counted from 1, do something else.
    package func inject(_ effect: Effect, at operation: Operation, call: Int) {
        state.withLock { $0.faults.append(Fault(operations: [operation], remaining: call, effect: effect)) }
    }

    /// Makes the n-th of the coming calls of any kind, counted from 1, do something else.
    package func inject(_ effect: Effect, atCall call: Int) {
        state.withLock { $0.faults.append(Fault(operations: Set(Operation.allCases), remaining: call, effect: effect)) }
    }

    /// Makes every call of a kind fail until ``clearFaults()``.
    package func inject(_ effect: Effect, atEvery operation: Operation) {
        state.withLock { $0.faults.append(Fault(operations: [operation], remaining: nil, effect: effect)) }
    }

    /// Takes all faults back; returns whether one was still waiting for its call.
    @discardableResult
    package func clearFaults() -> Bool {
        state.withLock { state in
            defer { state.faults = [] }
            return !state.faults.isEmpty
        }
    }

    /// Bytes that fit on the disk; nil for no limit.
    package func setCapacity(_ byteCount: Int?) { state.withLock { $0.capacity = byteCount } }

    /// Runs before every sync of a file, on the thread that syncs and without a lock; may block.
    package func onSync(_ hook: (@Sendable () -> Void)?) { state.withLock { $0.syncHook = hook } }

    /// How many calls of a kind were made.
    package func callCount(_ operation: Operation) -> Int { state.withLock { $0.counts[operation, default: 0] } }

    /// Whether the power is off.
    package var isCrashed: Bool { state.withLock { $0.isCrashed } }

    /// Cuts the power.
    package func crash() { state.withLock { $0.isCrashed = true } }

    /// Cuts the power, if it is on, and starts again with what the disk kept.
    package func restart(keeping survival: Survival) { state.withLock { $0.restart(survival) } }

    /// Ends the program that has files open, as `kill -9` does: they are dead and locks are free, but nothing is lost or synced.
    package func killProgram() {
        state.withLock { state in
            state.generation += 1
            state.locks = [:]
        }
    }

    /// The bytes of a file as programs see them; nil where there is none.
    package func contents(of path: String) -> [UInt8]? { state.withLock { $0.files[path]?.bytes } }

    /// Puts a file there, durably, replacing what was there.
    package func setContents(of path: String, to bytes: [UInt8]) {
        state.withLock { $0.place(path, MemoryNode(bytes: bytes)) }
    }

    /// The paths of all files, sorted.
    package var paths: [String] { state.withLock { $0.files.keys.sorted() } }

    // MARK: FileSystem

    package func createDirectory(_ path: String) throws {
        try state.withLock { state in
            try state.checkPower("mkdir", path)
            // Folders are made durably: their loss would only repeat the loss of the files in them.
            state.addDirectory(path)
        }
    }

    package func listDirectory(_ path: String) throws -> [String] {
        try state.withLock { state in
            try state.checkPower("opendir", path)
            guard state.directories.contains(path) else { throw MemoryDisk.missing("opendir", path) }
            return state.names(in: path)
        }
    }

    package func syncDirectory(_ path: String) throws {
        try state.withLock { state in
            try state.call(.syncDirectory, path) { _ in }
            state.changes.removeAll { $0.directory == path }
        }
    }

    package func open(_ path: String, _ mode: FileMode) throws -> any File {
        try state.withLock { state in
            try state.checkPower("open", path)
            let node: MemoryNode
            switch (mode, state.files[path]) {
            case (.read, let found?), (.update, let found?): node = found
            case (.create, .some):
                throw FileSystemError(.alreadyExists, operation: "open", path: path, reason: "file exists")
            case (.replace, let found?):
                try state.call(.truncate, path) { _ in }
                found.apply(.truncate(0))
                node = found
            case (.create, nil), (.replace, nil):
                try state.call(.create, path) { _ in }
                node = MemoryNode(bytes: [])
                state.change(path, to: node)
            case (.read, nil), (.update, nil): throw MemoryDisk.missing("open", path)
            }
            return MemoryFile(node: node, path: path, generation: state.generation, fileSystem: self)
        }
    }

    package func byteCount(of path: String) throws -> Int64? {
        try state.withLock { state in
            try state.checkPower("stat", path)
            return state.files[path].map { Int64($0.bytes.count) }
        }
    }

    package func rename(_ source: String, to target: String) throws {
        try state.withLock { state in
            try state.call(.rename, source) { _ in }
            guard let node = state.files[source] else { throw MemoryDisk.missing("rename", source) }
            state.change(target, to: node)
            state.change(source, to: nil)
        }
    }

    package func remove(_ path: String) throws {
        try state.withLock { state in
            try state.call(.remove, path) { _ in }
            guard state.files[path] != nil else { throw MemoryDisk.missing("unlink", path) }
            state.change(path, to: nil)
        }
    }

    package func freeByteCount(at path: String) throws -> Int64 {
        state.withLock { state in state.capacity.map { Int64(max(0, $0 - state.usedByteCount)) } ?? .max }
    }

    package func lock(_ path: String, holder: String) throws -> any FileLock {
        try state.withLock { state in
            try state.checkPower("flock", path)
            if let holder = state.locks[path] {
                throw FileSystemError(.locked, operation: "flock", path: path, reason: holder)
            }
            state.locks[path] = holder
            return MemoryLock(path: path, generation: state.generation, fileSystem: self)
        }
    }
}

/// A lock in memory, which ends with the power.
private final class MemoryLock: FileLock {
    private let path: String
    private let generation: Int
    private let fileSystem: MemoryFileSystem

    init(path: String, generation: Int, fileSystem: MemoryFileSystem) {
        self.path = path
        self.generation = generation
        self.fileSystem = fileSystem
    }

    deinit { unlock() }

    func unlock() {
        fileSystem.state.withLock { state in
            if state.generation == generation { state.locks[path] = nil }
        }
    }
}

/// An open file in memory.
private final class MemoryFile: File {
    // SAFETY: the node is only touched under the file system's lock.
    private nonisolated(unsafe) let node: MemoryNode
    private let path: String
    private let generation: Int
    private let fileSystem: MemoryFileSystem

    init(node: MemoryNode, path: String, generation: Int, fileSystem: MemoryFileSystem) {
        self.node = node
        self.path = path
        self.generation = generation
        self.fileSystem = fileSystem
    }

    func byteCount() throws -> Int64 {
        try locked("fstat") { _ in Int64(node.bytes.count) }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws -> Int {
        try locked("write") { state in
            let whole = Array(bytes)
            let effect = try state.call(.write, path) { _ in
                node.apply(.write(Int(position), whole))
            }
            let part = effect == .short ? Array(whole.prefix(max(1, whole.count / 2))) : whole
            let growth = max(0, Int(position) + part.count - node.bytes.count)
            if let capacity = state.capacity, state.usedByteCount + growth > capacity {
                let fitting = part.count - (state.usedByteCount + growth - capacity)
                guard fitting > 0 else {
                    throw FileSystemError(.noSpace, operation: "write", path: path, reason: "no space left")
                }
                node.apply(.write(Int(position), Array(part.prefix(fitting))))
                return fitting
            }
            node.apply(.write(Int(position), part))
            return part.count
        }
    }

    func read(into target: UnsafeMutableRawBufferPointer, at position: Int64) throws -> Int {
        try locked("read") { _ in
            let start = min(Int(position), node.bytes.count)
            let end = min(start + target.count, node.bytes.count)
            target.copyBytes(from: node.bytes[start..<end])
            return end - start
        }
    }

    func sync() throws {
        fileSystem.state.withLock { $0.syncHook }?()
        try locked("fdatasync") { state in
            do {
                try state.call(.sync, path) { _ in }
            } catch {
                // As Linux does: the pages count as clean although they never reached the disk.
                if !state.isCrashed { node.forget() }
                throw error
            }
            node.sync()
        }
    }

    func truncate(to byteCount: Int64) throws {
        try locked("ftruncate") { state in
            try state.call(.truncate, path) { _ in node.apply(.truncate(Int(byteCount))) }
            node.apply(.truncate(Int(byteCount)))
        }
    }

    private func locked<Result: Sendable>(
        _ operation: String, _ body: (inout sending MemoryDisk) throws -> Result
    ) throws -> Result {
        try fileSystem.state.withLock { state in
            try state.checkPower(operation, path)
            guard state.generation == generation else {
                throw FileSystemError(.closed, operation: operation, path: path, reason: "opened before the crash")
            }
            return try body(&state)
        }
    }
}
