import OgawaCore

extension JSONValue {
    /// Reads one JSON value; blanks around it are allowed, anything else is not.
    ///
    /// **Shape.** Integers that fit 64 bits stay exact, other numbers are floats. At most 200 levels deep.
    package static func parse(_ text: String) throws(JSONError) -> JSONValue {
        var parser = JSONParser(text)
        let value = try parser.value(depth: 0)
        try parser.end()
        return value
    }

    /// Reads one JSON object and tells where each of its names stands.
    package static func parseObject(_ text: String) throws(JSONError) -> [(member: JSONMember, range: SourceRange)] {
        var parser = JSONParser(text)
        let members = try parser.object(depth: 0)
        try parser.end()
        return members
    }
}

/// A recursive-descent reader over bytes; every look ahead of the end gives nil.
private struct JSONParser {
    private static let maximumDepth = 200
    private let bytes: [UInt8]
    private var index = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    private func failure(_ message: String) -> JSONError { JSONError(message: message, position: index) }

    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skipBlanks() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { index += 1 }
    }

    private mutating func eat(_ character: Unicode.Scalar) -> Bool {
        guard let byte = next, UInt32(byte) == character.value else { return false }
        index += 1
        return true
    }

    mutating func end() throws(JSONError) {
        skipBlanks()
        if index < bytes.count { throw failure("unexpected text behind the value") }
    }

    mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        guard depth < JSONParser.maximumDepth else {
            throw failure("nested deeper than \(JSONParser.maximumDepth) levels")
        }
        skipBlanks()
        switch next {
        case UInt8(ascii: "{"): return .object(try object(depth: depth).map(\.member))
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case nil: throw failure("the text ends where a value should be")
        default: return try number()
        }
    }

    private mutating func word(_ text: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
        guard bytes[index...].starts(with: text.utf8) else { throw failure("expected a value") }
        index += text.utf8.count
        return value
    }

    mutating func object(depth: Int) throws(JSONError) -> [(member: JSONMember, range: SourceRange)] {
        skipBlanks()
        guard eat("{") else { throw failure("expected an object") }
        var members: [(member: JSONMember, range: SourceRange)] = []
        skipBlanks()
        if eat("}") { return members }
        while true {
            skipBlanks()
            let start = index
            guard next == UInt8(ascii: "\"") else { throw failure("expected a name in quotes") }
            let name = try string()
            let range = SourceRange(start, index)
            skipBlanks()
            guard eat(":") else { throw failure("expected ':' behind the name \"\(name.prefix(40))\"") }
            members.append((JSONMember(name, try value(depth: depth + 1)), range))
            skipBlanks()
            if eat("}") { return members }
            guard eat(",") else { throw failure("expected ',' or '}' behind the value of \"\(name.prefix(40))\"") }
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        index += 1
        var elements: [JSONValue] = []
        skipBlanks()
        if eat("]") { return .array(elements) }
        while true {
            elements.append(try value(depth: depth + 1))
            skipBlanks()
            if eat("]") { return .array(elements) }
            guard eat(",") else { throw failure("expected ',' or ']' behind an element") }
        }
    }

    private mutating func digits() -> Bool {
        let start = index
        while let byte = next, byte >= 0x30, byte <= 0x39 { index += 1 }
        return index > start
    }

    private mutating func number() throws(JSONError) -> JSONValue {
        let start = index
        _ = eat("-")
        let isZero = next == 0x30
        let first = index
        guard digits(), !isZero || index == first + 1 else {
            index = start
            throw failure("expected a value")
        }
        var isWhole = true
        if eat(".") {
            isWhole = false
            guard digits() else { throw failure("expected a digit behind the point") }
        }
        if eat("e") || eat("E") {
            isWhole = false
            if !eat("+") { _ = eat("-") }
            guard digits() else { throw failure("expected a digit in the exponent") }
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if isWhole, let number = Int64(text) { return .integer(number) }
        guard let number = Double(text), number.isFinite else { throw failure("the number \(text) is out of range") }
        return .float(number)
    }

    private mutating func string() throws(JSONError) -> String {
        index += 1
        var result: [UInt8] = []
        while let byte = next {
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: result, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &result)
            case 0..<0x20: throw failure("a control character in a text must be written as an escape")
            default: result.append(byte)
            }
        }
        throw failure("the text ends inside a string")
    }

    private mutating func escape(into result: inout [UInt8]) throws(JSONError) {
        guard let byte = next else { throw failure("the text ends inside a string") }
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(byte)
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "f"): result.append(0x0c)
        case UInt8(ascii: "n"): result.append(0x0a)
        case UInt8(ascii: "r"): result.append(0x0d)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "u"):
            var code = try codeUnit()
            if code & 0xfc00 == 0xd800, bytes[index...].starts(with: [0x5c, 0x75]) {
                let resume = index
                index += 2
                let low = try codeUnit()
                if low & 0xfc00 == 0xdc00 {
                    code = 0x10000 + (code & 0x3ff) << 10 + (low & 0x3ff)
                } else {
                    index = resume
                }
            }
            // Half a surrogate pair stands for no character.
            let scalar = Unicode.Scalar(code) ?? "\u{fffd}"
            result.append(contentsOf: Array(String(Character(scalar)).utf8))
        default: throw failure("unknown escape in a text")
        }
    }

    private mutating func codeUnit() throws(JSONError) -> UInt32 {
        let text = String(decoding: bytes[index...].prefix(4), as: UTF8.self)
        guard text.utf8.count == 4, text.allSatisfy(\.isHexDigit), let code = UInt32(text, radix: 16) else {
            throw failure("expected 4 hexadecimal digits behind \\u")
        }
        index += 4
        return code
    }
}
