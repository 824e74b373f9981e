import NIOCore
import OgawaMQTT

/// Glue between a socket and its ``MQTTClientSession``.
///
/// **Isolation.** One event loop.
final class MQTTClientHandler: ChannelInboundHandler, NIOScheduledCallbackHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private typealias Waiting = (message: MQTTPublish, completion: MQTTClient.Completion)

    private let configuration: MQTTClient.Configuration
    private let timeout: TimeAmount
    private let readyPromise: EventLoopPromise<Void>
    private var session: MQTTClientSession
    private var decoder = MQTTDecoder()
    private var context: ChannelHandlerContext?
    private var open: [UInt16: MQTTClient.Completion] = [:]
    /// Bounded by `maximumQueued`; a message over it fails.
    private var queue = CircularBuffer<Waiting>()
    private var outgoing: [UInt8] = []
    private var isFlushScheduled = false
    private var timer: NIOScheduledCallback?
    private var failure = MQTTClient.Failure(message: "the connection was closed")

    /// Done with the server's CONNACK.
    var ready: EventLoopFuture<Void> { readyPromise.futureResult }

    init(_ configuration: MQTTClient.Configuration, eventLoop: any EventLoop, timeout: TimeAmount) {
        self.configuration = configuration
        self.timeout = timeout
        readyPromise = eventLoop.makePromise()
        session = MQTTClientSession(
            keepAliveSeconds: configuration.keepAliveSeconds, maximumInFlight: configuration.maximumInFlight, at: .now)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelActive(context: ChannelHandlerContext) {
        var connect = MQTTConnect(clientID: configuration.clientID, keepAliveSeconds: configuration.keepAliveSeconds)
        connect.userName = configuration.userName
        connect.password = configuration.password
        send(.connect(connect))
        timer = try? context.eventLoop.assumeIsolated().scheduleCallback(in: timeout, handler: self)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { end() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = MQTTClient.Failure(message: "\(error)")
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        unwrapInboundIn(data).withUnsafeReadableBytes { decoder.append($0) }
        do throws(MQTTError) {
            while let packet = try decoder.next(maximumByteCount: MQTTLimits.remainingByteCount) {
                perform(session.receive(packet))
            }
        } catch {
            perform(.close(error))
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        sendWaiting()
        context.fireChannelReadComplete()
    }

    func handleScheduledCallback(eventLoop: some EventLoop) {
        timer = nil
        guard session.isConnected else {
            return perform(.close(MQTTError(.protocolViolation, "no CONNACK in time")))
        }
        perform(session.timerFired(at: .now))
        startTimer()
    }

    /// Sends a message now, or when there is room in the window.
    func publish(_ message: MQTTPublish, completion: @escaping MQTTClient.Completion) {
        guard context != nil, session.isConnected else { return completion(.failure(failure)) }
        guard queue.count < configuration.maximumQueued else {
            let text = "\(configuration.maximumQueued) messages wait already; publish more slowly"
            return completion(.failure(MQTTClient.Failure(message: text)))
        }
        queue.append((message, completion))
        sendWaiting()
    }

    func disconnect() {
        guard let context else { return }
        failure = MQTTClient.Failure(message: "the client disconnected")
        send(.disconnect)
        flush()
        context.close(promise: nil)
    }

    private func sendWaiting() {
        while let (first, completion) = queue.first {
            var message = first
            if message.qos != .atMostOnce {
                guard let packetID = session.reservePacketID() else { return }
                message.packetID = packetID
            }
            queue.removeFirst()
            do throws(MQTTError) {
                try MQTTPacket.publish(message).encode(into: &outgoing)
            } catch {
                session.releasePacketID(message.packetID)
                completion(.failure(MQTTClient.Failure(message: error.message)))
                continue
            }
            scheduleFlush()
            if message.qos == .atMostOnce { completion(.success(())) } else { open[message.packetID] = completion }
        }
    }

    private func perform(_ action: MQTTClientAction) {
        switch action {
        case .none, .received: break
        case .connected:
            timer?.cancel()
            timer = nil
            startTimer()
            readyPromise.succeed()
        case .acknowledged(let packetID): open.removeValue(forKey: packetID)?(.success(()))
        case .send(let packet): send(packet)
        case .close(let error):
            failure = MQTTClient.Failure(message: error.message)
            context?.close(promise: nil)
        }
    }

    private func send(_ packet: MQTTPacket) {
        do throws(MQTTError) {
            try packet.encode(into: &outgoing)
            scheduleFlush()
        } catch {
            perform(.close(error))
        }
    }

    /// One write for everything that was sent in this turn of the loop.
    private func scheduleFlush() {
        guard !isFlushScheduled, let context else { return }
        isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute { self.flush() }
    }

    private func flush() {
        isFlushScheduled = false
        guard let context, !outgoing.isEmpty else { return }
        session.sent(at: .now)
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: outgoing)), promise: nil)
        outgoing = []
    }

    private func startTimer() {
        guard let context, let deadline = session.deadline else { return }
        let instant = NIODeadline.uptimeNanoseconds(UInt64(clamping: deadline.nanoseconds))
        timer = try? context.eventLoop.assumeIsolated().scheduleCallback(at: instant, handler: self)
    }

    private func end() {
        guard context != nil else { return }
        context = nil
        session.disconnected()
        timer?.cancel()
        timer = nil
        readyPromise.fail(failure)
        let unfinished = Array(open.values) + queue.map(\.completion)
        open = [:]
        queue = CircularBuffer()
        for completion in unfinished { completion(.failure(failure)) }
    }
}
