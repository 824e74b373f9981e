import OgawaPlatform

extension CommandTable {
    static var strings: [CommandInfo] {
        [
            string("GET", 2, [.readOnly, .fast]) { $0.get() },
            string("SET", -3, [.write, .grows]) { $0.set() },
            string("SETEX", 4, [.write, .grows]) { $0.setWithExpiry(unit: 1000) },
            string("PSETEX", 4, [.write, .grows]) { $0.setWithExpiry(unit: 1) },
            string("SETNX", 3, [.write, .grows, .fast]) { $0.setIfAbsent() },
            string("GETSET", 3, [.write, .grows, .fast]) { $0.getAndSet() },
            string("GETDEL", 2, [.write, .fast]) { $0.getAndDelete() },
            string("GETEX", -2, [.write, .fast]) { $0.getAndExpire() },
            string("MGET", -2, [.readOnly, .fast], keys: (1, -1, 1)) { $0.getMany() },
            string("MSET", -3, [.write, .grows], keys: (1, -1, 2)) { $0.setMany() },
            string("MSETNX", -3, [.write, .grows], keys: (1, -1, 2)) { $0.setManyIfAbsent() },
            string("INCR", 2, [.write, .grows, .fast]) { $0.add(1) },
            string("DECR", 2, [.write, .grows, .fast]) { $0.add(-1) },
            string("INCRBY", 3, [.write, .grows, .fast]) { $0.addArgument() },
            string("DECRBY", 3, [.write, .grows, .fast]) { $0.subtractArgument() },
            string("INCRBYFLOAT", 3, [.write, .grows, .fast]) { $0.addDecimal() },
            string("APPEND", 3, [.write, .grows, .fast]) { $0.append() },
            string("STRLEN", 2, [.readOnly, .fast]) { $0.stringLength() },
            string("GETRANGE", 4, [.readOnly]) { $0.range() },
            string("SUBSTR", 4, [.readOnly]) { $0.range() },
        ]
    }

    private static func string(
        _ name: StaticString, _ arity: Int, _ flags: CommandInfo.Flags, keys: (Int, Int, Int) = (1, 1, 1),
        _ run: @escaping (Executor) -> Void
    ) -> CommandInfo {
        CommandInfo(name: name, arity: arity, flags: flags, keys: keys, group: "string", run: run)
    }
}

extension Executor {
    @inline(__always)
    func get() {
        guard let entry = space.find(database, argument(1)) else { return null() }
        guard entry.kind == .string else { return wrongType() }
        bulk(entry.value)
    }

    @inline(__always)
    func set() {
        guard argumentCount == 3 else { return setWithOptions() }
        space.setString(database, argument(1), argument(2), expiry: 0)
        ok()
    }

    private struct SetOptions {
        var expiry: Int64 = 0
        var keepsExpiry = false
        var onlyIfAbsent = false
        var onlyIfPresent = false
        var answersOld = false
    }

    @inline(never)
    private func setWithOptions() {
        guard let options = setOptions() else { return }
        let old = space.find(database, argument(1))
        if options.answersOld, let old, old.kind != .string { return wrongType() }
        let isRefused = options.onlyIfAbsent && old != nil || options.onlyIfPresent && old == nil
        // The old value must be sent before it is overwritten in its place.
        if options.answersOld { answer(old) }
        if isRefused {
            if !options.answersOld { null() }
            return
        }
        let expiry = options.keepsExpiry ? old?.expiry ?? 0 : options.expiry
        space.setString(database, argument(1), argument(2), expiry: expiry)
        if !options.answersOld { ok() }
    }

    private func answer(_ entry: Entry?) {
        if let entry { bulk(entry.value) } else { null() }
    }

