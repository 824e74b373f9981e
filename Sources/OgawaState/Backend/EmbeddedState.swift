import OgawaCore

extension StateStore: StateBackend {
    package func acquire(function: String, part: String) throws -> StateLease {
        try StateNames.check(function)
        let epochField = StateNames.epochField(part)
        let progressField = StateNames.progressField(part)
        return try withSpace { space in
            try checkRefusal()
            return try withText(StateNames.progress(function)) { key in
                guard let entry = space.findOrMake(0, key, .hash) else { throw wrongType(key.string) }
                let epoch = (withText(epochField) { space.field(entry, $0)?.integer } ?? 0) &+ 1
                _ = withText(epochField) { name in
                    withText(String(epoch)) { space.setField(0, entry, name, $0) }
                }
                let progress = withText(progressField) { space.field(entry, $0)?.array }
                return StateLease(epoch: UInt64(clamping: epoch), progress: progress)
            }
        }
    }

    package func load(function: String, keys: [String], now: Timestamp) throws -> [[UInt8]?] {
        try StateNames.check(function)
        let time = StateNames.milliseconds(now)
        return try withSpace { space in
            guard let entry = try hash(space, function) else { return keys.map { _ in nil } }
            let expiry = try expirySet(space, function)
            return keys.map { key in
                withText(key) { name in
                    guard let value = space.field(entry, name) else { return nil }
                    if let expiry, let score = expiry.score(space, name), score <= Double(time) { return nil }
                    return value.array
                }
            }
        }
    }

    package func commit(_ commit: StateCommit) throws {
        try StateNames.check(commit.function)
        try options.limits.check(commit)
        try withSpace { space in
            try checkRefusal()
            let isGrowing = commit.changes.contains { $0.value != nil }
            if isGrowing, options.memoryLimit > 0, space.heap.pointee.byteCount > options.memoryLimit {
                throw StateError(
                    .outOfMemory,
                    "the state has \(space.heap.pointee.byteCount) bytes, its limit is \(options.memoryLimit)",
                    hint: "raise the limit, or let keys end by a time to live")
            }
            // Everything that can refuse comes before the first change.
            _ = try hash(space, commit.function)
            _ = try expirySet(space, commit.function)
            try storeProgress(space, commit)
            removeEnded(space, commit)
            for change in commit.changes { store(space, commit.function, change) }
            for name in [commit.function, StateNames.expiry(commit.function)] {
                withText(name) { if let entry = space.find(0, $0) { space.deleteIfEmpty(0, entry) } }
            }
        }
    }

    package func entries(function: String, now: Timestamp) throws -> [String: [UInt8]] {
        try StateNames.check(function)
        let time = StateNames.milliseconds(now)
        return try withSpace { space in
            guard let entry = try hash(space, function) else { return [:] }
            let expiry = try expirySet(space, function)
            var entries: [String: [UInt8]] = [:]
            entry.table.pointee.forEach { part in
                if let expiry, let score = expiry.score(space, part.key), score <= Double(time) { return }
                entries[part.key.string] = part.value.array
            }
            return entries
        }
    }

    // MARK: Steps

    private func checkRefusal() throws {
        guard let refusal = space.state.pointee.refusal else { return }
        if let failure = journal?.failure { throw failure }
        throw StateError(.closed, refusal)
    }

    private func wrongType(_ key: String) -> StateError {
        StateError(
            .wrongType, "the key \"\(key)\" holds something else than a function's state",
            hint: "DEL \"\(key)\" with redis-cli, or give the function another name")
    }

    private func hash(_ space: KeySpace, _ function: String) throws -> Entry? {
        try withText(function) { key in
            guard let entry = space.find(0, key) else { return nil }
            guard entry.kind == .hash else { throw wrongType(function) }
            return entry
        }
    }

    private func expirySet(_ space: KeySpace, _ function: String) throws -> Entry? {
        let name = StateNames.expiry(function)
        return try withText(name) { key in
            guard let entry = space.find(0, key) else { return nil }
            guard entry.kind == .sortedSet else { throw wrongType(name) }
            return entry
        }
    }

    /// Refuses an old epoch; stores the new one and the progress.
    private func storeProgress(_ space: KeySpace, _ commit: StateCommit) throws {
        try withText(StateNames.progress(commit.function)) { key in
            if let entry = space.find(0, key), entry.kind != .hash { throw wrongType(key.string) }
            let epochField = StateNames.epochField(commit.part)
            let stored =
                space.find(0, key).flatMap { entry in withText(epochField) { space.field(entry, $0)?.integer } } ?? 0
            guard UInt64(clamping: stored) <= commit.epoch else {
                throw StateNames.fenced(commit, by: UInt64(clamping: stored))
            }
            guard let entry = space.findOrMake(0, key, .hash) else { throw wrongType(key.string) }
            if UInt64(clamping: stored) < commit.epoch {
                _ = withText(epochField) { name in
                    withText(String(commit.epoch)) { space.setField(0, entry, name, $0) }
                }
            }
            if let progress = commit.progress {
                _ = withText(StateNames.progressField(commit.part)) { name in
                    withSlice(progress) { space.setField(0, entry, name, $0) }
                }
            }
            space.deleteIfEmpty(0, entry)
        }
    }

    /// Removes some keys whose time is over.
    private func removeEnded(_ space: KeySpace, _ commit: StateCommit) {
        let time = Double(StateNames.milliseconds(commit.now))
        withText(StateNames.expiry(commit.function)) { key in
            guard let set = space.find(0, key) else { return }
            var ended: [Entry] = []
            set.sortedSet.pointee.visit(from: 0) { member in
                guard member.score <= time, ended.count < StateNames.mostEnded else { return false }
                ended.append(member)
                return true
            }
            withText(commit.function) { function in
                for member in ended {
                    if let entry = space.find(0, function) { _ = space.removeField(0, entry, member.key) }
                    _ = space.removeScore(0, set, member.key)
                }
            }
        }
    }

    private func store(_ space: KeySpace, _ function: String, _ change: StateChange) {
        withText(change.key) { field in
            withText(function) { key in
                if let value = change.value {
                    guard let entry = space.findOrMake(0, key, .hash) else { return }
                    _ = withSlice(value) { space.setField(0, entry, field, $0) }
                } else if let entry = space.find(0, key) {
                    _ = space.removeField(0, entry, field)
                }
            }
            withText(StateNames.expiry(function)) { key in
                if change.value != nil, let expiry = change.expiry {
                    guard let set = space.findOrMake(0, key, .sortedSet) else { return }
                    space.setScore(0, set, field, Double(StateNames.milliseconds(expiry)))
                } else if let set = space.find(0, key) {
                    _ = space.removeScore(0, set, field)
                }
            }
        }
    }
}

extension KeySpace {
    /// The value of a field of a hash.
    func field(_ entry: Entry, _ name: ByteSlice) -> ByteSlice? { entry.table.pointee.find(hash(name), name)?.value }
}

extension Entry {
    /// The score of a member of a sorted set.
    fileprivate func score(_ space: KeySpace, _ member: ByteSlice) -> Double? {
        sortedSet.pointee.find(space.hash(member), member)?.score
    }
}

/// Lends the bytes of a text.
func withText<Result>(_ text: String, _ body: (ByteSlice) throws -> Result) rethrows -> Result {
    var text = text
    return try text.withUTF8 { try body(UnsafeRawBufferPointer($0).slice) }
}
