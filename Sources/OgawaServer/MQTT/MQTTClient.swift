import NIOCore
import NIOPosix
import OgawaMQTT

/// Publishes to an MQTT 3.1.1 server over one connection; made for the demo, the benches and tests.
///
/// Messages are sent without waiting for the acknowledgement of earlier ones, up to a window; behind it they wait in a bounded
/// queue. There is no reconnect: a lost connection fails everything that is not acknowledged.
/// **Isolation.** Callable from any thread.
package final class MQTTClient: Sendable {
    /// Where to connect, as whom, and the bounds.
    package struct Configuration: Sendable {
        package var host: String
        package var port: Int
        package var clientID: String
        package var keepAliveSeconds: UInt16 = 60
        package var userName: String?
        package var password: [UInt8]?
        /// Messages with QoS 1 on their way at a time.
        package var maximumInFlight = 100
        /// Messages that wait for room in the window; further ones fail.
        package var maximumQueued = 10_000
        /// For the connection and the server's CONNACK.
        package var connectTimeout = Duration.seconds(10)

        package init(host: String = "127.0.0.1", port: Int, clientID: String) {
            self.host = host
            self.port = port
            self.clientID = clientID
        }
    }

    /// Why a message or the connection failed.
    package struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        package var message: String
        package var description: String { "MQTT: \(message)" }
    }

    /// Told once what became of a message: acknowledged (QoS 1), written (QoS 0), or not.
    package typealias Completion = @Sendable (Result<Void, Failure>) -> Void

    private let channel: any Channel
    private let handler: NIOLoopBound<MQTTClientHandler>

    private init(channel: any Channel, handler: NIOLoopBound<MQTTClientHandler>) {
        self.channel = channel
        self.handler = handler
    }

    /// Connects and waits for the server's CONNACK.
    package static func connect(
        _ configuration: Configuration, group: any EventLoopGroup
    ) async throws -> MQTTClient {
        let timeout = TimeAmount.nanoseconds(
            MQTTTime(nanoseconds: 0).advanced(by: configuration.connectTimeout).nanoseconds)
        // The handler is kept from the start: a server that refuses may have closed before anyone could look for it.
        let (channel, handler, ready) = try await ClientBootstrap(group: group)
            .connectTimeout(timeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connect(host: configuration.host, port: configuration.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = MQTTClientHandler(configuration, eventLoop: channel.eventLoop, timeout: timeout)
                    try channel.pipeline.syncOperations.addHandler(handler)
                    return (channel, NIOLoopBound(handler, eventLoop: channel.eventLoop), handler.ready)
                }
            }
        try await ready.get()
        return MQTTClient(channel: channel, handler: handler)
    }

    package var isActive: Bool { channel.isActive }

    /// Publishes one message; `completion` runs on the connection's event loop.
    package func publish(topic: String, payload: [UInt8], qos: MQTTQoS = .atLeastOnce, completion: @escaping Completion)
    {
        channel.eventLoop.execute { [handler] in
            handler.value.publish(MQTTPublish(topic: topic, payload: payload, qos: qos), completion: completion)
        }
    }

    /// Publishes messages to one topic with one hop; `completion` runs once for each.
    package func publish(
        topic: String, payloads: [[UInt8]], qos: MQTTQoS = .atLeastOnce, completion: @escaping Completion
    ) {
        channel.eventLoop.execute { [handler] in
            for payload in payloads {
                handler.value.publish(MQTTPublish(topic: topic, payload: payload, qos: qos), completion: completion)
            }
        }
    }

    /// Publishes one message and returns when it is acknowledged (QoS 1) or written (QoS 0).
    package func publish(topic: String, payload: [UInt8], qos: MQTTQoS = .atLeastOnce) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            publish(topic: topic, payload: payload, qos: qos) { continuation.resume(with: $0.mapError { $0 }) }
        }
    }

    /// Sends DISCONNECT and closes; messages that are not acknowledged fail.
    package func disconnect() async {
        channel.eventLoop.execute { [handler] in handler.value.disconnect() }
        try? await channel.closeFuture.get()
    }
}