    private func setOptions() -> SetOptions? {
        var options = SetOptions()
        var hasExpiry = false
        var index = 3
        while index < argumentCount {
            let word = argument(index)
            if word.isWord("NX"), !options.onlyIfPresent {
                options.onlyIfAbsent = true
            } else if word.isWord("XX"), !options.onlyIfAbsent {
                options.onlyIfPresent = true
            } else if word.isWord("GET") {
                options.answersOld = true
            } else if word.isWord("KEEPTTL"), !hasExpiry {
                options.keepsExpiry = true
            } else if !hasExpiry, !options.keepsExpiry, index + 1 < argumentCount, let unit = expiryUnit(word) {
                hasExpiry = true
                index += 1
                guard let expiry = expiryArgument(index, unit) else { return nil }
                options.expiry = expiry
            } else {
                syntaxError()
                return nil
            }
            index += 1
        }
        return options
    }

    private func expiryUnit(_ word: ByteSlice) -> (scale: Int64, isRelative: Bool)? {
        if word.isWord("EX") { return (1000, true) }
        if word.isWord("PX") { return (1, true) }
        if word.isWord("EXAT") { return (1000, false) }
        if word.isWord("PXAT") { return (1, false) }
        return nil
    }

    /// A time to live, greater than nothing, as milliseconds since 1970.
    private func expiryArgument(_ index: Int, _ unit: (scale: Int64, isRelative: Bool)) -> Int64? {
        guard let number = integerArgument(index) else { return nil }
        let (scaled, overflow) = number.multipliedReportingOverflow(by: unit.scale)
        let (end, carry) = scaled.addingReportingOverflow(unit.isRelative ? space.state.pointee.now : 0)
        guard number > 0, !overflow, !carry else {
            error("ERR invalid expire time in '\(name)' command")
            return nil
        }
        return end
    }

    func setWithExpiry(unit: Int64) {
        guard let expiry = expiryArgument(2, (unit, true)) else { return }
        space.setString(database, argument(1), argument(3), expiry: expiry)
        ok()
    }

    func setIfAbsent() {
        guard space.find(database, argument(1)) == nil else { return integer(0) }
        space.setString(database, argument(1), argument(2), expiry: 0)
        integer(1)
    }

    func getAndSet() {
        let old = space.find(database, argument(1))
        if let old, old.kind != .string { return wrongType() }
        answer(old)
        space.setString(database, argument(1), argument(2), expiry: 0)
    }

    func getAndDelete() {
        guard let entry = space.find(database, argument(1)) else { return null() }
        guard entry.kind == .string else { return wrongType() }
        bulk(entry.value)
        space.delete(database, entry)
    }

    func getAndExpire() {
        var change: Int64?
        if argumentCount == 3, argument(2).isWord("PERSIST") {
            change = 0
        } else if argumentCount == 4, let unit = expiryUnit(argument(2)) {
            guard let expiry = expiryArgument(3, unit) else { return }
            change = expiry
        } else if argumentCount != 2 {
            return syntaxError()
        }
        guard let entry = space.find(database, argument(1)) else { return null() }
        guard entry.kind == .string else { return wrongType() }
        bulk(entry.value)
        guard let change, change != entry.expiry else { return }
        if change != 0, change <= space.state.pointee.now {
            space.delete(database, entry)
        } else {
            space.setExpiry(database, entry, change)
        }
    }

    func getMany() {
        array(argumentCount - 1)
        for index in 1..<argumentCount {
            if let entry = space.find(database, argument(index)), entry.kind == .string {
                bulk(entry.value)
            } else {
                null()
            }
        }
    }

    func setMany() {
        guard argumentCount % 2 == 1 else { return error("ERR wrong number of arguments for 'mset' command") }
        for index in stride(from: 1, to: argumentCount, by: 2) {
            space.setString(database, argument(index), argument(index + 1), expiry: 0)
        }
        ok()
    }

    func setManyIfAbsent() {
        guard argumentCount % 2 == 1 else { return error("ERR wrong number of arguments for 'msetnx' command") }
        for index in stride(from: 1, to: argumentCount, by: 2) where space.find(database, argument(index)) != nil {
            return integer(0)
        }
        for index in stride(from: 1, to: argumentCount, by: 2) {
            space.setString(database, argument(index), argument(index + 1), expiry: 0)
        }
        integer(1)
    }

    // MARK: Numbers

    func addArgument() {
        guard let number = integerArgument(2) else { return }
        add(number)
    }

    func subtractArgument() {
        guard let number = integerArgument(2) else { return }
        guard number != .min else { return error("ERR decrement would overflow") }
        add(-number)
    }

