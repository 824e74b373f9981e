// Events for `ogawa send`: lines of NDJSON, rows of CSV, or one JSON array, from a file or from standard input.

import Ogawa
import OgawaCore
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
    private let csv: CSVReader
    private var pending: [UInt8] = []
    private var line = 0
    private var isAtEnd = false

    /// - Parameter path: nil or `-` for standard input.
    init(path: String?, format: Format?) throws {
        self.format = format
        guard let path, path != "-" else {
            name = "standard input"
            csv = CSVReader(path: name)
            descriptor = 0
            byteCount = nil
            return
        }
        name = path
        csv = CSVReader(path: name)
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
        var bytes: [UInt8] = []
        var bodies: [ByteSlice] = []
        do {
            try csv.read(pending, isLast: isAtEnd, into: &bytes, bodies: &bodies)
        } catch let error as ProjectError {
            throw CommandFailure(error.message, hint: "put a field with commas or line ends in double quotes")
        }
        pending = []
        return zip(bodies, csv.recordLines).map { body, line in
            Event(json: String(decoding: bytes[body.range], as: UTF8.self), line: line)
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
