import OgawaCore

// Just enough of HTTP/1.1 for two peers on this machine: the clients of the Lambda Runtime API, and custom handlers. Bytes
// are collected until a whole message is there; limits keep a wrong peer from filling the memory.

/// A message as it came over the wire.
struct HTTPMessage {
    /// The first line: `GET / HTTP/1.1` or `HTTP/1.1 200 OK`.
    var startLine: String
    var headers: [HTTPField]
    var body: [UInt8]
    /// Headers behind a chunked body.
    var trailers: [HTTPField] = []

    func header(_ name: String) -> String? {
        let wanted = name.lowercased()
        return headers.first { $0.name.lowercased() == wanted }?.value
    }

    var words: [String] { startLine.split(separator: " ", maxSplits: 2).map(String.init) }
}

/// Collects bytes and takes messages off.
struct HTTPReader {
    /// awslambdaric puts a report of up to a megabyte into a header.
    private static let headLimit = 4 << 20

    private let bodyLimit: Int
    private let isClient: Bool
    private var bytes: [UInt8] = []

    /// - Parameter isClient: whether responses are read, which may last until the peer closes.
    init(bodyLimit: Int, isClient: Bool) {
        self.bodyLimit = bodyLimit
        self.isClient = isClient
    }

    mutating func append(_ part: [UInt8]) { bytes += part }

    /// The next whole message; nil where bytes are missing.
    mutating func next(atEnd: Bool = false) throws(ChannelError) -> HTTPMessage? {
        guard let headEnd = endOfHead() else {
            if bytes.count > HTTPReader.headLimit { throw .tooLarge(bytes.count) }
            return nil
        }
        let lines = HTTPReader.lines(bytes[..<headEnd])
        guard let startLine = lines.first else { throw .malformed("an empty HTTP message") }
        var message = HTTPMessage(startLine: startLine, headers: HTTPReader.fields(lines.dropFirst()), body: [])
        let coding = message.header("Transfer-Encoding")?.lowercased() ?? ""
        var end = headEnd
        if coding.contains("chunked") {
            guard let chunked = try chunks(from: headEnd) else { return nil }
            message.body = chunked.body
            message.trailers = chunked.trailers
            end = chunked.end
        } else if let text = message.header("Content-Length") {
            guard let count = Int(text.trimmed), count >= 0 else { throw .malformed("Content-Length \(text)") }
            guard count <= bodyLimit else { throw .tooLarge(count) }
            guard bytes.count - headEnd >= count else { return nil }
            end = headEnd + count
            message.body = Array(bytes[headEnd..<end])
        } else if isClient, !HTTPReader.hasNoBody(startLine) {
            guard bytes.count - headEnd <= bodyLimit else { throw .tooLarge(bytes.count - headEnd) }
            guard atEnd else { return nil }
            end = bytes.count
            message.body = Array(bytes[headEnd...])
        }
        bytes.removeSubrange(..<end)
        return message
    }

    private static func hasNoBody(_ startLine: String) -> Bool {
        let status = startLine.split(separator: " ").dropFirst().first ?? ""
        return status == "204" || status == "304" || status.hasPrefix("1")
    }

    private func endOfHead() -> Int? {
        let end: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A]
        guard bytes.count >= end.count else { return nil }
        var index = 0
        while index + end.count <= bytes.count {
            guard let found = bytes[index...].firstIndex(of: 0x0D), found + end.count <= bytes.count else { return nil }
            if bytes[found..<found + end.count].elementsEqual(end) { return found + end.count }
            index = found + 1
        }
        return nil
    }

    private func chunks(
        from start: Int
    ) throws(ChannelError) -> (body: [UInt8], trailers: [HTTPField], end: Int)? {
        var body: [UInt8] = []
        var position = start
        while true {
            guard let line = endOfLine(from: position) else { return nil }
            let text = String(decoding: bytes[position..<line], as: UTF8.self).prefix { $0 != ";" }
            guard let count = Int(text.trimmed, radix: 16), count >= 0 else { throw .malformed("a chunk of no length") }
            guard body.count + count <= bodyLimit else { throw .tooLarge(body.count + count) }
            position = line + 2
            if count == 0 { break }
            guard bytes.count >= position + count + 2 else { return nil }
            body += bytes[position..<position + count]
            position += count + 2
        }
        var trailers: [HTTPField] = []
        while true {
            guard let line = endOfLine(from: position) else { return nil }
            if line == position { return (body, trailers, line + 2) }
            trailers += HTTPReader.fields([String(decoding: bytes[position..<line], as: UTF8.self)])
            position = line + 2
        }
    }

    private func endOfLine(from start: Int) -> Int? {
        var index = start
        while index + 1 < bytes.count {
            if bytes[index] == 0x0D, bytes[index + 1] == 0x0A { return index }
            index += 1
        }
        return nil
    }

    private static func lines(_ head: ArraySlice<UInt8>) -> [String] {
        head.split(separator: 0x0A).map { line in
            String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
        }.filter { !$0.isEmpty }
    }

    private static func fields(_ lines: some Sequence<String>) -> [HTTPField] {
        lines.compactMap { line in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            return HTTPField(String(line[..<colon]), String(line[line.index(after: colon)...].trimmed))
        }
    }
}

extension StringProtocol {
    /// The text without blanks at both ends.
    var trimmed: SubSequence {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" || $0 == "\n" }
        guard let start = firstIndex(where: { !isBlank($0) }), let end = lastIndex(where: { !isBlank($0) }) else {
            return self[startIndex..<startIndex]
        }
        return self[start...end]
    }
}

/// Writes a message.
func httpBytes(_ startLine: String, _ headers: [HTTPField], _ body: [UInt8]) -> [UInt8] {
    var text = startLine + "\r\n"
    for field in headers where HTTPField.isSafe(name: field.name, value: field.value) {
        text += "\(field.name): \(field.value)\r\n"
    }
    text += "Content-Length: \(body.count)\r\n\r\n"
    return Array(text.utf8) + body
}
