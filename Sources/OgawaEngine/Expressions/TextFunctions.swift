import OgawaCore

// Characters are Unicode scalars. CONCAT takes NULL as ''; LEN does not count trailing blanks; LEFT and RIGHT of more than the text
// are the whole text; SUBSTRING with a start below 1 gives start + length - 1 characters; REPLACE of '' changes
// nothing; TRIM, LTRIM, RTRIM cut every Unicode white space.

enum TextFunctions {
    static let table: [String: ScalarFunction] = [
        "LOWER": text { $0.lowercased() },
        "UPPER": text { $0.uppercased() },
        "TRIM": text { trimmed($0, atStart: true, atEnd: true) },
        "LTRIM": text { trimmed($0, atStart: true, atEnd: false) },
        "RTRIM": text { trimmed($0, atStart: false, atEnd: true) },
        "LEN": length,
        "CONCAT": concat,
        "LEFT": { values in try side(values) { String(String.UnicodeScalarView($0.prefix($1))) } },
        "RIGHT": { values in try side(values) { String(String.UnicodeScalarView($0.suffix($1))) } },
        "SUBSTRING": substring,
        "REPLACE": replace,
    ]

    private static func text(_ function: @escaping @Sendable (String) -> String) -> ScalarFunction {
        { values in
            values[0] == .null ? .null : .text(function(try values[0].string("the argument")))
        }
    }

    private static func trimmed(_ text: String, atStart: Bool, atEnd: Bool) -> String {
        var scalars = text.unicodeScalars[...]
        while atStart, let first = scalars.first, first.properties.isWhitespace { scalars.removeFirst() }
        while atEnd, let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
        return String(String.UnicodeScalarView(scalars))
    }

    private static func length(_ values: [Value]) throws -> Value {
        if values[0] == .null { return .null }
        var scalars = try values[0].string("the argument").unicodeScalars[...]
        while scalars.last == " " { scalars.removeLast() }
        return .bigint(Int64(scalars.count))
    }

    private static func concat(_ values: [Value]) throws -> Value {
        var all = ""
        for value in values where value != .null { all += try value.string("an argument") }
        return .text(all)
    }

    private static func side(
        _ values: [Value], _ part: (String.UnicodeScalarView, Int) -> String
    ) throws -> Value {
        if values.contains(.null) { return .null }
        let count = try values[1].integer("the length")
        if count < 0 { throw ScalarFailure(message: "the length must not be negative, found \(count)") }
        return .text(part(try values[0].string("the argument").unicodeScalars, Int(clamping: count)))
    }

    private static func substring(_ values: [Value]) throws -> Value {
        if values.contains(.null) { return .null }
        let start = try values[1].integer("the start")
        let count = try values[2].integer("the length")
        if count < 0 { throw ScalarFailure(message: "the length must not be negative, found \(count)") }
        // The characters at positions start ..< start + length, of which those below 1 do not exist.
        let (end, overflow) = start.addingReportingOverflow(count)
        let first = max(start, 1)
        let last = overflow ? Int64.max : end
        guard last > first else { return .text("") }
        let scalars = try values[0].string("the argument").unicodeScalars.dropFirst(Int(clamping: first - 1))
        return .text(String(String.UnicodeScalarView(scalars.prefix(Int(clamping: last - first)))))
    }

    private static func replace(_ values: [Value]) throws -> Value {
        if values.contains(.null) { return .null }
        let text = Array(try values[0].string("the text").utf8)
        let pattern = Array(try values[1].string("the pattern").utf8)
        let replacement = Array(try values[2].string("the replacement").utf8)
        if pattern.isEmpty { return .text(String(decoding: text, as: UTF8.self)) }
        var result: [UInt8] = []
        var index = 0
        while index < text.count {
            if text[index] == pattern[0], text[index...].starts(with: pattern) {
                result += replacement
                index += pattern.count
            } else {
                result.append(text[index])
                index += 1
            }
        }
        return .text(String(decoding: result, as: UTF8.self))
    }
}
