/// A command that waits for EXEC.
struct QueuedCommand {
    var info: UnsafePointer<CommandInfo>
    var bytes: [UInt8]
    var spans: [ArgumentSpan]
}

/// What the server remembers of a client between commands.
///
/// **Isolation.** The store's lock.
final class Session {
    /// Bytes that a transaction may hold before EXEC.
    static let largestTransaction = 64 << 20

    let identifier: Int64
    var database = 0
    var isVersion3 = false
    var isAuthenticated: Bool
    var name: [UInt8] = []
    var library: [UInt8] = []
    var libraryVersion: [UInt8] = []
    var address = ""
    var isInTransaction = false
    /// A command was refused while the transaction was gathered.
    var isTransactionBroken = false
    var queue: [QueuedCommand] = []
    var queuedByteCount = 0
    let watcher = Watcher()
    var watchedKeys: [WatchedKey] = []
    /// The connection ends as soon as the replies are sent.
    var isClosing = false
    /// Why it ends, where that is worth telling.
    var closingReason: String?

    init(identifier: Int64, isAuthenticated: Bool) {
        self.identifier = identifier
        self.isAuthenticated = isAuthenticated
    }

    func endTransaction() {
        isInTransaction = false
        isTransactionBroken = false
        queue = []
        queuedByteCount = 0
    }
}
