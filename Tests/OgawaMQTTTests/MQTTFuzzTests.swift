import OgawaMQTT
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Random and damaged byte streams through decoder and session.
///
/// `OGAWA_FUZZ_COUNT` and `OGAWA_FUZZ_SEED` set the run.
@Suite struct MQTTFuzzTests {
    private func setting(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }

    @Test func `no byte stream traps the decoder or the session`() {
        #if DEBUG
            let standard: UInt64 = 2_000
        #else
            let standard: UInt64 = 100_000
        #endif
        let count = setting("OGAWA_FUZZ_COUNT") ?? standard
        let seed = setting("OGAWA_FUZZ_SEED") ?? UInt64.random(in: .min ... .max)
        print("MQTT fuzz: OGAWA_FUZZ_SEED=\(seed) OGAWA_FUZZ_COUNT=\(count)")
        var generator = SeededGenerator(state: seed)
        var packetCount = 0
        for _ in 0..<count { packetCount += run(&generator) }
        #expect(packetCount > count / 4, "most inputs should get past the header; seed \(seed)")
    }

    @Test func `a packet that decodes encodes to the same packet`() throws {
        let seed = setting("OGAWA_FUZZ_SEED") ?? UInt64.random(in: .min ... .max)
        var generator = SeededGenerator(state: seed)
        for _ in 0..<2_000 {
            for packet in decode(input(&generator)).packets {
                #expect(decode(try packet.encoded()).packets == [packet], "seed \(seed)")
            }
        }
    }

    /// One connection: a stream in random pieces, batches finished at random moments.
    private func run(_ generator: inout SeededGenerator) -> Int {
        let stream = input(&generator)
        var decoder = MQTTDecoder()
        var session = MQTTSession(MQTTSessionConfiguration(), at: MQTTTime(nanoseconds: 0))
        var rest = stream[...]
        var packetCount = 0
        var time: Int64 = 0
        while !rest.isEmpty, !session.isClosed {
            let piece = rest.prefix(Int.random(in: 1...64, using: &generator))
            rest = rest.dropFirst(piece.count)
            piece.withUnsafeBytes { decoder.append($0) }
            time += Int64.random(in: 0...1_000_000_000, using: &generator)
            let now = MQTTTime(nanoseconds: time)
            var action = MQTTSessionAction.none
            packets: while session.canReceive {
                do throws(MQTTError) {
                    let packet = try decoder.next(
                        maximumByteCount: session.maximumPacketByteCount, expected: session.expectedPacket)
                    guard let packet else { break packets }
                    packetCount += 1
                    action = session.receive(packet, at: now)
                } catch {
                    action = session.receive(error)
                }
                if case .accept(let id) = action { action = session.accepted(clientID: id ?? "auto", at: now) }
                if case .send(let packet) = action { packetCount += (try? packet.encoded()) == nil ? -1000 : 0 }
            }
            let batch = session.takeBatch(at: now)
            if !batch.isEmpty {
                let outcomes = batch.map { _ in outcome(&generator) }
                _ = session.finishBatch(
                    Array(outcomes.prefix(Int.random(in: 0...batch.count, using: &generator))), at: now)
            }
            _ = session.timerFired(at: now)
        }
        session.disconnected()
        return packetCount
    }

    private func outcome(_ generator: inout SeededGenerator) -> MQTTOutcome {
        switch UInt8.random(in: 0..<8, using: &generator) {
        case 0: .refused("bad")
        case 1: .busy("busy")
        default: .stored
        }
    }

    /// A sound stream that usually begins with CONNECT, mostly with some damage.
    private func input(_ generator: inout SeededGenerator) -> [UInt8] {
        var stream: [UInt8] = Bool.random(using: &generator) ? examples[0].bytes : []
        for _ in 0..<Int.random(in: 0...6, using: &generator) {
            switch UInt8.random(in: 0..<4, using: &generator) {
            case 0: stream += examples[Int.random(in: 0..<examples.count, using: &generator)].bytes
            case 1: stream += Self.publish
            case 2: stream += Self.azure
            default: stream += Self.subscribe
            }
        }
        for _ in 0..<Int.random(in: 0...3, using: &generator) { damage(&stream, &generator) }
        return stream
    }

    private static let publish = packet(0x32, field("devices/d/telemetry") + [0, 1] + Array("{}".utf8))
    private static let azure = packet(0x30, field("devices/d/messages/events/a=%20b&c") + Array("[]".utf8))
    private static let subscribe = packet(0x82, [0, 9] + field("devices/dev-1/#") + [1])

    private func damage(_ stream: inout [UInt8], _ generator: inout SeededGenerator) {
        let index = Int.random(in: 0...stream.count, using: &generator)
        switch UInt8.random(in: 0..<5, using: &generator) {
        case 0: stream.insert(UInt8.random(in: .min ... .max, using: &generator), at: index)
        case 1 where index < stream.count: stream.remove(at: index)
        case 2 where index < stream.count: stream[index] = UInt8.random(in: .min ... .max, using: &generator)
        case 3 where index < stream.count: stream[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        default: stream.removeLast(min(stream.count, Int.random(in: 0...3, using: &generator)))
        }
    }
}
