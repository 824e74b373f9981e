import OgawaMQTT

/// Bytes from text such as `"30 05 0001 61 'hello'"`: hexadecimal digits and quoted text.
func bytes(_ text: String) -> [UInt8] {
    var result: [UInt8] = []
    for (index, part) in text.split(separator: "'", omittingEmptySubsequences: false).enumerated() {
        if index % 2 == 1 {
            result += Array(part.utf8)
            continue
        }
        var digits = part.filter { !$0.isWhitespace }[...]
        while digits.count >= 2 {
            result.append(UInt8(digits.prefix(2), radix: 16) ?? 0)
            digits = digits.dropFirst(2)
        }
    }
    return result
}

/// A packet type's first byte, the remaining length, and the body.
func packet(_ first: UInt8, _ body: [UInt8]) -> [UInt8] {
    var result = [first]
    var rest = body.count
    repeat {
        result.append(UInt8(rest & 0x7f) | (rest > 0x7f ? 0x80 : 0))
        rest >>= 7
    } while rest > 0
    return result + body
}

/// Text behind its length of two bytes.
func field(_ text: String) -> [UInt8] { field(Array(text.utf8)) }

/// Bytes behind their length of two bytes.
func field(_ data: [UInt8]) -> [UInt8] { [UInt8(data.count >> 8), UInt8(data.count & 0xff)] + data }

/// What a decoder makes of a byte stream that comes in the given pieces.
struct Decoded: Hashable {
    var packets: [MQTTPacket] = []
    var error: MQTTError?
    var leftOver = 0
}

/// Feeds pieces to a decoder and takes out packets after each.
func decode(_ pieces: some Sequence<[UInt8]>, maximumByteCount: Int = 1 << 20) -> Decoded {
    var decoder = MQTTDecoder()
    var result = Decoded()
    for piece in pieces {
        piece.withUnsafeBytes { decoder.append($0) }
        do throws(MQTTError) {
            while let packet = try decoder.next(maximumByteCount: maximumByteCount) { result.packets.append(packet) }
        } catch {
            result.error = error
        }
    }
    result.leftOver = decoder.bufferedByteCount
    return result
}

/// Feeds a byte stream in one piece.
func decode(_ stream: [UInt8], maximumByteCount: Int = 1 << 20) -> Decoded {
    decode(CollectionOfOne(stream), maximumByteCount: maximumByteCount)
}

/// A small, fast, seeded source of random numbers (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

/// Every kind of packet with its bytes.
let examples: [(name: String, packet: MQTTPacket, bytes: [UInt8])] = [
    ("CONNECT", .connect(MQTTConnect(clientID: "dev-1")), bytes("10 11 0004 'MQTT' 04 02 003c 0005 'dev-1'")),
    (
        "CONNECT with everything",
        .connect(
            MQTTConnect(
                clientID: "d", cleanSession: false, keepAliveSeconds: 10,
                will: MQTTWill(topic: "w", payload: [1, 2], qos: .atLeastOnce, retain: true), userName: "u",
                password: [0, 255])),
        bytes("10 1b 0004 'MQTT' 04 ec 000a 0001 'd' 0001 'w' 0002 0102 0001 'u' 0002 00ff")
    ),
    ("CONNACK", .connack(sessionPresent: false, .accepted), bytes("20 02 00 00")),
    ("CONNACK with session", .connack(sessionPresent: true, .accepted), bytes("20 02 01 00")),
    ("CONNACK refusal", .connack(sessionPresent: false, .notAuthorized), bytes("20 02 00 05")),
    ("PUBLISH 0", .publish(MQTTPublish(topic: "a/b", payload: [123, 125])), bytes("30 07 0003 'a/b' '{}'")),
    (
        "PUBLISH 1",
        .publish(
            MQTTPublish(topic: "a", payload: [], qos: .atLeastOnce, packetID: 258, isDuplicate: true, retain: true)),
        bytes("3b 05 0001 'a' 0102")
    ),
    (
        "PUBLISH 2", .publish(MQTTPublish(topic: "ü", payload: [0], qos: .exactlyOnce, packetID: 65_535)),
        bytes("34 07 0002 c3bc ffff 00")
    ),
    ("PUBACK", .puback(1), bytes("40 02 0001")),
    ("PUBREC", .pubrec(2), bytes("50 02 0002")),
    ("PUBREL", .pubrel(3), bytes("62 02 0003")),
    ("PUBCOMP", .pubcomp(4), bytes("70 02 0004")),
    (
        "SUBSCRIBE",
        .subscribe(
            10,
            [MQTTSubscription(filter: "a/+/c", qos: .atLeastOnce), MQTTSubscription(filter: "#", qos: .exactlyOnce)]),
        bytes("82 0e 000a 0005 'a/+/c' 01 0001 '#' 02")
    ),
    ("SUBACK", .suback(10, [.atLeastOnce, nil]), bytes("90 04 000a 01 80")),
    ("UNSUBSCRIBE", .unsubscribe(11, ["a", "b/#"]), bytes("a2 0a 000b 0001 'a' 0003 'b/#'")),
    ("UNSUBACK", .unsuback(11), bytes("b0 02 000b")),
    ("PINGREQ", .pingreq, bytes("c0 00")),
    ("PINGRESP", .pingresp, bytes("d0 00")),
    ("DISCONNECT", .disconnect, bytes("e0 00")),
]
