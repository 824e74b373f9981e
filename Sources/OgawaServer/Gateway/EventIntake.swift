// From the bytes of one message to events for the log. All checks come before the first event is taken, so that a
// message goes in whole or not at all.
//
// The key rule: a key from outside the body (path, header, topic) holds for every event of the message. An event without
// the key field gets it as its first member, since functions read bodies only; the rest of its bytes stays as sent. An
// event that names another key is refused: a device cannot speak for another one.

import OgawaCore
import OgawaJSON

/// Splits, checks and keys messages; one at work at a time.
///
/// **Isolation.** Not Sendable; the gateway lends it to one thread at a time.
final class EventIntake {
    private let splitter = EventSplitter()
    private let limits: GatewayLimits
    private var scratch: [UInt8] = []

    init(limits: GatewayLimits) { self.limits = limits }

    /// Adds a message's events and returns their number; on an error nothing is added.
    func take(
        _ body: UnsafeRawBufferPointer, keyField: String, source: KeySource, properties: UnsafeRawBufferPointer,
        maxEvents: Int, into events: inout PendingEvents
    ) throws(IngestError) -> Int {
        let split: SplitBody
        do {
            split = try splitter.split(
                body, keyField: keyField, maxElements: maxEvents, maxElementByteCount: limits.eventByteCount)
        } catch {
            throw IngestError(error, keyField: keyField, limits: limits)
        }
        try split.decodedKeys.withBytes { decoded throws(IngestError) in
            let message = Message(body: body, decodedKeys: decoded, keyField: keyField, limits: limits)
            try message.check(split.elements, source: source)
            add(split.elements, of: message, source: source, properties: properties, to: &events)
        }
        return split.elements.count
    }

    private func add(
        _ elements: [SplitElement], of message: Message, source: KeySource, properties: UnsafeRawBufferPointer,
        to events: inout PendingEvents
    ) {
        switch source {
        case .body:
            let room = message.body.count + elements.count * (24 + properties.count)
            events.reserveRoom(events: elements.count, bytes: room)
            for element in elements {
                events.append(key: message.key(of: element), body: message.slice(element.body), properties: properties)
            }
        case .given(let given):
            let room = message.body.count + elements.count * (given.head.count + given.key.count + properties.count)
            events.reserveRoom(events: elements.count, bytes: room)
            given.key.withUnsafeBytes { key in
                for element in elements {
                    let body = message.slice(element.body)
                    if element.keyKind == .absent {
                        scratch.removeAll(keepingCapacity: true)
                        scratch.append(contentsOf: given.head)
                        // An empty object may hold blanks between its braces; they are not kept.
                        scratch.append(element.isEmpty ? UInt8(ascii: "}") : UInt8(ascii: ","))
                        if !element.isEmpty { scratch.append(contentsOf: body.dropFirst()) }
                        scratch.withUnsafeBytes { events.append(key: key, body: $0, properties: properties) }
                    } else {
                        events.append(key: key, body: body, properties: properties)
                    }
                }
            }
        }
    }
}

extension PendingEvents {
    /// Makes room for one more message; grows as arrays do, so that many small messages cost no copy each.
    fileprivate mutating func reserveRoom(events: Int, bytes byteCount: Int) {
        guard isEmpty else { return }
        reserveCapacity(events: events, bytes: byteCount)
    }
}

/// One message under check.
private struct Message {
    let body: UnsafeRawBufferPointer
    let decodedKeys: UnsafeRawBufferPointer
    let keyField: String
    let limits: GatewayLimits

    func slice(_ slice: ByteSlice) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: body[slice.range]) }

    /// The key that an event names itself; of use only where it names one.
    func key(of element: SplitElement) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: (element.keyKind == .decoded ? decodedKeys : body)[element.key.range])
    }

    func check(_ elements: [SplitElement], source: KeySource) throws(IngestError) {
        switch source {
        case .body:
            for index in elements.indices { try checkOwnKey(elements[index], at: index) }
        case .given(let given):
            for index in elements.indices where elements[index].keyKind != .absent {
                try checkAgrees(elements[index], with: given, at: index)
            }
        }
    }

    private func checkOwnKey(_ element: SplitElement, at index: Int) throws(IngestError) {
        switch element.keyKind {
        case .text, .number, .decoded:
            let key = key(of: element)
            guard !DeviceKey.isValid(key, limits: limits) else { return }
            throw bad(
                "event \(index): the key field \"\(keyField)\" is \(DeviceKey.shown(key)) (\(key.count) bytes)",
                element, index,
                expected: DeviceKey.rule(limits))
        case .absent:
            var error = bad(
                "event \(index) has no key field \"\(keyField)\"", element, index,
                expected: "a member \"\(keyField)\" with a text or a number")
            error.hint =
                "add the field, or name the device in the header X-Device-Id or in the path /devices/{id}/telemetry"
            throw error
        case .other:
            throw bad(
                "event \(index): the key field \"\(keyField)\" is neither a text nor a number", element, index,
                expected: "a text or a number")
        }
    }

    private func checkAgrees(_ element: SplitElement, with given: GivenKey, at index: Int) throws(IngestError) {
        let isKey = element.keyKind != .other
        if isKey, key(of: element).elementsEqual(given.key) { return }
        let found = isKey ? DeviceKey.shown(key(of: element)) : "neither a text nor a number"
        let expected = DeviceKey.shown(given.key)
        var error = bad(
            "event \(index): the key field \"\(keyField)\" is \(found), but the message came for \(expected)", element,
            index,
            expected: "\(expected), or no field \"\(keyField)\"")
        error.hint = "a message for one device cannot carry events of another; send those to /streams/{stream}/events"
        throw error
    }

    private func bad(_ detail: String, _ element: SplitElement, _ index: Int, expected: String) -> IngestError {
        let position =
            element.keyKind == .absent || element.keyKind == .decoded ? element.body.start : element.key.start
        return IngestError(
            kind: .badInput, title: "The key of an event is missing or wrong", detail: detail, element: index,
            position: Int(position), expected: expected)
    }
}
