// The seam between the listeners (MQTT, HTTP) and the gateway that appends to the log.

/// What one device sent in one message: at least one event, still as the bytes that arrived.
package struct DeviceMessage: Sendable {
    /// The device that the message speaks for; the partition key of its events.
    package var deviceID: String
    /// A JSON object, a JSON array of objects, or NDJSON; not yet checked.
    package var payload: [UInt8]
    /// Properties of every event in the message as one JSON object text; empty where there are none.
    package var properties: [UInt8]

    package init(deviceID: String, payload: [UInt8], properties: [UInt8] = []) {
        self.deviceID = deviceID
        self.payload = payload
        self.properties = properties
    }
}

/// Why a message was not stored.
///
/// The listeners turn it into what their protocol can say: a status and problem details, or a closed connection.
package struct IngestError: Error, Sendable {
    /// The cause, on which callers switch; ``IngestError/isTemporary`` tells whether the same message may pass later.
    package enum Kind: Sendable {
        case badInput
        case unknownStream
        case tooLarge
        case busy
        case storage
        case unsupportedMedia
    }

    package var kind: Kind
    /// A few words that are the same for every error of this sort.
    package var title: String
    /// The thing, the found value, the expected one.
    package var detail: String
    /// The next action.
    package var hint: String?
    /// The position of the refused event in the message, from 0.
    package var element: Int?
    /// The byte of the message at which reading stopped, from 0.
    package var position: Int?
    /// What would have been accepted there.
    package var expected: String?

    package init(
        kind: Kind, title: String, detail: String, hint: String? = nil, element: Int? = nil, position: Int? = nil,
        expected: String? = nil
    ) {
        self.kind = kind
        self.title = title
        self.detail = detail
        self.hint = hint
        self.element = element
        self.position = position
        self.expected = expected
    }

    /// Whether the cause lies on our side and the unchanged message may be accepted later.
    ///
    /// A stream that does not exist counts, too: the device did not choose it, and the project may get it at any time.
    package var isTemporary: Bool {
        switch kind {
        case .busy, .storage, .unknownStream: true
        case .badInput, .tooLarge, .unsupportedMedia: false
        }
    }
}

/// Takes in device messages and answers when they are durable.
package protocol DeviceIngest: Sendable {
    /// Appends messages; the results come once, in order, one a message, when all are durable or refused.
    ///
    /// **Isolation.** Callable from any thread, must not block; `completion` runs on any thread. A success carries the
    /// number of events that the message held. Refusals are counted and recorded by the implementation.
    func ingest(
        _ messages: [DeviceMessage], protocolName: String,
        completion: @escaping @Sendable ([Result<Int, IngestError>]) -> Void)

    /// Counts and records a refusal that happened before ingest, such as a bad topic or a malformed packet.
    func reject(deviceID: String?, reason: String)
}
