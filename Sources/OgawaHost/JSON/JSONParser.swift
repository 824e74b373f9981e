/// A text that is no JSON, and where.
package struct JSONSyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
    package let message: String
    package let position: Int

    package var description: String { "\(message) at byte \(position)" }
}

extension JSONValue {
    /// Reads one JSON text.
    ///
    /// **Shape.** Nesting of at most 200; whole numbers beyond 64 bits become floating-point numbers. With `relaxed`, comments and
    /// commas before a closing bracket pass, as people write them in local.settings.json.
    package init(parsing text: some Sequence<UInt8>, relaxed: Bool = false) throws(JSONSyntaxError) {
        var parser = JSONParser(bytes: Array(text), isRelaxed: relaxed)
        try parser.skipSpace()
        self = try parser.value(depth: 0)
        try parser.skipSpace()
        if parser.position < parser.bytes.count { throw parser.error("more text after the value") }
    }
}

/// A recursive reader with a bound on depth; every read checks the end.
private struct JSONParser {
    let bytes: [UInt8]
    let isRelaxed: Bool
    var position = 0

    init(bytes: [UInt8], isRelaxed: Bool) {
        // Files from Windows may begin with a byte order mark.
        self.bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
        self.isRelaxed = isRelaxed
    }

    func error(_ message: String) -> JSONSyntaxError { JSONSyntaxError(message: message, position: position) }

    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func skipSpace() throws(JSONSyntaxError) {
        while let byte = next {
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            case UInt8(ascii: "/") where isRelaxed: try skipComment()
            default: return
            }
        }
    }

    private mutating func skipComment() throws(JSONSyntaxError) {
        let rest = bytes[position...]
        if rest.starts(with: "//".utf8) {
            position = rest.firstIndex(of: 0x0A) ?? bytes.count
        } else if rest.starts(with: "/*".utf8) {
            position += 2
            while position < bytes.count, !bytes[position...].starts(with: "*/".utf8) { position += 1 }
            position = min(bytes.count, position + 2)
        } else {
            throw error("'/' begins no value")
        }
    }

    mutating func value(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        guard depth < 200 else { throw error("nested deeper than 200") }
        guard let byte = next else { throw error("the text ends where a value is expected") }
        switch byte {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .text(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(JSONSyntaxError) -> JSONValue {
        guard bytes[position...].starts(with: word.utf8) else { throw error("no JSON value") }
        position += word.utf8.count
        return value
    }

    private mutating func array(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        position += 1
        var elements: [JSONValue] = []
        try skipSpace()
        while next != UInt8(ascii: "]") {
            elements.append(try value(depth: depth + 1))
            try skipSpace()
            if next == UInt8(ascii: ",") {
                position += 1
                try skipSpace()
                if next == UInt8(ascii: "]"), !isRelaxed { throw error("a comma before ']'") }
            } else if next != UInt8(ascii: "]") {
                throw error("expected ',' or ']'")
            }
        }
        position += 1
        return .array(elements)
    }

    private mutating func object(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        position += 1
        var members: [JSONValue.Member] = []
        try skipSpace()
        while next != UInt8(ascii: "}") {
            guard next == UInt8(ascii: "\"") else { throw error("expected a name in quotes or '}'") }
            let name = try string()
            try skipSpace()
            guard next == UInt8(ascii: ":") else { throw error("expected ':'") }
            position += 1
            try skipSpace()
            members.append(JSONValue.Member(name, try value(depth: depth + 1)))
            try skipSpace()
            if next == UInt8(ascii: ",") {
                position += 1
                try skipSpace()
                if next == UInt8(ascii: "}"), !isRelaxed { throw error("a comma before '}'") }
            } else if next != UInt8(ascii: "}") {
                throw error("expected ',' or '}'")
            }
        }
        position += 1
        return .object(members)
    }

    private mutating func number() throws(JSONSyntaxError) -> JSONValue {
        let start = position
        while let byte = next, JSONParser.isNumberByte(byte) { position += 1 }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        let digits = text.drop { $0 == "-" }
        let isWellFormed =
            digits.first.map { $0.isASCII && $0.isNumber } == true && text.last.map { $0.isNumber } == true
            && !(digits.first == "0" && digits.dropFirst().first.map { $0.isNumber } == true) && !text.hasPrefix("--")
        if isWellFormed {
            if let whole = Int64(text) { return .integer(whole) }
            if let double = Double(text), double.isFinite { return .number(double) }
        }
        position = start
        throw error("no JSON value")
    }

    private static func isNumberByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
            UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }

    private mutating func string() throws(JSONSyntaxError) -> String {
        position += 1
        let start = position
        while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") { position += 1 }
        if next == UInt8(ascii: "\"") {
            position += 1
            return String(decoding: bytes[start..<position - 1], as: UTF8.self)
        }
        var text = Array(bytes[start..<position])
        while let byte = next {
            position += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
            if byte != UInt8(ascii: "\\") {
                text.append(byte)
            } else {
                try appendEscape(to: &text)
            }
        }
        throw error("the text ends inside a string")
    }

    private mutating func appendEscape(to text: inout [UInt8]) throws(JSONSyntaxError) {
        guard let byte = next else { throw error("the text ends inside a string") }
        position += 1
        switch byte {
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if code & 0xFC00 == 0xD800, bytes[position...].starts(with: "\\u".utf8) {
                let mark = position
                position += 2
                let low = try hexadecimal()
                if low & 0xFC00 == 0xDC00 {
                    code = 0x10000 + (code & 0x3FF) << 10 + low & 0x3FF
                } else {
                    position = mark
                }
            }
            text.append(contentsOf: String(Unicode.Scalar(code) ?? "\u{FFFD}").utf8)
        default: throw error("'\\' before a character that needs none")
        }
    }

    private mutating func hexadecimal() throws(JSONSyntaxError) -> UInt32 {
        guard position + 4 <= bytes.count,
            let code = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
        else { throw error("expected four hexadecimal digits") }
        position += 4
        return code
    }
}
