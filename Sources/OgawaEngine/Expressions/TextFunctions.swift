import OgawaCore

// Characters are Unicode scalars. CONCAT takes NULL as ''; LEN does not count trailing blanks; LEFT and RIGHT of more than the text
// are the whole text; SUBSTRING with a start below 1 gives start + length - 1 characters; TRIM, LTRIM, RTRIM cut every
// Unicode white space. A part of a text is a position in the heap and copies nothing.

enum TextFunctions {
    static let table: [String: ScalarKernel] = [
        "LOWER": { try letters($0, isUpper: false) },
        "UPPER": { try letters($0, isUpper: true) },
        "TRIM": { try trim($0, atStart: true, atEnd: true) },
        "LTRIM": { try trim($0, atStart: true, atEnd: false) },
        "RTRIM": { try trim($0, atStart: false, atEnd: true) },
        "LEN": length, "LEFT": left, "RIGHT": right, "SUBSTRING": substring, "CONCAT": concat,
        "CONCAT_WS": concatWithSeparator, "REVERSE": reverse, "REPLICATE": replicate, "SPACE": space, "STUFF": stuff,
        "NCHAR": character, "UNICODE": unicode, "TRANSLATE": translate,
    ]

    private static func letters(_ arguments: ScalarArguments, isUpper: Bool) throws -> Cell {
        if arguments.isNull(0) { return .null }
        let packed = try arguments.text(0, "the argument")
        let text = arguments.bytes(packed)
        guard UTF8Text.isASCII(text) else {
            let string = arguments.heap.string(packed)
            return try arguments.store(isUpper ? string.uppercased() : string.lowercased())
        }
        let count = text.count
        let first: UInt8 = isUpper ? 0x61 : 0x41
        return try arguments.makeText(count) { target in
            let text = arguments.bytes(packed)
            for index in 0..<count {
                let byte = text[index]
                target[index] = byte &- first < 26 ? byte ^ 0x20 : byte
            }
            return count
        }
    }

    private static func trim(_ arguments: ScalarArguments, atStart: Bool, atEnd: Bool) throws -> Cell {
        if arguments.isNull(0) { return .null }
        let packed = try arguments.text(0, "the argument")
        let rest = UTF8Text.trimmed(arguments.bytes(packed), atStart: atStart, atEnd: atEnd)
        return ScalarArguments.slice(packed, from: rest.lowerBound, to: rest.upperBound)
    }

    private static func length(_ arguments: ScalarArguments) throws -> Cell {
        if arguments.isNull(0) { return .null }
        let text = arguments.bytes(try arguments.text(0, "the argument"))
        var end = text.count
        while end > 0, text[end &- 1] == 0x20 { end &-= 1 }
        return .bigint(UTF8Text.characterCount(UnsafeBufferPointer(rebasing: text[0..<end])))
    }

    // MARK: Parts

    /// A count of characters, which must not be negative.
    private static func count(_ arguments: ScalarArguments, _ index: Int) throws -> Int {
        let count = try arguments.integer(index, "the length")
        if count < 0 { throw ScalarFailure(message: "the length must not be negative, found \(count)") }
        return Int(clamping: count)
    }

    private static func left(_ arguments: ScalarArguments) throws -> Cell {
        if arguments.hasNull { return .null }
        let count = try count(arguments, 1)
        let packed = try arguments.text(0, "the text")
        let end = UTF8Text.position(afterCharacters: count, in: arguments.bytes(packed))
        return ScalarArguments.slice(packed, from: 0, to: end)
    }

    private static func right(_ arguments: ScalarArguments) throws -> Cell {
        if arguments.hasNull { return .null }
        let count = try count(arguments, 1)
        let packed = try arguments.text(0, "the text")
        let text = arguments.bytes(packed)
        let start = UTF8Text.position(beforeLastCharacters: count, in: text)
        return ScalarArguments.slice(packed, from: start, to: text.count)
    }

    private static func substring(_ arguments: ScalarArguments) throws -> Cell {
        if arguments.hasNull { return .null }
        let start = try arguments.integer(1, "the start")
        let count = Int64(try count(arguments, 2))
        let packed = try arguments.text(0, "the text")
        // The characters at positions start ..< start + length, of which those below 1 do not exist.
        let (sum, overflow) = start.addingReportingOverflow(count)
        let first = max(start, 1)
        let last = overflow ? Int64.max : sum
        guard last > first else { return ScalarArguments.slice(packed, from: 0, to: 0) }
        let text = arguments.bytes(packed)
        let from = UTF8Text.position(afterCharacters: Int(clamping: first - 1), in: text)
        let rest = UnsafeBufferPointer(rebasing: text[from...])
        let byteCount = UTF8Text.position(afterCharacters: Int(clamping: last - first), in: rest)
        return ScalarArguments.slice(packed, from: from, to: from + byteCount)
    }

    /// A start below 1 is the first character; one behind the last gives '' as the reference says.
    private static func stuff(_ arguments: ScalarArguments) throws -> Cell {
        if arguments.hasNull { return .null }
        let start = max(1, try arguments.integer(1, "the start"))
        let removed = try count(arguments, 2)
        let packed = try arguments.text(0, "the text")
        let inserted = try arguments.text(3, "the inserted text")
        let text = arguments.bytes(packed)
        let from = UTF8Text.position(afterCharacters: Int(clamping: start - 1), in: text)
        guard from < text.count else { return ScalarArguments.slice(packed, from: 0, to: 0) }
        let rest = UnsafeBufferPointer(rebasing: text[from...])
        let to = from + UTF8Text.position(afterCharacters: removed, in: rest)
        let size = text.count
        return try arguments.makeText(from + Int(inserted >> 32) + size - to) { target in
            let text = arguments.bytes(packed)
            var end = copy(UnsafeBufferPointer(rebasing: text[..<from]), to: target, 0)
            end = copy(arguments.bytes(inserted), to: target, end)
            return copy(UnsafeBufferPointer(rebasing: text[to...]), to: target, end)
        }
    }

