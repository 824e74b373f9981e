import OgawaCore
import OgawaJSON

// Records and arrays. An element or member that does not exist is NULL; an argument of another type than the function wants fails.

enum RecordFunctions {
    static let table: [String: ScalarKernel] = [
        "GETARRAYELEMENT": element, "GETARRAYLENGTH": length, "GETRECORDPROPERTYVALUE": property,
        "JSON_PARSE": parse,
    ]

    private static func container(_ arguments: ScalarArguments, _ wanted: ValueTag) throws -> UInt64 {
        guard arguments.tag(0) == wanted else {
            throw ScalarFailure(
                message:
                    "the first argument must be \(wanted == .array ? "an array" : "a record"), found \(arguments.describe(0))"
            )
        }
        return arguments.bits(0)
    }

    private static func element(_ arguments: ScalarArguments) throws -> Cell {
        if arguments.hasNull { return .null }
        let packed = try container(arguments, .array)
        let wanted = try arguments.integer(1, "the index")
        if wanted < 0 { return .null }
        var cursor = JSONCursor(arguments.bytes(packed))
        var index: Int64 = 0
        while let element = cursor.nextElement() {
            if index == wanted { return try arguments.heap.value(ofJSON: packed, element) }
            index += 1
        }
        return .null
    }

    private static func length(_ arguments: ScalarArguments) throws -> Cell {
        if arguments.hasNull { return .null }
        var cursor = JSONCursor(arguments.bytes(try container(arguments, .array)))
        var count = 0
        while cursor.nextElement() != nil { count += 1 }
        return .bigint(count)
    }

    private static func property(_ arguments: ScalarArguments) throws -> Cell {
        if arguments.hasNull { return .null }
        let packed = try container(arguments, .record)
        let name = try arguments.text(1, "the property's name")
        guard let range = JSONCursor.member(arguments.bytes(name), of: arguments.bytes(packed)) else { return .null }
        return try arguments.heap.value(ofJSON: packed, range)
    }

    /// NULL for everything that is not the text of a JSON object.
    private static func parse(_ arguments: ScalarArguments) -> Cell {
        guard arguments.tag(0) == .text else { return .null }
        let packed = arguments.bits(0)
        let text = arguments.bytes(packed)
        guard JSONCursor.isValid(text, startingWith: "{") else { return .null }
        var (start, end) = (0, text.count)
        while text[start] != UInt8(ascii: "{") { start += 1 }
        while text[end - 1] != UInt8(ascii: "}") { end -= 1 }
        return Cell(tag: .record, bits: ScalarArguments.slice(packed, from: start, to: end).bits)
    }
}

extension TextHeap {
    /// The value that a part of a JSON text in this heap spells.
    func value(ofJSON packed: UInt64, _ range: Range<Int>) throws -> Cell {
        let bytes = bytes(packed)
        let part = UnsafeBufferPointer(rebasing: bytes[range])
        let slice = ScalarArguments.slice(packed, from: range.lowerBound, to: range.upperBound).bits
        switch part.first {
        case UInt8(ascii: "{"): return Cell(tag: .record, bits: slice)
        case UInt8(ascii: "["): return Cell(tag: .array, bits: slice)
        case UInt8(ascii: "t"): return Cell(tag: .bit, bits: 1)
        case UInt8(ascii: "f"): return Cell(tag: .bit, bits: 0)
        case UInt8(ascii: "n"), nil: return .null
        case UInt8(ascii: "\""):
            let inner = range.lowerBound + 1..<range.upperBound - 1
            guard part.contains(UInt8(ascii: "\\")) else {
                return ScalarArguments.slice(packed, from: inner.lowerBound, to: inner.upperBound)
            }
            let text = JSONCursor.unescaped(bytes, inner)
            return .text(text.withUnsafeBufferPointer { $0.baseAddress.map { append($0, count: text.count) } ?? 0 })
        default:
            return try number(part)
        }
    }

    /// As bodies are read: without a fraction and an exponent it is a bigint.
    private func number(_ text: UnsafeBufferPointer<UInt8>) throws -> Cell {
        let isFloat = text.contains { $0 == UInt8(ascii: ".") || $0 | 0x20 == UInt8(ascii: "e") }
        if !isFloat, let number = parseInteger(text) { return .bigint(number) }
        if isFloat, let number = parseNumber(text) { return .float(number) }
        throw ScalarFailure(message: "the number \(String(decoding: text.prefix(40), as: UTF8.self)) is out of range")
    }
}
