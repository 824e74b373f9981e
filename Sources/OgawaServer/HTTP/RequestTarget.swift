import OgawaCore

/// A request's path and query, decoded.
struct RequestTarget: Sendable {
    /// The path as sent.
    let path: String
    let segments: [String]
    private let query: [(name: String, value: String)]

    init(_ target: String) throws(Problem) {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = String(parts.first ?? "")
        guard path.utf8.first == UInt8(ascii: "/") else {
            throw Problem(.badRequest, "bad-request", "Bad path", "the path does not begin with '/'")
        }
        var segments: [String] = []
        if path != "/" {
            for part in path.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
                segments.append(try percentDecoded(part, plusIsBlank: false))
            }
        }
        self.segments = segments
        var query: [(String, String)] = []
        for pair in (parts.count > 1 ? parts[1] : "").split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            query.append(
                (
                    try percentDecoded(sides[0], plusIsBlank: true),
                    sides.count > 1 ? try percentDecoded(sides[1], plusIsBlank: true) : ""
                ))
        }
        self.query = query
    }

    /// Refuses names that mean nothing here, and names given twice.
    func allowQuery(_ names: [String]) throws(Problem) {
        for (index, pair) in query.enumerated() {
            if query[..<index].contains(where: { $0.name == pair.name }) {
                throw bad(pair.name, "is given twice", expected: "each parameter once")
            }
            guard !names.contains(pair.name) else { continue }
            var problem = bad(
                pair.name, "is unknown here",
                expected: names.isEmpty ? "no parameters" : names.joined(separator: ", "))
            if let near = nearestName(to: pair.name, in: names) { problem.hint = "did you mean \"\(near)\"?" }
            throw problem
        }
    }

    func value(_ name: String) -> String? { query.first { $0.name == name }?.value }

    /// A whole number within a range.
    func number(_ name: String, in range: ClosedRange<Int>, default fallback: Int) throws(Problem) -> Int {
        guard let text = value(name) else { return fallback }
        guard let number = Int(text), range.contains(number) else {
            throw bad(
                name, "is \(DeviceKey.shown(text.utf8))",
                expected: "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func timestamp(_ name: String) throws(Problem) -> Timestamp? {
        guard let text = value(name) else { return nil }
        // A zone's plus sign that was not escaped has become a blank.
        let repaired = String(text.map { $0 == " " ? "+" : $0 })
        guard let time = Timestamp(text) ?? Timestamp(repaired) else {
            throw bad(
                name, "is \(DeviceKey.shown(text.utf8))",
                expected: "an instant in ISO 8601, such as 2026-01-31T09:00:00Z")
        }
        return time
    }

    /// One of a few words.
    func choice(_ name: String, _ words: [String]) throws(Problem) -> String? {
        guard let text = value(name) else { return nil }
        guard words.contains(text) else {
            throw bad(name, "is \(DeviceKey.shown(text.utf8))", expected: words.joined(separator: " or "))
        }
        return text
    }

    private func bad(_ name: String, _ what: String, expected: String) -> Problem {
        Problem(
            .badRequest, "bad-parameter", "Bad parameter", "the parameter \(DeviceKey.shown(name.utf8)) \(what)",
            expected: expected)
    }
}

private func percentDecoded(_ text: Substring, plusIsBlank: Bool) throws(Problem) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count)
    var source = text.utf8.makeIterator()
    while let byte = source.next() {
        if byte == UInt8(ascii: "%") {
            guard let high = source.next().flatMap(hexDigit), let low = source.next().flatMap(hexDigit) else {
                throw Problem(
                    .badRequest, "bad-request", "Bad path", "a '%' in the path or query is not followed by two digits",
                    expected: "percent encoding such as %20")
            }
            bytes.append(high << 4 | low)
        } else {
            bytes.append(plusIsBlank && byte == UInt8(ascii: "+") ? 0x20 : byte)
        }
    }
    guard let decoded = String(validating: bytes, as: UTF8.self) else {
        throw Problem(.badRequest, "bad-request", "Bad path", "the path or query is not UTF-8")
    }
    return decoded
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte &- UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte &- UInt8(ascii: "a") &+ 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte &- UInt8(ascii: "A") &+ 10
    default: nil
    }
}
