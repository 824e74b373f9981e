import NIOPosix
import OgawaMQTT
import OgawaServer
import Testing

@Suite(.serialized, .timeLimit(.minutes(1))) struct MQTTListenerTests {
    private let connack: [UInt8] = [0x20, 2, 0, 0]

    private func connectBytes(_ id: String, keepAliveSeconds: UInt16 = 0) throws -> [UInt8] {
        try MQTTPacket.connect(MQTTConnect(clientID: id, keepAliveSeconds: keepAliveSeconds)).encoded()
    }

    private func publishBytes(
        _ id: UInt16, payload: String = "{}", topic: String = "devices/d/telemetry", qos: MQTTQoS = .atLeastOnce
    ) throws -> [UInt8] {
        let publish = MQTTPublish(
            topic: topic, payload: Array(payload.utf8), qos: qos, packetID: qos == .atMostOnce ? 0 : id)
        return try MQTTPacket.publish(publish).encoded()
    }

    @Test func `PUBACK is not sent before the log has the message`() async throws {
        let ingest = FakeIngest(holds: true)
        try await withListener(ingest) { _, port in
            let socket = try #require(RawSocket(port: port))
            socket.send(try connectBytes("d") + publishBytes(1) + publishBytes(2))
            #expect(await socket.receive(4) == connack)
            #expect(await eventually { ingest.messages.count == 2 })
            // Later packets are answered, so the silence about PUBACK is no delay of the socket.
            socket.send(try MQTTPacket.pingreq.encoded())
            #expect(await socket.receive(2) == [0xd0, 0])
            #expect(socket.receiveAvailable().isEmpty)
            ingest.release()
            #expect(await socket.receive(8) == [0x40, 2, 0, 1, 0x40, 2, 0, 2])
        }
    }

    @Test func `what arrives together goes to the gateway in one call`() async throws {
        let ingest = FakeIngest()
        try await withListener(ingest) { _, port in
            let socket = try #require(RawSocket(port: port))
            socket.send(try connectBytes("d"))
            #expect(await socket.receive(4) == connack)
            socket.send(try (1...50).flatMap { try publishBytes($0, payload: "{\"n\":\($0)}") })
            #expect(await socket.receive(200) == (1...50).flatMap { [0x40, 2, 0, UInt8($0)] })
            #expect(ingest.batches.count == 1)
            #expect(ingest.payloads == (1...50).map { "{\"n\":\($0)}" })
        }
    }

    @Test func `a full window holds the device back by TCP`() async throws {
        let ingest = FakeIngest(holds: true)
        try await withListener(ingest, { $0.maximumInFlight = 10 }) { _, port in
            let socket = try #require(RawSocket(port: port))
            socket.send(try connectBytes("d"))
            #expect(await socket.receive(4) == connack)
            let body = "{\"x\":\"" + String(repeating: "x", count: 8000) + "\"}"
            let stream = try (1...2000).flatMap { try publishBytes(UInt16($0), payload: body) }
            let sent = await eventualCount { socket.send(Array(stream.dropFirst($0)), waits: false) }
            #expect(sent < stream.count, "16 MB must not fit anywhere on the way")
            #expect(ingest.messages.count <= 10)
            // As soon as the log goes on, so does the device.
            let acknowledgements = Task { await socket.receive(4 * 2000) }
            let rest = Task { await offCooperativeThreads { socket.send(Array(stream.dropFirst(sent))) } }
            #expect(
                await eventually {
                    ingest.release()
                    return ingest.messages.count == 2000
                })
            ingest.release()
            #expect(await rest.value == stream.count - sent)
            #expect(await acknowledgements.value.count == 4 * 2000)
        }
    }

    /// Repeats a send that does not wait until nothing goes out any more.
    private func eventualCount(_ send: (Int) -> Int) async -> Int {
        var total = 0
        var idle = 0
        while idle < 20 {
            let count = send(total)
            total += count
            idle = count == 0 ? idle + 1 : 0
            try? await Task.sleep(for: .milliseconds(10))
        }
        return total
    }

    @Test func `bytes in any pieces give the same conversation`() async throws {
        let ingest = FakeIngest()
        try await withListener(ingest) { _, port in
            let socket = try #require(RawSocket(port: port))
            for byte in try connectBytes("d") + publishBytes(7) + MQTTPacket.disconnect.encoded() {
                socket.send([byte])
            }
            #expect(await eventually { ingest.messages.count == 1 })
            #expect(await socket.isClosedByPeer())
        }
    }

    @Test func `a busy log is asked again before the device hears of it`() async throws {
        let ingest = FakeIngest(busyCount: 3)
        try await withListener(ingest) { _, port in
            let socket = try #require(RawSocket(port: port))
            socket.send(try connectBytes("d") + publishBytes(1))
            #expect(await socket.receive(8) == connack + [0x40, 2, 0, 1])
            #expect(ingest.messages.count == 1)
        }
    }

    @Test func `a log that stays busy closes without acknowledgement`() async throws {
        let ingest = FakeIngest(busyCount: .max)
        try await withListener(ingest, { $0.busyTimeout = .milliseconds(100) }) { _, port in
            let socket = try #require(RawSocket(port: port))
            socket.send(try connectBytes("d") + publishBytes(1))
            #expect(await socket.receive(5) == connack)
            #expect(ingest.messages.isEmpty)
        }
    }

    @Test(arguments: [MQTTSessionConfiguration.RefusedPublish.acknowledge, .close])
    func `a payload that is no event is refused as the listener is told`(
        policy: MQTTSessionConfiguration.RefusedPublish
    ) async throws {
        let ingest = FakeIngest()
        try await withListener(ingest, { $0.refusedPublish = policy }) { _, port in
            let socket = try #require(RawSocket(port: port))
            socket.send(try connectBytes("d") + publishBytes(1) + publishBytes(2, payload: "nan") + publishBytes(3))
            let answer = await socket.receive(policy == .close ? 9 : 16)
            let all: [UInt8] = connack + [0x40, 2, 0, 1, 0x40, 2, 0, 2, 0x40, 2, 0, 3]
            #expect(answer == (policy == .close ? Array(all.prefix(8)) : all))
            #expect(ingest.rejections.map(\.deviceID) == ["d"])
        }
    }

    @Test(arguments: [("some/where", MQTTQoS.atLeastOnce), ("devices/d/telemetry", .exactlyOnce)])
    func `a publish that can never be accepted is recorded and closes`(topic: String, qos: MQTTQoS) async throws {
        let ingest = FakeIngest()
        try await withListener(ingest) { _, port in
            let socket = try #require(RawSocket(port: port))
            socket.send(try connectBytes("dev-9") + publishBytes(1, topic: topic, qos: qos))
            #expect(await socket.receive(5) == connack)
            #expect(ingest.rejections.count == 1)
            #expect(ingest.messages.isEmpty)
        }
    }

    @Test func `an older connection with the same client id is closed`() async throws {
        let ingest = FakeIngest()
        try await withListener(ingest) { listener, port in
            let older = try #require(RawSocket(port: port))
            older.send(try connectBytes("d"))
            #expect(await older.receive(4) == connack)
            let newer = try #require(RawSocket(port: port))
            newer.send(try connectBytes("d"))
            #expect(await newer.receive(4) == connack)
            #expect(await older.isClosedByPeer())
            newer.send(try publishBytes(1))
            #expect(await newer.receive(4) == [0x40, 2, 0, 1])
            #expect(await eventually { listener.connectionCount == 1 })
        }
    }

    @Test func `a storm of take-overs leaves one connection`() async throws {
        let ingest = FakeIngest()
        try await withListener(ingest) { listener, port in
            let bytes =
                try connectBytes("d") + publishBytes(1)
                + MQTTPacket.subscribe(
                    2, [MQTTSubscription(filter: "devices/d/#", qos: .atLeastOnce)]
                ).encoded()
            let sockets = (0..<200).compactMap { _ in
                let socket = RawSocket(port: port)
                socket?.send(bytes)
                return socket
            }
            #expect(sockets.count == 200)
            #expect(await eventually { listener.connectionCount == 1 })
            // A socket that nobody holds closes itself, and optimised builds let go after the last use.
            withExtendedLifetime(sockets) {}
        }
    }

    @Test func `connections over the limit are closed at once`() async throws {
        try await withListener(FakeIngest(), { $0.maximumConnections = 2 }) { listener, port in
            let first = try #require(RawSocket(port: port))
            let second = try #require(RawSocket(port: port))
            for (index, socket) in [first, second].enumerated() {
                socket.send(try connectBytes("d\(index)"))
                #expect(await socket.receive(4) == connack)
            }
            let third = try #require(RawSocket(port: port))
            #expect(await third.isClosedByPeer())
            #expect(listener.connectionCount == 2)
            // The refusal must not have stopped the accept loop.
            second.send(try MQTTPacket.disconnect.encoded())
            #expect(await eventually { listener.connectionCount == 1 })
            let fourth = try #require(RawSocket(port: port))
            fourth.send(try connectBytes("d4"))
            #expect(await fourth.receive(4) == connack)
        }
    }

    @Test func `silence before CONNECT and behind the keep-alive closes`() async throws {
        try await withListener(FakeIngest(), { $0.connectTimeout = .milliseconds(100) }) { _, port in
            let silent = try #require(RawSocket(port: port))
            #expect(await silent.isClosedByPeer())
            let dripping = try #require(RawSocket(port: port))
            dripping.send([0x10])
            #expect(await dripping.isClosedByPeer())
            let idle = try #require(RawSocket(port: port))
            idle.send(try connectBytes("d", keepAliveSeconds: 1))
            #expect(await idle.receive(4) == connack)
            #expect(await idle.isClosedByPeer())
        }
    }

    @Test func `hostile first bytes are closed and recorded`() async throws {
        let ingest = FakeIngest()
        try await withListener(ingest) { _, port in
            for first: [UInt8] in [
                [0x30], [0x20, 2, 0, 0], [0x10, 0xff, 0xff, 0xff, 0x7f], Array("GET / HTTP/1.1\r\n".utf8),
            ] {
                let socket = try #require(RawSocket(port: port))
                socket.send(first)
                #expect(await socket.isClosedByPeer())
            }
            #expect(ingest.rejections.count == 4)
        }
    }

    @Test func `MQTT 5 is refused in its own words`() async throws {
        try await withListener(FakeIngest()) { _, port in
            let socket = try #require(RawSocket(port: port))
            socket.send([0x10, 14, 0, 4] + Array("MQTT".utf8) + [5, 2, 0, 60, 0, 0, 1, UInt8(ascii: "d")])
            #expect(await socket.receive(6) == [0x20, 3, 0, 0x84, 0])
        }
    }

    @Test func `stopping acknowledges what is in flight and closes`() async throws {
        let ingest = FakeIngest(holds: true)
        try await withListener(ingest) { listener, port in
            let socket = try #require(RawSocket(port: port))
            socket.send(try connectBytes("d") + publishBytes(1))
            #expect(await socket.receive(4) == connack)
            #expect(await eventually { ingest.messages.count == 1 })
            async let stopped: Void = listener.stop()
            try await Task.sleep(for: .milliseconds(50))
            ingest.release()
            #expect(await socket.receive(5) == [0x40, 2, 0, 1])
            await stopped
            #expect(RawSocket(port: port) == nil)
        }
    }

    @Test func `an address that is taken is an error with a hint`() async throws {
        try await withListener(FakeIngest()) { _, port in
            let error = await #expect(throws: MQTTListener.StartError.self) {
                try await withListener(FakeIngest(), { $0.port = port }) { _, _ in }
            }
            #expect(error?.description.contains("127.0.0.1:\(port)") == true)
        }
    }
}
