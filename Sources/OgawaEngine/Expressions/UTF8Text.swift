#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

// Text by its UTF-8 bytes. A character is a Unicode scalar: one byte that does not continue another, and those that do. Positions
// given are byte positions unless they say otherwise; every function takes any bytes and reads inside them only.

enum UTF8Text {
    typealias Bytes = UnsafeBufferPointer<UInt8>

    @inline(__always)
    static func continues(_ byte: UInt8) -> Bool { byte & 0xc0 == 0x80 }

    static func isASCII(_ text: Bytes) -> Bool {
        var all: UInt8 = 0
        for byte in text { all |= byte }
        return all < 0x80
    }

    static func characterCount(_ text: Bytes) -> Int {
        var count = 0
        for byte in text where !continues(byte) { count &+= 1 }
        return count
    }

    /// The position behind the first `count` characters; the end where there are fewer.
    static func position(afterCharacters count: Int, in text: Bytes) -> Int {
        if count <= 0 { return 0 }
        if count >= text.count { return text.count }
        var left = count
        var index = 0
        while index < text.count {
            if !continues(text[index]) {
                if left == 0 { return index }
                left &-= 1
            }
            index &+= 1
        }
        return index
    }

    /// The position before the last `count` characters; 0 where there are fewer.
    static func position(beforeLastCharacters count: Int, in text: Bytes) -> Int {
        if count <= 0 { return text.count }
        var left = count
        var index = text.count
        while index > 0 {
            index &-= 1
            if continues(text[index]) { continue }
            left &-= 1
            if left == 0 { return index }
        }
        return 0
    }

    /// The position of the first occurrence of a pattern that is not empty, at or after a position.
    static func find(_ pattern: Bytes, in text: Bytes, from start: Int) -> Int? {
        guard start >= 0, let base = text.baseAddress, let wanted = pattern.baseAddress, !pattern.isEmpty else {
            return nil
        }
        var position = start
        while position &+ pattern.count <= text.count {
            let room = text.count &- pattern.count &- position &+ 1
            guard let first = memchr(base + position, Int32(wanted[0]), room) else { return nil }
            position = UnsafeRawPointer(first) - UnsafeRawPointer(base)
            if memcmp(base + position, wanted, pattern.count) == 0 { return position }
            position &+= 1
        }
        return nil
    }

    /// The character at a position and its byte count.
    @inline(__always)
    static func scalar(in text: Bytes, at index: Int) -> (value: UInt32, count: Int) {
        let first = text[index]
        if first < 0x80 { return (UInt32(first), 1) }
        let count = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
        guard index &+ count <= text.count else { return (0xfffd, text.count &- index) }
        var value = UInt32(first) & (count == 4 ? 0x07 : count == 3 ? 0x0f : 0x1f)
        for offset in 1..<count { value = value << 6 | UInt32(text[index &+ offset]) & 0x3f }
        return (value, count)
    }

    /// Writes a character; gives its byte count.
    @inline(__always)
    static func write(_ value: UInt32, to target: UnsafeMutablePointer<UInt8>) -> Int {
        if value < 0x80 {
            target[0] = UInt8(truncatingIfNeeded: value)
            return 1
        }
        let count = value < 0x800 ? 2 : value < 0x10000 ? 3 : 4
        var rest = value
        for offset in stride(from: count - 1, to: 0, by: -1) {
            target[offset] = UInt8(truncatingIfNeeded: rest & 0x3f) | 0x80
            rest >>= 6
        }
        let mark: UInt8 = count == 2 ? 0xc0 : count == 3 ? 0xe0 : 0xf0
        target[0] = mark | UInt8(truncatingIfNeeded: rest)
        return count
    }

    /// The white space of Unicode, as the reference lists it.
    static func isWhiteSpace(_ value: UInt32) -> Bool {
        switch value {
        case 0x09...0x0d, 0x20, 0x85, 0xa0, 0x1680, 0x2000...0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000: true
        default: false
        }
    }

    /// The range without white space at its ends.
    static func trimmed(_ text: Bytes, atStart: Bool, atEnd: Bool) -> Range<Int> {
        var (start, end) = (0, text.count)
        while atStart, start < end {
            let (value, count) = scalar(in: text, at: start)
            guard isWhiteSpace(value) else { break }
            start &+= count
        }
        while atEnd, end > start {
            var last = end &- 1
            while last > start, continues(text[last]) { last &-= 1 }
            guard isWhiteSpace(scalar(in: text, at: last).value) else { break }
            end = last
        }
        return start..<end
    }
}
