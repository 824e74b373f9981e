/// What is wrong with bytes or packets of a peer, or with a packet that was asked to be sent.
///
/// **Shape.** `message` names the packet, the found value and the expected one. Payloads and passwords are never in it.
package struct MQTTError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The cause, on which callers switch.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        /// The bytes are no MQTT packet.
        case malformed
        /// The packet is longer than the limit, seen on its fixed header.
        case tooLarge = "too-large"
        /// The protocol name is not MQTT.
        case unknownProtocol = "unknown-protocol"
        /// The protocol is MQTT, at a level other than 4.
        case unsupportedLevel = "unsupported-level"
        /// The packet is sound, but may not come now or from this side.
        case protocolViolation = "protocol-violation"
        /// The packet that was asked to be sent does not fit the format.
        case unencodable
    }

    package var code: Code
    package var message: String
    /// The level that a CONNECT of another protocol version asks for.
    package var level: UInt8?

    package init(_ code: Code, _ message: String, level: UInt8? = nil) {
        self.code = code
        self.message = message
        self.level = level
    }

    package var description: String { "\(code.rawValue): \(message)" }

    /// The bytes are no MQTT packet.
    static func malformed(_ message: String) -> MQTTError { MQTTError(.malformed, message) }
}
