import OgawaMQTT
import Testing

/// The classes of past mistakes of MQTT brokers, as far as codec and session can have them.
@Suite struct MQTTHostileTests {
    /// Plays bytes against a new session, as the listener does; the answer is why it closed.
    private func play(_ stream: [UInt8], connect: Bool = true) -> (close: MQTTClose?, buffered: Int, inFlight: Int) {
        var decoder = MQTTDecoder()
        var session = MQTTSession(MQTTSessionConfiguration(), at: MQTTTime(nanoseconds: 0))
        let now = MQTTTime(nanoseconds: 1)
        ((connect ? examples[0].bytes : []) + stream).withUnsafeBytes { decoder.append($0) }
        while session.canReceive {
            var action: MQTTSessionAction
            do throws(MQTTError) {
                let packet = try decoder.next(
                    maximumByteCount: session.maximumPacketByteCount, expected: session.expectedPacket)
                guard let packet else { break }
                action = session.receive(packet, at: now)
            } catch {
                action = session.receive(error)
            }
            if case .accept(let id) = action { action = session.accepted(clientID: id ?? "auto", at: now) }
            if case .close(let close) = action { return (close, decoder.bufferedByteCount, session.inFlightCount) }
            if case .refuseAndClose(_, let close) = action {
                return (close, decoder.bufferedByteCount, session.inFlightCount)
            }
        }
        return (nil, decoder.bufferedByteCount, session.inFlightCount)
    }

    @Test func `a length that is announced before CONNECT takes no memory`() {
        for header in ["10 ff ff ff 7f", "10 80 80 02", "30 80 80 80 01", "30", "c0"] {
            let result = play(bytes(header), connect: false)
            #expect(result.close?.kind == .protocolError, "\(header)")
            #expect(result.buffered == 0, "\(header)")
        }
    }

    @Test func `a length that is announced behind CONNECT is bounded`() {
        let result = play(bytes("30 ff ff ff 7f"))
        #expect(result.close?.kind == .protocolError)
        #expect(result.close?.reason.contains("262144") == true, "the limit is quoted")
        #expect(result.buffered == 0)
    }

    @Test func `a length of five bytes or with a byte too many closes`() {
        for header in ["30 80 80 80 80 01", "30 ff ff ff ff", "c0 80 00", "c0 80 80 80 00", "e0 80 00"] {
            #expect(play(bytes(header)).close?.kind == .protocolError, "\(header)")
        }
    }

    @Test func `every first byte before and after CONNECT is survived`() {
        for first in UInt8.min ... .max {
            for length in [[0], [2, 0, 1], [3, 0, 1, 0]] as [[UInt8]] {
                let before = play([first] + length, connect: false)
                #expect(first == 0x10 || before.close?.kind == .protocolError)
                _ = play([first] + length)
            }
        }
    }

    @Test(arguments: [
        "", "$SYS/broker/version", "$CONTROL/dynamic-security/v1", "/", String(repeating: "/", count: 200),
    ])
    func `odd topics are refused`(topic: String) {
        #expect(play(packet(0x32, field(topic) + [0, 1])).close != nil)
    }

    @Test func `a topic of 65,535 bytes is refused`() {
        let result = play(packet(0x32, field(String(repeating: "t", count: 65_535)) + [0, 1]))
        #expect(result.close?.kind == .protocolError)
        #expect(result.close?.reason.utf8.count ?? .max < 200)
    }

    @Test func `a will to a foreign or control topic has no effect`() {
        let will = bytes("0004 'MQTT' 04 06 003c") + field("d") + field("$CONTROL/x") + field("{}")
        let result = play(packet(0x10, will), connect: false)
        #expect(result.close == nil)
        #expect(result.inFlight == 0)
    }

    @Test func `thousands of filters in one packet are refused`() {
        let filters = Array(repeatElement(field("a") + [0], count: 5000).joined())
        #expect(play(packet(0x82, [0, 1] + filters)).close?.kind == .protocolError)
    }

    @Test func `QoS 2 leaves nothing behind`() {
        for id in 1...1000 {
            let publish = packet(0x34, field("devices/d/telemetry") + [UInt8(id >> 8), UInt8(id & 255)])
            #expect(play(publish).inFlight == 0)
        }
    }

    @Test(arguments: ["+", "#", "a/b", "a b", "%2e", "..\\", "a\u{7f}", "\u{feff}", "ａ"])
    func `a client id that could mean something in a path or a filter is refused`(id: String) {
        let result = play(packet(0x10, bytes("0004 'MQTT' 04 02 003c") + field(id)), connect: false)
        #expect(result.close?.kind == .connectRefused)
        #expect(result.close?.farewell == [0x20, 2, 0, 2])
    }

    @Test func `the window bounds what a flood leaves in memory`() {
        let publish = packet(0x30, field("devices/d/telemetry") + [UInt8](repeating: 32, count: 100))
        let result = play(Array(repeatElement(publish, count: 10_000).joined()))
        #expect(result.inFlight == MQTTSessionConfiguration().maximumInFlight)
    }

    @Test func `passwords are never in a reason`() {
        let body = bytes("0004 'MQTT' 04 c2 003c") + field("d") + field("user") + field("hunter2") + [0]
        #expect(play(packet(0x10, body), connect: false).close?.reason.contains("hunter2") == false)
    }
}
