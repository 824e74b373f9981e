import OgawaCore
import OgawaLog
import OgawaPlatform
import OgawaServer
import OgawaTesting
import Testing

@Suite(.timeLimit(.minutes(1))) struct GatewayTests {
    private struct Setup {
        let files = MemoryFileSystem()
        let log: Log
        let gateway: Gateway
        let rejections = RejectionLog(clock: SimulatedClock(), capacity: 3)

        init(streams: [String] = ["telemetry"], routes: [StreamRoute]? = nil, telemetry: String? = nil) throws {
            log = try Log.open(
                directory: "/log", streams: streams.map { StreamConfiguration(name: $0, partitionCount: 1) },
                clock: SimulatedClock(), fileSystem: files)
            gateway = Gateway(
                log: log, streams: routes ?? streams.map { StreamRoute(name: $0) }, telemetryStream: telemetry,
                rejections: rejections)
        }

        func ingest(_ messages: [DeviceMessage]) async -> [Result<Int, IngestError>] {
            await withCheckedContinuation { continuation in
                gateway.ingest(messages, protocolName: "mqtt") { continuation.resume(returning: $0) }
            }
        }

        func message(_ device: String, _ payload: String, properties: String = "") -> DeviceMessage {
            DeviceMessage(deviceID: device, payload: Array(payload.utf8), properties: Array(properties.utf8))
        }

        func batch(_ stream: String = "telemetry") throws -> EventBatch? {
            guard let partition = log.stream(stream)?.partitions.first else { return nil }
            return try partition.read(from: partition.startPosition, maxByteCount: 1 << 20)?.batch
        }
    }

    @Test func `good messages of a batch are stored in one append, bad ones are refused one by one`() async throws {
        let setup = try Setup()
        defer { setup.log.close() }
        let results = await setup.ingest([
            setup.message("a", #"{"v":1}"#, properties: #"{"p":1}"#), setup.message("b", "{\"v\":2"),
            setup.message("c", #"[{"v":3},{"deviceId":"c"}]"#), setup.message("d", #"[{"v":4},{"deviceId":"c"}]"#),
            setup.message("", "{}"), setup.message("e", "[]"),
        ])
        let counts = results.map { try? $0.get() }
        #expect(counts == [1, nil, 2, nil, nil, 0])
        let batch = try #require(try setup.batch())
        #expect(batch.count == 3)
        #expect((0..<3).map { batch.key(at: $0) } == ["a", "c", "c"])
        #expect(
            (0..<3).map { batch.body(at: $0) } == [
                #"{"deviceId":"a","v":1}"#, #"{"deviceId":"c","v":3}"#, #"{"deviceId":"c"}"#,
            ])
        #expect(String(decoding: batch.bytes[batch.properties[0].range], as: UTF8.self) == #"{"p":1}"#)
        #expect(setup.rejections.total == 3)
        #expect(setup.rejections.newest(2).rejections.map(\.device) == ["", "d"])
        #expect(
            setup.rejections.newest(9).rejections.allSatisfy {
                $0.reason.hasPrefix("mqtt: ") && $0.stream == "telemetry"
            })
    }

    @Test func `telemetry goes to the stream of that name, or the only one`() async throws {
        let only = try Setup(streams: ["power"])
        defer { only.log.close() }
        #expect(only.gateway.telemetryStream == "power")
        let none = try Setup(streams: ["power", "water"])
        defer { none.log.close() }
        #expect(none.gateway.telemetryStream == nil)
        let results = await none.ingest([none.message("a", "{}")])
        guard case .failure(let error) = results.first else {
            Issue.record("expected a refusal")
            return
        }
        #expect(error.kind == .unknownStream)
        none.gateway.update(streams: [StreamRoute(name: "water", keyField: "id")], telemetryStream: "water")
        _ = await none.ingest([none.message("a", "{}")])
        #expect(try none.batch("water")?.body(at: 0) == #"{"id":"a"}"#)
    }

    @Test func `a log that fails refuses what was waiting`() async throws {
        let setup = try Setup()
        defer { setup.log.close() }
        setup.files.inject(.fail(.other), atEvery: .sync)
        let results = await setup.ingest([setup.message("a", "{}"), setup.message("b", "x")])
        let kinds = results.map { result -> IngestError.Kind? in
            guard case .failure(let error) = result else { return nil }
            return error.kind
        }
        #expect(kinds == [.storage, .badInput])
    }

    @Test func `an empty batch is answered at once`() async throws {
        let setup = try Setup()
        defer { setup.log.close() }
        #expect(await setup.ingest([]).isEmpty)
    }

    @Test(arguments: [
        ("plain-1.A_b", true), ("日本 語", true), ("a\"b\\c", true), ("", false), ("a\nb", false), ("a\u{7f}", false),
        ("a\u{85}b", false), ("a\u{202e}b", false), ("a\u{feff}", false), (String(repeating: "x", count: 128), true),
        (String(repeating: "x", count: 129), false), (String(repeating: "é", count: 65), false),
    ])
    func `a device id is printable and short`(id: String, isGood: Bool) async throws {
        let setup = try Setup()
        defer { setup.log.close() }
        let result = await setup.ingest([setup.message(id, "{}")]).first
        #expect((try? result?.get()) == (isGood ? 1 : nil))
        if isGood {
            let body = try #require(try setup.batch()).body(at: 0)
            let again = await setup.ingest([setup.message(id, body)]).first
            #expect((try? again?.get()) == 1)
        }
    }

    @Test func `rejections are a ring with a total, newest first`() {
        let rejections = RejectionLog(clock: SimulatedClock(), capacity: 3)
        #expect(rejections.newest(5) == RejectionsReport(total: 0, rejections: []))
        for number in 0..<5 {
            rejections.append(kind: .late, stream: "s", function: "f", device: nil, reason: "\(number)", count: 2)
        }
        #expect(rejections.total == 10)
        #expect(rejections.newest(2).rejections.map(\.reason) == ["4", "3"])
        #expect(rejections.newest(9).rejections.map(\.reason) == ["4", "3", "2"])
        #expect(rejections.newest(-1).rejections.isEmpty)
    }
}
