extension CommandTable {
    static var lists: [CommandInfo] {
        [
            list("LPUSH", -3, [.write, .grows, .fast]) { $0.push(atFront: true, makes: true) },
            list("RPUSH", -3, [.write, .grows, .fast]) { $0.push(atFront: false, makes: true) },
            list("LPUSHX", -3, [.write, .grows, .fast]) { $0.push(atFront: true, makes: false) },
            list("RPUSHX", -3, [.write, .grows, .fast]) { $0.push(atFront: false, makes: false) },
            list("LPOP", -2, [.write, .fast]) { $0.pop(atFront: true) },
            list("RPOP", -2, [.write, .fast]) { $0.pop(atFront: false) },
            list("RPOPLPUSH", 3, [.write, .grows], keys: (1, 2, 1)) { $0.move(fromFront: false, toFront: true) },
            list("LMOVE", 5, [.write, .grows], keys: (1, 2, 1)) { $0.moveByWords() },
            list("LLEN", 2, [.readOnly, .fast]) { $0.listLength() },
            list("LINDEX", 3, [.readOnly]) { $0.listItem() },
            list("LTRIM", 4, [.write]) { $0.trim() },
            list("LRANGE", 4, [.readOnly]) { $0.listRange() },
            list("LSET", 4, [.write, .grows]) { $0.setItem() },
            list("LREM", 4, [.write]) { $0.removeItems() },
        ]
    }

    private static func list(
        _ name: StaticString, _ arity: Int, _ flags: CommandInfo.Flags, keys: (Int, Int, Int) = (1, 1, 1),
        _ run: @escaping (Executor) -> Void
    ) -> CommandInfo {
        CommandInfo(name: name, arity: arity, flags: flags, keys: keys, group: "list", run: run)
    }
}

extension Executor {
    func push(atFront: Bool, makes: Bool) {
        if !makes {
            switch find(argument(1), .list) {
            case .none: return integer(0)
            case .wrongType: return wrongType()
            case .entry: break
            }
        }
        guard let entry = space.findOrMake(database, argument(1), .list) else { return wrongType() }
        for index in 2..<argumentCount { space.push(database, entry, argument(index), atFront: atFront) }
        integer(entry.partCount)
    }

    func pop(atFront: Bool) {
        guard argumentCount <= 3 else { return error("ERR wrong number of arguments for '\(name)' command") }
        var wanted: Int?
        if argumentCount == 3 {
            guard let count = argument(2).integer, count >= 0 else {
                return error("ERR value is out of range, must be positive")
            }
            wanted = Int(count)
        }
        switch find(argument(1), .list) {
        case .none: if wanted == nil { null() } else { nullArray() }
        case .wrongType: wrongType()
        case .entry(let entry):
            let list = entry.list
            let count = min(wanted ?? 1, list.pointee.count)
            if wanted != nil { array(count) }
            for index in 0..<count { bulk(list.pointee.item(atFront ? index : list.pointee.count - 1 - index)) }
            space.pop(database, entry, count, atFront: atFront)
            space.deleteIfEmpty(database, entry)
        }
    }

    func moveByWords() {
        let words = (argument(3), argument(4))
        guard words.0.isWord("LEFT") || words.0.isWord("RIGHT"), words.1.isWord("LEFT") || words.1.isWord("RIGHT")
        else {
            return syntaxError()
        }
        move(fromFront: words.0.isWord("LEFT"), toFront: words.1.isWord("LEFT"))
    }

    func move(fromFront: Bool, toFront: Bool) {
        let source: Entry
        switch find(argument(1), .list) {
        case .none: return null()
        case .wrongType: return wrongType()
        case .entry(let entry): source = entry
        }
        guard let target = space.findOrMake(database, argument(2), .list) else { return wrongType() }
        let item = source.list.pointee.item(fromFront ? 0 : source.partCount - 1)
        bulk(item)
        // The item's bytes are copied before the pop frees them.
        space.push(database, target, item, atFront: toFront)
        // Within one list this is right as well: at the same end it is the copy that goes.
        space.pop(database, source, 1, atFront: fromFront)
        space.deleteIfEmpty(database, source)
    }

    func listLength() {
        switch find(argument(1), .list) {
        case .entry(let entry): integer(entry.partCount)
        case .none: integer(0)
        case .wrongType: wrongType()
        }
    }

    func listItem() {
        let found = find(argument(1), .list)
        if case .none = found { return null() }
        guard case .entry(let entry) = found else { return wrongType() }
        guard let number = integerArgument(2) else { return }
        let index = number < 0 ? number &+ Int64(entry.partCount) : number
        guard index >= 0, index < entry.partCount else { return null() }
        bulk(entry.list.pointee.item(Int(index)))
    }

    func listRange() {
        guard let first = integerArgument(2), let last = integerArgument(3) else { return }
        switch find(argument(1), .list) {
        case .none: array(0)
        case .wrongType: wrongType()
        case .entry(let entry):
            let range = indexRange(first, last, count: entry.partCount)
            array(range.count)
            for index in range { bulk(entry.list.pointee.item(index)) }
        }
    }

    func trim() {
        guard let first = integerArgument(2), let last = integerArgument(3) else { return }
        switch find(argument(1), .list) {
        case .none: ok()
        case .wrongType: wrongType()
        case .entry(let entry):
            let count = entry.partCount
            let range = indexRange(first, last, count: count)
            space.pop(database, entry, count - range.upperBound, atFront: false)
            space.pop(database, entry, range.lowerBound, atFront: true)
            space.deleteIfEmpty(database, entry)
            ok()
        }
    }

    func setItem() {
        let found = find(argument(1), .list)
        if case .none = found { return error("ERR no such key") }
        guard case .entry(let entry) = found else { return wrongType() }
        guard let number = integerArgument(2) else { return }
        let index = number < 0 ? number &+ Int64(entry.partCount) : number
        guard index >= 0, index < entry.partCount else { return error("ERR index out of range") }
        space.setItem(database, entry, Int(index), argument(3))
        ok()
    }

    func removeItems() {
        guard let count = integerArgument(2) else { return }
        switch find(argument(1), .list) {
        case .none: integer(0)
        case .wrongType: wrongType()
        case .entry(let entry):
            let removed = space.removeItems(database, entry, argument(3), count)
            space.deleteIfEmpty(database, entry)
            integer(removed)
        }
    }
}
