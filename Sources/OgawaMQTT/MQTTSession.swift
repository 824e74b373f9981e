// A server's side of one connection as a pure state machine: packets, outcomes and time in, actions out.
//
//   waitingForConnect --CONNECT--> accepting --accepted()--> connected --QoS 1 refused--> refusing
//          |                          |                          |                           |
//          +------ error, time-out, DISCONNECT, take-over, stop -+---------------------------+--> closed
//
// `accepting` is where credentials will be checked; packets behind CONNECT wait meanwhile. `refusing` is the pause
// before a connection with a refused message is closed: a device that sends the same message after
// every reconnect costs one connection a pause, not as many as it can open.
// No clock, no logging and no input or output here; ``MQTTSession/deadline`` asks to be woken.

/// The state of one connection to a device.
///
/// **Isolation.** Used from one event loop. Callers decode and pass packets only while ``canReceive`` holds.
package struct MQTTSession: ~Copyable {
    enum State: Hashable {
        case waitingForConnect
        case accepting(MQTTConnect)
        case connected
        case refusing(until: MQTTTime, MQTTClose)
        case closed
    }

    package let configuration: MQTTSessionConfiguration
    /// The id under which the client is accepted; nil before.
    package private(set) var clientID: String?
    package internal(set) var subscriptions: [MQTTSubscription] = []
    var state = State.waitingForConnect
    var inFlight = MQTTInFlight()
    var isStopping = false
    var busy: (retryAt: MQTTTime, pause: Duration, giveUpAt: MQTTTime, reason: String)?
    private let connectDeadline: MQTTTime
    private var keepAlive: Duration?
    private var lastReceived: MQTTTime
    var lastTopic: (text: String, topic: DeviceTopic)?

    package init(_ configuration: MQTTSessionConfiguration, at now: MQTTTime) {
        self.configuration = configuration
        connectDeadline = now.advanced(by: configuration.connectTimeout)
        lastReceived = now
    }

    /// Whether a further packet may be decoded and passed; where not, reading stops (back-pressure).
    package var canReceive: Bool {
        switch state {
        case .waitingForConnect: true
        case .connected: !isStopping && !isFull
        case .accepting, .refusing, .closed: false
        }
    }

    /// Whether the connection is over for good.
    package var isClosed: Bool { state == .closed }

    /// Messages that are not yet acknowledged.
    package var inFlightCount: Int { inFlight.count }

    /// The longest packet that may come now.
    package var maximumPacketByteCount: Int {
        state == .waitingForConnect ? configuration.maximumConnectByteCount : configuration.maximumPacketByteCount
    }

    /// The only packet that may come now, if there is just one.
    package var expectedPacket: MQTTPacketType? { state == .waitingForConnect ? .connect : nil }

    /// The instant at which `timerFired(at:)` wants to be called; nil where nothing is waited for.
    package var deadline: MQTTTime? {
        switch state {
        case .waitingForConnect: return connectDeadline
        case .accepting, .closed: return nil
        case .refusing(let until, _): return until
        case .connected: return [keepAliveDeadline, busy?.retryAt].compactMap(\.self).min()
        }
    }

    private var isFull: Bool {
        inFlight.count >= configuration.maximumInFlight || inFlight.byteCount >= configuration.maximumInFlightByteCount
    }

    /// Nil while we do not read: what the device sends meanwhile cannot be seen.
    private var keepAliveDeadline: MQTTTime? {
        guard let keepAlive, !isFull else { return nil }
        return lastReceived.advanced(by: keepAlive)
    }

    /// Takes in the next packet.
    package mutating func receive(_ packet: MQTTPacket, at now: MQTTTime) -> MQTTSessionAction {
        switch state {
        case .waitingForConnect:
            guard case .connect(let connect) = packet else {
                return close(.protocolError, "\(packet.type.name) came first; expected CONNECT")
            }
            return receive(connect)
        case .connected:
            lastReceived = now
            return receiveConnected(packet, at: now)
        case .accepting, .refusing, .closed: return .none
        }
    }

    /// Takes in that the bytes were no packet.
    package mutating func receive(_ error: MQTTError) -> MQTTSessionAction {
        if error.code == .unsupportedLevel, state == .waitingForConnect {
            // A client of MQTT 5 expects the form of its own version; older ones that of 3.1.1.
            let isNewer = (error.level ?? 0) >= 5
            let farewell =
                isNewer ? MQTTPacket.unsupportedVersionForMQTT5 : MQTTSession.refusal(.unacceptableProtocolVersion)
            return close(.connectRefused, error.message, farewell: farewell)
        }
        return close(.protocolError, error.message)
    }

    /// Confirms ``MQTTSessionAction/accept(clientID:)``.
    package mutating func accepted(clientID: String, at now: MQTTTime) -> MQTTSessionAction {
        guard case .accepting(let connect) = state else { return .none }
        self.clientID = clientID
        state = .connected
        lastReceived = now
        // One and a half times the interval [MQTT-3.1.2-24].
        if connect.keepAliveSeconds > 0 { keepAlive = .milliseconds(Int64(connect.keepAliveSeconds) * 1500) }
        // No session outlives its connection here, so there never is one to resume.
        return .send(.connack(sessionPresent: false, .accepted))
    }

    /// Acts on the passing of time; does nothing where it is called early.
    package mutating func timerFired(at now: MQTTTime) -> MQTTSessionAction {
        switch state {
        case .waitingForConnect:
            guard now >= connectDeadline else { return .none }
            return close(.connectTimeout, "no CONNECT within \(configuration.connectTimeout)")
        case .connected:
            guard let keepAliveDeadline, now >= keepAliveDeadline, let keepAlive else { return .none }
            return close(.keepAliveTimeout, "no packet for \(keepAlive)")
        case .refusing(let until, let reason):
            guard now >= until else { return .none }
            return close(reason.kind, reason.reason)
        case .accepting, .closed: return .none
        }
    }

    /// Ends the connection for a newer one with the same client id.
    package mutating func takenOver() -> MQTTSessionAction {
        close(.takenOver, "a newer connection uses the same client id")
    }

    /// Stops taking packets; closes at once where nothing waits for its acknowledgement, otherwise behind the last one.
    package mutating func stop() -> MQTTSessionAction {
        isStopping = true
        return inFlight.count == 0 ? close(.stopping, "the server stops") : .none
    }

    /// Notes that the connection is gone.
    package mutating func disconnected() { _ = close(.closed, "the peer closed the connection") }

    mutating func close(_ kind: MQTTClose.Kind, _ reason: String, farewell: [UInt8] = []) -> MQTTSessionAction {
        if state == .closed { return .none }
        state = .closed
        // Behind a DISCONNECT everything that came before it is still delivered. After any other end the device
        // sends its unacknowledged messages again; only those that nobody will repeat go on.
        if kind != .finished { inFlight.dropWaiting() }
        busy = nil
        return .close(MQTTClose(kind, reason, farewell: farewell))
    }

    /// Notes that reading goes on after a pause: what was not read cannot count as silence.
    mutating func resumed(at now: MQTTTime) { lastReceived = max(lastReceived, now) }
}
