// Child processes of a bench: started with their output in a pipe, and ended whatever happens to the bench.

import Ogawa
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A program that runs beside the bench.
///
/// **Isolation.** One task at a time.
final class ChildProcess: Sendable {
    let processID: pid_t
    /// The reading end of the child's standard output; does not block.
    private let output: Int32
    private let name: String
    private let pending = Mutex<[UInt8]>([])
    /// A process number belongs to someone else once its process was waited for.
    private let hasEnded = Mutex(false)

    /// Starts a program; its standard error goes to a file.
    init(_ arguments: [String], errorFile: String) throws {
        name = arguments.first ?? ""
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw CommandFailure("can't make a pipe: \(ChildProcess.reason)") }
        output = ends[0]
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
        defer { close(ends[1]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addopen(&actions, 2, errorFile, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_addclose(&actions, ends[1])
        // A child inherits the signals that this thread blocks, among them the one that ends it.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var texts: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        defer { for text in texts { free(text) } }
        texts.append(nil)
        var started: pid_t = 0
        let code = posix_spawnp(&started, name, &actions, &attributes, texts, environ)
        guard code == 0 else {
            close(ends[0])
            throw CommandFailure("can't start \(name): \(String(cString: strerror(code)))")
        }
        processID = started
        Leftovers.add(child: started)
    }

    private static var reason: String { String(cString: strerror(errno)) }

    /// The next line of the child's standard output; nil when it ended or the time is over.
    func line(within limit: Duration) async throws -> String? {
        let deadline = ContinuousClock.now + limit
        while true {
            if let line = takeLine() { return line }
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = read(output, &bytes, bytes.count)
            if count > 0 {
                pending.withLock { $0 += bytes.prefix(count) }
            } else if count == 0 || errno != EAGAIN || ContinuousClock.now > deadline {
                return nil
            } else {
                try await Task.sleep(for: .milliseconds(1))
            }
        }
    }

    private func takeLine() -> String? {
        pending.withLock { pending in
            guard let end = pending.firstIndex(of: 0x0a) else { return nil }
            defer { pending.removeSubrange(...end) }
            return String(decoding: pending[..<end], as: UTF8.self)
        }
    }

    /// Waits for the child's end; false when the time was over first.
    func wait(for limit: Duration) async -> Bool {
        let deadline = ContinuousClock.now + limit
        while true {
            if hasEnded.withLock({ $0 }) { return true }
            var status: Int32 = 0
            let ended = waitpid(processID, &status, WNOHANG)
            if ended == processID || (ended < 0 && errno != EINTR) {
                hasEnded.withLock { $0 = true }
                Leftovers.remove(child: processID)
                close(output)
                return true
            }
            if ContinuousClock.now > deadline { return false }
            // A cancelled bench still waits for its child: it just asks more often.
            try? await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Asks the child to end, and ends it when it does not.
    func stop() async {
        if await wait(for: .zero) { return }
        kill(processID, SIGTERM)
        if await wait(for: .seconds(20)) { return }
        kill(processID, SIGKILL)
        _ = await wait(for: .seconds(5))
    }
}

/// What a bench must not leave behind: child processes and folders.
enum Leftovers {
    private struct State {
        var children: Set<pid_t> = []
        var folders: Set<String> = []
    }

    private static let state = Mutex(State())

    static func add(child: pid_t) { state.withLock { _ = $0.children.insert(child) } }
    static func remove(child: pid_t) { state.withLock { _ = $0.children.remove(child) } }

    /// Makes a folder that goes away with ``clear()``.
    static func makeFolder(in base: String) throws -> String {
        var name = Array(TextFile.join(base, "ogawa-bench-XXXXXX").utf8CString)
        guard mkdtemp(&name) != nil else {
            throw CommandFailure(
                "can't make a folder in \(base): \(String(cString: strerror(errno)))", hint: "name one with --data DIR")
        }
        let path = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        state.withLock { _ = $0.folders.insert(path) }
        return path
    }

    static func remove(folder: String) {
        removeTree(folder)
        state.withLock { _ = $0.folders.remove(folder) }
    }

    /// Ends the children and removes the folders.
    static func clear() {
        let left = state.withLock { state in
            defer { state = State() }
            return state
        }
        for child in left.children {
            kill(child, SIGKILL)
            waitpid(child, nil, 0)
        }
        for folder in left.folders { removeTree(folder) }
    }

    /// Clears, and ends the program.
    static func clearAndExit(_ code: Int32) -> Never {
        clear()
        exit(code)
    }

    private static func removeTree(_ path: String) {
        for name in (try? TextFile.list(path)) ?? [] {
            let child = TextFile.join(path, name)
            var status = stat()
            let isFolder = lstat(child, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
            if isFolder { removeTree(child) } else { unlink(child) }
        }
        rmdir(path)
    }
}
