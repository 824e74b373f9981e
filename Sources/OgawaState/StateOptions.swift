import OgawaCore

/// When changes by Redis commands are answered.
package enum StateDurability: Sendable {
    /// At once; the disk has them within about a second.
    case everySecond
    /// When the disk has them.
    case always
}

/// What one function may keep.
package struct StateLimits: Sendable {
    package var keyByteCount = 1024
    package var valueByteCount = 1 << 20
    /// All keys and values of one commit together.
    package var commitByteCount = 64 << 20

    package init() {}

    /// Refuses what is too large, naming the key and the limit.
    func check(_ commit: StateCommit) throws {
        var total = 0
        for change in commit.changes {
            guard change.key.utf8.count <= keyByteCount else {
                throw StateError(
                    .tooLarge,
                    "state of \(commit.function): a key of \(change.key.utf8.count) bytes is longer than \(keyByteCount): "
                        + "\"\(change.key.prefix(40))…\"",
                    hint: "use a shorter key, such as a hash of it")
            }
            let byteCount = change.value?.count ?? 0
            guard byteCount <= valueByteCount else {
                throw StateError(
                    .tooLarge,
                    "state of \(commit.function): the value of \"\(change.key)\" has \(byteCount) bytes, more than \(valueByteCount)",
                    hint: "keep less per key, or spread it over several keys")
            }
            total += change.key.utf8.count + byteCount
        }
        guard total <= commitByteCount else {
            throw StateError(
                .tooLarge, "state of \(commit.function): a commit of \(total) bytes, more than \(commitByteCount)",
                hint: "make the batches smaller")
        }
    }
}

/// How an embedded state is kept.
package struct StateOptions: Sendable {
    package var durability = StateDurability.everySecond
    package var limits = StateLimits()
    /// Bytes of keys and values before additions are refused; 0 for no limit.
    package var memoryLimit = 1 << 30
    /// A snapshot is taken when the journal behind the last one has so many bytes, and more than the state itself.
    package var snapshotByteCount: Int64 = 64 << 20
    /// Whether threads of the store write, sync, take snapshots and remove what has ended; otherwise the caller does.
    package var runsInBackground = true

    package init() {}
}
