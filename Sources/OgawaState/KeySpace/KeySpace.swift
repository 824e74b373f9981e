// The keys with their values, and every way to change them. A change is made by one of the primitives here, which also notes
// its effect for the journal and tells watchers. Commands and the `state` interface are written in terms of them.

/// What a key space knows beside its tables, behind a pointer so that reading it costs no checks.
struct SpaceState {
    var seed: UInt64
    /// Milliseconds since 1970, set once per batch of commands.
    var now: Int64 = 0
    /// Effects are being read back: nothing expires, nothing is noted, nobody watches.
    var isReplaying = false
    /// The object of the large key that a snapshot is writing, and whether it changed in a way that voids what was written.
    var sliced: UnsafeMutableRawPointer?
    var slicedIsVoid = false
    /// A database was cleared, which a running snapshot cannot take in.
    var clearCount = 0
    var watchCount = 0
    /// Why changes are refused, as a reply; nil while they are not.
    var refusal: String?
    var expiredCount = 0
    /// Where the search for ended keys goes on.
    var expiryDatabase = 0
    var expiryPlace: UInt64 = 0
    var recentlyEnded = 0
    /// When the journal was last synced, in ticks.
    var lastSync: Int64 = 0
    var changeCount = 0
    var hitCount = 0
    var missCount = 0
}

/// Somebody who wants to know whether keys change before an EXEC.
final class Watcher {
    var isDirty = false
}

struct WatchedKey: Hashable {
    var database: Int
    var key: [UInt8]
}

/// The databases of a store.
///
/// **Isolation.** One thread at a time; the store's lock sees to it.
final class KeySpace {
    static let databaseCount = 16

    let heap: UnsafeMutablePointer<Heap>
    let tables: UnsafeMutablePointer<Table>
    let effects: UnsafeMutablePointer<EffectLog>
    let state: UnsafeMutablePointer<SpaceState>
    var watched: [WatchedKey: [ObjectIdentifier: Watcher]] = [:]
    /// Large values of deleted keys, to be freed little by little.
    var graveyard: [Grave] = []

    init(seed: UInt64) {
        heap = .allocate(capacity: 1)
        heap.initialize(to: Heap())
        tables = .allocate(capacity: KeySpace.databaseCount)
        for index in 0..<KeySpace.databaseCount { (tables + index).initialize(to: Table(heap)) }
        effects = .allocate(capacity: 1)
        effects.initialize(to: EffectLog())
        state = .allocate(capacity: 1)
        state.initialize(to: SpaceState(seed: seed))
    }

    deinit {
        while !graveyard.isEmpty { freeSome() }
        for index in 0..<KeySpace.databaseCount {
            tables[index].forEach { freeNow($0) }
            tables[index].freeStorage()
        }
        effects.pointee.bytes.free()
        effects.deallocate()
        tables.deallocate()
        state.deinitialize(count: 1)
        state.deallocate()
        heap.deallocate()
    }

    @inline(__always)
    func hash(_ key: ByteSlice) -> UInt64 { hash64(key, seed: state.pointee.seed) }

    /// The entry of a key that has not ended.
    @inline(__always)
    func find(_ database: Int, _ key: ByteSlice) -> Entry? {
        guard let entry = tables[database].find(hash(key), key) else { return nil }
        return entry.expiry == 0 || !isOver(entry) ? entry : expire(database, entry)
    }

    @inline(__always)
    func isOver(_ entry: Entry) -> Bool { entry.expiry <= state.pointee.now && !state.pointee.isReplaying }

    @inline(never)
    private func expire(_ database: Int, _ entry: Entry) -> Entry? {
        state.pointee.expiredCount += 1
        delete(database, entry)
        return nil
    }

    @inline(__always)
    func note(
        _ kind: EffectKind, _ database: Int, _ key: ByteSlice, _ first: ByteSlice? = nil, _ second: ByteSlice? = nil,
        _ number: Int64 = 0
    ) {
        effects.pointee.append(
            kind, database, key, first ?? ByteSlice(key.base, 0), second ?? ByteSlice(key.base, 0), number)
        state.pointee.changeCount &+= 1
        if state.pointee.watchCount > 0 { tellWatchers(database, key) }
    }

