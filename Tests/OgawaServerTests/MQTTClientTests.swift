import NIOPosix
import OgawaMQTT
import OgawaServer
import Synchronization
import Testing

@Suite(.serialized, .timeLimit(.minutes(1))) struct MQTTClientTests {
    private func connect(_ port: Int, _ change: (inout MQTTClient.Configuration) -> Void = { _ in }) async throws
        -> MQTTClient
    {
        var configuration = MQTTClient.Configuration(port: port, clientID: "client")
        change(&configuration)
        return try await MQTTClient.connect(configuration, group: MultiThreadedEventLoopGroup.singleton)
    }

    @Test func `messages of both sorts arrive, and the last one is acknowledged`() async throws {
        let ingest = FakeIngest()
        try await withListener(ingest) { _, port in
            let client = try await connect(port)
            try await client.publish(topic: "devices/a/telemetry", payload: Array("{\"n\":1}".utf8), qos: .atMostOnce)
            try await client.publish(topic: "devices/b/telemetry", payload: Array("{\"n\":2}".utf8))
            #expect(ingest.messages.map(\.deviceID) == ["a", "b"])
            await client.disconnect()
            #expect(!client.isActive)
        }
    }

    @Test func `thousands of pipelined messages keep their order`() async throws {
        let ingest = FakeIngest()
        try await withListener(ingest) { _, port in
            let client = try await connect(port) { $0.maximumInFlight = 64 }
            let done = Mutex(0)
            let payloads = (0..<3000).map { Array("{\"n\":\($0)}".utf8) }
            client.publish(topic: "devices/a/telemetry", payloads: payloads) { result in
                if case .success = result { done.withLock { $0 += 1 } }
            }
            #expect(await eventually { done.withLock { $0 } == 3000 })
            #expect(ingest.messages.map(\.payload) == payloads)
            await client.disconnect()
        }
    }

    @Test func `a lost connection fails what is not acknowledged`() async throws {
        let ingest = FakeIngest(holds: true)
        try await withListener(ingest) { listener, port in
            let client = try await connect(port)
            let lost = Task { try await client.publish(topic: "devices/a/telemetry", payload: Array("{}".utf8)) }
            #expect(await eventually { ingest.messages.count == 1 })
            let newer = try await connect(port)
            await #expect(throws: MQTTClient.Failure.self) { try await lost.value }
            await #expect(throws: MQTTClient.Failure.self) {
                try await client.publish(topic: "devices/a/telemetry", payload: [])
            }
            ingest.release()
            await newer.disconnect()
        }
    }

    @Test func `a queue that is full refuses`() async throws {
        let ingest = FakeIngest(holds: true)
        try await withListener(ingest) { _, port in
            let client = try await connect(port) {
                $0.maximumInFlight = 1
                $0.maximumQueued = 2
            }
            let failed = Mutex(0)
            let payloads = Array(repeating: Array("{}".utf8), count: 5)
            client.publish(topic: "devices/a/telemetry", payloads: payloads) { result in
                if case .failure = result { failed.withLock { $0 += 1 } }
            }
            #expect(await eventually { failed.withLock { $0 } == 2 })
            ingest.release()
            await client.disconnect()
        }
    }

    @Test func `a refused connection says why`() async throws {
        try await withListener(FakeIngest()) { _, port in
            let error = await #expect(throws: MQTTClient.Failure.self) {
                _ = try await connect(port) { $0.clientID = "a/b" }
            }
            #expect(error?.message.contains("return code 2") == true, "\(String(describing: error))")
        }
    }

    @Test func `pings keep a quiet connection open`() async throws {
        try await withListener(FakeIngest()) { _, port in
            let client = try await connect(port) { $0.keepAliveSeconds = 1 }
            try await Task.sleep(for: .milliseconds(2200))
            #expect(client.isActive)
            try await client.publish(topic: "devices/a/telemetry", payload: Array("{}".utf8))
            await client.disconnect()
        }
    }
}
