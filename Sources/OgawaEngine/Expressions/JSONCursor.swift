import OgawaCore

// Records and arrays are JSON text in the heap. This walks over such text without parsing what is not asked for; parts of it are positions
// in the same heap, so that taking an element copies only text with escapes.

/// A cursor over JSON text.
struct JSONCursor {
    /// Nesting that is followed, as in bodies.
    static let maximumDepth = 128

    let bytes: UnsafeBufferPointer<UInt8>
    private(set) var index = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    @inline(__always)
    private var byte: UInt8 { index < bytes.count ? bytes[index] : 0 }

    /// The first byte behind blanks; 0 at the end.
    mutating func next() -> UInt8 {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, 0x0a, 0x0d: index += 1
            default: return bytes[index]
            }
        }
        return 0
    }

    /// Moves behind a byte; false where another one stands there.
    mutating func eat(_ wanted: Unicode.Scalar) -> Bool {
        guard next() == UInt8(ascii: wanted) else { return false }
        index += 1
        return true
    }

    // MARK: Whole values

    /// Whether the whole text is one JSON value of the given kind.
    static func isValid(_ bytes: UnsafeBufferPointer<UInt8>, startingWith first: Unicode.Scalar) -> Bool {
        var cursor = JSONCursor(bytes)
        guard cursor.next() == UInt8(ascii: first), cursor.skip() != nil else { return false }
        return cursor.next() == 0 && cursor.index == bytes.count
    }

    /// Moves behind a value and gives where it lies; nil where it is not JSON.
    mutating func skip(depth: Int = 0) -> Range<Int>? {
        let first = next()
        let start = index
        var isGood: Bool
        switch first {
        case UInt8(ascii: "{"): isGood = skipContainer(close: "}", isObject: true, depth: depth + 1)
        case UInt8(ascii: "["): isGood = skipContainer(close: "]", isObject: false, depth: depth + 1)
        case UInt8(ascii: "\""): isGood = skipString() != nil
        case UInt8(ascii: "t"): isGood = skipWord("true")
        case UInt8(ascii: "f"): isGood = skipWord("false")
        case UInt8(ascii: "n"): isGood = skipWord("null")
        default: isGood = skipNumber()
        }
        return isGood ? start..<index : nil
    }

    private mutating func skipContainer(close: Unicode.Scalar, isObject: Bool, depth: Int) -> Bool {
        guard depth <= JSONCursor.maximumDepth else { return false }
        index += 1
        if eat(close) { return true }
        repeat {
            if isObject {
                guard next() == UInt8(ascii: "\""), skipString() != nil, eat(":") else { return false }
            }
            guard skip(depth: depth) != nil else { return false }
        } while eat(",")
        return eat(close)
    }

    /// Moves behind a text and gives what lies between its quotes, and whether that has escapes.
    mutating func skipString() -> (range: Range<Int>, hasEscapes: Bool)? {
        index += 1
        let start = index
        var hasEscapes = false
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                index += 1
                return (start..<index - 1, hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                guard skipEscape() else { return nil }
            case 0..<0x20: return nil
            default: index += 1
            }
        }
        return nil
    }

    private mutating func skipEscape() -> Bool {
        index += 1
        switch byte {
        case UInt8(ascii: "u"):
            guard index + 4 < bytes.count, bytes[index + 1...index + 4].allSatisfy({ hexDigit($0) != nil }) else {
                return false
            }
            index += 5
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            index += 1
        default: return false
        }
        return true
    }

    private mutating func skipWord(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard index + count <= bytes.count else { return false }
        for offset in 0..<count where bytes[index + offset] != word.utf8Start[offset] { return false }
        index += count
        return true
    }

    private mutating func skipDigits() -> Bool {
        let start = index
        while byte &- 0x30 < 10, index < bytes.count { index += 1 }
        return index > start
    }

    private mutating func skipNumber() -> Bool {
        if byte == UInt8(ascii: "-") { index += 1 }
        if byte == UInt8(ascii: "0") {
            index += 1
        } else if !skipDigits() {
            return false
        }
        if byte == UInt8(ascii: ".") {
            index += 1
            guard skipDigits() else { return false }
        }
        guard byte | 0x20 == UInt8(ascii: "e") else { return true }
        index += 1
        if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { index += 1 }
        return skipDigits()
    }

    // MARK: Elements and members

    /// Where the elements of an array lie, one per call; nil behind the last.
    mutating func nextElement() -> Range<Int>? {
        if index == 0 {
            guard eat("[") else { return nil }
            if next() == UInt8(ascii: "]") { return nil }
        } else if !eat(",") {
            return nil
        }
        return skip()
    }

    /// The name and the value of the members of an object, one per call; nil behind the last.
    mutating func nextMember() -> (name: Range<Int>, hasEscapes: Bool, value: Range<Int>)? {
        if index == 0 {
            guard eat("{") else { return nil }
        } else if !eat(",") {
            return nil
        }
        guard next() == UInt8(ascii: "\""), let name = skipString(), eat(":"), let value = skip() else { return nil }
        return (name.range, name.hasEscapes, value)
    }

    /// Where the member of a name lies: the first of that exact name, else the first without regard to ASCII case.
    static func member(_ name: UnsafeBufferPointer<UInt8>, of object: UnsafeBufferPointer<UInt8>) -> Range<Int>? {
        var cursor = JSONCursor(object)
        var loose: Range<Int>?
        while let member = cursor.nextMember() {
            var raw = object[member.name]
            let unescaped = member.hasEscapes ? JSONCursor.unescaped(object, member.name) : []
            let isExact = unescaped.withUnsafeBufferPointer { unescaped in
                if member.hasEscapes { raw = unescaped[...] }
                if raw.count == name.count, raw.elementsEqual(name) { return true }
                if loose == nil, raw.count == name.count, raw.elementsEqual(name, by: equalsIgnoringCase) {
                    loose = member.value
                }
                return false
            }
            if isExact { return member.value }
        }
        return loose
    }

    private static func equalsIgnoringCase(_ first: UInt8, _ second: UInt8) -> Bool {
        first == second || (first ^ second == 0x20 && (first | 0x20) &- 0x61 < 26)
    }
}