    /// Copies bytes to a position behind `target`; gives the position behind them.
    @inline(__always)
    static func copy(
        _ source: UnsafeBufferPointer<UInt8>, to target: UnsafeMutablePointer<UInt8>, _ position: Int
    ) -> Int {
        if let base = source.baseAddress { (target + position).update(from: base, count: source.count) }
        return position &+ source.count
    }

    // MARK: Joining

    private static func concat(_ arguments: ScalarArguments) throws -> Cell {
        try joined(arguments, from: 0, separator: nil)
    }

    private static func concatWithSeparator(_ arguments: ScalarArguments) throws -> Cell {
        let separator = arguments.isNull(0) ? nil : try arguments.text(0, "the separator")
        return try joined(arguments, from: 1, separator: separator)
    }

    /// Passes over NULL; the separator stands between what is left.
    private static func joined(_ arguments: ScalarArguments, from first: Int, separator: UInt64?) throws -> Cell {
        let gap = separator.map { Int($0 >> 32) } ?? 0
        return try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: max(1, arguments.count)) { texts in
            var (count, byteCount) = (0, 0)
            for index in first..<arguments.count where !arguments.isNull(index) {
                texts[count] = try arguments.text(index, "an argument")
                byteCount += Int(texts[count] >> 32) + (count > 0 ? gap : 0)
                count += 1
            }
            return try arguments.makeText(byteCount) { target in
                var end = 0
                for index in 0..<count {
                    if index > 0, let separator { end = copy(arguments.bytes(separator), to: target, end) }
                    end = copy(arguments.bytes(texts[index]), to: target, end)
                }
                return end
            }
        }
    }

    private static func replicate(_ arguments: ScalarArguments) throws -> Cell {
        if arguments.hasNull { return .null }
        let times = try arguments.integer(1, "the number")
        let packed = try arguments.text(0, "the text")
        return try repeated(packed, times, arguments)
    }

    private static func space(_ arguments: ScalarArguments) throws -> Cell {
        if arguments.isNull(0) { return .null }
        let count = try arguments.integer(0, "the number")
        return try repeated(arguments.heap.append(" "), count, arguments)
    }

    private static func repeated(_ packed: UInt64, _ times: Int64, _ arguments: ScalarArguments) throws -> Cell {
        if times < 0 { return .null }
        let size = Int(packed >> 32)
        if size == 0 || times == 0 { return ScalarArguments.slice(packed, from: 0, to: 0) }
        let count = min(Int(clamping: times), ScalarArguments.maximumTextByteCount + 1)
        return try arguments.makeText(size * count) { target in
            var end = 0
            for _ in 0..<count { end = copy(arguments.bytes(packed), to: target, end) }
            return end
        }
    }

    // MARK: Characters

    private static func reverse(_ arguments: ScalarArguments) throws -> Cell {
        if arguments.isNull(0) { return .null }
        let packed = try arguments.text(0, "the argument")
        let count = Int(packed >> 32)
        return try arguments.makeText(count) { target in
            let text = arguments.bytes(packed)
            var index = 0
            while index < count {
                let (_, size) = UTF8Text.scalar(in: text, at: index)
                for offset in 0..<size { target[count - index - size + offset] = text[index + offset] }
                index += size
            }
            return count
        }
    }

    /// NULL outside 0 … 0x10FFFF, and for the halves of surrogate pairs, which are no characters.
    private static func character(_ arguments: ScalarArguments) throws -> Cell {
        if arguments.isNull(0) { return .null }
        let code = try arguments.integer(0, "the code")
        guard let value = UInt32(exactly: code), Unicode.Scalar(value) != nil else { return .null }
        return try arguments.makeText(4) { UTF8Text.write(value, to: $0) }
    }

    private static func unicode(_ arguments: ScalarArguments) throws -> Cell {
        if arguments.isNull(0) { return .null }
        let text = arguments.bytes(try arguments.text(0, "the argument"))
        return text.isEmpty ? .null : .bigint(Int64(UTF8Text.scalar(in: text, at: 0).value))
    }

    private static func translate(_ arguments: ScalarArguments) throws -> Cell {
        if arguments.hasNull { return .null }
        let packed = try arguments.text(0, "the text")
        let from = Array(arguments.heap.string(try arguments.text(1, "the characters")).unicodeScalars)
        let to = Array(arguments.heap.string(try arguments.text(2, "the translations")).unicodeScalars)
        guard from.count == to.count else {
            throw ScalarFailure(
                message:
                    "the characters and their translations must be equally many, found \(from.count) and \(to.count)")
        }
        // Of a character that is listed twice the first translation counts.
        let new = Dictionary(zip(from, to).map { ($0.value, $1.value) }, uniquingKeysWith: { first, _ in first })
        return try arguments.makeText(Int(packed >> 32) * 4) { target in
            let text = arguments.bytes(packed)
            var (index, end) = (0, 0)
            while index < text.count {
                let (value, size) = UTF8Text.scalar(in: text, at: index)
                end += UTF8Text.write(new[value] ?? value, to: target + end)
                index += size
            }
            return end
        }
    }
}
