// What a session does with each packet.

extension MQTTSession {
    /// A CONNACK that refuses.
    static func refusal(_ code: MQTTConnectReturnCode) -> [UInt8] { [0x20, 2, 0, code.rawValue] }

    /// Looks at the first packet; it is confirmed by `accepted(clientID:at:)`.
    mutating func receive(_ connect: MQTTConnect) -> MQTTSessionAction {
        if connect.clientID.isEmpty {
            guard connect.cleanSession else {
                return close(
                    .connectRefused, "an empty client id needs a clean session",
                    farewell: MQTTSession.refusal(.identifierRejected))
            }
        } else if !MQTTTopic.isIdentifier(connect.clientID) {
            let byteCount = connect.clientID.utf8.count
            let reason = "client id of \(byteCount) bytes; expected [A-Za-z0-9._:-], 1 to 128 characters"
            return close(.connectRefused, reason, farewell: MQTTSession.refusal(.identifierRejected))
        }
        state = .accepting(connect)
        return .accept(clientID: connect.clientID.isEmpty ? nil : connect.clientID)
    }

    /// Takes in any packet behind CONNECT.
    mutating func receiveConnected(_ packet: MQTTPacket, at now: MQTTTime) -> MQTTSessionAction {
        switch packet {
        case .publish(let publish): return receive(publish, at: now)
        case .subscribe(let id, let wishes): return .send(.suback(id, wishes.map { grant($0) }))
        case .unsubscribe(let id, let filters):
            subscriptions.removeAll { filters.contains($0.filter) }
            return .send(.unsuback(id))
        case .pingreq: return .send(.pingresp)
        case .disconnect: return close(.finished, "the client disconnected")
        case .connect: return close(.protocolError, "a second CONNECT")
        case .puback, .pubrec, .pubrel, .pubcomp:
            return close(.protocolError, "\(packet.type.name) for a packet identifier that is not in use")
        case .connack, .suback, .unsuback, .pingresp:
            return close(.protocolError, "\(packet.type.name) is a server's packet")
        }
    }

    private mutating func grant(_ wish: MQTTSubscription) -> MQTTQoS? {
        guard let clientID, MQTTTopic.isFilter(wish.filter, ownedBy: clientID) else { return nil }
        let granted = MQTTSubscription(filter: wish.filter, qos: min(wish.qos, .atLeastOnce))
        if let index = subscriptions.firstIndex(where: { $0.filter == wish.filter }) {
            subscriptions[index] = granted
        } else if subscriptions.count < MQTTLimits.subscriptionsPerConnection {
            subscriptions.append(granted)
        } else {
            return nil
        }
        return granted.qos
    }

    private mutating func receive(_ publish: MQTTPublish, at now: MQTTTime) -> MQTTSessionAction {
        let topic: DeviceTopic
        do throws(DeviceTopic.Refusal) {
            topic = try deviceTopic(publish.topic)
        } catch {
            return refuse(publish, deviceID: error.deviceID, error.description, at: now)
        }
        switch publish.qos {
        case .exactlyOnce:
            let reason = "PUBLISH with quality of service 2 is not supported; use 1"
            return refuse(publish, deviceID: topic.deviceID, reason, at: now)
        case .atLeastOnce where inFlight.contains(packetID: publish.packetID):
            // An impatient client repeats what is not yet acknowledged: one acknowledgement will do for both.
            if publish.isDuplicate { return .none }
            return close(
                .protocolError, "packet identifier \(publish.packetID) is in use by a message without acknowledgement")
        case .atMostOnce, .atLeastOnce: break
        }
        let delivery = MQTTDelivery(deviceID: topic.deviceID, payload: publish.payload, properties: topic.properties)
        inFlight.append(MQTTInFlight.Entry(packetID: publish.packetID, delivery: delivery))
        return .none
    }

    /// A device mostly sends to one topic; the last one is remembered.
    private mutating func deviceTopic(_ text: String) throws(DeviceTopic.Refusal) -> DeviceTopic {
        if let lastTopic, lastTopic.text == text { return lastTopic.topic }
        let topic = try DeviceTopic(text)
        // A property bag is rarely the same twice.
        if topic.properties.isEmpty { lastTopic = (text, topic) }
        return topic
    }

    private mutating func refuse(
        _ publish: MQTTPublish, deviceID: String?, _ reason: String, at now: MQTTTime
    ) -> MQTTSessionAction {
        // Nobody waits for the fate of a QoS 0 message.
        if publish.qos == .atMostOnce { return .refuse(deviceID: deviceID, reason: reason) }
        let close = MQTTClose(.publishRefused, reason)
        state = .refusing(until: now.advanced(by: configuration.refusalPause), close)
        return .refuseAndClose(deviceID: deviceID, close)
    }
}
