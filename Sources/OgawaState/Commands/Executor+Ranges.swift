// Ranges of sorted sets by rank and by score.

/// An end of a range of scores.
struct ScoreLimit {
    var value: Double
    var isExcluded: Bool

    init?(_ text: ByteSlice) {
        isExcluded = text.count > 0 && text[0] == UInt8(ascii: "(")
        guard let value = (isExcluded ? text.withoutFirst(1) : text).double else { return nil }
        self.value = value
    }

    /// Whether a score lies below a range that begins here.
    func isAbove(_ score: Double) -> Bool { isExcluded ? score <= value : score < value }

    /// Whether a score lies above a range that ends here.
    func isBelow(_ score: Double) -> Bool { isExcluded ? score >= value : score > value }
}

extension Executor {
    private struct RangeOptions {
        var withScores = false
        var offset = 0
        var limit = Int.max
    }

    /// The ranks of the members with scores between two limits; answers with an error where the limits are none.
    private func scoreRange(_ entry: Entry, _ low: ScoreLimit, _ high: ScoreLimit) -> Range<Int> {
        let set = entry.sortedSet.pointee
        let first = set.rank { low.isAbove($0.score) }
        let end = set.rank { !high.isBelow($0.score) }
        return first..<max(first, end)
    }

    private func limits(_ low: Int, _ high: Int) -> (ScoreLimit, ScoreLimit)? {
        guard let first = ScoreLimit(argument(low)), let last = ScoreLimit(argument(high)) else {
            error("ERR min or max is not a float")
            return nil
        }
        return (first, last)
    }

    /// Answers with the members of a range of ranks.
    private func reply(_ entry: Entry, _ range: Range<Int>, isReversed: Bool, _ options: RangeOptions) {
        let skipped = min(options.offset, range.count)
        let count = options.offset < 0 ? 0 : min(range.count - skipped, options.limit)
        let isPaired = options.withScores && session.isVersion3
        array(options.withScores && !isPaired ? count * 2 : count)
        guard count > 0 else { return }
        var rest = count
        let start = isReversed ? range.upperBound - 1 - skipped : range.lowerBound + skipped
        entry.sortedSet.pointee.visit(from: start, descending: isReversed) { member in
            if isPaired { array(2) }
            bulk(member.key)
            if options.withScores { double(member.score) }
            rest -= 1
            return rest > 0
        }
    }

