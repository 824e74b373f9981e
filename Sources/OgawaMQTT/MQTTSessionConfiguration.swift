/// The settings of a server's session.
package struct MQTTSessionConfiguration: Hashable, Sendable {
    /// What happens to a QoS 1 message that can never be stored; MQTT 3.1.1 has no word for "no".
    package enum RefusedPublish: String, Hashable, Sendable {
        /// Record the refusal and acknowledge, so that the device sends its next message.
        case acknowledge
        /// Record the refusal and close without acknowledging; the device will send it again.
        case close
    }

    package var maximumPacketByteCount = 256 * 1024
    /// The longest CONNECT; kept small, as the client is not known yet.
    package var maximumConnectByteCount = 16 * 1024
    package var connectTimeout = Duration.seconds(10)
    /// Unacknowledged messages after which nothing more is read.
    package var maximumInFlight = 100
    /// Bytes of unacknowledged messages after which nothing more is read.
    package var maximumInFlightByteCount = 1024 * 1024
    package var refusedPublish = RefusedPublish.acknowledge
    /// How long a connection with a refused message stays open, unread, before it is closed.
    package var refusalPause = Duration.seconds(1)
    /// How long a busy gateway is asked again before the connection is closed.
    package var busyTimeout = Duration.seconds(5)
    /// The first pause before asking again; it doubles up to half a second.
    package var busyPause = Duration.milliseconds(10)

    package init() {}
}
