import NIOCore
import NIOPosix
import Ogawa
import OgawaCore

/// Sends readings when they are due, over many MQTT connections on one event loop.
struct OpenLoopSender: Sendable {
    private let loop: any EventLoop
    private let pacer: NIOLoopBound<Pacer>

    static func connect(port: Int, count: Int, loop: any EventLoop) async throws -> OpenLoopSender {
        let pacer = try await loop.submit { NIOLoopBound(Pacer(), eventLoop: loop) }.get()
        // The last connection is the probe's.
        for index in 0...count {
            let device = index == count ? LatencyRun.probeDevice : "bench-\(index)"
            let accepted = try await ClientBootstrap(group: loop)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .connectTimeout(.seconds(5))
                .connect(host: "127.0.0.1", port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let promise = channel.eventLoop.makePromise(of: Void.self)
                        let handler = OpenLoopHandler(device: device, accepted: promise)
                        try channel.pipeline.syncOperations.addHandler(handler)
                        pacer.value.connections.append(Pacer.Connection(channel: channel, handler: handler))
                        return promise.futureResult
                    }
                }
            try await accepted.get()
        }
        return OpenLoopSender(loop: loop, pacer: pacer)
    }

    /// Sends everything that the schedule holds, and waits some seconds for the last acknowledgements.
    func run(_ schedule: LatencySchedule) async throws -> (sentCount: Int, acknowledged: LatencyFigures) {
        try await loop.flatSubmit { [pacer, loop] in pacer.value.start(schedule, on: loop) }.get()
    }
}

/// Walks along the schedule.
///
/// **Isolation.** One event loop.
private final class Pacer {
    struct Connection {
        let channel: any Channel
        let handler: OpenLoopHandler
    }

    /// How often the schedule is looked at; a reading leaves late by at most this.
    private static let tick = TimeAmount.microseconds(500)
    var connections: [Connection] = []
    private var next = 0

    func start(
        _ schedule: LatencySchedule, on loop: any EventLoop
    ) -> EventLoopFuture<(sentCount: Int, acknowledged: LatencyFigures)> {
        let promise = loop.makePromise(of: (sentCount: Int, acknowledged: LatencyFigures).self)
        for connection in connections { connection.handler.schedule = schedule }
        step(schedule, loop, promise)
        return promise.futureResult
    }

    private func step(
        _ schedule: LatencySchedule, _ loop: any EventLoop,
        _ promise: EventLoopPromise<(sentCount: Int, acknowledged: LatencyFigures)>
    ) {
        if let failure = connections.compactMap({ $0.handler.failure }).first {
            finish(promise, failure: failure)
            return
        }
        let now = ContinuousClock.now
        let due = schedule.lastDue(at: now)
        let wall = wallTime()
        while next <= due {
            let isProbe = next % schedule.probeInterval == 0
            let connection = connections[isProbe ? connections.count - 1 : next % (connections.count - 1)]
            // The device measures when it is due, a little before now.
            let late = (now - schedule.dueTime(next)).ticks
            connection.handler.add(number: next, time: Timestamp(ticks: wall.ticks - late))
            next += 1
        }
        for connection in connections { connection.handler.flush(connection.channel) }
        let isOver = next == schedule.count
        let isDone = isOver && connections.allSatisfy { $0.handler.underWay.isEmpty }
        if isDone || now > schedule.dueTime(schedule.count) + .seconds(10) {
            finish(promise, failure: nil)
            return
        }
        loop.assumeIsolated().scheduleTask(in: Pacer.tick) { self.step(schedule, loop, promise) }
    }

    private func finish(
        _ promise: EventLoopPromise<(sentCount: Int, acknowledged: LatencyFigures)>, failure: CommandFailure?
    ) {
        var acknowledged = LatencyFigures()
        for connection in connections {
            acknowledged.add(connection.handler.acknowledged)
            connection.handler.isFinished = true
            connection.channel.close(promise: nil)
        }
        if let failure { promise.fail(failure) } else { promise.succeed((next, acknowledged)) }
        connections = []
    }
}

/// One device's connection.
///
/// **Isolation.** The channel's event loop.
private final class OpenLoopHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let device: String
    private let accepted: EventLoopPromise<Void>
    private var packet: PublishText
    private var received = ByteBuffer()
    private var pending = ByteBuffer()
    private var identifier: UInt16 = 0
    private(set) var underWay: [UInt16: Int] = [:]
    private(set) var acknowledged = LatencyFigures()
    private(set) var failure: CommandFailure?
    var schedule: LatencySchedule?
    var isFinished = false

    init(device: String, accepted: EventLoopPromise<Void>) {
        self.device = device
        self.accepted = accepted
        packet = PublishText(device: device)
    }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: PublishText.connect(client: device))), promise: nil)
    }

    /// Puts a reading into the next write.
    func add(number: Int, time: Timestamp) {
        identifier = identifier == .max ? 1 : identifier + 1
        guard underWay.updateValue(number, forKey: identifier) == nil else {
            fail(CommandFailure("65,535 messages of one connection are unacknowledged"))
            return
        }
        pending.writeBytes(packet.next(identifier: identifier, time: time, number: number))
    }

    /// Writes what was added.
    func flush(_ channel: any Channel) {
        guard pending.readableBytes > 0 else { return }
        channel.writeAndFlush(pending, promise: nil)
        pending = channel.allocator.buffer(capacity: 512)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let now = ContinuousClock.now
        var bytes = unwrapInboundIn(data)
        received.writeBuffer(&bytes)
        while let packet = received.readInteger(as: UInt32.self) {
            switch packet >> 16 {
            case 0x4002:
                guard let schedule, let number = underWay.removeValue(forKey: UInt16(packet & 0xffff)) else { continue }
                if number >= schedule.firstMeasured { acknowledged.record(now - schedule.dueTime(number)) }
            case 0x2002 where packet & 0xff == 0: accepted.succeed()
            default:
                fail(
                    CommandFailure(
                        "the server sent the bytes 0x\(String(packet, radix: 16)), expected CONNACK or PUBACK"))
            }
        }
        received.discardReadBytes()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(CommandFailure("a connection to the server was lost: \(error)"))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !isFinished { fail(CommandFailure("the server closed a connection")) }
    }

    private func fail(_ error: CommandFailure) {
        if failure == nil { failure = error }
        accepted.fail(error)
    }
}
