extension CommandTable {
    static var keys: [CommandInfo] {
        [
            key("DEL", -2, [.write], keys: (1, -1, 1)) { $0.delete() },
            key("UNLINK", -2, [.write, .fast], keys: (1, -1, 1)) { $0.delete() },
            key("EXISTS", -2, [.readOnly, .fast], keys: (1, -1, 1)) { $0.countExisting() },
            key("TOUCH", -2, [.readOnly, .fast], keys: (1, -1, 1)) { $0.countExisting() },
            key("EXPIRE", -3, [.write, .fast]) { $0.expire(1000, isRelative: true) },
            key("PEXPIRE", -3, [.write, .fast]) { $0.expire(1, isRelative: true) },
            key("EXPIREAT", -3, [.write, .fast]) { $0.expire(1000, isRelative: false) },
            key("PEXPIREAT", -3, [.write, .fast]) { $0.expire(1, isRelative: false) },
            key("TTL", 2, [.readOnly, .fast]) { $0.timeToLive(1000, isRelative: true) },
            key("PTTL", 2, [.readOnly, .fast]) { $0.timeToLive(1, isRelative: true) },
            key("EXPIRETIME", 2, [.readOnly, .fast]) { $0.timeToLive(1000, isRelative: false) },
            key("PEXPIRETIME", 2, [.readOnly, .fast]) { $0.timeToLive(1, isRelative: false) },
            key("PERSIST", 2, [.write, .fast]) { $0.persist() },
            key("TYPE", 2, [.readOnly, .fast]) { $0.type() },
            key("KEYS", 2, [.readOnly], keys: (0, 0, 0)) { $0.matchingKeys() },
            key("SCAN", -2, [.readOnly], keys: (0, 0, 0)) { $0.scanKeys() },
            key("RENAME", 3, [.write], keys: (1, 2, 1)) { $0.rename(onlyIfAbsent: false) },
            key("RENAMENX", 3, [.write, .fast], keys: (1, 2, 1)) { $0.rename(onlyIfAbsent: true) },
            key("RANDOMKEY", 1, [.readOnly], keys: (0, 0, 0)) { $0.randomKey() },
            key("OBJECT", -2, [.readOnly], keys: (2, 2, 1)) { $0.object() },
        ]
    }

    private static func key(
        _ name: StaticString, _ arity: Int, _ flags: CommandInfo.Flags, keys: (Int, Int, Int) = (1, 1, 1),
        _ run: @escaping (Executor) -> Void
    ) -> CommandInfo {
        CommandInfo(name: name, arity: arity, flags: flags, keys: keys, group: "generic", run: run)
    }
}

extension Executor {
    func delete() {
        var count = 0
        for index in 1..<argumentCount {
            guard let entry = space.find(database, argument(index)) else { continue }
            space.delete(database, entry)
            count += 1
        }
        integer(count)
    }

    func countExisting() {
        var count = 0
        for index in 1..<argumentCount where space.find(database, argument(index)) != nil { count += 1 }
        integer(count)
    }

    // MARK: Expiry

    func expire(_ scale: Int64, isRelative: Bool) {
        guard let number = integerArgument(2) else { return }
        let (scaled, overflow) = number.multipliedReportingOverflow(by: scale)
        let (end, carry) = scaled.addingReportingOverflow(isRelative ? space.state.pointee.now : 0)
        guard !overflow, !carry else { return error("ERR invalid expire time in '\(name)' command") }
        guard let condition = expiryCondition() else { return }
        guard let entry = space.find(database, argument(1)), condition(entry.expiry, end) else { return integer(0) }
        if end <= space.state.pointee.now {
            space.delete(database, entry)
        } else {
            space.setExpiry(database, entry, end)
        }
        integer(1)
    }

    /// What NX, XX, GT and LT ask of the old and the new end.
    private func expiryCondition() -> ((Int64, Int64) -> Bool)? {
        var words: Set<String> = []
        for index in 3..<max(3, argumentCount) {
            let word = argument(index).string.uppercased()
            guard ["NX", "XX", "GT", "LT"].contains(word) else {
                error("ERR Unsupported option \(argument(index).string)")
                return nil
            }
            words.insert(word)
        }
        if words.contains("NX"), words.count > 1 {
            error("ERR NX and XX, GT or LT options at the same time are not compatible")
            return nil
        }
        if words.contains("GT"), words.contains("LT") {
            error("ERR GT and LT options at the same time are not compatible")
            return nil
        }
        return { old, new in
            if words.contains("NX"), old != 0 { return false }
            if words.contains("XX"), old == 0 { return false }
            // No end counts as the latest end.
            if words.contains("GT"), old == 0 || new <= old { return false }
            if words.contains("LT"), old != 0, new >= old { return false }
            return true
        }
    }

    func timeToLive(_ scale: Int64, isRelative: Bool) {
        guard let entry = space.find(database, argument(1)) else { return integer(-2) }
        guard entry.expiry != 0 else { return integer(-1) }
        let time = isRelative ? max(0, entry.expiry - space.state.pointee.now) : entry.expiry
        // A time to live is rounded, an end is cut, both as Redis has it.
        out.pointee.replyInteger(scale == 1 ? time : (isRelative ? (time &+ 500) / 1000 : time / 1000))
    }

    func persist() {
        guard let entry = space.find(database, argument(1)), entry.expiry != 0 else { return integer(0) }
        space.setExpiry(database, entry, 0)
        integer(1)
    }

    func type() {
        guard let entry = space.find(database, argument(1)) else { return out.pointee.append("+none\r\n") }
        out.pointee.append(byte: UInt8(ascii: "+"))
        out.pointee.append(typeName(entry.kind))
        out.pointee.newLine()
    }

