// What a session tells its owner.

/// Why a connection ends.
package struct MQTTClose: Error, Hashable, Sendable, CustomStringConvertible {
    /// The sort of end, by which log levels and statistics go.
    package enum Kind: String, Hashable, Sendable {
        /// DISCONNECT.
        case finished
        /// The peer closed without DISCONNECT.
        case closed
        case connectTimeout = "connect-timeout"
        case keepAliveTimeout = "keep-alive-timeout"
        case takenOver = "taken-over"
        /// The bytes or packets are against the specification.
        case protocolError = "protocol-error"
        /// CONNECT was refused with a return code.
        case connectRefused = "connect-refused"
        /// A message was refused.
        case publishRefused = "publish-refused"
        case busy
        case stopping
    }

    package var kind: Kind
    package var reason: String
    /// The last bytes to send.
    package var farewell: [UInt8]

    package init(_ kind: Kind, _ reason: String, farewell: [UInt8] = []) {
        self.kind = kind
        self.reason = reason
        self.farewell = farewell
    }

    package var description: String { "\(kind.rawValue): \(reason)" }
}

/// What the owner of a session has to do next.
package enum MQTTSessionAction: Hashable, Sendable {
    case none
    /// Register the client id (nil: invent one), end its older connection, then call `accepted(clientID:at:)`.
    case accept(clientID: String?)
    case send(MQTTPacket)
    /// Record that a message was refused; the connection goes on.
    case refuse(deviceID: String?, reason: String)
    /// Record the refusal, where there is one; the connection closes now or at the next deadline.
    case refuseAndClose(deviceID: String?, MQTTClose)
    case close(MQTTClose)
}

/// What to do when the outcomes of a batch are known.
package struct MQTTSessionProgress: Hashable, Sendable {
    /// Packet identifiers to acknowledge, in order of arrival.
    package var acknowledged: [UInt16] = []
    package var close: MQTTClose?

    package init(acknowledged: [UInt16] = [], close: MQTTClose? = nil) {
        self.acknowledged = acknowledged
        self.close = close
    }
}
