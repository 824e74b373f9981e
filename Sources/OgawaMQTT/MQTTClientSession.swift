// A client's side of one connection as a pure state machine; the counterpart of ``MQTTSession``.

/// What the owner of a client's session has to do next.
package enum MQTTClientAction: Hashable, Sendable {
    case none
    /// CONNACK came: messages may be published.
    case connected
    /// The server has taken over the message with this packet identifier.
    case acknowledged(UInt16)
    /// A message of the server for this client.
    case received(MQTTPublish)
    case send(MQTTPacket)
    case close(MQTTError)
}

/// The state of one connection to a server.
///
/// **Isolation.** Used from one event loop.
package struct MQTTClientSession: ~Copyable {
    private enum State: Hashable {
        case connecting
        case connected
        case closed
    }

    private var state = State.connecting
    private let keepAlive: Duration?
    private let maximumInFlight: Int
    private var inFlight: Set<UInt16> = []
    private var lastPacketID: UInt16 = 0
    private var lastSent: MQTTTime
    private var isPingOpen = false

    package init(keepAliveSeconds: UInt16, maximumInFlight: Int, at now: MQTTTime) {
        keepAlive = keepAliveSeconds > 0 ? .seconds(Int64(keepAliveSeconds)) : nil
        self.maximumInFlight = min(max(1, maximumInFlight), 65_535)
        lastSent = now
    }

    /// Whether a message with acknowledgement may be sent now.
    package var canPublish: Bool { state == .connected && inFlight.count < maximumInFlight }

    package var isConnected: Bool { state == .connected }

    /// The instant at which `timerFired(at:)` wants to be called.
    package var deadline: MQTTTime? {
        guard state == .connected, let keepAlive else { return nil }
        return lastSent.advanced(by: keepAlive)
    }

    /// Reserves a packet identifier; nil where ``canPublish`` does not hold.
    package mutating func reservePacketID() -> UInt16? {
        guard canPublish else { return nil }
        // Fewer identifiers than there are can be in use, so the search ends.
        repeat { lastPacketID = lastPacketID == .max ? 1 : lastPacketID + 1 } while inFlight.contains(lastPacketID)
        inFlight.insert(lastPacketID)
        return lastPacketID
    }

    /// Gives back an identifier whose message was never sent.
    package mutating func releasePacketID(_ packetID: UInt16) { inFlight.remove(packetID) }

    /// Notes that something was sent, which puts off the next PINGREQ.
    package mutating func sent(at now: MQTTTime) { lastSent = now }

    /// Takes in the next packet.
    package mutating func receive(_ packet: MQTTPacket) -> MQTTClientAction {
        switch (state, packet) {
        case (.connecting, .connack(_, .accepted)):
            state = .connected
            return .connected
        case (.connecting, .connack(_, let code)):
            return close("the server refused the connection: return code \(code.rawValue) (\(code))")
        case (.connected, .puback(let packetID)):
            // A server that acknowledges twice does no harm.
            return inFlight.remove(packetID) == nil ? .none : .acknowledged(packetID)
        case (.connected, .publish(let publish)): return .received(publish)
        case (.connected, .pingresp):
            isPingOpen = false
            return .none
        case (.connected, .suback), (.connected, .unsuback), (.closed, _): return .none
        case (.connecting, _), (.connected, _): return close("unexpected \(packet.type.name) of the server")
        }
    }

    /// Acts on the passing of time; does nothing where it is called early.
    package mutating func timerFired(at now: MQTTTime) -> MQTTClientAction {
        guard let deadline, now >= deadline else { return .none }
        if isPingOpen { return close("the server did not answer PINGREQ within the keep-alive time") }
        isPingOpen = true
        lastSent = now
        return .send(.pingreq)
    }

    /// Notes that the connection is gone.
    package mutating func disconnected() { state = .closed }

    private mutating func close(_ message: String) -> MQTTClientAction {
        state = .closed
        return .close(MQTTError(.protocolViolation, message))
    }
}
