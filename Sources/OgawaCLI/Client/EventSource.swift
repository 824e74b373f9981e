// Events for `ogawa send`: lines of NDJSON, rows of CSV, or one JSON array, from a file or from standard input.

import Ogawa
import OgawaPlatform

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Reads events as JSON object texts, as many as are there now.
struct EventSource {
    enum Format: String, CaseIterable {
        case ndjson
        case csv
        case json
    }

    /// One event and the line of the source that it began on.
    struct Event {
        var json: String
        var line: Int
    }

    let name: String
    /// Bytes read from the file so far, before unpacking.
    private(set) var readByteCount: Int64 = 0
    /// The file's size; nil for standard input.
    let byteCount: Int64?

    private let descriptor: Int32
    private var gzip: GzipReader?
    private var format: Format?
    private var csv = CSVReader()
    private var pending: [UInt8] = []
    private var line = 0
    private var isAtEnd = false

    /// - Parameter path: nil or `-` for standard input.
    init(path: String?, format: Format?) throws {
        self.format = format
        guard let path, path != "-" else {
            name = "standard input"
            descriptor = 0
            byteCount = nil
            return
        }
        name = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw CommandFailure("can't read \(path): \(String(cString: strerror(errno)))") }
        var status = stat()
        byteCount = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG ? Int64(status.st_size) : nil
        var plain = path
        if path.hasSuffix(".gz") {
            let file = descriptor
            gzip = try GzipReader { try readSome(file, path, $0) }
            plain = String(path.dropLast(3))
        }
        if self.format == nil { self.format = Format.allCases.first { plain.hasSuffix(".\($0.rawValue)") } }
    }

    func close() { if descriptor > 0 { closeDescriptor(descriptor) } }

    /// The next events; empty only at the end.
    mutating func next() throws -> [Event] {
        while !isAtEnd {
            let bytes = try readBytes()
            if bytes.isEmpty { isAtEnd = true }
            pending += bytes
            if format == nil { format = guess() }
            if format == nil, !isAtEnd { continue }
            let events = try take()
            if !events.isEmpty { return events }
        }
        return []
    }

    private mutating func readBytes() throws -> [UInt8] {
        if let gzip {
            do {
                let bytes = try gzip.read(maxByteCount: 65_536)
                readByteCount = Int64(lseek(descriptor, 0, SEEK_CUR))
                return bytes
            } catch {
                throw CommandFailure("can't unpack \(name): \(error)")
            }
        }
        let bytes = try readSome(descriptor, name, 65_536)
        readByteCount += Int64(bytes.count)
        return bytes
    }

    /// JSON begins with a brace or a bracket, CSV with anything else.
    private func guess() -> Format? {
        guard let first = pending.first(where: { $0 > 0x20 && $0 != 0xef && $0 != 0xbb && $0 != 0xbf }) else {
            return nil
        }
        return first == UInt8(ascii: "{") ? .ndjson : first == UInt8(ascii: "[") ? .json : .csv
    }

    private mutating func take() throws -> [Event] {
        if line == 0, pending.starts(with: [0xef, 0xbb, 0xbf]) { pending.removeFirst(3) }
        switch format {
        case .csv: return try takeRows()
        case .json: return try takeArray()
        case .ndjson, nil: return takeLines()
        }
    }

    private mutating func takeLines() -> [Event] {
        var events: [Event] = []
        var start = 0
        while let end = pending[start...].firstIndex(of: UInt8(ascii: "\n"))
            ?? (isAtEnd && start < pending.count ? pending.count : nil)
        {
            line += 1
            let text = pending[start..<end].drop { $0 <= 0x20 }
            if !text.isEmpty {
                var body = String(decoding: text, as: UTF8.self)
                while body.hasSuffix("\r") || body.hasSuffix(" ") { body.removeLast() }
                events.append(Event(json: body, line: line))
            }
            start = min(end + 1, pending.count)
        }
        pending.removeSubrange(..<start)
        return events
    }

    private mutating func takeArray() throws -> [Event] {
        guard isAtEnd else { return [] }
        defer { pending = [] }
        do {
            switch try JSONValue.parse(String(decoding: pending, as: UTF8.self)) {
            case .array(let elements): return elements.map { Event(json: $0.text, line: 1) }
            case let value: return [Event(json: value.text, line: 1)]
            }
        } catch {
            throw CommandFailure(
                "\(name) is not JSON: \(error)", hint: "events as lines of their own need no array: --format ndjson")
        }
    }

    private mutating func takeRows() throws -> [Event] {
        var events: [Event] = []
        while let record = csv.next(&pending, isAtEnd: isAtEnd) {
            let first = line + 1
            line += record.lineCount
            if record.fields.count == 1, record.fields[0].text.isEmpty { continue }
            guard let header = csv.header else {
                csv.header = record.fields.map(\.text)
                continue
            }
            guard record.fields.count == header.count else {
                throw CommandFailure(
                    "\(name), line \(first): \(record.fields.count) fields, but the header has \(header.count)",
                    hint: "put a field with commas or line ends in double quotes")
            }
            let members = zip(header, record.fields).map { JSONMember($0, CSVReader.value($1)) }
            events.append(Event(json: JSONValue.object(members).text, line: first))
        }
        return events
    }
}