    @inline(never)
    private func tellWatchers(_ database: Int, _ key: ByteSlice) { touch(database, key) }

    /// Tells those who watch a key that it changed.
    func touch(_ database: Int, _ key: ByteSlice) {
        guard let watchers = watched[WatchedKey(database: database, key: key.array)] else { return }
        for watcher in watchers.values { watcher.isDirty = true }
    }

    // MARK: Keys

    /// Takes a key with its value away.
    func delete(_ database: Int, _ entry: Entry) {
        tables[database].remove(entry)
        note(.delete, database, entry.key)
        free(entry)
    }

    /// Sets when a key ends; 0 for never.
    func setExpiry(_ database: Int, _ entry: Entry, _ expiry: Int64) {
        entry.expiry = expiry
        tables[database].setExpiring(entry, expiry != 0)
        note(.setExpiry, database, entry.key, nil, nil, expiry)
    }

    /// Gives a key a string, whatever it held before.
    @inline(__always)
    func setString(_ database: Int, _ key: ByteSlice, _ value: ByteSlice, expiry: Int64) {
        let hash = hash(key)
        if let entry = tables[database].find(hash, key) {
            if entry.kind == .string, value.count <= entry.valueCapacity, entry.valueCapacity <= value.count &* 2 &+ 64
            {
                entry.store(value)
                if entry.expiry != expiry {
                    entry.expiry = expiry
                    tables[database].setExpiring(entry, expiry != 0)
                }
            } else {
                replace(database, entry, hash, key, value, expiry)
            }
        } else {
            let entry = Entry.make(heap, hash: hash, key: key, kind: .string, valueCapacity: value.count)
            entry.store(value)
            tables[database].insert(entry)
            if expiry != 0 {
                entry.expiry = expiry
                tables[database].setExpiring(entry, true)
            }
        }
        note(.setString, database, key, value, nil, expiry)
    }

    @inline(never)
    private func replace(
        _ database: Int, _ old: Entry, _ hash: UInt64, _ key: ByteSlice, _ value: ByteSlice, _ expiry: Int64
    ) {
        let entry = Entry.make(heap, hash: hash, key: key, kind: .string, valueCapacity: value.count)
        entry.store(value)
        entry.expiry = expiry
        tables[database].replace(old, with: entry)
        tables[database].setExpiring(entry, expiry != 0)
        free(old)
    }

    /// Lengthens a string in place where there is room; returns the entry, which may be a new one.
    func append(_ database: Int, _ entry: Entry, _ bytes: ByteSlice) -> Entry {
        let count = entry.valueCount + bytes.count
        var target = entry
        if count > entry.valueCapacity {
            let room = count + min(count, 1 << 20)
            target = Entry.make(heap, hash: entry.hash, key: entry.key, kind: .string, valueCapacity: room)
            target.store(entry.value)
            target.expiry = entry.expiry
            tables[database].replace(entry, with: target)
            entry.free(heap)
        }
        (target.valueBase + target.valueCount).copyMemory(from: bytes.base, byteCount: bytes.count)
        target.valueCount = count
        note(.append, database, target.key, ByteSlice(target.valueBase + (count - bytes.count), bytes.count))
        return target
    }

    /// The entry of a key that holds the kind, made where there is none; nil where it holds another.
    @inline(__always)
    func findOrMake(_ database: Int, _ key: ByteSlice, _ kind: ValueKind) -> Entry? {
        if let entry = find(database, key) { return entry.kind == kind ? entry : nil }
        return make(database, key, kind)
    }

    @inline(never)
    private func make(_ database: Int, _ key: ByteSlice, _ kind: ValueKind) -> Entry {
        let entry = Entry.make(heap, hash: hash(key), key: key, kind: kind, valueCapacity: 8)
        entry.valueCount = 8
        switch kind {
        case .string: entry.valueCount = 0
        case .list: entry.object = UnsafeMutableRawPointer(ListValue.make(heap))
        case .hash, .set: entry.object = UnsafeMutableRawPointer(Table.make(heap))
        case .sortedSet: entry.object = UnsafeMutableRawPointer(SortedSet.make(heap))
        }
        tables[database].insert(entry)
        return entry
    }

