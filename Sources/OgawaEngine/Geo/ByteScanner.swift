import OgawaCore

/// Walks over the bytes of a text.
struct ByteScanner {
    private let bytes: UnsafeBufferPointer<UInt8>
    var position = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    var isAtEnd: Bool { position >= bytes.count }

    /// The next byte; 0 at the end.
    @inline(__always)
    var current: UInt8 { position < bytes.count ? bytes[position] : 0 }

    @inline(__always)
    mutating func skipBlanks() {
        while position < bytes.count, bytes[position] == 0x20 || (0x09...0x0d).contains(bytes[position]) {
            position += 1
        }
    }

    /// Passes over one sign, with blanks before it.
    @inline(__always)
    mutating func eat(_ sign: Unicode.Scalar) -> Bool {
        skipBlanks()
        guard position < bytes.count, UInt32(bytes[position]) == sign.value else { return false }
        position += 1
        return true
    }

    func failure(_ format: String, _ expected: String) -> ScalarFailure {
        let found = isAtEnd ? "the end" : "'\(text((position, min(bytes.count, position + 12))))'"
        return ScalarFailure(
            message: "the \(format) is damaged at character \(position + 1): expected \(expected), found \(found)")
    }

    func text(_ range: (start: Int, end: Int)) -> String {
        String(decoding: bytes[range.start..<range.end], as: UTF8.self)
    }

    func matches(_ range: (start: Int, end: Int), _ word: StaticString, ignoringCase: Bool = false) -> Bool {
        guard range.end - range.start == word.utf8CodeUnitCount else { return false }
        return matches(range, count: word.utf8CodeUnitCount, ignoringCase) { word.utf8Start[$0] }
    }

    func matches(_ range: (start: Int, end: Int), _ word: String, ignoringCase: Bool = false) -> Bool {
        var word = word
        return word.withUTF8 { utf8 in
            guard range.end - range.start == utf8.count else { return false }
            return matches(range, count: utf8.count, ignoringCase) { utf8[$0] }
        }
    }

    private func matches(
        _ range: (start: Int, end: Int), count: Int, _ ignoringCase: Bool, _ wanted: (Int) -> UInt8
    ) -> Bool {
        for index in 0..<count {
            var byte = bytes[range.start + index]
            if ignoringCase, (0x61...0x7a).contains(byte) { byte -= 0x20 }
            if byte != wanted(index) { return false }
        }
        return true
    }

    /// The letters that follow.
    mutating func word() -> (start: Int, end: Int) {
        let start = position
        while position < bytes.count, (0x41...0x5a).contains(bytes[position] & 0xdf) { position += 1 }
        return (start, position)
    }

    // MARK: JSON

    /// Passes over a string and gives what lies between its quotes, with escapes as they are.
    mutating func string() throws(ScalarFailure) -> (start: Int, end: Int) {
        let start = position + 1
        position = start
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
            position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard position < bytes.count else { throw failure("GeoJSON", "'\"'") }
        position += 1
        return (start, position - 1)
    }

    /// Passes over any value.
    mutating func skipValue() throws(ScalarFailure) {
        skipBlanks()
        var depth = 0
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                _ = try string()
                if depth == 0 { return }
                continue
            case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                if depth == 0 { return }
                depth -= 1
                if depth == 0 {
                    position += 1
                    return
                }
            case UInt8(ascii: ","): if depth == 0 { return }
            default: break
            }
            position += 1
        }
    }

    // MARK: Numbers

    private static let powers: [Double] = {
        var powers = [1.0]
        for _ in 0..<22 { powers.append((powers.last ?? 1) * 10) }
        return powers
    }()

    /// A decimal number with blanks before it; nil where none follows.
    mutating func number() -> Double? {
        skipBlanks()
        let start = position
        var isNegative = false
        if current == UInt8(ascii: "-") || current == UInt8(ascii: "+") {
            isNegative = current == UInt8(ascii: "-")
            position += 1
        }
        var mantissa: UInt64 = 0
        var digits = 0
        var exponent = 0
        var isFraction = false
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "."), !isFraction {
                isFraction = true
            } else if (0x30...0x39).contains(byte) {
                if digits < 19 { mantissa = mantissa * 10 + UInt64(byte - 0x30) }
                if mantissa > 0 || digits > 0 { digits += 1 }
                if isFraction { exponent -= 1 }
            } else {
                break
            }
            position += 1
        }
        guard position > start, (0x30...0x39).contains(bytes[position - 1]) || bytes[position - 1] == UInt8(ascii: ".")
        else {
            position = start
            return nil
        }
        if current | 0x20 == UInt8(ascii: "e") { return slowNumber(from: start) }
        guard digits <= 19, mantissa <= 1 << 53, exponent >= -22 else { return slowNumber(from: start) }
        let value = Double(mantissa) / ByteScanner.powers[-exponent]
        return isNegative ? -value : value
    }

    private mutating func slowNumber(from start: Int) -> Double? {
        while position < bytes.count {
            let byte = bytes[position]
            guard (0x30...0x39).contains(byte) || [0x2b, 0x2d, 0x2e, 0x45, 0x65].contains(byte) else { break }
            position += 1
        }
        guard let value = Double(text((start, position))) else {
            position = start
            return nil
        }
        return value
    }
}