/// Cuts records out of CSV bytes (RFC 4180).
struct CSVReader {
    struct Field {
        var text: String
        var isQuoted: Bool
    }

    var header: [String]?

    /// Removes the first whole record from the bytes; nil where its end has not come.
    func next(_ bytes: inout [UInt8], isAtEnd: Bool) -> (fields: [Field], lineCount: Int)? {
        guard !bytes.isEmpty else { return nil }
        var fields: [Field] = []
        var field: [UInt8] = []
        var isQuoted = false
        var wasQuoted = false
        var lineCount = 1
        func endField() {
            fields.append(Field(text: String(decoding: field, as: UTF8.self), isQuoted: wasQuoted))
            field = []
            wasQuoted = false
        }
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            if isQuoted {
                if byte == UInt8(ascii: "\n") { lineCount += 1 }
                if byte != UInt8(ascii: "\"") {
                    field.append(byte)
                } else if index < bytes.count, bytes[index] == UInt8(ascii: "\"") {
                    field.append(byte)
                    index += 1
                } else {
                    isQuoted = false
                }
            } else if byte == UInt8(ascii: "\""), field.isEmpty, !wasQuoted {
                isQuoted = true
                wasQuoted = true
            } else if byte == UInt8(ascii: ",") {
                endField()
            } else if byte == UInt8(ascii: "\n") {
                if field.last == UInt8(ascii: "\r") { field.removeLast() }
                endField()
                bytes.removeSubrange(..<index)
                return (fields, lineCount)
            } else {
                field.append(byte)
            }
        }
        guard isAtEnd else { return nil }
        bytes = []
        endField()
        return (fields, lineCount)
    }

    /// A number or truth value as such, nothing as null, everything else, also in quotes, as text.
    static func value(_ field: Field) -> JSONValue {
        if field.isQuoted { return .string(field.text) }
        switch field.text {
        case "": return .null
        case "true": return .bool(true)
        case "false": return .bool(false)
        default:
            guard let first = field.text.utf8.first, first == 0x2d || (first >= 0x30 && first <= 0x39),
                let number = try? JSONValue.parse(field.text)
            else { return .string(field.text) }
            return number
        }
    }
}

private func readSome(_ descriptor: Int32, _ name: String, _ maximum: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: maximum)
    while true {
        let count = read(descriptor, &bytes, maximum)
        if count >= 0 { return Array(bytes.prefix(count)) }
        if errno != EINTR { throw CommandFailure("can't read \(name): \(String(cString: strerror(errno)))") }
    }
}

private func closeDescriptor(_ descriptor: Int32) { close(descriptor) }