    func add(_ number: Int64) {
        let key = argument(1)
        let entry = space.find(database, key)
        if let entry, entry.kind != .string { return wrongType() }
        guard let old = entry.map({ $0.value.integer }) ?? 0 else { return notInteger() }
        let (sum, overflow) = old.addingReportingOverflow(number)
        guard !overflow else { return error("ERR increment or decrement would overflow") }
        withUnsafeTemporaryAllocation(byteCount: 24, alignment: 8) { buffer in
            guard let start = buffer.baseAddress else { return }
            let digits = ByteSlice(start, writeDigits(sum, to: start))
            space.setString(database, key, digits, expiry: entry?.expiry ?? 0)
        }
        out.pointee.replyInteger(sum)
    }

    func addDecimal() {
        let key = argument(1)
        let entry = space.find(database, key)
        if let entry, entry.kind != .string { return wrongType() }
        let expiry = entry?.expiry ?? 0
        withDecimalSum(entry?.value, argument(2), badFirst: "ERR value is not a valid float") { sum in
            bulk(sum)
            space.setString(database, key, sum, expiry: expiry)
        }
    }

    /// Lends the sum of two numbers in text, or answers with an error.
    func withDecimalSum(_ first: ByteSlice?, _ second: ByteSlice, badFirst: String, _ body: (ByteSlice) -> Void) {
        withUnsafeTemporaryAllocation(byteCount: 5200, alignment: 8) { buffer in
            guard let start = buffer.baseAddress else { return }
            let secondBytes = UnsafeRawBufferPointer(start: second.base, count: second.count)
            let zero: StaticString = "0"
            let firstBytes =
                first.map { UnsafeRawBufferPointer(start: $0.base, count: $0.count) }
                ?? UnsafeRawBufferPointer(start: zero.utf8Start, count: 1)
            switch sumDecimals(firstBytes, secondBytes, into: buffer) {
            case .written(let count): body(ByteSlice(start, count))
            case .badFirst: error(badFirst)
            case .badSecond: error("ERR value is not a valid float")
            case .infinite: error("ERR increment would produce NaN or Infinity")
            }
        }
    }

    // MARK: Pieces

    func append() {
        let key = argument(1)
        let bytes = argument(2)
        guard let entry = space.find(database, key) else {
            space.setString(database, key, bytes, expiry: 0)
            return integer(bytes.count)
        }
        guard entry.kind == .string else { return wrongType() }
        guard entry.valueCount + bytes.count <= 512 << 20 else {
            return error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
        }
        if bytes.count == 0 { return integer(entry.valueCount) }
        integer(space.append(database, entry, bytes).valueCount)
    }

    func stringLength() {
        switch find(argument(1), .string) {
        case .entry(let entry): integer(entry.valueCount)
        case .none: integer(0)
        case .wrongType: wrongType()
        }
    }

    func range() {
        guard let first = integerArgument(2), let last = integerArgument(3) else { return }
        switch find(argument(1), .string) {
        case .entry(let entry):
            let range = characterRange(first, last, count: entry.valueCount)
            bulk(ByteSlice(entry.valueBase + range.lowerBound, range.count))
        case .none: bulk(ByteSlice(argument(1).base, 0))
        case .wrongType: wrongType()
        }
    }

    /// As `indexRange`, but an end before the first byte counts as the first byte, which is how GETRANGE has it.
    private func characterRange(_ first: Int64, _ last: Int64, count: Int) -> Range<Int> {
        if first < 0, last < 0, first > last { return 0..<0 }
        let end = last < 0 ? max(0, last &+ Int64(count)) : last
        return indexRange(first, end, count: count)
    }

    /// A range with both ends included, counted from the end where negative, cut to what is there.
    func indexRange(_ first: Int64, _ last: Int64, count: Int) -> Range<Int> {
        let total = Int64(count)
        let start = max(0, first < 0 ? first &+ total : first)
        let end = min(total - 1, last < 0 ? last &+ total : last)
        guard start <= end, start < total else { return 0..<0 }
        return Int(start)..<Int(end) + 1
    }
}
