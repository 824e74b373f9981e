import OgawaMQTT
import Testing

@Suite struct MQTTDecoderTests {
    private var stream: [UInt8] { examples.flatMap(\.bytes) }
    private var packets: [MQTTPacket] { examples.map(\.packet) }

    @Test func `packets one behind the other come out in order`() {
        #expect(decode(stream) == Decoded(packets: packets))
    }

    @Test func `byte by byte gives the same packets`() {
        #expect(decode(stream.map { [$0] }) == Decoded(packets: packets))
    }

    @Test(arguments: 2...40)
    func `any size of pieces gives the same packets`(size: Int) {
        let stream = stream
        let pieces = stride(from: 0, to: stream.count, by: size).map {
            Array(stream[$0..<min($0 + size, stream.count)])
        }
        #expect(decode(pieces) == Decoded(packets: packets))
    }

    @Test func `unsound bytes give the same error byte by byte`() {
        for example in MQTTPacketTests.invalid {
            let whole = decode(example.bytes)
            let single = decode(example.bytes.map { [$0] })
            #expect(whole.error == single.error, "\(example.name)")
            #expect(single.packets.isEmpty, "\(example.name)")
        }
    }

    @Test func `a stream cut at any byte gives the packets before the cut and waits`() {
        let stream = stream
        for end in stream.indices {
            let result = decode(Array(stream[..<end]))
            #expect(result.error == nil)
            #expect(result.packets == Array(packets.prefix(result.packets.count)))
            let taken = examples.prefix(result.packets.count).reduce(0) { $0 + $1.bytes.count }
            #expect(result.leftOver == end - taken)
        }
    }

    @Test func `a body cut at any byte with a fitting length is an error or another sound packet`() {
        for example in examples {
            let body = example.bytes.dropFirst(2)
            for count in 0..<body.count {
                let result = decode(packet(example.bytes[0], Array(body.prefix(count))))
                #expect(result.packets.count + (result.error == nil ? 0 : 1) == 1, "\(example.name) cut at \(count)")
            }
        }
    }

    @Test func `every bit flip is an error, a sound packet, or waits for more`() {
        for example in examples {
            for bit in 0..<example.bytes.count * 8 {
                var flipped = example.bytes
                flipped[bit / 8] ^= 1 << UInt8(bit % 8)
                let result = decode(flipped)
                for packet in result.packets {
                    #expect(throws: Never.self, "\(example.name) bit \(bit)") { _ = try packet.encoded() }
                }
            }
        }
    }

    @Test func `a packet over the limit is refused on its header`() {
        #expect(decode(bytes("30 ff ff ff 7f"), maximumByteCount: 262_144).error?.code == .tooLarge)
        #expect(decode(bytes("30 80 80 10"), maximumByteCount: 262_144).error?.code == .tooLarge)
        #expect(decode(bytes("30 fc ff 0f"), maximumByteCount: 262_144).error == nil)
    }

    @Test func `a packet that may not come is refused on its first byte`() {
        for type in MQTTPacketType.allCases where type != .connect {
            var decoder = MQTTDecoder()
            [type.rawValue << 4].withUnsafeBytes { decoder.append($0) }
            let error = #expect(throws: MQTTError.self) {
                try decoder.next(maximumByteCount: 100, expected: .connect)
            }
            #expect(error?.code == .protocolViolation)
        }
    }

    @Test func `after an error every call gives the error and nothing is kept`() {
        var decoder = MQTTDecoder()
        for _ in 0..<3 {
            bytes("f0 00 c0 00").withUnsafeBytes { decoder.append($0) }
            let error = #expect(throws: MQTTError.self) { try decoder.next(maximumByteCount: 100) }
            #expect(error?.code == .malformed)
            #expect(decoder.bufferedByteCount == 0)
        }
    }
}
