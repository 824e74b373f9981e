import Dispatch
import GRDBSQLite
import Synchronization

// Moves the write-ahead log into the tables file away from the writer.
//
// SQLite would do it inside a commit, which then waits for the disk. Here a second connection copies in the background; since a
// busy writer always adds a little meanwhile, the writer itself copies that little rest once the log is long, whereupon
// SQLite starts the log over from its beginning. So the log stays bounded and a commit rarely waits.

/// Keeps the write-ahead log short.
final class Checkpointer: Sendable {
    private struct State {
        /// Pages at which the next background run starts.
        var nextRun = StoreLimits.checkpointPageCount
        /// Pages at which the writer next finishes the work.
        var nextFinish = StoreLimits.restartPageCount
        var lastPageCount = 0
        var isScheduled = false
        var connection: Connection?
    }

    // SAFETY: the pointer is used only on `queue`, and closed there.
    private struct Connection: @unchecked Sendable { let handle: OpaquePointer }

    private let queue = DispatchQueue(label: "ogawa.tables.checkpoint")
    private let state: Mutex<State>

    init(path: String) throws {
        var handle: OpaquePointer?
        let code = sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nil)
        guard code == SQLITE_OK, let handle else {
            sqlite3_close_v2(handle)
            throw StoreError.sqlite(code, detail: "second connection", path: path, doing: "opening it")
        }
        sqlite3_exec(handle, "PRAGMA synchronous = NORMAL", nil, nil, nil)
        state = Mutex(State(connection: Connection(handle: handle)))
    }

    /// Called after each commit with the log's length.
    ///
    /// - Returns: whether the writer should finish the checkpoint now.
    func committed(pageCount: Int) -> Bool {
        let (shouldRun, shouldFinish) = state.withLock { state -> (Bool, Bool) in
            if pageCount < state.lastPageCount {
                state.nextRun = StoreLimits.checkpointPageCount
                state.nextFinish = StoreLimits.restartPageCount
            }
            state.lastPageCount = pageCount
            // Two cannot checkpoint at once: the writer takes its turn when the background run is done.
            let shouldFinish = pageCount >= state.nextFinish && !state.isScheduled
            if shouldFinish { state.nextFinish = pageCount + StoreLimits.restartPageCount }
            let shouldRun = pageCount >= state.nextRun && !state.isScheduled && !shouldFinish
            if shouldRun {
                state.isScheduled = true
                state.nextRun = pageCount + StoreLimits.checkpointPageCount
            }
            return (shouldRun, shouldFinish)
        }
        if shouldRun { queue.async { self.run() } }
        return shouldFinish
    }

    private func run() {
        if let connection = state.withLock({ $0.connection }) {
            sqlite3_wal_checkpoint_v2(connection.handle, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
        }
        state.withLock { $0.isScheduled = false }
    }

    /// Returns when every commit so far is on the disk.
    func sync() { queue.sync { run() } }

    /// Ends the background work and waits for it.
    func close() {
        queue.sync {
            let connection = state.withLock { state in
                defer { state.connection = nil }
                return state.connection
            }
            if let connection { sqlite3_close_v2(connection.handle) }
        }
    }

    deinit {
        // No background run holds the connection now: it would hold this object, too.
        state.withLock { state in
            if let connection = state.connection { sqlite3_close_v2(connection.handle) }
        }
    }
}