@inline(__always)
private func hexDigit(_ byte: UInt8) -> UInt32? {
    switch byte {
    case 0x30...0x39: UInt32(byte - 0x30)
    case 0x41...0x46: UInt32(byte - 0x37)
    case 0x61...0x66: UInt32(byte - 0x57)
    default: nil
    }
}

extension JSONCursor {
    /// The text that lies between quotes with its escapes resolved; half a surrogate pair becomes U+FFFD.
    static func unescaped(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            guard bytes[index] == UInt8(ascii: "\\"), index + 1 < range.upperBound else {
                result.append(bytes[index])
                index += 1
                continue
            }
            let letter = bytes[index + 1]
            index += 2
            switch letter {
            case UInt8(ascii: "b"): result.append(0x08)
            case UInt8(ascii: "f"): result.append(0x0c)
            case UInt8(ascii: "n"): result.append(0x0a)
            case UInt8(ascii: "r"): result.append(0x0d)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "u"): append(codeAt: &index, in: bytes, range.upperBound, to: &result)
            default: result.append(letter)
            }
        }
        return result
    }

    private static func unit(_ bytes: UnsafeBufferPointer<UInt8>, _ index: Int, _ end: Int) -> UInt32? {
        guard index + 4 <= end else { return nil }
        var value: UInt32 = 0
        for offset in 0..<4 {
            guard let digit = hexDigit(bytes[index + offset]) else { return nil }
            value = value << 4 | digit
        }
        return value
    }

    private static func append(
        codeAt index: inout Int, in bytes: UnsafeBufferPointer<UInt8>, _ end: Int, to result: inout [UInt8]
    ) {
        var value = unit(bytes, index, end) ?? 0xfffd
        index = min(index + 4, end)
        if value & 0xfc00 == 0xd800, index + 6 <= end, bytes[index] == UInt8(ascii: "\\"),
            bytes[index + 1] == UInt8(ascii: "u"), let low = unit(bytes, index + 2, end), low & 0xfc00 == 0xdc00
        {
            value = 0x10000 + (value & 0x3ff) << 10 + low & 0x3ff
            index += 6
        }
        let scalar = Unicode.Scalar(value) ?? "\u{fffd}"
        result += Array(String(Character(scalar)).utf8)
    }
}
