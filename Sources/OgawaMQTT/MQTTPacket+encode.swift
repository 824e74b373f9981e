// Packets to bytes.

extension MQTTPacket {
    /// The packet as bytes.
    package func encoded() throws(MQTTError) -> [UInt8] {
        var bytes: [UInt8] = []
        try encode(into: &bytes)
        return bytes
    }

    /// Appends the packet to the bytes, which stay as they were where it cannot be encoded.
    ///
    /// **Errors.** `unencodable` for a text or message longer than 65,535 bytes, a body over 256 MiB, packet identifier 0,
    /// a list without elements, or a topic that is none.
    package func encode(into bytes: inout [UInt8]) throws(MQTTError) {
        let size = try bodyByteCount()
        guard size <= MQTTLimits.remainingByteCount else {
            throw MQTTError(.unencodable, "\(type.name) body of \(size) bytes; the format's limit is 268,435,455")
        }
        bytes.reserveCapacity(bytes.count + size + 5)
        bytes.append(type.rawValue << 4 | flags)
        var rest = size
        repeat {
            bytes.append(UInt8(truncatingIfNeeded: rest & 0x7f) | (rest > 0x7f ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
        encodeBody(into: &bytes)
    }

    /// The four bytes of a PUBACK as one big-endian number.
    package static func encodedPuback(_ packetID: UInt16) -> UInt32 { 0x4002_0000 | UInt32(packetID) }

    /// A refusal of CONNECT that a client of MQTT 5 understands: reason 0x84, no properties.
    package static let unsupportedVersionForMQTT5: [UInt8] = [0x20, 3, 0, 0x84, 0]

    private var flags: UInt8 {
        switch self {
        case .publish(let publish):
            (publish.isDuplicate ? 0b1000 : 0) | publish.qos.rawValue << 1 | (publish.retain ? 1 : 0)
        case .pubrel, .subscribe, .unsubscribe: 0b0010
        case .connect, .connack, .puback, .pubrec, .pubcomp, .suback, .unsuback, .pingreq, .pingresp, .disconnect: 0
        }
    }

    private func encodeBody(into bytes: inout [UInt8]) {
        switch self {
        case .connect(let connect): connect.encodeBody(into: &bytes)
        case .connack(let sessionPresent, let code):
            bytes.append(sessionPresent ? 1 : 0)
            bytes.append(code.rawValue)
        case .publish(let publish):
            bytes.appendText(publish.topic)
            if publish.qos != .atMostOnce { bytes.appendNumber(publish.packetID) }
            bytes.append(contentsOf: publish.payload)
        case .puback(let id), .pubrec(let id), .pubrel(let id), .pubcomp(let id), .unsuback(let id):
            bytes.appendNumber(id)
        case .subscribe(let id, let wishes):
            bytes.appendNumber(id)
            for wish in wishes {
                bytes.appendText(wish.filter)
                bytes.append(wish.qos.rawValue)
            }
        case .suback(let id, let granted):
            bytes.appendNumber(id)
            for qos in granted { bytes.append(qos?.rawValue ?? 0x80) }
        case .unsubscribe(let id, let filters):
            bytes.appendNumber(id)
            for filter in filters { bytes.appendText(filter) }
        case .pingreq, .pingresp, .disconnect: break
        }
    }

    /// The body's length, after checking all that could make the packet unsound.
    private func bodyByteCount() throws(MQTTError) -> Int {
        switch self {
        case .connect(let connect): return try connect.bodyByteCount()
        case .connack(let sessionPresent, let code):
            try require(!sessionPresent || code == .accepted, "a refusal has no session")
            return 2
        case .publish(let publish):
            try require(MQTTTopic.isName(publish.topic), "the topic is empty or has a wildcard or U+0000")
            try require((publish.packetID != 0) == (publish.qos != .atMostOnce), "packet identifier and QoS disagree")
            try require(!publish.isDuplicate || publish.qos != .atMostOnce, "DUP is set, but QoS is 0")
            return try textByteCount(publish.topic) + (publish.qos == .atMostOnce ? 0 : 2) + publish.payload.count
        case .puback(let id), .pubrec(let id), .pubrel(let id), .pubcomp(let id), .unsuback(let id):
            try require(id != 0, "packet identifier 0")
            return 2
        case .subscribe(let id, let wishes):
            return try filtersByteCount(id, wishes.map(\.filter)) + wishes.count
        case .suback(let id, let granted):
            try require(id != 0 && !granted.isEmpty, "packet identifier 0, or no return code")
            return 2 + granted.count
        case .unsubscribe(let id, let filters): return try filtersByteCount(id, filters)
        case .pingreq, .pingresp, .disconnect: return 0
        }
    }

    private func filtersByteCount(_ id: UInt16, _ filters: [String]) throws(MQTTError) -> Int {
        try require(id != 0 && !filters.isEmpty, "packet identifier 0, or no topic filter")
        var size = 2
        for filter in filters {
            try require(MQTTTopic.isFilter(filter), "a topic filter is empty or has a wildcard in a wrong place")
            size += try textByteCount(filter)
        }
        return size
    }

    private func require(_ condition: Bool, _ message: StaticString) throws(MQTTError) {
        guard condition else { throw MQTTError(.unencodable, "\(type.name): \(message)") }
    }
}

extension MQTTConnect {
    fileprivate func bodyByteCount() throws(MQTTError) -> Int {
        guard password == nil || userName != nil else {
            throw MQTTError(.unencodable, "CONNECT: a password needs a user name")
        }
        var size = 10 + (try textByteCount(clientID))
        if let will {
            guard MQTTTopic.isName(will.topic) else {
                throw MQTTError(.unencodable, "CONNECT: the will topic is no topic")
            }
            size += try textByteCount(will.topic) + dataByteCount(will.payload.count)
        }
        if let userName { size += try textByteCount(userName) }
        if let password { size += try dataByteCount(password.count) }
        return size
    }

    fileprivate func encodeBody(into bytes: inout [UInt8]) {
        bytes.appendText("MQTT")
        bytes.append(4)
        var flags: UInt8 = cleanSession ? 0b10 : 0
        if let will { flags |= 0b100 | will.qos.rawValue << 3 | (will.retain ? 0b10_0000 : 0) }
        if password != nil { flags |= 0b100_0000 }
        if userName != nil { flags |= 0b1000_0000 }
        bytes.append(flags)
        bytes.appendNumber(keepAliveSeconds)
        bytes.appendText(clientID)
        if let will {
            bytes.appendText(will.topic)
            bytes.appendData(will.payload)
        }
        if let userName { bytes.appendText(userName) }
        if let password { bytes.appendData(password) }
    }
}

private func textByteCount(_ text: String) throws(MQTTError) -> Int {
    guard !text.utf8.contains(0) else { throw MQTTError(.unencodable, "a text has U+0000") }
    return try dataByteCount(text.utf8.count)
}

private func dataByteCount(_ count: Int) throws(MQTTError) -> Int {
    guard count <= 65_535 else { throw MQTTError(.unencodable, "a field of \(count) bytes; the limit is 65,535") }
    return count + 2
}

extension [UInt8] {
    fileprivate mutating func appendNumber(_ value: UInt16) {
        append(UInt8(value >> 8))
        append(UInt8(truncatingIfNeeded: value))
    }

    fileprivate mutating func appendText(_ text: String) {
        appendNumber(UInt16(truncatingIfNeeded: text.utf8.count))
        append(contentsOf: text.utf8)
    }

    fileprivate mutating func appendData(_ data: [UInt8]) {
        appendNumber(UInt16(truncatingIfNeeded: data.count))
        append(contentsOf: data)
    }
}
