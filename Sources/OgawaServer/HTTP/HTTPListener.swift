import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import Synchronization

/// The HTTP interface: events in, reports, tables, live feeds and the console out.
///
/// **Isolation.** From any task. Started once and stopped once.
package final class HTTPListener: Sendable {
    private let configuration: Configuration
    private let gateway: Gateway
    private let backend: any ServerBackend
    private let feed: LiveFeed
    private let logger: Logger
    private let counter = ConnectionCounter()
    private let running = Mutex<Task<Void, Never>?>(nil)
    private let port = Mutex<(any Channel)?>(nil)
    /// How long a connection may take from the port to its handler.
    private static let handOverTime = Duration.milliseconds(40)

    package init(
        configuration: Configuration, gateway: Gateway, backend: any ServerBackend, feed: LiveFeed, logger: Logger
    ) {
        self.configuration = configuration
        self.gateway = gateway
        self.backend = backend
        self.feed = feed
        self.logger = logger
    }

    /// The open connections.
    package var connectionCount: Int { counter.count }

    /// Binds and serves; returns the port once requests are accepted.
    ///
    /// **Errors.** What binding gives, such as an address that is in use.
    package func start() async throws -> Int {
        let (started, continuation) = AsyncThrowingStream<Int, any Error>.makeStream()
        let application = application { continuation.yield($0) }
        // SAFETY: `stop()` cancels the task and waits for its end.
        let task = Task {
            do {
                try await application.run()
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
            }
        }
        running.withLock { $0 = task }
        for try await port in started { return port }
        throw CancellationError()
    }

    /// Closes the port and all connections, and waits until they are gone; answers under way are finished.
    package func stop() async {
        let task = running.withLock { running in
            defer { running = nil }
            return running
        }
        // The port closes first: a connection that is accepted while the server's task ends would find no handler, which is a trap.
        let channel = port.withLock { port in
            defer { port = nil }
            return port
        }
        if let channel {
            try? await channel.close()
            try? await Task.sleep(for: HTTPListener.handOverTime)
        }
        task?.cancel()
        await task?.value
    }

    private func application(onStart: @escaping @Sendable (Int) -> Void) -> Application<APIResponder> {
        let configuration = configuration
        let (counter, bodyByteCount) = (counter, gateway.limits.bodyByteCount)
        let http = HTTP1Channel.Configuration(
            additionalChannelHandlers: [
                ConnectionGuard(
                    counter: counter, requestTimeout: configuration.requestTimeout, bodyByteCount: bodyByteCount)
            ],
            idleTimeout: TimeAmount(configuration.idleTimeout),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: configuration.maxHeaderFieldByteCount,
                maxHeaderListSize: configuration.maxHeaderListByteCount,
                maxHeaderFieldCount: configuration.maxHeaderCount))
        return Application(
            responder: APIResponder(
                configuration: configuration, gateway: gateway, backend: backend, feed: feed),
            server: .http1(configuration: http),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port), backlog: configuration.backlog,
                availableConnectionsDelegate: .maximum(configuration.maxConnections, logger: logger)),
            onServerRunning: { [self] channel in
                port.withLock { $0 = channel }
                onStart(channel.localAddress?.port ?? configuration.port)
            },
            logger: logger)
    }
}
