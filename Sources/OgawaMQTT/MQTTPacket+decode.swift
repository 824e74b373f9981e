// Bodies to packets. The fixed header was read and checked before (``MQTTFrame``).

extension MQTTPacket {
    /// Decodes the body of a packet whose fixed header is known.
    ///
    /// **Shape.** `body` holds exactly the frame's body. **Errors.** `malformed`; of a CONNECT also `unknownProtocol` and
    /// `unsupportedLevel`, where the rest of the packet is not looked at.
    package static func decode(
        _ frame: MQTTFrame, body: UnsafeRawBufferPointer
    ) throws(MQTTError) -> MQTTPacket {
        guard body.count == frame.bodyByteCount else {
            throw .malformed("\(frame.type.name) body of \(body.count) bytes; its header says \(frame.bodyByteCount)")
        }
        var cursor = MQTTCursor(body, of: frame.type)
        let packet: MQTTPacket
        switch frame.type {
        case .connect: packet = .connect(try connect(&cursor))
        case .connack: packet = try connack(&cursor)
        case .publish: packet = .publish(try publish(&cursor, flags: frame.flags))
        case .puback: packet = .puback(try cursor.packetID())
        case .pubrec: packet = .pubrec(try cursor.packetID())
        case .pubrel: packet = .pubrel(try cursor.packetID())
        case .pubcomp: packet = .pubcomp(try cursor.packetID())
        case .subscribe: packet = try subscribe(&cursor)
        case .suback: packet = try suback(&cursor)
        case .unsubscribe: packet = try unsubscribe(&cursor)
        case .unsuback: packet = .unsuback(try cursor.packetID())
        case .pingreq: packet = .pingreq
        case .pingresp: packet = .pingresp
        case .disconnect: packet = .disconnect
        }
        try cursor.expectEnd()
        return packet
    }

    private static func connect(_ cursor: inout MQTTCursor) throws(MQTTError) -> MQTTConnect {
        try checkProtocol(&cursor)
        let flags = try cursor.byte("connect flags")
        guard flags & 1 == 0 else { throw .malformed("CONNECT with its reserved flag set") }
        let hasWill = flags & 0b100 != 0
        guard let willQoS = MQTTQoS(rawValue: flags >> 3 & 0b11) else {
            throw .malformed("CONNECT with will quality of service 3; expected 0, 1 or 2")
        }
        let willRetain = flags & 0b10_0000 != 0
        if !hasWill, willQoS != .atMostOnce || willRetain {
            throw .malformed("CONNECT without a will, but with will flags")
        }
        let hasPassword = flags & 0b100_0000 != 0
        let hasUserName = flags & 0b1000_0000 != 0
        if hasPassword, !hasUserName { throw .malformed("CONNECT with a password, but without a user name") }
        let keepAlive = try cursor.number("keep-alive")
        var packet = MQTTConnect(
            clientID: try cursor.string("client identifier"), cleanSession: flags & 0b10 != 0,
            keepAliveSeconds: keepAlive)
        if hasWill {
            let topic = try cursor.string("will topic", maximumByteCount: MQTTLimits.topicByteCount)
            try checkTopicName(topic, of: "will topic of CONNECT")
            packet.will = MQTTWill(
                topic: topic, payload: try cursor.binary("will message"), qos: willQoS, retain: willRetain)
        }
        if hasUserName { packet.userName = try cursor.string("user name") }
        if hasPassword { packet.password = try cursor.binary("password") }
        return packet
    }

    private static func checkProtocol(_ cursor: inout MQTTCursor) throws(MQTTError) {
        let name = try cursor.string("protocol name")
        // MQTT 3.1 called itself MQIsdp; its clients understand the answer "unacceptable protocol version".
        guard name == "MQTT" || name == "MQIsdp" else {
            throw MQTTError(
                .unknownProtocol, "CONNECT with an unknown protocol name of \(name.utf8.count) bytes; expected \"MQTT\""
            )
        }
        let level = try cursor.byte("protocol level")
        guard name == "MQTT", level == 4 else {
            throw MQTTError(
                .unsupportedLevel, "CONNECT with protocol \(name) level \(level); expected MQTT level 4 (3.1.1)",
                level: level)
        }
    }

