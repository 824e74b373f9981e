// A small MQTT 3.1.1 client for the simulated building: CONNECT, PUBLISH with QoS 1, and the acknowledgements.

import NIOCore
import NIOPosix
import OgawaMQTT

/// One device's connection to the broker.
///
/// **Isolation.** Any task.
/// **Errors.** ``ClientError``.
package final class MQTTClient: Sendable {
    private let channel: any Channel
    private let handler: NIOLoopBound<MQTTClientHandler>

    private init(channel: any Channel, handler: NIOLoopBound<MQTTClientHandler>) {
        self.channel = channel
        self.handler = handler
    }

    /// Connects and waits until the broker has accepted.
    package static func connect(host: String, port: Int, clientID: String) async throws -> MQTTClient {
        let channel: any Channel
        let handler: NIOLoopBound<MQTTClientHandler>
        let accepted: EventLoopFuture<Void>
        do {
            (channel, handler, accepted) = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(.seconds(5))
                .channelOption(.socketOption(.tcp_nodelay), value: 1)
                .connect(host: host, port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let promise = channel.eventLoop.makePromise(of: Void.self)
                        let handler = MQTTClientHandler(accepted: promise)
                        try channel.pipeline.syncOperations.addHandler(handler)
                        return (channel, NIOLoopBound(handler, eventLoop: channel.eventLoop), promise.futureResult)
                    }
                }
        } catch {
            throw ClientError(
                "can't connect to mqtt://\(host):\(port): \(error)", hint: "see whether the instance still runs")
        }
        let hello = MQTTPacket.connect(MQTTConnect(clientID: clientID))
        try await channel.writeAndFlush(ByteBuffer(bytes: try hello.encoded()))
        try await accepted.get()
        return MQTTClient(channel: channel, handler: handler)
    }

    /// Sends a message and waits until the broker has acknowledged it.
    package func publish(topic: String, payload: [UInt8]) async throws {
        let promise = channel.eventLoop.makePromise(of: Void.self)
        let (channel, handler) = (channel, handler)
        channel.eventLoop.execute { handler.value.publish(topic: topic, payload: payload, on: channel, promise) }
        try await promise.futureResult.get()
    }

    /// Says goodbye and closes the connection.
    package func close() async {
        if let goodbye = try? MQTTPacket.disconnect.encoded() {
            try? await channel.writeAndFlush(ByteBuffer(bytes: goodbye))
        }
        try? await channel.close()
    }
}

/// Matches acknowledgements with the messages that wait for them.
///
/// **Isolation.** The channel's event loop.
private final class MQTTClientHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let accepted: EventLoopPromise<Void>
    private var decoder = MQTTDecoder()
    private var nextPacketID: UInt16 = 1
    private var waiting: [UInt16: EventLoopPromise<Void>] = [:]
    private var failure: ClientError?

    init(accepted: EventLoopPromise<Void>) { self.accepted = accepted }

    func publish(topic: String, payload: [UInt8], on channel: any Channel, _ promise: EventLoopPromise<Void>) {
        if let failure {
            promise.fail(failure)
            return
        }
        let packetID = nextPacketID
        guard waiting[packetID] == nil else {
            promise.fail(ClientError("65535 messages wait for their acknowledgement", hint: "send more slowly"))
            return
        }
        nextPacketID = nextPacketID == .max ? 1 : nextPacketID + 1
        do {
            let packet = MQTTPacket.publish(
                MQTTPublish(topic: topic, payload: payload, qos: .atLeastOnce, packetID: packetID))
            let bytes = try packet.encoded()
            waiting[packetID] = promise
            channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
        } catch {
            promise.fail(ClientError("the message can't be sent: \(error)"))
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        buffer.withUnsafeReadableBytes { decoder.append($0) }
        do {
            while let packet = try decoder.next(maximumByteCount: 1 << 20) {
                switch packet {
                case .connack(_, .accepted): accepted.succeed()
                case .connack(_, let code): fail(context, ClientError("the broker refused the connection: \(code)"))
                case .puback(let packetID): waiting.removeValue(forKey: packetID)?.succeed()
                default: continue
                }
            }
        } catch {
            fail(context, ClientError("the broker sent what is not MQTT 3.1.1: \(error)"))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(context, ClientError("the broker closed the connection", hint: "its log of rejections may say why"))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(context, ClientError("the connection to the broker was lost: \(error)"))
    }

    private func fail(_ context: ChannelHandlerContext, _ error: ClientError) {
        if failure == nil { failure = error }
        accepted.fail(error)
        for promise in waiting.values { promise.fail(error) }
        waiting = [:]
        context.close(promise: nil)
    }
}
