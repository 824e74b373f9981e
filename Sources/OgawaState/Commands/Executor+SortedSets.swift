import OgawaPlatform

extension CommandTable {
    static var sortedSets: [CommandInfo] {
        [
            sortedSet("ZADD", -4, [.write, .grows, .fast]) { $0.addScores() },
            sortedSet("ZINCRBY", 4, [.write, .grows, .fast]) { $0.incrementScore() },
            sortedSet("ZREM", -3, [.write, .fast]) { $0.removeScores() },
            sortedSet("ZSCORE", 3, [.readOnly, .fast]) { $0.score() },
            sortedSet("ZMSCORE", -3, [.readOnly, .fast]) { $0.scores() },
            sortedSet("ZCARD", 2, [.readOnly, .fast]) { $0.scoreCount() },
            sortedSet("ZRANK", 3, [.readOnly, .fast]) { $0.rank(isReversed: false) },
            sortedSet("ZREVRANK", 3, [.readOnly, .fast]) { $0.rank(isReversed: true) },
            sortedSet("ZCOUNT", 4, [.readOnly, .fast]) { $0.countScores() },
            sortedSet("ZRANGE", -4, [.readOnly]) { $0.rangeByWords() },
            sortedSet("ZREVRANGE", -4, [.readOnly]) { $0.rangeByRank(isReversed: true, optionsAt: 4) },
            sortedSet("ZRANGEBYSCORE", -4, [.readOnly]) { $0.rangeByScore(isReversed: false) },
            sortedSet("ZREVRANGEBYSCORE", -4, [.readOnly]) { $0.rangeByScore(isReversed: true) },
            sortedSet("ZREMRANGEBYSCORE", 4, [.write]) { $0.removeRangeByScore() },
            sortedSet("ZREMRANGEBYRANK", 4, [.write]) { $0.removeRangeByRank() },
            sortedSet("ZPOPMIN", -2, [.write, .fast]) { $0.popScores(isReversed: false) },
            sortedSet("ZPOPMAX", -2, [.write, .fast]) { $0.popScores(isReversed: true) },
            sortedSet("ZSCAN", -3, [.readOnly]) { $0.scanScores() },
        ]
    }

    private static func sortedSet(
        _ name: StaticString, _ arity: Int, _ flags: CommandInfo.Flags, _ run: @escaping (Executor) -> Void
    ) -> CommandInfo {
        CommandInfo(name: name, arity: arity, flags: flags, keys: (1, 1, 1), group: "sorted-set", run: run)
    }
}

extension Executor {
    func double(_ value: Double) {
        if session.isVersion3 {
            out.pointee.append(byte: UInt8(ascii: ","))
            out.pointee.append(double: value)
            out.pointee.newLine()
        } else {
            out.pointee.replyBulk(double: value)
        }
    }

    private func member(_ entry: Entry, _ name: ByteSlice) -> Entry? {
        entry.sortedSet.pointee.find(space.hash(name), name)
    }

    // MARK: Changes

    private struct AddOptions {
        var onlyNew = false
        var onlyOld = false
        var onlyGreater = false
        var onlyLess = false
        var countsChanges = false
        var increments = false

        func allows(_ old: Double?, _ new: Double) -> Bool {
            guard let old else { return !onlyOld }
            return !onlyNew && !(onlyGreater && new <= old) && !(onlyLess && new >= old)
        }
    }

    /// The words before the first score, and where that stands; answers with an error where they make no sense.
    private func addOptions() -> (AddOptions, Int)? {
        var options = AddOptions()
        var index = 2
        words: while index < argumentCount {
            let word = argument(index)
            if word.isWord("NX") {
                options.onlyNew = true
            } else if word.isWord("XX") {
                options.onlyOld = true
            } else if word.isWord("GT") {
                options.onlyGreater = true
            } else if word.isWord("LT") {
                options.onlyLess = true
            } else if word.isWord("CH") {
                options.countsChanges = true
            } else if word.isWord("INCR") {
                options.increments = true
            } else {
                break words
            }
            index += 1
        }
        let rest = argumentCount - index
        if rest == 0 || rest % 2 != 0 {
            syntaxError()
        } else if options.onlyNew, options.onlyOld {
            error("ERR XX and NX options at the same time are not compatible")
        } else if options.onlyGreater && options.onlyNew || options.onlyLess && options.onlyNew
            || options.onlyGreater && options.onlyLess
        {
            error("ERR GT, LT, and/or NX options at the same time are not compatible")
        } else if options.increments, rest > 2 {
            error("ERR INCR option supports a single increment-element pair")
        } else {
            return (options, index)
        }
        return nil
    }

