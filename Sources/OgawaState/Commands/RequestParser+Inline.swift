// Requests as a line of words, as people type them over telnet.

extension RequestParser {
    mutating func inline(_ base: UnsafeMutableRawPointer, _ available: Int) -> Result {
        var end = 0
        while end < available, base.load(fromByteOffset: end, as: UInt8.self) != 10 { end += 1 }
        guard end < available else {
            return available > RequestParser.longestLine
                ? .failed("Protocol error: too big inline request") : .incomplete
        }
        guard end <= RequestParser.longestLine else { return .failed("Protocol error: too big inline request") }
        let lineEnd = end > 0 && base.load(fromByteOffset: end - 1, as: UInt8.self) == 13 ? end - 1 : end
        var index = 0
        while true {
            while index < lineEnd, isSpace(base.load(fromByteOffset: index, as: UInt8.self)) { index += 1 }
            if index >= lineEnd { break }
            guard let word = word(base, from: &index, to: lineEnd) else {
                return .failed("Protocol error: unbalanced quotes in request")
            }
            add(inlineWord: word)
        }
        return count == 0 ? .nothing(end + 1) : .request(end + 1)
    }

    private func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte >= 9 && byte <= 13 || byte == 0 }

    /// Reads a word and moves behind it; quoted parts are written without their quotes over the place where they stood.
    private func word(_ base: UnsafeMutableRawPointer, from index: inout Int, to end: Int) -> ArgumentSpan? {
        let start = index
        var target = index
        var quote: UInt8 = 0
        while index < end {
            let byte = base.load(fromByteOffset: index, as: UInt8.self)
            index += 1
            if quote == 0 {
                if isSpace(byte) { break }
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                    quote = byte
                    continue
                }
            } else if byte == quote {
                quote = 0
                // A closing quote must end the word.
                if index < end, !isSpace(base.load(fromByteOffset: index, as: UInt8.self)) { return nil }
                continue
            } else if byte == UInt8(ascii: "\\"), index < end {
                base.storeBytes(of: escaped(base, &index, end, quote), toByteOffset: target, as: UInt8.self)
                target += 1
                continue
            }
            base.storeBytes(of: byte, toByteOffset: target, as: UInt8.self)
            target += 1
        }
        return quote == 0 ? ArgumentSpan(offset: start, count: target - start) : nil
    }

    /// The byte that an escape stands for; `index` is behind the backslash.
    private func escaped(_ base: UnsafeMutableRawPointer, _ index: inout Int, _ end: Int, _ quote: UInt8) -> UInt8 {
        let byte = base.load(fromByteOffset: index, as: UInt8.self)
        if quote == UInt8(ascii: "'") {
            guard byte == quote else { return UInt8(ascii: "\\") }
            index += 1
            return byte
        }
        index += 1
        switch byte {
        case UInt8(ascii: "n"): return 10
        case UInt8(ascii: "r"): return 13
        case UInt8(ascii: "t"): return 9
        case UInt8(ascii: "b"): return 8
        case UInt8(ascii: "a"): return 7
        case UInt8(ascii: "x"):
            guard index + 1 < end, let high = hexDigit(base.load(fromByteOffset: index, as: UInt8.self)),
                let low = hexDigit(base.load(fromByteOffset: index + 1, as: UInt8.self))
            else { return byte }
            index += 2
            return high << 4 | low
        default: return byte
        }
    }

    private func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte - 48
        case 65...70: byte - 55
        case 97...102: byte - 87
        default: nil
        }
    }
}
