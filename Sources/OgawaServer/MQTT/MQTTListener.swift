import Logging
import NIOCore
import NIOPosix
import OgawaMQTT
import Synchronization

/// Accepts MQTT 3.1.1 connections and hands what devices publish to a ``DeviceIngest``.
///
/// Plain channel handlers: no task and no actor call per connection or message. docs/mqtt.md says what a device may expect.
/// **Isolation.** Callable from any thread. **Memory.** About 4 KB a quiet connection.
package final class MQTTListener: Sendable {
    /// Where to listen, and the bounds.
    package struct Configuration: Sendable {
        package var host: String
        /// 0 picks a free port.
        package var port: Int
        /// Connections over this number are closed at once.
        package var maximumConnections: Int
        package var maximumPacketByteCount: Int
        /// The time that a new connection has for its CONNECT.
        package var connectTimeout: Duration
        /// Unacknowledged messages of one connection after which it is not read.
        package var maximumInFlight: Int
        /// What happens to a QoS 1 message that can never be stored.
        package var refusedPublish: MQTTSessionConfiguration.RefusedPublish
        /// How long a busy log is asked again before the connection is closed.
        package var busyTimeout: Duration
        /// How long a connection with a refused message stays open, unread, before it is closed.
        package var refusalPause: Duration

        package init(
            host: String = "127.0.0.1", port: Int = 1883, maximumConnections: Int = 15_000,
            maximumPacketByteCount: Int = 256 * 1024, connectTimeout: Duration = .seconds(10),
            maximumInFlight: Int = 100, refusedPublish: MQTTSessionConfiguration.RefusedPublish = .acknowledge,
            busyTimeout: Duration = .seconds(5),
            refusalPause: Duration = .seconds(1)
        ) {
            self.host = host
            self.port = port
            self.maximumConnections = maximumConnections
            self.maximumPacketByteCount = maximumPacketByteCount
            self.connectTimeout = connectTimeout
            self.maximumInFlight = maximumInFlight
            self.refusedPublish = refusedPublish
            self.busyTimeout = busyTimeout
            self.refusalPause = refusalPause
        }

        fileprivate var session: MQTTSessionConfiguration {
            var session = MQTTSessionConfiguration()
            session.maximumPacketByteCount = maximumPacketByteCount
            session.maximumConnectByteCount = min(session.maximumConnectByteCount, maximumPacketByteCount)
            session.connectTimeout = connectTimeout
            session.maximumInFlight = max(1, maximumInFlight)
            session.refusedPublish = refusedPublish
            session.busyTimeout = busyTimeout
            session.refusalPause = refusalPause
            return session
        }
    }

    /// Why the listener does not listen.
    package struct StartError: Error, Sendable, CustomStringConvertible {
        package var message: String
        package var hint: String
        package var description: String { "\(message); hint: \(hint)" }
    }

    /// The kernel's queue of connections that are not accepted yet; a storm of reconnects needs room.
    private static let backlog: Int32 = 4096
    /// How long connections may finish what is in flight when the listener stops.
    private static let stopGrace = TimeAmount.seconds(2)

    private let configuration: Configuration
    private let group: any EventLoopGroup
    private let context: MQTTListenerContext
    private let batchers: MQTTBatchers
    private let serverChannel = Mutex<(any Channel)?>(nil)

    package init(
        configuration: Configuration, ingest: any DeviceIngest, group: any EventLoopGroup, logger: Logger
    ) {
        self.configuration = configuration
        self.group = group
        batchers = MQTTBatchers(ingest: ingest)
        context = MQTTListenerContext(
            session: configuration.session, ingest: ingest,
            connections: MQTTConnections(maximum: configuration.maximumConnections), logger: logger,
            logLimiter: MQTTLogLimiter(linesPerSecond: 20))
    }

    /// The number of open connections.
    package var connectionCount: Int { context.connections.count }

    /// Begins to listen and returns the bound port.
    ///
    /// **Errors.** ``StartError`` where the address cannot be bound.
    package func start() async throws -> Int {
        let channel: any Channel
        do {
            channel = try await bootstrap().bind(host: configuration.host, port: configuration.port).get()
        } catch {
            throw StartError(
                message: "MQTT cannot listen on \(configuration.host):\(configuration.port): \(error)",
                hint: "choose another address or port, or 0 for a free port")
        }
        serverChannel.withLock { $0 = channel }
        return channel.localAddress?.port ?? configuration.port
    }

    /// Stops accepting, lets connections finish what is in flight for at most two seconds, and closes them.
    package func stop() async {
        let server = serverChannel.withLock { channel in
            defer { channel = nil }
            return channel
        }
        try? await server?.close()
        let channels = context.connections.stop()
        guard !channels.isEmpty else { return }
        for channel in channels { channel.pipeline.fireUserInboundEventTriggered(MQTTConnectionEvent.stop) }
        let loop = group.any()
        let forced = loop.scheduleTask(in: Self.stopGrace) {
            for channel in channels { channel.close(promise: nil) }
        }
        try? await EventLoopFuture.andAllComplete(channels.map(\.closeFuture), on: loop).get()
        forced.cancel()
    }

    private func bootstrap() -> ServerBootstrap {
        let context = context
        let batchers = batchers
        return ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Self.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.maxMessagesPerRead, value: 64)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            // A channel keeps its last receive buffer; a quiet device needs a small one, and a busy one's grows by itself.
            .childChannelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 256, initial: 256, maximum: 65_536)
            )
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 8 * 1024, high: 32 * 1024))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard context.connections.add(channel) else {
                        context.refuseConnection(from: channel)
                        throw ChannelError.eof
                    }
                    // Also reached where a channel is closed before it ever was active.
                    channel.closeFuture.whenComplete { _ in context.connections.remove(channel) }
                    let batcher = batchers.batcher(of: channel.eventLoop)
                    try channel.pipeline.syncOperations.addHandler(
                        MQTTConnectionHandler(listener: context, batcher: batcher))
                }
            }
    }
}

extension MQTTListenerContext {
    fileprivate func refuseConnection(from channel: any Channel) {
        guard let suppressed = logLimiter.pass(at: .now()) else { return }
        logger.warning(
            "MQTT connection refused: too many connections",
            metadata: ["connections": "\(connections.count)", "suppressed": "\(suppressed)"])
    }
}

/// One ``MQTTBatcher`` an event loop, made when the loop gets its first connection.
private final class MQTTBatchers: Sendable {
    private let ingest: any DeviceIngest
    private let batchers = Mutex<[ObjectIdentifier: NIOLoopBound<MQTTBatcher>]>([:])

    init(ingest: any DeviceIngest) { self.ingest = ingest }

    /// Must be called on the loop.
    func batcher(of eventLoop: any EventLoop) -> MQTTBatcher {
        let bound = batchers.withLock { batchers in
            if let known = batchers[ObjectIdentifier(eventLoop)] { return known }
            let made = NIOLoopBound(MQTTBatcher(ingest: ingest, eventLoop: eventLoop), eventLoop: eventLoop)
            batchers[ObjectIdentifier(eventLoop)] = made
            return made
        }
        return bound.value
    }
}
