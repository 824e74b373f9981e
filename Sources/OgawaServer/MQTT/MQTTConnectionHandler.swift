import Logging
import NIOCore
import OgawaMQTT

/// What other parts of the process tell a connection.
enum MQTTConnectionEvent: Sendable {
    /// A newer connection has the same client id.
    case takenOver
    /// The listener stops: finish what is in flight, then close.
    case stop
}

/// What all connections of a listener share.
struct MQTTListenerContext: Sendable {
    var session: MQTTSessionConfiguration
    var ingest: any DeviceIngest
    var connections: MQTTConnections
    var logger: Logger
    var logLimiter: MQTTLogLimiter
}

/// Glue between a socket and its ``MQTTSession``: bytes to packets, actions to writes.
///
/// Replies are written in the course of a read burst and flushed once behind it; messages go to the
/// ``MQTTBatcher``, acknowledgements come back from it. When the session cannot receive, or the peer does not
/// read our replies, reading stops, and TCP holds the device back.
///
/// **Isolation.** One event loop.
final class MQTTConnectionHandler: ChannelInboundHandler, NIOScheduledCallbackHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let listener: MQTTListenerContext
    private let batcher: MQTTBatcher
    private var session: MQTTSession
    private var decoder = MQTTDecoder()
    /// Nil before the handler is in its pipeline and after the connection is gone.
    private var context: ChannelHandlerContext?
    private var replies: [UInt8] = []
    private var isReading = true
    private var timer: (callback: NIOScheduledCallback, deadline: MQTTTime)?

    init(listener: MQTTListenerContext, batcher: MQTTBatcher) {
        self.listener = listener
        self.batcher = batcher
        session = MQTTSession(listener.session, at: .now)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelActive(context: ChannelHandlerContext) {
        updateTimer()
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        if let clientID = session.clientID { listener.connections.release(clientID, of: context.channel) }
        session.disconnected()
        offerBatch()
        release()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { release() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !session.isClosed else { return }
        unwrapInboundIn(data).withUnsafeReadableBytes { decoder.append($0) }
        receivePackets()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        finishTurn()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        receivePackets()
        finishTurn()
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A reset or a broken pipe: the peer is gone, which is all there is to say.
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? MQTTConnectionEvent else { return context.fireUserInboundEventTriggered(event) }
        switch event {
        case .takenOver: perform(session.takenOver())
        case .stop: perform(session.stop())
        }
        finishTurn()
    }

    func handleScheduledCallback(eventLoop: some EventLoop) {
        timer = nil
        perform(session.timerFired(at: .now))
        finishTurn()
    }

    /// Takes in the outcomes of the batch that this connection offered.
    func finishBatch(_ outcomes: [MQTTOutcome]) {
        let progress = session.finishBatch(outcomes, at: .now)
        replies.reserveCapacity(replies.count + 4 * progress.acknowledged.count)
        for packetID in progress.acknowledged {
            withUnsafeBytes(of: MQTTPacket.encodedPuback(packetID).bigEndian) { replies.append(contentsOf: $0) }
        }
        if let close = progress.close { perform(.close(close)) }
        receivePackets()
        finishTurn()
    }

    /// Decodes as many whole packets as the session takes.
    private func receivePackets() {
        let now = MQTTTime.now
        while session.canReceive, context?.channel.isWritable ?? false {
            do throws(MQTTError) {
                let packet = try decoder.next(
                    maximumByteCount: session.maximumPacketByteCount, expected: session.expectedPacket)
                guard let packet else { return }
                perform(session.receive(packet, at: now))
            } catch {
                perform(session.receive(error))
            }
        }
    }

    private func perform(_ action: MQTTSessionAction) {
        switch action {
        case .none: break
        case .accept(let clientID): accept(clientID)
        case .send(let packet):
            do throws(MQTTError) {
                try packet.encode(into: &replies)
            } catch {
                close(MQTTClose(.protocolError, error.message))
            }
        case .refuse(let deviceID, let reason): listener.ingest.reject(deviceID: deviceID, reason: reason)
        case .refuseAndClose(let deviceID, let close):
            listener.ingest.reject(deviceID: deviceID ?? session.clientID, reason: close.reason)
        case .close(let reason): close(reason)
        }
    }

    private func accept(_ clientID: String?) {
        guard let channel = context?.channel else { return }
        let clientID = clientID ?? listener.connections.inventClientID()
        let older = listener.connections.claim(clientID, for: channel)
        older?.pipeline.fireUserInboundEventTriggered(MQTTConnectionEvent.takenOver)
        perform(session.accepted(clientID: clientID, at: .now))
    }

    private func close(_ reason: MQTTClose) {
        switch reason.kind {
        case .protocolError, .connectRefused:
            listener.ingest.reject(deviceID: session.clientID, reason: "MQTT: \(reason.reason)")
        case .finished, .closed, .connectTimeout, .keepAliveTimeout, .takenOver, .publishRefused, .busy, .stopping:
            break
        }
        log(reason)
        offerBatch()
        replies += reason.farewell
        flushReplies()
        context?.close(promise: nil)
    }

    /// What is done once behind every event: messages out, replies out, reading and timer as the session wants.
    private func finishTurn() {
        offerBatch()
        flushReplies()
        updateReading()
        updateTimer()
    }

    private func offerBatch() {
        let batch = session.takeBatch(at: .now)
        if !batch.isEmpty { batcher.add(batch, for: self) }
    }

    private func flushReplies() {
        guard !replies.isEmpty else { return }
        defer { replies = [] }
        guard let context else { return }
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: replies)), promise: nil)
    }

    private func updateReading() {
        guard let context, !session.isClosed else { return }
        let shallRead = session.canReceive && context.channel.isWritable
        guard shallRead != isReading else { return }
        isReading = shallRead
        do {
            try context.channel.syncOptions?.setOption(.autoRead, value: shallRead)
        } catch {
            // Fails only on a closed channel, which reads no more.
            context.close(promise: nil)
        }
    }

    private func updateTimer() {
        guard let context, let deadline = session.deadline else { return }
        // A timer that fires too early looks again; so most packets move no timer.
        if let timer, timer.deadline <= deadline { return }
        timer?.callback.cancel()
        timer = nil
        let instant = NIODeadline.uptimeNanoseconds(UInt64(clamping: deadline.nanoseconds))
        guard let callback = try? context.eventLoop.assumeIsolated().scheduleCallback(at: instant, handler: self)
        else { return }
        timer = (callback, deadline)
    }

    private func release() {
        timer?.callback.cancel()
        timer = nil
        context = nil
    }

    private func log(_ reason: MQTTClose) {
        let level: Logger.Level
        switch reason.kind {
        case .finished, .closed, .stopping: level = .debug
        case .connectTimeout, .keepAliveTimeout, .takenOver, .protocolError, .connectRefused, .publishRefused, .busy:
            level = .info
        }
        guard listener.logger.logLevel <= level, let suppressed = listener.logLimiter.pass(at: .now()) else { return }
        var metadata: Logger.Metadata = [
            "kind": "\(reason.kind.rawValue)", "reason": "\(reason.reason)", "client": "\(session.clientID ?? "-")",
        ]
        if let peer = context?.remoteAddress { metadata["peer"] = "\(peer)" }
        if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
        listener.logger.log(level: level, "MQTT connection closed", metadata: metadata)
    }
}

extension MQTTTime {
    /// The present instant of the event loops' clock.
    static var now: MQTTTime { MQTTTime(nanoseconds: Int64(clamping: NIODeadline.now().uptimeNanoseconds)) }
}
