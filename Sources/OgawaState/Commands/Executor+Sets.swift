extension CommandTable {
    static var sets: [CommandInfo] {
        [
            set("SADD", -3, [.write, .grows, .fast]) { $0.addMembers() },
            set("SREM", -3, [.write, .fast]) { $0.removeMembers() },
            set("SMEMBERS", 2, [.readOnly]) { $0.members() },
            set("SISMEMBER", 3, [.readOnly, .fast]) { $0.isMember() },
            set("SMISMEMBER", -3, [.readOnly, .fast]) { $0.areMembers() },
            set("SCARD", 2, [.readOnly, .fast]) { $0.memberCount() },
            set("SSCAN", -3, [.readOnly]) { $0.scanMembers() },
        ]
    }

    private static func set(
        _ name: StaticString, _ arity: Int, _ flags: CommandInfo.Flags, _ run: @escaping (Executor) -> Void
    ) -> CommandInfo {
        CommandInfo(name: name, arity: arity, flags: flags, keys: (1, 1, 1), group: "set", run: run)
    }
}

extension Executor {
    func addMembers() {
        guard let entry = space.findOrMake(database, argument(1), .set) else { return wrongType() }
        var added = 0
        for index in 2..<argumentCount where space.addMember(database, entry, argument(index)) { added += 1 }
        integer(added)
    }

    func removeMembers() {
        switch find(argument(1), .set) {
        case .none: integer(0)
        case .wrongType: wrongType()
        case .entry(let entry):
            var removed = 0
            for index in 2..<argumentCount where space.removeMember(database, entry, argument(index)) { removed += 1 }
            space.deleteIfEmpty(database, entry)
            integer(removed)
        }
    }

    func members() {
        switch find(argument(1), .set) {
        case .none: set(0)
        case .wrongType: wrongType()
        case .entry(let entry):
            set(entry.partCount)
            entry.table.pointee.forEach { bulk($0.key) }
        }
    }

    private func contains(_ entry: Entry, _ member: ByteSlice) -> Bool {
        entry.table.pointee.find(space.hash(member), member) != nil
    }

    func isMember() {
        switch find(argument(1), .set) {
        case .none: integer(0)
        case .wrongType: wrongType()
        case .entry(let entry): integer(contains(entry, argument(2)) ? 1 : 0)
        }
    }

    func areMembers() {
        let found = find(argument(1), .set)
        if case .wrongType = found { return wrongType() }
        array(argumentCount - 2)
        for index in 2..<argumentCount {
            if case .entry(let entry) = found, contains(entry, argument(index)) { integer(1) } else { integer(0) }
        }
    }

    func memberCount() {
        switch find(argument(1), .set) {
        case .none: integer(0)
        case .wrongType: wrongType()
        case .entry(let entry): integer(entry.partCount)
        }
    }

    func scanMembers() {
        guard let options = scanOptions(cursorAt: 2, allowsType: false) else { return }
        switch find(argument(1), .set) {
        case .none: emptyScan()
        case .wrongType: wrongType()
        case .entry(let entry):
            scan(entry.table.pointee, options) { part, replies in
                replies.replyBulk(part.key)
                return 1
            }
        }
    }
}
