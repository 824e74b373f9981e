import OgawaCore

/// A change of one key of a function's state.
package struct StateChange: Sendable, Equatable {
    package var key: String
    /// The new value; nil takes the key away.
    package var value: [UInt8]?
    /// When the key ends, in whole milliseconds of the times that callers give; nil for never.
    package var expiry: Timestamp?

    package init(key: String, value: [UInt8]?, expiry: Timestamp? = nil) {
        self.key = key
        self.value = value
        self.expiry = expiry
    }
}

/// What belongs together: the changes of a batch, how far the input was read, and who says so.
package struct StateCommit: Sendable {
    package var function: String
    /// The piece of the function's input that one worker at a time works on, such as a partition.
    package var part: String
    package var changes: [StateChange]
    /// How far the part's input is done, in bytes that only the caller understands; nil leaves it as it is.
    package var progress: [UInt8]?
    /// From ``StateBackend/acquire(function:part:)``.
    package var epoch: UInt64
    /// The time that decides which keys have ended.
    package var now: Timestamp

    package init(
        function: String, part: String, changes: [StateChange], progress: [UInt8]?, epoch: UInt64, now: Timestamp
    ) {
        self.function = function
        self.part = part
        self.changes = changes
        self.progress = progress
        self.epoch = epoch
        self.now = now
    }
}

/// The right to work on a part, until somebody else acquires it.
package struct StateLease: Sendable, Equatable {
    package var epoch: UInt64
    /// What the last commit stored; nil where there was none.
    package var progress: [UInt8]?

    package init(epoch: UInt64, progress: [UInt8]?) {
        self.epoch = epoch
        self.progress = progress
    }
}

/// Where functions keep their state.
///
/// A function's keys are the fields of one hash with its name, so that `redis-cli HGETALL name` shows them. A commit stores its
/// changes and its progress together or not at all, and only while its epoch is the newest: a worker that was replaced cannot
/// change anything any more.
///
/// **Isolation.** Any thread may call; calls may block.
/// **Errors.** ``StateError``; one that is transient may be tried again, and a commit tried again changes nothing twice.
package protocol StateBackend: Sendable {
    /// Takes a part over from whoever worked on it.
    func acquire(function: String, part: String) throws -> StateLease
    /// The values of keys in their order, in one go; nil for keys that are not there or have ended by `now`.
    func load(function: String, keys: [String], now: Timestamp) throws -> [[UInt8]?]
    /// Stores changes and progress; ``StateError/Code/fenced`` where the part has a newer owner.
    func commit(_ commit: StateCommit) throws
    /// Calls back when everything committed before is as durable as it gets.
    func flush(_ completion: @escaping @Sendable (Result<Void, StateError>) -> Void)
    /// Keys of a function that have not ended, with their values; for people and tests, not for batches.
    func entries(function: String, now: Timestamp) throws -> [String: [UInt8]]
}

/// The names of the keys behind a function's state.
enum StateNames {
    static let reserved = "ogawa:"

    /// A sorted set of the keys that end, by the time at which they do.
    static func expiry(_ function: String) -> String { "ogawa:expiry:\(function)" }

    /// A hash with the epoch and the progress of each part.
    static func progress(_ function: String) -> String { "ogawa:progress:\(function)" }

    static func epochField(_ part: String) -> String { "\(part):epoch" }

    static func progressField(_ part: String) -> String { "\(part):progress" }

    /// Ended keys that one commit removes beside its own work.
    static let mostEnded = 100

    static func check(_ function: String) throws {
        guard !function.isEmpty, !function.hasPrefix(reserved) else {
            throw StateError(
                .refused, "\"\(function)\" is no name for a function with state",
                hint: "use a name that does not begin with \(reserved)")
        }
    }

    static func milliseconds(_ time: Timestamp) -> Int64 {
        // Rounded down, also before 1970.
        let (quotient, rest) = time.ticks.quotientAndRemainder(dividingBy: Timestamp.ticksPerMillisecond)
        return rest < 0 ? quotient - 1 : quotient
    }

    static func fenced(_ commit: StateCommit, by epoch: UInt64) -> StateError {
        StateError(
            .fenced,
            "state of \(commit.function), part \(commit.part): epoch \(commit.epoch) was replaced by \(epoch); "
                + "another worker has this part",
            hint: "stop this worker")
    }
}
