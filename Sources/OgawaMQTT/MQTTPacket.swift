// The 14 control packets of MQTT 3.1.1 as values. Strings are checked UTF-8 without U+0000.

/// The number of a control packet in the upper half of its first byte.
package enum MQTTPacketType: UInt8, Hashable, Sendable, CaseIterable {
    case connect = 1
    case connack
    case publish
    case puback
    case pubrec
    case pubrel
    case pubcomp
    case subscribe
    case suback
    case unsubscribe
    case unsuback
    case pingreq
    case pingresp
    case disconnect

    /// The packet's name as the specification writes it.
    package var name: String { String(describing: self).uppercased() }
}

/// How hard a message is delivered.
package enum MQTTQoS: UInt8, Hashable, Sendable, Comparable {
    case atMostOnce = 0
    case atLeastOnce = 1
    case exactlyOnce = 2

    package static func < (lhs: MQTTQoS, rhs: MQTTQoS) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// The message that a broker would publish when the connection is lost.
package struct MQTTWill: Hashable, Sendable {
    package var topic: String
    package var payload: [UInt8]
    package var qos: MQTTQoS
    package var retain: Bool

    package init(topic: String, payload: [UInt8], qos: MQTTQoS = .atMostOnce, retain: Bool = false) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
    }
}

/// The first packet of a client.
package struct MQTTConnect: Hashable, Sendable {
    package var clientID: String
    package var cleanSession: Bool
    /// 0 means that the client promises no interval.
    package var keepAliveSeconds: UInt16
    package var will: MQTTWill?
    package var userName: String?
    package var password: [UInt8]?

    package init(
        clientID: String, cleanSession: Bool = true, keepAliveSeconds: UInt16 = 60, will: MQTTWill? = nil,
        userName: String? = nil, password: [UInt8]? = nil
    ) {
        self.clientID = clientID
        self.cleanSession = cleanSession
        self.keepAliveSeconds = keepAliveSeconds
        self.will = will
        self.userName = userName
        self.password = password
    }
}

/// The server's answer to CONNECT.
package enum MQTTConnectReturnCode: UInt8, Hashable, Sendable, CaseIterable {
    case accepted = 0
    case unacceptableProtocolVersion = 1
    case identifierRejected = 2
    case serverUnavailable = 3
    case badUserNameOrPassword = 4
    case notAuthorized = 5
}

/// A message in either direction.
package struct MQTTPublish: Hashable, Sendable {
    package var topic: String
    package var payload: [UInt8]
    package var qos: MQTTQoS
    /// 0 exactly where the quality of service is 0.
    package var packetID: UInt16
    package var isDuplicate: Bool
    package var retain: Bool

    package init(
        topic: String, payload: [UInt8], qos: MQTTQoS = .atMostOnce, packetID: UInt16 = 0, isDuplicate: Bool = false,
        retain: Bool = false
    ) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.packetID = packetID
        self.isDuplicate = isDuplicate
        self.retain = retain
    }
}

/// One wish of a SUBSCRIBE.
package struct MQTTSubscription: Hashable, Sendable {
    package var filter: String
    package var qos: MQTTQoS

    package init(filter: String, qos: MQTTQoS) {
        self.filter = filter
        self.qos = qos
    }
}

/// One control packet.
package enum MQTTPacket: Hashable, Sendable {
    case connect(MQTTConnect)
    case connack(sessionPresent: Bool, MQTTConnectReturnCode)
    case publish(MQTTPublish)
    case puback(UInt16)
    case pubrec(UInt16)
    case pubrel(UInt16)
    case pubcomp(UInt16)
    case subscribe(UInt16, [MQTTSubscription])
    /// The granted quality of service of each wish, nil for a refused one (0x80).
    case suback(UInt16, [MQTTQoS?])
    case unsubscribe(UInt16, [String])
    case unsuback(UInt16)
    case pingreq
    case pingresp
    case disconnect

    /// The packet's number.
    package var type: MQTTPacketType {
        switch self {
        case .connect: .connect
        case .connack: .connack
        case .publish: .publish
        case .puback: .puback
        case .pubrec: .pubrec
        case .pubrel: .pubrel
        case .pubcomp: .pubcomp
        case .subscribe: .subscribe
        case .suback: .suback
        case .unsubscribe: .unsubscribe
        case .unsuback: .unsuback
        case .pingreq: .pingreq
        case .pingresp: .pingresp
        case .disconnect: .disconnect
        }
    }
}
