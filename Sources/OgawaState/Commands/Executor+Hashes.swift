extension CommandTable {
    static var hashes: [CommandInfo] {
        [
            hash("HGET", 3, [.readOnly, .fast]) { $0.getField() },
            hash("HSET", -4, [.write, .grows, .fast]) { $0.setFields(answersCount: true) },
            hash("HMSET", -4, [.write, .grows, .fast]) { $0.setFields(answersCount: false) },
            hash("HSETNX", 4, [.write, .grows, .fast]) { $0.setFieldIfAbsent() },
            hash("HMGET", -3, [.readOnly, .fast]) { $0.getFields() },
            hash("HGETALL", 2, [.readOnly]) { $0.allFields(names: true, values: true) },
            hash("HKEYS", 2, [.readOnly]) { $0.allFields(names: true, values: false) },
            hash("HVALS", 2, [.readOnly]) { $0.allFields(names: false, values: true) },
            hash("HDEL", -3, [.write, .fast]) { $0.deleteFields() },
            hash("HEXISTS", 3, [.readOnly, .fast]) { $0.fieldExists() },
            hash("HLEN", 2, [.readOnly, .fast]) { $0.fieldCount() },
            hash("HSTRLEN", 3, [.readOnly, .fast]) { $0.fieldLength() },
            hash("HINCRBY", 4, [.write, .grows, .fast]) { $0.addToField() },
            hash("HINCRBYFLOAT", 4, [.write, .grows, .fast]) { $0.addDecimalToField() },
            hash("HSCAN", -3, [.readOnly]) { $0.scanFields() },
        ]
    }

    private static func hash(
        _ name: StaticString, _ arity: Int, _ flags: CommandInfo.Flags, _ run: @escaping (Executor) -> Void
    ) -> CommandInfo {
        CommandInfo(name: name, arity: arity, flags: flags, keys: (1, 1, 1), group: "hash", run: run)
    }
}

extension Executor {
    @inline(__always)
    private func field(_ entry: Entry, _ name: ByteSlice) -> Entry? {
        entry.table.pointee.find(space.hash(name), name)
    }

    func getField() {
        switch find(argument(1), .hash) {
        case .entry(let entry):
            if let found = field(entry, argument(2)) { bulk(found.value) } else { null() }
        case .none: null()
        case .wrongType: wrongType()
        }
    }

    func setFields(answersCount: Bool) {
        guard argumentCount % 2 == 0 else { return error("ERR wrong number of arguments for '\(name)' command") }
        guard let entry = space.findOrMake(database, argument(1), .hash) else { return wrongType() }
        var added = 0
        var index = 2
        while index < argumentCount {
            if space.setField(database, entry, argument(index), argument(index + 1)) { added += 1 }
            index += 2
        }
        if answersCount { integer(added) } else { ok() }
    }

    func setFieldIfAbsent() {
        guard let entry = space.findOrMake(database, argument(1), .hash) else { return wrongType() }
        guard field(entry, argument(2)) == nil else { return integer(0) }
        _ = space.setField(database, entry, argument(2), argument(3))
        integer(1)
    }

    func getFields() {
        let found = find(argument(1), .hash)
        if case .wrongType = found { return wrongType() }
        array(argumentCount - 2)
        for index in 2..<argumentCount {
            if case .entry(let entry) = found, let part = field(entry, argument(index)) {
                bulk(part.value)
            } else {
                null()
            }
        }
    }

    func allFields(names: Bool, values: Bool) {
        switch find(argument(1), .hash) {
        case .entry(let entry):
            let table = entry.table.pointee
            if names && values { map(table.count) } else { array(table.count) }
            table.forEach { part in
                if names { bulk(part.key) }
                if values { bulk(part.value) }
            }
        case .none:
            if names && values { map(0) } else { array(0) }
        case .wrongType: wrongType()
        }
    }

    func deleteFields() {
        switch find(argument(1), .hash) {
        case .entry(let entry):
            var count = 0
            for index in 2..<argumentCount where space.removeField(database, entry, argument(index)) { count += 1 }
            space.deleteIfEmpty(database, entry)
            integer(count)
        case .none: integer(0)
        case .wrongType: wrongType()
        }
    }

    func fieldExists() {
        switch find(argument(1), .hash) {
        case .entry(let entry): integer(field(entry, argument(2)) == nil ? 0 : 1)
        case .none: integer(0)
        case .wrongType: wrongType()
        }
    }

    func fieldCount() {
        switch find(argument(1), .hash) {
        case .entry(let entry): integer(entry.partCount)
        case .none: integer(0)
        case .wrongType: wrongType()
        }
    }

    func fieldLength() {
        switch find(argument(1), .hash) {
        case .entry(let entry): integer(field(entry, argument(2))?.valueCount ?? 0)
        case .none: integer(0)
        case .wrongType: wrongType()
        }
    }

    func addToField() {
        guard let number = integerArgument(3) else { return }
        let found = find(argument(1), .hash)
        if case .wrongType = found { return wrongType() }
        var old: Int64 = 0
        if case .entry(let entry) = found, let part = field(entry, argument(2)) {
            guard let value = part.value.integer else { return error("ERR hash value is not an integer") }
            old = value
        }
        let (sum, overflow) = old.addingReportingOverflow(number)
        guard !overflow else { return error("ERR increment or decrement would overflow") }
        guard let entry = space.findOrMake(database, argument(1), .hash) else { return }
        withUnsafeTemporaryAllocation(byteCount: 24, alignment: 8) { buffer in
            guard let start = buffer.baseAddress else { return }
            _ = space.setField(database, entry, argument(2), ByteSlice(start, writeDigits(sum, to: start)))
        }
        out.pointee.replyInteger(sum)
    }

    func addDecimalToField() {
        guard argument(3).double != nil else { return error("ERR value is not a valid float") }
        let found = find(argument(1), .hash)
        if case .wrongType = found { return wrongType() }
        var old: ByteSlice?
        if case .entry(let entry) = found { old = field(entry, argument(2))?.value }
        withDecimalSum(old, argument(3), badFirst: "ERR hash value is not a float") { sum in
            bulk(sum)
            guard let entry = space.findOrMake(database, argument(1), .hash) else { return }
            _ = space.setField(database, entry, argument(2), sum)
        }
    }

    func scanFields() {
        guard let options = scanOptions(cursorAt: 2, allowsType: false) else { return }
        switch find(argument(1), .hash) {
        case .entry(let entry):
            scan(entry.table.pointee, options) { part, replies in
                replies.replyBulk(part.key)
                replies.replyBulk(part.value)
                return 2
            }
        case .none: emptyScan()
        case .wrongType: wrongType()
        }
    }

    func emptyScan() { out.pointee.append("*2\r\n$1\r\n0\r\n*0\r\n") }
}
