import OgawaCore

extension Timestamp {
    /// ISO 8601 to the second, as AWS writes windows.
    var iso8601Seconds: String { String(description.prefix(19)) + "Z" }
}

/// Reads the `result` and `error` messages of docs/functions-protocol.md, which come from code that may be wrong.
struct ResultDecoder {
    private let header: JSONValue
    private let payload: [UInt8]
    private var position = 0

    init(_ frame: Frame) {
        header = frame.header
        payload = frame.payload
    }

    /// The result of a call.
    ///
    /// **Errors.** ``InvocationFailure`` of kind `rubbish`, naming the part that is wrong.
    mutating func result(eventCount: Int) throws(InvocationFailure) -> InvocationResult {
        var result = InvocationResult()
        for output in try list("outputs") { result.outputs.append(try rows(output)) }
        for change in try list("state") { result.stateChanges.append(try stateChange(change)) }
        result.firstFailure = try firstFailure(eventCount: eventCount)
        if result.firstFailure != nil, header["error"] != nil { result.failure = failure(.threw) }
        if let web = header["web"], !web.isNull { result.response = try response(web) }
        if let count = header["windowState"], !count.isNull { result.windowState = try take(count, "windowState") }
        return result
    }

    /// The failure that an `error` message tells of.
    func failure(_ kind: InvocationFailure.Kind) -> InvocationFailure {
        let error = header["error"] ?? [:]
        return InvocationFailure(
            kind, String((error["message"]?.text ?? "an error without a message").prefix(8_192)),
            type: error["type"]?.text.map { String($0.prefix(256)) },
            stack: error["stack"]?.text.map { String($0.prefix(16_384)) })
    }

    private func rubbish(_ message: String) -> InvocationFailure {
        InvocationFailure(.rubbish, "the worker's answer breaks the protocol: \(message)")
    }

    private func list(_ name: String) throws(InvocationFailure) -> [JSONValue] {
        guard let value = header[name], !value.isNull else { return [] }
        guard let elements = value.elements else { throw rubbish("`\(name)` is no array") }
        return elements
    }

    private mutating func take(_ count: JSONValue, _ what: String) throws(InvocationFailure) -> [UInt8] {
        guard let count = count.integer, count >= 0, count <= payload.count - position else {
            throw rubbish("`\(what)` is longer than the message")
        }
        defer { position += count }
        return Array(payload[position..<position + count])
    }

    private mutating func rows(_ output: JSONValue) throws(InvocationFailure) -> OutputRows {
        guard let name = output["name"]?.text, let lengths = output["rows"]?.elements else {
            throw rubbish("an output needs `name` and `rows`")
        }
        var rows = OutputRows(output: name)
        let start = position
        for length in lengths {
            guard let count = length.integer, count >= 0, count <= payload.count - position else {
                throw rubbish("a row of `\(name)` is longer than the message")
            }
            rows.rows.append(ByteSlice(start: position - start, count: count))
            position += count
        }
        rows.bytes = Array(payload[start..<position])
        for (member, isKey) in [("keys", true), ("properties", false)] {
            guard let elements = output[member]?.elements else { continue }
            guard elements.count == lengths.count else { throw rubbish("`\(member)` and `rows` differ in number") }
            let texts = elements.map { $0.isNull ? nil : $0.text ?? $0.jsonText }
            if isKey { rows.keys = texts } else { rows.properties = texts }
        }
        return rows
    }

    private mutating func stateChange(_ change: JSONValue) throws(InvocationFailure) -> StateChange {
        guard let parts = change.elements, parts.count >= 2, let key = parts[0].text else {
            throw rubbish("a state change is `[key, length or null, milliseconds to live]`")
        }
        let value = parts[1].isNull ? nil : try take(parts[1], "state")
        var life: Duration?
        if parts.count > 2, let milliseconds = parts[2].double {
            guard milliseconds > 0, milliseconds < 1e15 else {
                throw rubbish("the time to live of state is not above 0")
            }
            life = .milliseconds(Int64(milliseconds.rounded(.up)))
        }
        return StateChange(key: key, value: value, timeToLive: life)
    }

    private func firstFailure(eventCount: Int) throws(InvocationFailure) -> Int? {
        guard let value = header["failedFrom"], !value.isNull else { return nil }
        guard let index = value.integer else { throw rubbish("`failedFrom` is no whole number") }
        // An event that was not in the batch means that nothing is certain: all of it failed.
        return index < 0 || index >= eventCount ? 0 : index
    }

    private mutating func response(_ web: JSONValue) throws(InvocationFailure) -> WebResponse {
        guard let status = web["status"]?.integer, (100...599).contains(status) else {
            throw rubbish("the status of a web response is a number from 100 to 599")
        }
        let headers = (web["headers"]?.elements ?? []).compactMap { pair -> HTTPField? in
            guard let parts = pair.elements, parts.count == 2, let name = parts[0].text,
                let value = parts[1].settingText, HTTPField.isSafe(name: name, value: value)
            else { return nil }
            return HTTPField(name, value)
        }
        return WebResponse(status: status, headers: headers, body: try take(web["body"] ?? 0, "web.body"))
    }
}

extension HTTPField {
    /// Whether a header keeps to its line.
    static func isSafe(name: String, value: String) -> Bool {
        !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
            && value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
    }
}
