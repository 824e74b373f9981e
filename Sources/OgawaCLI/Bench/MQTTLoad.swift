// Readings by MQTT with QoS 1 over many connections: each keeps a window of messages under way.
//
// The same bytes go to Ogawa and to mosquitto, so that the two rates compare. A server sends only CONNACK and PUBACK here, both of 4
// bytes; the client looks at nothing more, because it shares the processor with the server that is measured.

import NIOCore
import NIOPosix
import Ogawa
import OgawaCore

/// MQTT packets of a device that publishes to its telemetry topic.
struct PublishText {
    private(set) var bytes: [UInt8]
    private let reading: ReadingText
    private let identifierPosition: Int
    private let payloadPosition: Int

    init(device: String) {
        reading = ReadingText(device: device)
        let topic = Array("devices/\(device)/telemetry".utf8)
        bytes = [0x32] + PublishText.length(2 + topic.count + 2 + reading.bytes.count)
        bytes += [UInt8(topic.count >> 8), UInt8(topic.count & 0xff)] + topic
        identifierPosition = bytes.count
        payloadPosition = bytes.count + 2
        bytes += [0, 0] + reading.bytes
    }

    /// The packet of one reading.
    mutating func next(identifier: UInt16, time: Timestamp, number: Int) -> [UInt8] {
        bytes[identifierPosition] = UInt8(identifier >> 8)
        bytes[identifierPosition + 1] = UInt8(identifier & 0xff)
        reading.fill(&bytes, at: payloadPosition, time: time, number: number)
        return bytes
    }

    /// CONNECT of protocol level 4 with a clean session and no keep-alive.
    static func connect(client: String) -> [UInt8] {
        let name = Array(client.utf8)
        let body: [UInt8] =
            [0, 4] + Array("MQTT".utf8) + [4, 2, 0, 0, UInt8(name.count >> 8), UInt8(name.count & 0xff)] + name
        return [0x10] + length(body.count) + body
    }

    private static func length(_ count: Int) -> [UInt8] {
        var rest = count
        var bytes: [UInt8] = []
        repeat {
            bytes.append(UInt8(rest & 0x7f) | (rest > 0x7f ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
        return bytes
    }
}

/// Publishes over many connections until a time.
struct MQTTLoad {
    var port: Int
    var connectionCount = 100
    /// Messages under way on one connection.
    var window = 100

    func run(for duration: Duration) async throws -> (totals: LoadTotals, elapsed: Duration) {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let result = try await publish(for: duration, group: group)
            try await group.shutdownGracefully()
            return result
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private func publish(
        for duration: Duration, group: MultiThreadedEventLoopGroup
    ) async throws -> (totals: LoadTotals, elapsed: Duration) {
        let start = ContinuousClock.now
        let deadline = start + duration
        let window = window
        var results: [EventLoopFuture<LoadTotals>] = []
        for index in 0..<connectionCount {
            let opened = try await ClientBootstrap(group: group)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .connectTimeout(.seconds(5))
                .connect(host: "127.0.0.1", port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let promise = channel.eventLoop.makePromise(of: LoadTotals.self)
                        try channel.pipeline.syncOperations.addHandler(
                            MQTTLoadHandler(
                                device: "bench-\(index)", window: window, deadline: deadline, promise: promise))
                        return promise.futureResult
                    }
                }
            results.append(opened)
        }
        var totals = LoadTotals()
        for result in results { totals.add(try await result.get()) }
        if totals.acknowledgedCount == 0, let failure = totals.failure { throw CommandFailure(failure) }
        return (totals, ContinuousClock.now - start)
    }
}

/// Keeps one connection's window filled.
///
/// **Isolation.** The channel's event loop.
private final class MQTTLoadHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let device: String
    private let window: Int
    private let deadline: ContinuousClock.Instant
    private let promise: EventLoopPromise<LoadTotals>
    private var packet: PublishText
    private var received = ByteBuffer()
    private var totals = LoadTotals()
    private var underWayCount = 0
    private var identifier: UInt16 = 0
    private var number = 0
    private var lastTime = Int64.min

    init(device: String, window: Int, deadline: ContinuousClock.Instant, promise: EventLoopPromise<LoadTotals>) {
        self.device = device
        self.window = window
        self.deadline = deadline
        self.promise = promise
        packet = PublishText(device: device)
    }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: PublishText.connect(client: device))), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        received.writeBuffer(&bytes)
        while let packet = received.readInteger(as: UInt32.self) {
            switch packet >> 16 {
            case 0x4002:
                underWayCount -= 1
                totals.acknowledgedCount += 1
                totals.byteCount += self.packet.bytes.count
            case 0x2002 where packet & 0xff == 0: continue
            default:
                totals.failure = "the server sent the bytes 0x\(String(packet, radix: 16)), expected CONNACK or PUBACK"
                context.close(promise: nil)
                return
            }
        }
        received.discardReadBytes()
        fill(context)
    }

    /// Sends until the window is full, in one write.
    private func fill(_ context: ChannelHandlerContext) {
        guard ContinuousClock.now < deadline else {
            if underWayCount == 0 { context.close(promise: nil) }
            return
        }
        guard underWayCount <= window / 2 else { return }
        var buffer = context.channel.allocator.buffer(capacity: (window - underWayCount) * packet.bytes.count)
        let now = max(wallTime().ticks, lastTime)
        while underWayCount < window {
            identifier = identifier == .max ? 1 : identifier + 1
            number += 1
            // Two readings of one device never have the same time.
            lastTime = now + Int64(underWayCount) + 1
            buffer.writeBytes(
                packet.next(identifier: identifier, time: Timestamp(ticks: lastTime), number: number % 1_000_000_000))
            underWayCount += 1
        }
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        totals.failure = "a connection to the server was lost: \(error)"
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if underWayCount > 0, totals.failure == nil {
            totals.failure = "the server closed a connection with \(underWayCount) messages unacknowledged"
        }
        promise.succeed(totals)
    }
}
