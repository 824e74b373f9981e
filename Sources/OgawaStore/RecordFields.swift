import OgawaCore

// Splits the top level of a JSON object into its fields, for `SELECT *`.
//
// Nested values stay JSON text and are not looked into beyond finding their end. The engine hands over checked JSON;
// still, any bytes give either fields or nil, and nothing is read past the end. Of fields with the same name the first counts.

/// One field of a record: the bytes of its name, and its value in a column's form.
struct RecordField {
    var name: String
    var tag: ValueTag
    var bits: UInt64
}

/// Reads the fields of JSON objects into a heap.
struct RecordSplitter {
    private let bytes: UnsafeBufferPointer<UInt8>
    private let heap: TextHeap
    private var index = 0

    /// - Parameter heap: where text values go; never the one that the record's own bytes lie in, since it may move.
    init(_ bytes: UnsafeBufferPointer<UInt8>, into heap: TextHeap) {
        self.bytes = bytes
        self.heap = heap
    }

    /// Calls with each field; false where the bytes are not one JSON object.
    mutating func fields(_ body: (RecordField) -> Void) -> Bool {
        skipBlanks()
        guard eat(UInt8(ascii: "{")) else { return false }
        skipBlanks()
        if eat(UInt8(ascii: "}")) { return isAtEnd() }
        while true {
            skipBlanks()
            guard let name = string() else { return false }
            skipBlanks()
            guard eat(UInt8(ascii: ":")) else { return false }
            skipBlanks()
            guard let (tag, bits) = value() else { return false }
            body(RecordField(name: name.string, tag: tag, bits: bits))
            skipBlanks()
            if eat(UInt8(ascii: ",")) { continue }
            return eat(UInt8(ascii: "}")) && isAtEnd()
        }
    }

    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func eat(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        index += 1
        return true
    }

    private mutating func skipBlanks() {
        while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { index += 1 }
    }

    private mutating func isAtEnd() -> Bool {
        skipBlanks()
        return index == bytes.count
    }

    private mutating func value() -> (ValueTag, UInt64)? {
        guard let first = next else { return nil }
        switch first {
        case UInt8(ascii: "\""):
            guard let text = string() else { return nil }
            return (.text, text.withBytes(append))
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            let start = index
            guard skipNested() else { return nil }
            let slice = UnsafeBufferPointer(rebasing: bytes[start..<index])
            return (first == UInt8(ascii: "{") ? .record : .array, append(slice))
        case UInt8(ascii: "t"): return word("true") ? (.bit, 1) : nil
        case UInt8(ascii: "f"): return word("false") ? (.bit, 0) : nil
        case UInt8(ascii: "n"): return word("null") ? (.null, 0) : nil
        default: return number()
        }
    }

    private func append(_ text: UnsafeBufferPointer<UInt8>) -> UInt64 {
        guard let base = text.baseAddress else { return TextHeap.pack(start: heap.count, count: 0) }
        return heap.append(base, count: text.count)
    }

    private mutating func word(_ word: StaticString) -> Bool {
        for position in 0..<word.utf8CodeUnitCount {
            guard eat(word.utf8Start[position]) else { return false }
        }
        return true
    }

    private mutating func number() -> (ValueTag, UInt64)? {
        let start = index
        var isWhole = true
        while let byte = next {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): break
            case UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"): isWhole = false
            default: return finishNumber(start, isWhole)
            }
            index += 1
        }
        return finishNumber(start, isWhole)
    }

    private func finishNumber(_ start: Int, _ isWhole: Bool) -> (ValueTag, UInt64)? {
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if isWhole, let number = Int64(text) { return (.bigint, UInt64(bitPattern: number)) }
        guard let number = Double(text) else { return nil }
        return (.float, number.bitPattern)
    }

    /// Passes an object or array, minding strings; brackets are counted, so depth costs no stack.
    private mutating func skipNested() -> Bool {
        var depth = 0
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                guard skipString() else { return false }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
            index += 1
            if depth == 0 { return true }
        }
        return false
    }

    private mutating func skipString() -> Bool {
        index += 1
        while let byte = next {
            index += 1
            if byte == UInt8(ascii: "\"") { return true }
            if byte == UInt8(ascii: "\\") { index += 1 }
        }
        return false
    }

    /// The text between quotes.
    private mutating func string() -> JSONText? {
        guard next == UInt8(ascii: "\"") else { return nil }
        let start = index + 1
        guard skipString(), index <= bytes.count else { return nil }
        let raw = bytes[start..<index - 1]
        if !raw.contains(UInt8(ascii: "\\")) { return .plain(UnsafeBufferPointer(rebasing: raw)) }
        return unescaped(raw).map(JSONText.decoded)
    }
}

/// A JSON string's content: in place where it has no escapes, else decoded.
private enum JSONText {
    case plain(UnsafeBufferPointer<UInt8>)
    case decoded([UInt8])

    var string: String { withBytes { String(decoding: $0, as: UTF8.self) } }

    func withBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        switch self {
        case .plain(let bytes): body(bytes)
        case .decoded(let bytes): bytes.withUnsafeBufferPointer(body)
        }
    }
}

/// A JSON string's content with its escapes decoded; a lone surrogate becomes U+FFFD.
private func unescaped(_ raw: Slice<UnsafeBufferPointer<UInt8>>) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(raw.count)
    var index = raw.startIndex
    while index < raw.endIndex {
        let byte = raw[index]
        index += 1
        guard byte == UInt8(ascii: "\\") else {
            result.append(byte)
            continue
        }
        guard index < raw.endIndex else { return nil }
        let escape = raw[index]
        index += 1
        switch escape {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(escape)
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "f"): result.append(0x0c)
        case UInt8(ascii: "n"): result.append(0x0a)
        case UInt8(ascii: "r"): result.append(0x0d)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "u"):
            guard let scalar = unicodeEscape(raw, &index) else { return nil }
            result.append(contentsOf: String(Character(scalar)).utf8)
        default: return nil
        }
    }
    return result
}

/// The character of the 4 hexadecimal digits at `index`, joined with a second escape where the two are a pair.
private func unicodeEscape(_ raw: Slice<UnsafeBufferPointer<UInt8>>, _ index: inout Int) -> Unicode.Scalar? {
    guard let first = hexadecimal(raw, index) else { return nil }
    index += 4
    if let scalar = Unicode.Scalar(first) { return scalar }
    let isHigh = first < 0xdc00
    guard isHigh, index + 6 <= raw.endIndex, raw[index] == UInt8(ascii: "\\"), raw[index + 1] == UInt8(ascii: "u"),
        let second = hexadecimal(raw, index + 2), (0xdc00...0xdfff).contains(second)
    else { return "\u{fffd}" }
    index += 6
    return Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)) ?? "\u{fffd}"
}

private func hexadecimal(_ raw: Slice<UnsafeBufferPointer<UInt8>>, _ start: Int) -> UInt32? {
    guard start + 4 <= raw.endIndex else { return nil }
    var value: UInt32 = 0
    for position in start..<start + 4 {
        guard let digit = Character(Unicode.Scalar(raw[position])).hexDigitValue, raw[position] < 0x80 else {
            return nil
        }
        value = value << 4 | UInt32(digit)
    }
    return value
}
