import OgawaMQTT
import Testing

@Suite struct MQTTPacketTests {
    @Test(arguments: examples.indices)
    func `a packet encodes to its bytes and decodes from them`(index: Int) throws {
        let example = examples[index]
        #expect(try example.packet.encoded() == example.bytes, "\(example.name)")
        #expect(decode(example.bytes) == Decoded(packets: [example.packet]), "\(example.name)")
    }

    @Test func `every packet type has an example`() {
        #expect(Set(examples.map(\.packet.type)) == Set(MQTTPacketType.allCases))
    }

    static let invalid: [(name: String, bytes: [UInt8])] = [
        ("type 0", bytes("00 00")),
        ("type 15", bytes("f0 00")),
        ("a length of 5 bytes", bytes("30 80 80 80 80 01")),
        ("a length of 4 bytes with a fifth announced", bytes("30 ff ff ff ff")),
        ("a length with a byte too many", bytes("c0 80 00")),
        ("a length with three bytes too many", bytes("c0 80 80 80 00")),
        ("PUBLISH with QoS 3", bytes("36 05 0001 'a' 0001")),
        ("PUBLISH with DUP and QoS 0", bytes("38 03 0001 'a'")),
        ("PUBLISH with an empty topic", bytes("30 04 0000 '{}'")),
        ("PUBLISH with +", bytes("30 05 0003 'a/+'")),
        ("PUBLISH with #", bytes("30 03 0001 '#'")),
        ("PUBLISH with U+0000", bytes("30 05 0003 'a' 00 'b'")),
        ("PUBLISH with a surrogate", bytes("30 05 0003 eda080")),
        ("PUBLISH with an overlong slash", bytes("30 04 0002 c0af")),
        ("PUBLISH with packet identifier 0", bytes("32 05 0001 'a' 0000")),
        ("PUBLISH without its packet identifier", bytes("32 03 0001 'a'")),
        ("PUBLISH whose topic is longer than the packet", bytes("30 04 00ff 'aa'")),
        ("PUBLISH with a length of 2", bytes("30 02 0001")),
        ("CONNECT with flags", bytes("11 0d 0004 'MQTT' 04 02 003c 0001 'd'")),
        ("CONNECT with the reserved flag", bytes("10 0d 0004 'MQTT' 04 03 003c 0001 'd'")),
        ("CONNECT with will QoS but no will", bytes("10 0d 0004 'MQTT' 04 0a 003c 0001 'd'")),
        ("CONNECT with will retain but no will", bytes("10 0d 0004 'MQTT' 04 22 003c 0001 'd'")),
        ("CONNECT with will QoS 3", bytes("10 13 0004 'MQTT' 04 1e 003c 0001 'd' 0001 'w' 0001 'm'")),
        ("CONNECT with a wildcard in the will topic", bytes("10 13 0004 'MQTT' 04 06 003c 0001 'd' 0001 '#' 0001 'm'")),
        ("CONNECT with a password but no user name", bytes("10 10 0004 'MQTT' 04 42 003c 0001 'd' 0001 'p'")),
        ("CONNECT with bytes behind its end", bytes("10 0e 0004 'MQTT' 04 02 003c 0001 'd' ff")),
        ("CONNECT with another protocol", bytes("10 0d 0004 'HTTP' 04 02 003c 0001 'd'")),
        ("CONNECT with level 3", bytes("10 0d 0004 'MQTT' 03 02 003c 0001 'd'")),
        ("CONNECT with level 5", bytes("10 0e 0004 'MQTT' 05 02 003c 00 0001 'd'")),
        ("CONNECT of MQTT 3.1", bytes("10 0f 0006 'MQIsdp' 03 02 003c 0001 'd'")),
        ("CONNACK with reserved flags", bytes("20 02 02 00")),
        ("CONNACK with return code 6", bytes("20 02 00 06")),
        ("CONNACK refusal with a session", bytes("20 02 01 01")),
        ("PUBACK with identifier 0", bytes("40 02 0000")),
        ("PUBACK of 3 bytes", bytes("40 03 0001 00")),
        ("PUBREL without its flag", bytes("60 02 0001")),
        ("SUBSCRIBE without its flag", bytes("80 06 0001 0001 'a' 00")),
        ("SUBSCRIBE without a filter", bytes("82 02 0001")),
        ("SUBSCRIBE with QoS 3", bytes("82 06 0001 0001 'a' 03")),
        ("SUBSCRIBE with an empty filter", bytes("82 06 0001 0000 00 00")),
        ("SUBSCRIBE with # in the middle", bytes("82 08 0001 0003 '#/a' 00")),
        ("SUBSCRIBE with half a level", bytes("82 07 0001 0002 'a#' 00")),
        ("SUBSCRIBE without a QoS", bytes("82 07 0001 0001 'a' 00 00")),
        ("SUBACK with return code 3", bytes("90 03 0001 03")),
        ("UNSUBSCRIBE without a filter", bytes("a2 02 0001")),
        ("UNSUBSCRIBE without its flag", bytes("a0 05 0001 0001 'a'")),
        ("PINGREQ with a body", bytes("c0 01 00")),
        ("PINGREQ that announces a megabyte", bytes("c0 80 80 40")),
        ("DISCONNECT with flags", bytes("e1 00")),
    ]

