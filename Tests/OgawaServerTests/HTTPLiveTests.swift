import OgawaCore
import OgawaServer
import Testing

/// A frame of rows, each with its key.
func liveFrame(_ rows: [(key: String, json: String)]) -> LiveFrame {
    var frame = LiveFrame()
    for (key, json) in rows {
        frame.keys.append(ByteSlice(start: frame.bytes.count, count: key.utf8.count))
        frame.bytes += Array(key.utf8)
        frame.rows.append(ByteSlice(start: frame.bytes.count, count: json.utf8.count))
        frame.bytes += Array(json.utf8)
    }
    return frame
}

@Suite(.timeLimit(.minutes(2))) struct HTTPLiveTests {
    private func watch(
        _ harness: HTTPHarness, _ path: String, _ body: (RawConnection) async throws -> Void
    ) async throws {
        try await RawConnection.open(harness.port) { connection in
            try await connection.send("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try await connection.read(until: ": watching\n\n")
            try await body(connection)
        }
    }

    @Test func `a batch is one message with a data line a row`() async throws {
        try await HTTPHarness.run { harness async throws in
            try await watch(harness, "/live/temperature") { connection in
                #expect(
                    String(decoding: connection.received, as: UTF8.self).lowercased().contains(
                        "content-type: text/event-stream"))
                #expect(harness.feed.hasSubscribers("temperature"))
                #expect(!harness.feed.hasSubscribers("telemetry"))
                harness.feed.publish(
                    "temperature", lines: liveFrame([("a", #"{"v":1}"#), ("b", "{\r\n\"v\":2}"), ("a", #"{"v":3}"#)]))
                try await connection.read(until: "data: {\"v\":1}\ndata: {  \"v\":2}\ndata: {\"v\":3}\n\n")
                harness.feed.publish("telemetry", lines: liveFrame([("a", "{\"other\":1}")]))
                harness.feed.publish("temperature", lines: liveFrame([("a", "{\"v\":4}")]))
                try await connection.read(until: "data: {\"v\":4}\n\n")
                #expect(!connection.received.contains(sequence: Array("other".utf8)))
            }
        }
    }

    @Test func `a key filters rows`() async throws {
        try await HTTPHarness.run { harness async throws in
            try await watch(harness, "/live/temperature?key=b") { connection in
                harness.feed.publish(
                    "temperature", lines: liveFrame([("a", "{\"v\":1}"), ("b", "{\"v\":2}"), ("bb", "{\"v\":3}")]))
                harness.feed.publish("temperature", lines: liveFrame([("a", "{\"v\":4}")]))
                harness.feed.publish("temperature", lines: liveFrame([("b", "{\"v\":5}")]))
                try await connection.read(until: "\"v\":5}\n\n")
                let text = String(decoding: connection.received, as: UTF8.self)
                #expect(text.contains("data: {\"v\":2}\n\n"))
                #expect(!text.contains("\"v\":1") && !text.contains("\"v\":3") && !text.contains("\"v\":4"))
            }
        }
    }

    @Test func `a quiet feed says that it is alive`() async throws {
        var configuration = HTTPListener.Configuration(port: 0)
        configuration.keepAliveInterval = .milliseconds(30)
        try await HTTPHarness.run(configuration: configuration) { harness async throws in
            try await watch(harness, "/live/telemetry") { connection in
                try await connection.read(until: ": keep-alive\n\n")
            }
        }
    }

    @Test func `a reader that leaves is forgotten`() async throws {
        try await HTTPHarness.run { harness async throws in
            try await watch(harness, "/live/telemetry") { _ in #expect(harness.feed.subscriberCount == 1) }
            for _ in 0..<500 where harness.feed.subscriberCount > 0 { try await Task.sleep(for: .milliseconds(10)) }
            #expect(harness.feed.subscriberCount == 0)
        }
    }

    @Test func `a slow reader loses frames only, is told how many, and keeps up again`() async throws {
        var limits = LiveLimits()
        limits.frameCount = 8
        try await HTTPHarness.run(liveLimits: limits) { harness async throws in
            try await watch(harness, "/live/telemetry") { connection in
                // Nothing is read while far more is sent than the sockets hold.
                let row = "{\"t\":\"\(String(repeating: "x", count: 1 << 16))\"}"
                for _ in 0..<600 { harness.feed.publish("telemetry", lines: liveFrame([("a", row)])) }
                try await connection.read(until: "event: lost\ndata: {\"frames\":")
                harness.feed.publish("telemetry", lines: liveFrame([("a", "{\"last\":true}")]))
                try await connection.read(until: "data: {\"last\":true}\n\n")
                // Every message that came is whole.
                #expect(!connection.received.contains(sequence: Array("xdata".utf8)))
                #expect(!connection.received.contains(sequence: Array("xevent".utf8)))
            }
            #expect(try await harness.request("GET", "/livez").status == 200)
        }
    }

    @Test func `stopping ends feeds`() async throws {
        try await HTTPHarness.run { harness async throws in
            try await watch(harness, "/live/telemetry") { connection in
                await harness.listener.stop()
                try await connection.readToEnd()
            }
        }
    }
}

@Suite struct LiveFeedTests {
    @Test func `events of a stream are rows with partition, offset, time and key`() {
        var batch = EventBatch(partition: PartitionID(3), firstOffset: Offset(rawValue: 41))
        for (key, body) in [("a\"b", "{\"v\":1}"), ("c", "{}")] {
            batch.keys.append(ByteSlice(start: batch.bytes.count, count: key.utf8.count))
            batch.bytes += Array(key.utf8)
            batch.bodies.append(ByteSlice(start: batch.bytes.count, count: body.utf8.count))
            batch.bytes += Array(body.utf8)
            batch.properties.append(ByteSlice(start: 0, count: 0))
            batch.enqueuedTimes.append(0)
        }
        let frame = LiveFrame(events: batch)
        let time = "1970-01-01T00:00:00.0000000Z"
        #expect(
            frame.rows.map { String(decoding: frame.bytes[$0.range], as: UTF8.self) } == [
                #"{"partition":3,"offset":41,"enqueued":"\#(time)","key":"a\"b","body":{"v":1}}"#,
                #"{"partition":3,"offset":42,"enqueued":"\#(time)","key":"c","body":{}}"#,
            ])
        #expect(frame.keys.map { String(decoding: frame.bytes[$0.range], as: UTF8.self) } == ["a\"b", "c"])
    }

    @Test func `the oldest frames are lost and the loss is told once`() async {
        var limits = LiveLimits()
        limits.frameCount = 3
        let feed = LiveFeed(limits: limits)
        let subscription = feed.subscribe("a")
        for number in 0..<10 { feed.publish("a", lines: liveFrame([("k", "{\"n\":\(number)}")])) }
        var seen: [String] = []
        for _ in 0..<4 {
            switch await subscription.next() {
            case .frame(let frame): seen += frame.rows.map { String(decoding: frame.bytes[$0.range], as: UTF8.self) }
            case .lost(let count): seen.append("lost \(count)")
            case .idle, nil: seen.append("?")
            }
        }
        #expect(seen == ["lost 7", "{\"n\":7}", "{\"n\":8}", "{\"n\":9}"])
        subscription.cancel()
        if await subscription.next() != nil { Issue.record("expected the end") }
        #expect(!feed.hasSubscribers("a"))
    }

    @Test func `bytes are bounded too, but one frame always fits`() async {
        var limits = LiveLimits()
        limits.byteCount = 100
        let feed = LiveFeed(limits: limits)
        let subscription = feed.subscribe("a")
        let large = liveFrame([("", "{\"t\":\"\(String(repeating: "x", count: 500))\"}")])
        for _ in 0..<5 { feed.publish("a", lines: large) }
        guard case .lost(4) = await subscription.next() else {
            Issue.record("expected a loss of 4")
            return
        }
        guard case .frame(let frame) = await subscription.next() else {
            Issue.record("expected a frame")
            return
        }
        #expect(frame.bytes.count == large.bytes.count)
    }

    @Test func `a cancelled task ends its subscription`() async {
        let feed = LiveFeed()
        let subscription = feed.subscribe("a")
        let task = Task {
            var count = 0
            for await _ in subscription { count += 1 }
            return count
        }
        feed.publish("a", lines: liveFrame([("", "{}")]))
        task.cancel()
        _ = await task.value
        #expect(!feed.hasSubscribers("a"))
    }
}