    /// Takes a key away whose last part is gone.
    ///
    /// While effects are read back the deletion comes as an effect of its own.
    @inline(__always)
    func deleteIfEmpty(_ database: Int, _ entry: Entry) {
        if entry.partCount == 0, !state.pointee.isReplaying { delete(database, entry) }
    }

    /// Forgets everything in a database.
    func clear(_ database: Int) {
        guard tables[database].count > 0 || state.pointee.isReplaying else { return }
        let old = tables[database]
        (tables + database).initialize(to: Table(heap))
        withSlice([]) { note(.clear, database, $0) }
        state.pointee.clearCount += 1
        for key in watched.keys where key.database == database {
            for watcher in watched[key, default: [:]].values { watcher.isDirty = true }
        }
        old.forEach { free($0) }
        old.freeStorage()
    }

    // MARK: Memory

    /// Frees an entry that is in no table any more; a large one later.
    func free(_ entry: Entry) {
        guard entry.kind != .string else { return entry.free(heap) }
        if state.pointee.sliced == entry.object { state.pointee.slicedIsVoid = true }
        if entry.isLarge { graveyard.append(Grave(entry: entry)) } else { freeNow(entry) }
    }

    private func freeNow(_ entry: Entry) {
        switch entry.kind {
        case .string, .list: break
        case .hash, .set: entry.table.pointee.forEach { $0.free(heap) }
        case .sortedSet: entry.sortedSet.pointee.table.forEach { $0.free(heap) }
        }
        freeStorage(entry)
    }

    /// Frees an entry and its object, whose parts are free already.
    private func freeStorage(_ entry: Entry) {
        switch entry.kind {
        case .string: break
        case .list:
            entry.list.pointee.free()
            entry.list.deallocate()
        case .hash, .set:
            entry.table.pointee.freeStorage()
            entry.table.deallocate()
            heap.pointee.byteCount -= MemoryLayout<Table>.stride + 24
        case .sortedSet:
            entry.sortedSet.pointee.freeStorage()
            entry.sortedSet.deallocate()
        }
        entry.free(heap)
    }

    /// Frees some of what was put off: at most about a thousand parts.
    func freeSome() {
        guard var grave = graveyard.popLast() else { return }
        var budget = 1000
        switch grave.entry.kind {
        case .string: budget = 0
        case .list:
            let list = grave.entry.list
            list.pointee.removeFirst(min(budget, list.pointee.count))
            if list.pointee.count > 0 { return graveyard.append(grave) }
        case .hash, .set, .sortedSet:
            let kind = grave.entry.kind
            while budget > 0 {
                let table = kind == .sortedSet ? grave.entry.sortedSet.pointee.table : grave.entry.table.pointee
                grave.place = table.visitSegment(at: grave.place) {
                    $0.free(heap)
                    budget -= 1
                }
                if grave.place == 0 { return freeStorage(grave.entry) }
            }
            return graveyard.append(grave)
        }
        freeStorage(grave.entry)
    }
}

/// A deleted value that is freed in pieces, and how far that has come.
struct Grave {
    var entry: Entry
    var place: UInt64 = 0
}

extension Entry {
    @inline(__always)
    var table: UnsafeMutablePointer<Table> { object.assumingMemoryBound(to: Table.self) }

    @inline(__always)
    var list: UnsafeMutablePointer<ListValue> { object.assumingMemoryBound(to: ListValue.self) }

    @inline(__always)
    var sortedSet: UnsafeMutablePointer<SortedSet> { object.assumingMemoryBound(to: SortedSet.self) }

    /// Fields, items or members; 1 for a string.
    var partCount: Int {
        switch kind {
        case .string: 1
        case .list: list.pointee.count
        case .hash, .set: table.pointee.count
        case .sortedSet: sortedSet.pointee.count
        }
    }

    /// Whether the value is better written and freed in pieces.
    var isLarge: Bool { kind != .string && partCount > 1000 }
}