    @Test(arguments: invalid.indices)
    func `unsound bytes are a typed error`(index: Int) throws {
        let example = Self.invalid[index]
        let result = decode(example.bytes)
        #expect(result.packets.isEmpty, "\(example.name)")
        let error = try #require(result.error, "\(example.name)")
        #expect([.malformed, .unknownProtocol, .unsupportedLevel].contains(error.code), "\(example.name): \(error)")
        #expect(!error.message.isEmpty)
    }

    @Test func `another protocol level is told with its number`() throws {
        #expect(decode(bytes("10 0e 0004 'MQTT' 05 02 003c 00 0001 'd'")).error?.level == 5)
        #expect(decode(bytes("10 0f 0006 'MQIsdp' 03 02 003c 0001 'd'")).error?.level == 3)
    }

    static let unencodable: [MQTTPacket] = [
        .connack(sessionPresent: true, .notAuthorized),
        .connect(MQTTConnect(clientID: String(repeating: "x", count: 65_536))),
        .connect(MQTTConnect(clientID: "a", password: [1])),
        .connect(MQTTConnect(clientID: "a", will: MQTTWill(topic: "#", payload: []))),
        .connect(MQTTConnect(clientID: "a\0")),
        .publish(MQTTPublish(topic: "", payload: [])),
        .publish(MQTTPublish(topic: "a/+", payload: [])),
        .publish(MQTTPublish(topic: "a", payload: [], qos: .atLeastOnce)),
        .publish(MQTTPublish(topic: "a", payload: [], packetID: 1)),
        .publish(MQTTPublish(topic: "a", payload: [], isDuplicate: true)),
        .puback(0), .subscribe(1, []), .subscribe(1, [MQTTSubscription(filter: "a#", qos: .atMostOnce)]),
        .suback(1, []), .unsubscribe(0, ["a"]), .unsubscribe(1, [""]),
    ]

    @Test(arguments: unencodable)
    func `a packet that does not fit the format is not encoded`(packet: MQTTPacket) {
        var target: [UInt8] = [7]
        #expect(throws: MQTTError.self) { try packet.encode(into: &target) }
        #expect(target == [7])
    }

    @Test func `a PUBACK as a number is its bytes`() throws {
        let number = MQTTPacket.encodedPuback(0x1234)
        #expect(withUnsafeBytes(of: number.bigEndian) { Array($0) } == (try MQTTPacket.puback(0x1234).encoded()))
    }

    @Test(arguments: [(0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (2_097_151, 3), (2_097_152, 4)])
    func `the remaining length takes one to four bytes`(bodyByteCount: Int, lengthByteCount: Int) throws {
        guard bodyByteCount >= 3 else { return }
        let publish = MQTTPublish(topic: "a", payload: [UInt8](repeating: 1, count: bodyByteCount - 3))
        let encoded = try MQTTPacket.publish(publish).encoded()
        #expect(encoded.count == 1 + lengthByteCount + bodyByteCount)
        #expect(decode(encoded, maximumByteCount: 1 << 22).packets == [.publish(publish)])
    }
}
