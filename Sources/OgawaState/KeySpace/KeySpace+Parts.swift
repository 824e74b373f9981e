// The primitives for values made of parts: fields of hashes, members of sets and sorted sets, items of lists.

extension KeySpace {
    // MARK: Hashes

    /// Sets a field; true where it is new.
    @inline(__always)
    func setField(_ database: Int, _ entry: Entry, _ field: ByteSlice, _ value: ByteSlice) -> Bool {
        let table = entry.table
        let hash = hash(field)
        let isNew: Bool
        if let found = table.pointee.find(hash, field) {
            isNew = false
            if value.count <= found.valueCapacity, found.valueCapacity <= value.count &* 2 &+ 64 {
                found.store(value)
            } else {
                let part = Entry.make(heap, hash: hash, key: field, kind: .string, valueCapacity: value.count)
                part.store(value)
                table.pointee.replace(found, with: part)
                found.free(heap)
            }
        } else {
            isNew = true
            let part = Entry.make(heap, hash: hash, key: field, kind: .string, valueCapacity: value.count)
            part.store(value)
            table.pointee.insert(part)
        }
        note(.setField, database, entry.key, field, value)
        return isNew
    }

    /// Takes a field away; the caller deletes the key when it is empty.
    func removeField(_ database: Int, _ entry: Entry, _ field: ByteSlice) -> Bool {
        removePart(database, entry, field, .removeField)
    }

    // MARK: Sets

    func addMember(_ database: Int, _ entry: Entry, _ member: ByteSlice) -> Bool {
        let hash = hash(member)
        guard entry.table.pointee.find(hash, member) == nil else { return false }
        entry.table.pointee.insert(Entry.make(heap, hash: hash, key: member, kind: .string, valueCapacity: 0))
        note(.addMember, database, entry.key, member)
        return true
    }

    func removeMember(_ database: Int, _ entry: Entry, _ member: ByteSlice) -> Bool {
        removePart(database, entry, member, .removeMember)
    }

    private func removePart(_ database: Int, _ entry: Entry, _ name: ByteSlice, _ kind: EffectKind) -> Bool {
        guard let part = entry.table.pointee.find(hash(name), name) else { return false }
        note(kind, database, entry.key, name)
        entry.table.pointee.remove(part)
        part.free(heap)
        return true
    }

    // MARK: Sorted sets

    func setScore(_ database: Int, _ entry: Entry, _ member: ByteSlice, _ score: Double) {
        let hash = hash(member)
        // Minus zero would be told apart by its bits and by nothing else.
        let score = score == 0 ? 0 : score
        if let found = entry.sortedSet.pointee.find(hash, member) {
            entry.sortedSet.pointee.update(found, score: score)
        } else {
            entry.sortedSet.pointee.insert(hash, member, score: score)
        }
        note(.setScore, database, entry.key, member, nil, Int64(bitPattern: score.bitPattern))
    }

    func removeScore(_ database: Int, _ entry: Entry, _ member: ByteSlice) -> Bool {
        guard let part = entry.sortedSet.pointee.find(hash(member), member) else { return false }
        note(.removeScore, database, entry.key, member)
        entry.sortedSet.pointee.remove(part)
        return true
    }

    // MARK: Lists

    func push(_ database: Int, _ entry: Entry, _ item: ByteSlice, atFront: Bool) {
        listChanges(entry)
        if atFront { entry.list.pointee.prepend(item) } else { entry.list.pointee.append(item) }
        note(atFront ? .pushFront : .pushBack, database, entry.key, item)
    }

    /// Takes items away at an end; at most as many as there are.
    func pop(_ database: Int, _ entry: Entry, _ count: Int, atFront: Bool) {
        guard count > 0 else { return }
        listChanges(entry)
        if atFront { entry.list.pointee.removeFirst(count) } else { entry.list.pointee.removeLast(count) }
        note(atFront ? .popFront : .popBack, database, entry.key, nil, nil, Int64(count))
    }

    func setItem(_ database: Int, _ entry: Entry, _ index: Int, _ item: ByteSlice) {
        listChanges(entry)
        entry.list.pointee.set(index, item)
        note(.setItem, database, entry.key, item, nil, Int64(index))
    }

    /// Removes items as LREM does; returns how many.
    func removeItems(_ database: Int, _ entry: Entry, _ item: ByteSlice, _ count: Int64) -> Int {
        let limit = count == 0 ? Int.max : Int(clamping: count.magnitude)
        let removed = entry.list.pointee.remove(item, limit: limit, fromBack: count < 0)
        if removed > 0 {
            listChanges(entry)
            note(.removeItems, database, entry.key, item, nil, count)
        }
        return removed
    }

    /// Positions shift under a snapshot that writes the list in pieces, so it has to begin again.
    @inline(__always)
    private func listChanges(_ entry: Entry) {
        if state.pointee.sliced == entry.object { state.pointee.slicedIsVoid = true }
    }
}

extension KeySpace {
    /// Does what an effect says; false where it does not fit what is there, which only damage can bring about.
    func apply(_ effect: Effect) -> Bool {
        let database = effect.database
        switch effect.kind {
        case .setString: setString(database, effect.key, effect.first, expiry: effect.number)
        case .delete:
            guard let entry = find(database, effect.key) else { return true }
            delete(database, entry)
        case .setExpiry:
            guard let entry = find(database, effect.key) else { return false }
            setExpiry(database, entry, effect.number)
        case .clear: clear(database)
        case .append:
            guard let entry = find(database, effect.key), entry.kind == .string else { return false }
            _ = append(database, entry, effect.first)
        case .setField, .addMember, .setScore, .pushFront, .pushBack: return applyAddition(effect)
        case .removeField, .removeMember, .removeScore, .popFront, .popBack, .setItem, .removeItems:
            return applyRemoval(effect)
        case .rangeMark, .beginKey, .fieldMark, .end: return false
        }
        return true
    }

    private func applyAddition(_ effect: Effect) -> Bool {
        let kind: ValueKind =
            switch effect.kind {
            case .setField: .hash
            case .addMember: .set
            case .setScore: .sortedSet
            default: .list
            }
        let database = effect.database
        guard let entry = findOrMake(database, effect.key, kind) else { return false }
        switch effect.kind {
        case .setField: _ = setField(database, entry, effect.first, effect.second)
        case .addMember: _ = addMember(database, entry, effect.first)
        case .setScore: setScore(database, entry, effect.first, Double(bitPattern: UInt64(bitPattern: effect.number)))
        default: push(database, entry, effect.first, atFront: effect.kind == .pushFront)
        }
        return true
    }

    private func applyRemoval(_ effect: Effect) -> Bool {
        let database = effect.database
        guard let entry = find(database, effect.key) else { return false }
        switch (effect.kind, entry.kind) {
        case (.removeField, .hash): _ = removeField(database, entry, effect.first)
        case (.removeMember, .set): _ = removeMember(database, entry, effect.first)
        case (.removeScore, .sortedSet): _ = removeScore(database, entry, effect.first)
        case (.popFront, .list), (.popBack, .list):
            guard let count = Int(exactly: effect.number), count >= 0, count <= entry.list.pointee.count else {
                return false
            }
            pop(database, entry, count, atFront: effect.kind == .popFront)
        case (.setItem, .list):
            guard let index = Int(exactly: effect.number), index >= 0, index < entry.list.pointee.count else {
                return false
            }
            setItem(database, entry, index, effect.first)
        case (.removeItems, .list): _ = removeItems(database, entry, effect.first, effect.number)
        default: return false
        }
        return true
    }
}
