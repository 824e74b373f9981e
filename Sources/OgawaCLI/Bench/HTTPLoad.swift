// Batches of readings by HTTP: each connection sends the next one when the last is answered.

import NIOCore
import NIOHTTP1
import NIOPosix
import Ogawa
import OgawaCore

/// What the connections of a load did, added up.
struct LoadTotals: Sendable {
    var acknowledgedCount = 0
    var byteCount = 0
    /// Answers that asked to come again later (429) or publishes that waited.
    var pushedBackCount = 0
    var failure: String?
    /// From sending to acknowledgement, in microseconds.
    var latency = LatencyFigures()

    mutating func add(_ other: LoadTotals) {
        acknowledgedCount += other.acknowledgedCount
        byteCount += other.byteCount
        pushedBackCount += other.pushedBackCount
        failure = failure ?? other.failure
        latency.add(other.latency)
    }
}

/// Sends batches over several kept-alive connections until a time.
struct HTTPLoad {
    var address: ServerAddress
    var connectionCount = 8
    var batchCount = 500
    var deviceCount = 1000

    /// Runs the load and gives what was acknowledged and how long it took until the last answer.
    func run(for duration: Duration) async throws -> (totals: LoadTotals, elapsed: Duration) {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let start = ContinuousClock.now
        do {
            let totals = try await send(until: start + duration, group: group)
            let elapsed = ContinuousClock.now - start
            try await group.shutdownGracefully()
            return (totals, elapsed)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private func send(until deadline: ContinuousClock.Instant, group: MultiThreadedEventLoopGroup) async throws
        -> LoadTotals
    {
        var results: [EventLoopFuture<LoadTotals>] = []
        for index in 0..<connectionCount {
            let own = stride(from: index, to: max(deviceCount, connectionCount), by: connectionCount).map {
                "bench-\($0)"
            }
            let lines = ReadingLines(devices: (0..<batchCount).map { own[$0 % own.count] })
            let host = address.hostHeader
            let result = try await ClientBootstrap(group: group)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .connectTimeout(.seconds(5))
                .connect(host: address.host, port: address.port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let promise = channel.eventLoop.makePromise(of: LoadTotals.self)
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        try channel.pipeline.syncOperations.addHandler(
                            HTTPLoadHandler(lines: lines, host: host, deadline: deadline, promise: promise))
                        return promise.futureResult
                    }
                }
            results.append(result)
        }
        var totals = LoadTotals()
        for result in results { totals.add(try await result.get()) }
        if totals.acknowledgedCount == 0, let failure = totals.failure { throw CommandFailure(failure) }
        return totals
    }
}

/// Sends one batch after the other over one connection.
///
/// **Isolation.** The channel's event loop.
private final class HTTPLoadHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private var lines: ReadingLines
    private let host: String
    private let deadline: ContinuousClock.Instant
    private let promise: EventLoopPromise<LoadTotals>
    private var totals = LoadTotals()
    private var status = 0
    private var problem = ""
    private var body = ByteBuffer()
    private var sentTime = ContinuousClock.now
    private var number = 0

    init(lines: ReadingLines, host: String, deadline: ContinuousClock.Instant, promise: EventLoopPromise<LoadTotals>) {
        self.lines = lines
        self.host = host
        self.deadline = deadline
        self.promise = promise
    }

    func channelActive(context: ChannelHandlerContext) { sendNext(context) }

    private func sendNext(_ context: ChannelHandlerContext) {
        body.clear()
        body.writeBytes(lines.next(time: wallTime(), firstNumber: number))
        number += lines.lineCount
        send(context)
    }

    private func send(_ context: ChannelHandlerContext) {
        guard ContinuousClock.now < deadline else {
            context.close(promise: nil)
            return
        }
        let headers = HTTPHeaders([
            ("host", host), ("content-type", "application/x-ndjson"), ("content-length", String(body.readableBytes)),
        ])
        let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/streams/telemetry/events", headers: headers)
        sentTime = ContinuousClock.now
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            status = Int(head.status.code)
            problem = ""
        case .body(let bytes):
            if status != 202, problem.utf8.count < 1000 { problem += String(buffer: bytes) }
        case .end:
            finish(context)
        }
    }

    private func finish(_ context: ChannelHandlerContext) {
        switch status {
        case 202:
            totals.acknowledgedCount += lines.lineCount
            totals.byteCount += body.readableBytes
            totals.latency.record(ContinuousClock.now - sentTime)
            sendNext(context)
        case 429, 503:
            totals.pushedBackCount += 1
            context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(20)) { self.send(context) }
        default:
            totals.failure = "the server answered \(status): \(problem)"
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        totals.failure = "a connection to the server was lost: \(error)"
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { promise.succeed(totals) }
}