    private func typeName(_ kind: ValueKind) -> StaticString {
        switch kind {
        case .string: "string"
        case .list: "list"
        case .hash: "hash"
        case .set: "set"
        case .sortedSet: "zset"
        }
    }

    // MARK: Walks

    func matchingKeys() {
        let pattern = argument(1)
        collect { add in
            space.tables[database].forEach { entry in
                if entry.expiry != 0, space.isOver(entry) { return }
                if matchesGlob(pattern, entry.key) { add(entry.key) }
            }
        }
    }

    /// Answers with an array whose length is known only when all is gathered.
    func collect(_ gather: ((ByteSlice) -> Void) -> Void) {
        var replies = GrowingBytes(capacity: 4096)
        var count = 0
        gather {
            replies.replyBulk($0)
            count += 1
        }
        array(count)
        out.pointee.append(replies.slice)
        replies.free()
    }

    struct ScanOptions {
        var cursor: UInt64 = 0
        var pattern: ByteSlice?
        var count = 10
        var type: ByteSlice?
    }

    /// The cursor and the words behind it; answers with an error where they make no sense.
    func scanOptions(cursorAt first: Int, allowsType: Bool) -> ScanOptions? {
        var options = ScanOptions()
        guard let cursor = argument(first).integer, cursor >= 0, cursor <= UInt32.max else {
            error("ERR invalid cursor")
            return nil
        }
        // A cursor is the upper half of the first hash of the next segment: it fits every client's integers.
        options.cursor = UInt64(cursor) << 32
        var index = first + 1
        while index < argumentCount {
            guard index + 1 < argumentCount else {
                syntaxError()
                return nil
            }
            if argument(index).isWord("MATCH") {
                options.pattern = argument(index + 1)
            } else if argument(index).isWord("COUNT") {
                guard let count = integerArgument(index + 1) else { return nil }
                guard count >= 1 else {
                    syntaxError()
                    return nil
                }
                options.count = Int(count)
            } else if allowsType, argument(index).isWord("TYPE") {
                options.type = argument(index + 1)
            } else {
                syntaxError()
                return nil
            }
            index += 2
        }
        return options
    }

    /// Walks a table as far as COUNT asks for, and answers with the next cursor and what `reply` gathers.
    func scan(_ table: Table, _ options: ScanOptions, _ reply: (Entry, inout GrowingBytes) -> Int) {
        var replies = GrowingBytes(capacity: 4096)
        var count = 0
        var seen = 0
        var place = options.cursor
        repeat {
            place = table.visitSegment(at: place) { entry in
                seen += 1
                if let pattern = options.pattern, !matchesGlob(pattern, entry.key) { return }
                count += reply(entry, &replies)
            }
        } while place != 0 && seen < options.count
        array(2)
        out.pointee.replyBulk(text: String(place >> 32))
        array(count)
        out.pointee.append(replies.slice)
        replies.free()
    }

    func scanKeys() {
        guard let options = scanOptions(cursorAt: 1, allowsType: true) else { return }
        scan(space.tables[database], options) { entry, replies in
            if entry.expiry != 0, space.isOver(entry) { return 0 }
            if let type = options.type {
                let name = typeName(entry.kind)
                guard type.count == name.utf8CodeUnitCount,
                    type.equals(ByteSlice(name.utf8Start, name.utf8CodeUnitCount))
                else { return 0 }
            }
            replies.replyBulk(entry.key)
            return 1
        }
    }

    func randomKey() {
        let table = space.tables[database]
        guard table.count > 0 else { return null() }
        // Chance from the clock and the number of commands is enough for a command that promises no more.
        var place = UInt64(bitPattern: space.state.pointee.now) &* 0x9e37_79b9_7f4a_7c15 ^ UInt64(commandCount) << 40
        var found: Entry?
        for _ in 0..<4096 {
            place = table.visitSegment(at: place) { if $0.expiry == 0 || !space.isOver($0) { found = $0 } }
            if let found { return bulk(found.key) }
        }
        null()
    }

    // MARK: Names

    func rename(onlyIfAbsent: Bool) {
        guard let entry = space.find(database, argument(1)) else { return error("ERR no such key") }
        let isSame = argument(1).equals(argument(2))
        if onlyIfAbsent, isSame || space.find(database, argument(2)) != nil { return integer(0) }
        if !isSame { space.rename(database, entry, to: argument(2)) }
        if onlyIfAbsent { integer(1) } else { ok() }
    }

    func object() {
        if argument(1).isWord("HELP") {
            array(1)
            return bulk(text: "OBJECT ENCODING|FREQ|IDLETIME|REFCOUNT <key>")
        }
        guard argumentCount == 3 else { return unknownSubcommand() }
        guard let entry = space.find(database, argument(2)) else { return null() }
        if argument(1).isWord("ENCODING") {
            switch entry.kind {
            case .string: bulk(text: entry.value.integer != nil ? "int" : entry.valueCount <= 44 ? "embstr" : "raw")
            case .list: bulk(text: "quicklist")
            case .hash, .set: bulk(text: "hashtable")
            case .sortedSet: bulk(text: "skiplist")
            }
        } else if argument(1).isWord("REFCOUNT") {
            integer(1)
        } else if argument(1).isWord("IDLETIME") || argument(1).isWord("FREQ") {
            integer(0)
        } else {
            unknownSubcommand()
        }
    }

    func bulk(text: String) { out.pointee.replyBulk(text: text) }

    func unknownSubcommand() {
        error(
            "ERR unknown subcommand or wrong number of arguments for '\(argument(1).string)'. Try \(name.uppercased()) HELP."
        )
    }
}
