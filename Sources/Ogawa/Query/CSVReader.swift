import OgawaCore
import OgawaJSON

// CSV as of RFC 4180 to JSON objects, one a record, with the header's names. An empty field is null, a field that is a JSON
// number is a number, `true` and `false` are bits, everything else (also `007` and quoted fields) is text. A record with more
// or fewer fields than the header is an error that names its line.

/// Turns CSV bytes into JSON bodies.
///
/// **Isolation.** One thread; keeps a cut-off record until the next bytes come.
package final class CSVReader {
    private struct Field {
        var bytes: [UInt8] = []
        var isQuoted = false
    }

    private enum State {
        case start
        case plain
        case quoted
        case quoteInQuoted
    }

    private let path: String
    private var labels: [[UInt8]] = []
    private var fields: [Field] = []
    private var field = Field()
    private var state = State.start
    private var line = 1
    private var recordLine = 1

    /// - Parameter path: names the file in errors.
    package init(path: String) { self.path = path }

    /// The line on which each record of the last ``read(_:isLast:into:bodies:)`` began, from 1.
    package private(set) var recordLines: [Int] = []

    /// Reads bytes and appends one object per complete record.
    package func read(_ input: [UInt8], isLast: Bool, into bytes: inout [UInt8], bodies: inout [ByteSlice]) throws {
        recordLines.removeAll(keepingCapacity: true)
        for byte in input { try take(byte, into: &bytes, bodies: &bodies) }
        guard isLast else { return }
        if state == .quoted { throw error("a quoted field has no closing quote") }
        if state != .start || !fields.isEmpty { try endRecord(into: &bytes, bodies: &bodies) }
    }

    private func take(_ byte: UInt8, into bytes: inout [UInt8], bodies: inout [ByteSlice]) throws {
        if byte == UInt8(ascii: "\n") { line += 1 }
        switch (state, byte) {
        case (.quoted, UInt8(ascii: "\"")): state = .quoteInQuoted
        case (.quoted, _): field.bytes.append(byte)
        case (.quoteInQuoted, UInt8(ascii: "\"")):
            field.bytes.append(byte)
            state = .quoted
        case (.start, UInt8(ascii: "\"")):
            field.isQuoted = true
            state = .quoted
        case (_, UInt8(ascii: ",")): endField()
        case (_, UInt8(ascii: "\n")): try endRecord(into: &bytes, bodies: &bodies)
        case (_, UInt8(ascii: "\r")): break
        case (.quoteInQuoted, _): throw error("text follows a closing quote")
        default:
            field.bytes.append(byte)
            state = .plain
        }
    }

    private func endField() {
        fields.append(field)
        field = Field()
        state = .start
    }

    private func endRecord(into bytes: inout [UInt8], bodies: inout [ByteSlice]) throws {
        let isBlank = fields.isEmpty && field.bytes.isEmpty && !field.isQuoted
        endField()
        defer {
            fields.removeAll(keepingCapacity: true)
            recordLine = line
        }
        if isBlank { return }
        if labels.isEmpty {
            // A byte-order mark is no part of the first name.
            if fields[0].bytes.starts(with: [0xef, 0xbb, 0xbf]) { fields[0].bytes.removeFirst(3) }
            labels = fields.map { CSVReader.quoted($0.bytes) + [UInt8(ascii: ":")] }
            return
        }
        guard fields.count == labels.count else {
            throw error("\(fields.count) fields, but the header has \(labels.count)")
        }
        let start = bytes.count
        for (index, field) in fields.enumerated() {
            bytes.append(UInt8(ascii: index == 0 ? "{" : ","))
            bytes += labels[index]
            bytes += CSVReader.json(field)
        }
        bytes.append(UInt8(ascii: "}"))
        bodies.append(ByteSlice(start: start, count: bytes.count - start))
        recordLines.append(recordLine)
        bytes.append(UInt8(ascii: "\n"))
    }

    private func error(_ message: String) -> ProjectError {
        ProjectError(code: "malformed-input", message: "\(path):\(recordLine): \(message)")
    }

    private static func json(_ field: Field) -> [UInt8] {
        if field.isQuoted { return quoted(field.bytes) }
        if field.bytes.isEmpty { return Array("null".utf8) }
        if field.bytes == Array("true".utf8) || field.bytes == Array("false".utf8) { return field.bytes }
        return isNumber(field.bytes) ? field.bytes : quoted(field.bytes)
    }

    /// Whether the text is a number as JSON writes it.
    static func isNumber(_ text: [UInt8]) -> Bool {
        var rest = text[...]
        func digits() -> Int {
            let count = rest.prefix { (0x30...0x39).contains($0) }.count
            rest.removeFirst(count)
            return count
        }
        if rest.first == UInt8(ascii: "-") { rest.removeFirst() }
        let startsWithZero = rest.first == UInt8(ascii: "0")
        let whole = digits()
        guard whole == 1 || (whole > 1 && !startsWithZero) else { return false }
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            guard digits() > 0 else { return false }
        }
        if let mark = rest.first, mark | 0x20 == UInt8(ascii: "e") {
            rest.removeFirst()
            if let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { rest.removeFirst() }
            guard digits() > 0 else { return false }
        }
        return rest.isEmpty
    }

    private static func quoted(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = [UInt8(ascii: "\"")]
        // Invalid UTF-8 is replaced, so that the object is JSON whatever the file holds.
        for byte in String(decoding: text, as: UTF8.self).utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): result += [UInt8(ascii: "\\"), byte]
            case 0..<0x20:
                let digits = Array("0123456789abcdef".utf8)
                result += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: result.append(byte)
            }
        }
        return result + [UInt8(ascii: "\"")]
    }
}