    func rangeByWords() {
        var isByScore = false
        var isReversed = false
        var hasLimit = false
        var options = RangeOptions()
        var index = 4
        while index < argumentCount {
            let word = argument(index)
            if word.isWord("BYSCORE") {
                isByScore = true
            } else if word.isWord("REV") {
                isReversed = true
            } else if word.isWord("WITHSCORES") {
                options.withScores = true
            } else if word.isWord("LIMIT"), index + 2 < argumentCount {
                guard readLimit(at: index + 1, &options) else { return }
                hasLimit = true
                index += 2
            } else if word.isWord("BYLEX") {
                return error("ERR BYLEX is not supported by the embedded state; use a Redis by state: redis://…")
            } else {
                return syntaxError()
            }
            index += 1
        }
        if hasLimit, !isByScore {
            return error("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
        }
        if isByScore { return replyByScore(isReversed: isReversed, options) }
        replyByRank(isReversed: isReversed, options)
    }

    private func readLimit(at index: Int, _ options: inout RangeOptions) -> Bool {
        guard let offset = integerArgument(index), let limit = integerArgument(index + 1) else { return false }
        options.offset = Int(clamping: offset)
        options.limit = limit < 0 ? .max : Int(clamping: limit)
        return true
    }

    func rangeByRank(isReversed: Bool, optionsAt first: Int) {
        var options = RangeOptions()
        if argumentCount > first {
            guard argumentCount == first + 1, argument(first).isWord("WITHSCORES") else { return syntaxError() }
            options.withScores = true
        }
        replyByRank(isReversed: isReversed, options)
    }

    private func replyByRank(isReversed: Bool, _ options: RangeOptions) {
        guard let first = integerArgument(2), let last = integerArgument(3) else { return }
        switch find(argument(1), .sortedSet) {
        case .none: array(0)
        case .wrongType: wrongType()
        case .entry(let entry):
            let count = entry.partCount
            let range = indexRange(first, last, count: count)
            // From the other end the same ranks are counted downwards.
            let ranks = isReversed ? count - range.upperBound..<count - range.lowerBound : range
            reply(entry, ranks, isReversed: isReversed, options)
        }
    }

    func rangeByScore(isReversed: Bool) {
        var options = RangeOptions()
        var index = 4
        while index < argumentCount {
            if argument(index).isWord("WITHSCORES") {
                options.withScores = true
            } else if argument(index).isWord("LIMIT"), index + 2 < argumentCount {
                guard readLimit(at: index + 1, &options) else { return }
                index += 2
            } else {
                return syntaxError()
            }
            index += 1
        }
        replyByScore(isReversed: isReversed, options)
    }

    private func replyByScore(isReversed: Bool, _ options: RangeOptions) {
        guard let (low, high) = isReversed ? limits(3, 2) : limits(2, 3) else { return }
        switch find(argument(1), .sortedSet) {
        case .none: array(0)
        case .wrongType: wrongType()
        case .entry(let entry): reply(entry, scoreRange(entry, low, high), isReversed: isReversed, options)
        }
    }

    func countScores() {
        guard let (low, high) = limits(2, 3) else { return }
        switch find(argument(1), .sortedSet) {
        case .none: integer(0)
        case .wrongType: wrongType()
        case .entry(let entry): integer(scoreRange(entry, low, high).count)
        }
    }

    // MARK: Removal

    func removeRangeByScore() {
        guard let (low, high) = limits(2, 3) else { return }
        switch find(argument(1), .sortedSet) {
        case .none: integer(0)
        case .wrongType: wrongType()
        case .entry(let entry): remove(entry, scoreRange(entry, low, high))
        }
    }

    func removeRangeByRank() {
        guard let first = integerArgument(2), let last = integerArgument(3) else { return }
        switch find(argument(1), .sortedSet) {
        case .none: integer(0)
        case .wrongType: wrongType()
        case .entry(let entry): remove(entry, indexRange(first, last, count: entry.partCount))
        }
    }

    private func remove(_ entry: Entry, _ range: Range<Int>) {
        for member in members(entry, from: range.lowerBound, range.count, isReversed: false) {
            _ = space.removeScore(database, entry, member.key)
        }
        space.deleteIfEmpty(database, entry)
        integer(range.count)
    }

    private func members(_ entry: Entry, from rank: Int, _ count: Int, isReversed: Bool) -> [Entry] {
        var members: [Entry] = []
        guard count > 0 else { return members }
        members.reserveCapacity(count)
        entry.sortedSet.pointee.visit(from: rank, descending: isReversed) {
            members.append($0)
            return members.count < count
        }
        return members
    }

    func popScores(isReversed: Bool) {
        guard argumentCount <= 3 else { return error("ERR wrong number of arguments for '\(name)' command") }
        var wanted = 1
        if argumentCount == 3 {
            guard let number = argument(2).integer, number >= 0 else {
                return error("ERR value is out of range, must be positive")
            }
            wanted = Int(number)
        }
        switch find(argument(1), .sortedSet) {
        case .none: array(0)
        case .wrongType: wrongType()
        case .entry(let entry):
            let count = min(wanted, entry.partCount)
            let start = isReversed ? entry.partCount - 1 : 0
            let isPaired = session.isVersion3 && argumentCount == 3
            array(isPaired ? count : count * 2)
            for member in members(entry, from: start, count, isReversed: isReversed) {
                if isPaired { array(2) }
                bulk(member.key)
                double(member.score)
                _ = space.removeScore(database, entry, member.key)
            }
            space.deleteIfEmpty(database, entry)
        }
    }
}
