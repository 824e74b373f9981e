import NIOCore
import NIOHTTP1
import NIOPosix
import Ogawa
import OgawaCore

/// Follows the live feed of the table and notes when each reading's row comes.
struct LiveReceiver: Sendable {
    private let channel: any Channel
    private let handler: NIOLoopBound<LiveHandler>

    static func connect(
        _ address: ServerAddress, schedule: LatencySchedule, group: any EventLoopGroup
    ) async throws -> LiveReceiver {
        let host = address.hostHeader
        let (channel, handler, opened) = try await ClientBootstrap(group: group)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(.seconds(5))
            .connect(host: address.host, port: address.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let promise = channel.eventLoop.makePromise(of: Void.self)
                    let handler = LiveHandler(host: host, schedule: schedule, opened: promise)
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(handler)
                    return (channel, NIOLoopBound(handler, eventLoop: channel.eventLoop), promise.futureResult)
                }
            }
        try await opened.get()
        return LiveReceiver(channel: channel, handler: handler)
    }

    /// Waits until the last reading's row has come, at most so long, and gives what was measured.
    func finish(within limit: Duration) async throws -> LatencyFigures {
        let deadline = ContinuousClock.now + limit
        while true {
            let (isComplete, figures) = try await channel.eventLoop.submit { [handler] in
                (handler.value.isComplete, handler.value.figures)
            }.get()
            if isComplete || ContinuousClock.now > deadline || !channel.isActive {
                close()
                return figures
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    func close() { channel.close(promise: nil) }
}

/// Reads the rows of the feed as they come.
///
/// **Isolation.** The channel's event loop.
private final class LiveHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let host: String
    private let schedule: LatencySchedule
    private let opened: EventLoopPromise<Void>
    private var line: [UInt8] = []
    private(set) var figures = LatencyFigures()

    init(host: String, schedule: LatencySchedule, opened: EventLoopPromise<Void>) {
        self.host = host
        self.schedule = schedule
        self.opened = opened
    }

    var isComplete: Bool { figures.count >= schedule.count - schedule.firstMeasured }

    func channelActive(context: ChannelHandlerContext) {
        let headers = HTTPHeaders([("host", host), ("accept", "text/event-stream")])
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/live/temperature", headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            if head.status == .ok {
                opened.succeed()
            } else {
                opened.fail(CommandFailure("GET /live/temperature was answered with \(head.status.code)"))
            }
        case .body(let bytes): take(bytes)
        case .end: context.close(promise: nil)
        }
    }

    /// Reads whole lines; the rest waits for more.
    private func take(_ bytes: ByteBuffer) {
        let now = ContinuousClock.now
        line += bytes.readableBytesView
        guard let end = line.lastIndex(of: 0x0a) else { return }
        line.withUnsafeBufferPointer { all in
            ReadingText.numbers(in: UnsafeBufferPointer(rebasing: all[...end])) { number in
                guard number >= schedule.firstMeasured, number < schedule.count else { return }
                figures.record(now - schedule.dueTime(number))
            }
        }
        line.removeSubrange(...end)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        opened.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        opened.fail(CommandFailure("the server closed the live feed"))
    }
}