    func addScores() {
        guard let (options, first) = addOptions() else { return }
        for index in stride(from: first, to: argumentCount, by: 2) where argument(index).double == nil {
            return error("ERR value is not a valid float")
        }
        let found = find(argument(1), .sortedSet)
        if case .wrongType = found { return wrongType() }
        if options.increments { return increment(argument(first), argument(first + 1), options) }
        if case .none = found, options.onlyOld { return integer(0) }
        guard let entry = space.findOrMake(database, argument(1), .sortedSet) else { return }
        var added = 0
        var changed = 0
        for index in stride(from: first, to: argumentCount, by: 2) {
            let name = argument(index + 1)
            let old = member(entry, name)?.score
            guard let score = argument(index).double, options.allows(old, score) else { continue }
            if old == nil { added += 1 } else if old != score { changed += 1 }
            if old != score { space.setScore(database, entry, name, score) }
        }
        space.deleteIfEmpty(database, entry)
        integer(options.countsChanges ? added + changed : added)
    }

    func incrementScore() {
        guard argument(2).double != nil else { return error("ERR value is not a valid float") }
        if case .wrongType = find(argument(1), .sortedSet) { return wrongType() }
        increment(argument(2), argument(3), AddOptions())
    }

    private func increment(_ amount: ByteSlice, _ name: ByteSlice, _ options: AddOptions) {
        var old: Double?
        if case .entry(let entry) = find(argument(1), .sortedSet) { old = member(entry, name)?.score }
        guard let number = amount.double else { return }
        let score = (old ?? 0) + number
        guard !score.isNaN else { return error("ERR resulting score is not a number (NaN)") }
        guard options.allows(old, score) else { return null() }
        guard let entry = space.findOrMake(database, argument(1), .sortedSet) else { return }
        space.setScore(database, entry, name, score)
        double(score)
    }

    func removeScores() {
        switch find(argument(1), .sortedSet) {
        case .none: integer(0)
        case .wrongType: wrongType()
        case .entry(let entry):
            var removed = 0
            for index in 2..<argumentCount where space.removeScore(database, entry, argument(index)) { removed += 1 }
            space.deleteIfEmpty(database, entry)
            integer(removed)
        }
    }

    // MARK: Single members

    func score() {
        switch find(argument(1), .sortedSet) {
        case .none: null()
        case .wrongType: wrongType()
        case .entry(let entry):
            if let found = member(entry, argument(2)) { double(found.score) } else { null() }
        }
    }

    func scores() {
        let found = find(argument(1), .sortedSet)
        if case .wrongType = found { return wrongType() }
        array(argumentCount - 2)
        for index in 2..<argumentCount {
            if case .entry(let entry) = found, let part = member(entry, argument(index)) {
                double(part.score)
            } else {
                null()
            }
        }
    }

    func scoreCount() {
        switch find(argument(1), .sortedSet) {
        case .none: integer(0)
        case .wrongType: wrongType()
        case .entry(let entry): integer(entry.partCount)
        }
    }

    func rank(isReversed: Bool) {
        switch find(argument(1), .sortedSet) {
        case .none: null()
        case .wrongType: wrongType()
        case .entry(let entry):
            guard let found = member(entry, argument(2)) else { return null() }
            let rank = entry.sortedSet.pointee.rank(of: found)
            integer(isReversed ? entry.partCount - 1 - rank : rank)
        }
    }

    func scanScores() {
        guard let options = scanOptions(cursorAt: 2, allowsType: false) else { return }
        switch find(argument(1), .sortedSet) {
        case .none: emptyScan()
        case .wrongType: wrongType()
        case .entry(let entry):
            scan(entry.sortedSet.pointee.table, options) { part, replies in
                replies.replyBulk(part.key)
                replies.replyBulk(double: part.score)
                return 2
            }
        }
    }
}

extension GrowingBytes {
    mutating func append(double value: Double) {
        // Whole numbers are the most frequent scores.
        if let whole = Int64(exactly: value), whole.magnitude < 1 << 53 { return append(number: whole) }
        reserve(32)
        advance(formatDouble(value, into: UnsafeMutableRawBufferPointer(start: end, count: 32)))
    }

    mutating func replyBulk(double value: Double) {
        var text = GrowingBytes(capacity: 32)
        text.append(double: value)
        replyBulk(text.slice)
        text.free()
    }
}
