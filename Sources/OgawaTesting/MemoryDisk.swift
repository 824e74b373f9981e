import OgawaCore

/// A fault that waits for its call.
struct Fault {
    var operations: Set<MemoryFileSystem.Operation>
    /// Calls until it strikes; nil for every call.
    var remaining: Int?
    var effect: MemoryFileSystem.Effect
}

/// An operation on a file that a power cut may undo.
enum MemoryChange {
    case write(Int, [UInt8])
    case truncate(Int)

    /// Does the operation to bytes, of a write only the first `count`.
    func apply(to bytes: inout [UInt8], count: Int = .max) {
        switch self {
        case .truncate(let size):
            if size < bytes.count { bytes.removeLast(bytes.count - size) } else { extend(&bytes, to: size) }
        case .write(let position, let content):
            let part = content.prefix(count)
            guard !part.isEmpty else { return }
            extend(&bytes, to: position + part.count)
            bytes.replaceSubrange(position..<position + part.count, with: part)
        }
    }

    private func extend(_ bytes: inout [UInt8], to count: Int) {
        if bytes.count < count { bytes += [UInt8](repeating: 0, count: count - bytes.count) }
    }
}

/// The contents of a file: as seen, as on the disk, and the way from one to the other.
final class MemoryNode {
    private(set) var bytes: [UInt8]
    private var durable: [UInt8]
    private var changes: [MemoryChange] = []

    init(bytes: [UInt8]) {
        self.bytes = bytes
        durable = bytes
    }

    func apply(_ change: MemoryChange) {
        change.apply(to: &bytes)
        changes.append(change)
    }

    func sync() {
        durable = bytes
        changes = []
    }

    /// What was written since the last sync stays visible and never reaches the disk.
    func forget() { changes = [] }

    func restart(_ survival: MemoryFileSystem.Survival, _ random: inout SplitMix64) {
        switch survival {
        case .nothing: bytes = durable
        case .everything: break
        case .random:
            bytes = durable
            for change in changes {
                guard case .write(_, let content) = change else {
                    if random.next() % 2 == 0 { change.apply(to: &bytes) }
                    continue
                }
                switch random.next() % 4 {
                case 0: break
                case 1: tear(change, count: content.count, &random)
                default: change.apply(to: &bytes)
                }
            }
        }
        sync()
    }

    /// Leaves a piece of a write: its beginning, or a stretch of it with nothing before.
    private func tear(_ change: MemoryChange, count: Int, _ random: inout SplitMix64) {
        guard case .write(let position, let content) = change, count > 0 else { return }
        let cut = Int(random.next() % UInt64(count))
        if random.next() % 2 == 0 {
            change.apply(to: &bytes, count: cut)
        } else {
            MemoryChange.write(position + cut, Array(content[cut...])).apply(to: &bytes)
        }
    }
}

/// What the disk holds and how it is to fail, under the file system's lock.
struct MemoryDisk {
    var files: [String: MemoryNode] = [:]
    /// Names changed since their folder was synced, oldest first, with what they named before.
    var changes: [(directory: String, path: String, before: MemoryNode?)] = []
    var directories: Set<String> = ["", "/"]
    var locks: [String: String] = [:]
    var faults: [Fault] = []
    var counts: [MemoryFileSystem.Operation: Int] = [:]
    var capacity: Int?
    var isCrashed = false
    /// Counts the restarts, so that files opened before one stay dead.
    var generation = 0
    var syncHook: (@Sendable () -> Void)?

    var usedByteCount: Int { files.values.reduce(0) { $0 + $1.bytes.count } }

    static func missing(_ operation: String, _ path: String) -> FileSystemError {
        FileSystemError(.notFound, operation: operation, path: path, reason: "no such file")
    }

    func checkPower(_ operation: String, _ path: String) throws {
        if isCrashed { throw FileSystemError(.other, operation: operation, path: path, reason: "the power is off") }
    }

    /// Counts a call and lets a fault strike; `partly` is what a call that the crash interrupts may still have begun.
    @discardableResult
    mutating func call(
        _ operation: MemoryFileSystem.Operation, _ path: String, partly: (inout MemoryDisk) -> Void
    ) throws -> MemoryFileSystem.Effect? {
        try checkPower("\(operation)", path)
        counts[operation, default: 0] += 1
        var struck: MemoryFileSystem.Effect?
        for index in faults.indices where faults[index].operations.contains(operation) {
            guard let remaining = faults[index].remaining else {
                struck = struck ?? faults[index].effect
                continue
            }
            faults[index].remaining = remaining - 1
            if remaining == 1 { struck = struck ?? faults[index].effect }
        }
        faults.removeAll { $0.remaining.map { $0 <= 0 } ?? false }
        switch struck {
        case nil, .short: return struck
        case .fail(let code):
            throw FileSystemError(code, operation: "\(operation)", path: path, reason: "injected fault")
        case .crash:
            partly(&self)
            isCrashed = true
            throw FileSystemError(.other, operation: "\(operation)", path: path, reason: "the power went off")
        }
    }

    mutating func change(_ path: String, to node: MemoryNode?) {
        changes.append((MemoryDisk.directory(of: path), path, files[path]))
        files[path] = node
    }

    mutating func place(_ path: String, _ node: MemoryNode) {
        addDirectory(MemoryDisk.directory(of: path))
        files[path] = node
        changes.removeAll { $0.path == path }
    }

    mutating func addDirectory(_ path: String) {
        var path = path
        while directories.insert(path).inserted { path = MemoryDisk.directory(of: path) }
    }

    func names(in directory: String) -> [String] {
        let all = Array(files.keys) + Array(directories)
        return all.filter { MemoryDisk.directory(of: $0) == directory && $0 != directory && !$0.isEmpty }
            .map { String($0[$0.index(after: $0.lastIndex(of: "/") ?? $0.startIndex)...]) }
    }

    static func directory(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
    }

    /// The state after a power cut.
    mutating func restart(_ survival: MemoryFileSystem.Survival) {
        var random = SplitMix64(seed: 0)
        if case .random(let seed) = survival { random = SplitMix64(seed: seed) }
        // Newest first, so that an older change that survives is not undone by a newer one that does not.
        for change in changes.reversed() {
            let survives =
                switch survival {
                case .nothing: false
                case .everything: true
                case .random: random.next() % 2 == 0
                }
            if !survives { files[change.path] = change.before }
        }
        changes = []
        for path in files.keys.sorted() { files[path]?.restart(survival, &random) }
        locks = [:]
        faults = []
        isCrashed = false
        generation += 1
        syncHook = nil
    }
}