    private static func connack(_ cursor: inout MQTTCursor) throws(MQTTError) -> MQTTPacket {
        let flags = try cursor.byte("acknowledge flags")
        guard flags <= 1 else { throw .malformed("CONNACK with flags \(flags); expected 0 or 1") }
        let value = try cursor.byte("return code")
        guard let code = MQTTConnectReturnCode(rawValue: value) else {
            throw .malformed("CONNACK with return code \(value); expected 0 to 5")
        }
        if flags == 1, code != .accepted { throw .malformed("CONNACK with a session and return code \(value)") }
        return .connack(sessionPresent: flags == 1, code)
    }

    private static func publish(_ cursor: inout MQTTCursor, flags: UInt8) throws(MQTTError) -> MQTTPublish {
        guard let qos = MQTTQoS(rawValue: flags >> 1 & 0b11) else {
            throw .malformed("PUBLISH with quality of service 3; expected 0, 1 or 2")
        }
        let topic = try cursor.string("topic", maximumByteCount: MQTTLimits.topicByteCount)
        try checkTopicName(topic, of: "topic of PUBLISH")
        let packetID = qos == .atMostOnce ? 0 : try cursor.packetID()
        return MQTTPublish(
            topic: topic, payload: cursor.remainder(), qos: qos, packetID: packetID, isDuplicate: flags & 0b1000 != 0,
            retain: flags & 1 != 0)
    }

    private static func subscribe(_ cursor: inout MQTTCursor) throws(MQTTError) -> MQTTPacket {
        let packetID = try cursor.packetID()
        var wishes: [MQTTSubscription] = []
        repeat {
            let filter = try filter(&cursor, index: wishes.count)
            let value = try cursor.byte("quality of service")
            guard let qos = MQTTQoS(rawValue: value) else {
                throw .malformed("SUBSCRIBE with quality of service \(value); expected 0, 1 or 2")
            }
            wishes.append(MQTTSubscription(filter: filter, qos: qos))
        } while !cursor.isAtEnd
        return .subscribe(packetID, wishes)
    }

    private static func unsubscribe(_ cursor: inout MQTTCursor) throws(MQTTError) -> MQTTPacket {
        let packetID = try cursor.packetID()
        var filters: [String] = []
        repeat { filters.append(try filter(&cursor, index: filters.count)) } while !cursor.isAtEnd
        return .unsubscribe(packetID, filters)
    }

    private static func filter(_ cursor: inout MQTTCursor, index: Int) throws(MQTTError) -> String {
        guard index < MQTTLimits.filtersPerPacket else {
            throw .malformed("more than \(MQTTLimits.filtersPerPacket) topic filters in one packet")
        }
        let filter = try cursor.string("topic filter", maximumByteCount: MQTTLimits.filterByteCount)
        guard MQTTTopic.isFilter(filter) else {
            throw .malformed("topic filter \(index) is empty or has a wildcard in a wrong place")
        }
        return filter
    }

    private static func suback(_ cursor: inout MQTTCursor) throws(MQTTError) -> MQTTPacket {
        let packetID = try cursor.packetID()
        var granted: [MQTTQoS?] = []
        repeat {
            let value = try cursor.byte("return code")
            let qos = MQTTQoS(rawValue: value)
            guard qos != nil || value == 0x80 else {
                throw .malformed("SUBACK with return code \(value); expected 0, 1, 2 or 128")
            }
            granted.append(qos)
        } while !cursor.isAtEnd
        return .suback(packetID, granted)
    }

    private static func checkTopicName(_ topic: String, of field: StaticString) throws(MQTTError) {
        guard MQTTTopic.isName(topic) else { throw .malformed("\(field) is empty or has a wildcard") }
    }
}
