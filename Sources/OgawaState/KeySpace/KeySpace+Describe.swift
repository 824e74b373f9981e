// A value as the effects that make it, for snapshots and for RENAME.

extension KeySpace {
    /// Appends effects that give `key` what an entry holds; returns how many.
    func describe(_ entry: Entry, as key: ByteSlice, _ database: Int, into bytes: inout GrowingBytes) -> Int {
        let none = ByteSlice(key.base, 0)
        var count = 1
        switch entry.kind {
        case .string: bytes.append(.setString, database, key, entry.value, none, entry.expiry)
        case .list:
            count = entry.list.pointee.count
            for index in 0..<count { bytes.append(.pushBack, database, key, entry.list.pointee.item(index), none, 0) }
        case .hash, .set, .sortedSet:
            count = 0
            var place: UInt64 = 0
            repeat {
                let (next, added) = describeParts(entry, as: key, database, from: place, into: &bytes)
                place = next
                count += added
            } while place != 0
        }
        return count + describeExpiry(entry, as: key, database, into: &bytes)
    }

    /// Appends the effect for the expiry of a value that is not a string, which carries its own.
    func describeExpiry(_ entry: Entry, as key: ByteSlice, _ database: Int, into bytes: inout GrowingBytes) -> Int {
        guard entry.expiry != 0, entry.kind != .string else { return 0 }
        bytes.append(.setExpiry, database, key, ByteSlice(key.base, 0), ByteSlice(key.base, 0), entry.expiry)
        return 1
    }

    /// Appends one segment of a hash, set or sorted set; returns where the next begins, 0 at the end, and the effects.
    func describeParts(
        _ entry: Entry, as key: ByteSlice, _ database: Int, from place: UInt64, into bytes: inout GrowingBytes
    ) -> (next: UInt64, count: Int) {
        let none = ByteSlice(key.base, 0)
        var count = 0
        let kind = entry.kind
        let table = kind == .sortedSet ? entry.sortedSet.pointee.table : entry.table.pointee
        let next = table.visitSegment(at: place) { part in
            count += 1
            switch kind {
            case .hash: bytes.append(.setField, database, key, part.key, part.value, 0)
            case .set: bytes.append(.addMember, database, key, part.key, none, 0)
            default:
                bytes.append(.setScore, database, key, part.key, none, Int64(bitPattern: part.score.bitPattern))
            }
        }
        return (next, count)
    }

    /// Gives a value another key, replacing what that held.
    func rename(_ database: Int, _ entry: Entry, to key: ByteSlice) {
        let hash = hash(key)
        if let old = tables[database].find(hash, key) { delete(database, old) }
        tables[database].remove(entry)
        note(.delete, database, entry.key)
        let room = entry.kind == .string ? entry.valueCount : 8
        let renamed = Entry.make(heap, hash: hash, key: key, kind: entry.kind, valueCapacity: room)
        renamed.store(entry.value)
        tables[database].insert(renamed)
        renamed.expiry = entry.expiry
        tables[database].setExpiring(renamed, entry.expiry != 0)
        if state.pointee.sliced != nil, entry.kind != .string, state.pointee.sliced == entry.object {
            state.pointee.slicedIsVoid = true
        }
        if effects.pointee.isOn {
            let count = describe(renamed, as: key, database, into: &effects.pointee.bytes)
            effects.pointee.nextSequence &+= UInt64(count)
        }
        state.pointee.changeCount += 1
        if state.pointee.watchCount > 0 { touch(database, key) }
        entry.free(heap)
    }
}
