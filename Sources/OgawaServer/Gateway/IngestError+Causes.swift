// The causes of refusals as the errors that senders see; the only place where their words stand.

import OgawaCore
import OgawaJSON
import OgawaLog

extension IngestError {
    /// The error for a body that is not a sequence of well-formed events within the limits.
    init(_ error: SplitError, keyField: String, limits: GatewayLimits) {
        self.init(kind: .badInput, title: "The body is not well-formed", detail: "")
        element = error.element
        position = error.position
        switch error.code {
        case .malformed:
            detail =
                "event \(error.element), byte \(error.position): found \(error.found), expected \(error.expected)"
            expected = error.expected
        case .keyTwice:
            title = "The key of an event is missing or wrong"
            detail = "event \(error.element) has the key field \"\(keyField)\" twice"
            expected = "the field \"\(keyField)\" once"
        case .tooManyElements:
            kind = .tooLarge
            title = "Too many events"
            detail = "the message holds more than \(limits.eventsPerRequest) events"
            expected = "at most \(limits.eventsPerRequest) events in one message"
            hint = "send smaller batches; 500 events a request are near the best rate"
        case .elementTooLarge:
            kind = .tooLarge
            title = "Event too large"
            detail = "event \(error.element) is larger than \(limits.eventByteCount) bytes"
            expected = "at most \(limits.eventByteCount) bytes an event"
        case .outOfMemory:
            kind = .busy
            title = "Out of memory"
            detail = "there is no memory to read the message"
            hint = "try again a little later, or send smaller messages"
        }
    }

    /// The error for events that the log did not take.
    init(_ error: LogError) {
        let kind: Kind
        let title: String
        switch error.code {
        case .busy: (kind, title) = (.busy, "Too many events wait to be written")
        case .tooLarge: (kind, title) = (.tooLarge, "Too large for the log")
        case .unknownStream: (kind, title) = (.unknownStream, "Unknown stream")
        case .diskFull: (kind, title) = (.storage, "The disk is full")
        case .closed: (kind, title) = (.storage, "The instance is stopping")
        default: (kind, title) = (.storage, "The log cannot store events")
        }
        self.init(kind: kind, title: title, detail: error.message, hint: error.hint)
    }

    static func unknownStream(_ name: String, known: [String]) -> IngestError {
        var error = IngestError(
            kind: .unknownStream, title: "Unknown stream", detail: "there is no stream \(DeviceKey.shown(name.utf8))")
        if let near = nearestName(to: name, in: known) {
            error.hint = "did you mean \"\(near)\"?"
        } else if !known.isEmpty {
            error.hint = "the streams are \(known.prefix(10).joined(separator: ", "))"
        }
        return error
    }

    static func noTelemetryStream(known: [String]) -> IngestError {
        IngestError(
            kind: .unknownStream, title: "No telemetry stream",
            detail: "the project has no stream that takes the telemetry of devices",
            hint: known.isEmpty
                ? "add a stream \"telemetry\" to ogawa.yaml"
                : "name one of the streams \"telemetry\" in ogawa.yaml, or send to /streams/{stream}/events")
    }

    static func badKey(_ key: String, limits: GatewayLimits) -> IngestError {
        IngestError(
            kind: .badInput, title: "The device id cannot be used",
            detail: "the device id \(DeviceKey.shown(key.utf8)) has \(key.utf8.count) bytes",
            expected: DeviceKey.rule(limits))
    }
}
