// What Hummingbird leaves open on a connection: a deadline for the arrival of a request, problem documents for heads that
// cannot be parsed, `Expect: 100-continue`, and an orderly end after a refusal, so that the client reads the answer
// although its body was not read.

import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import Synchronization

/// Told to whoever reads a request's body when the request's time is up.
struct RequestTimedOut: Error {}

/// Told to whoever reads a request's body when the client ends the connection in the middle of it.
///
/// The body's sequence would otherwise just end, and half a body could pass for a whole one.
struct RequestCutOff: Error {}

/// Connections that are open.
final class ConnectionCounter: Sendable {
    private let counted = Atomic<Int>(0)

    var count: Int { counted.load(ordering: .relaxed) }
    func opened() { counted.add(1, ordering: .relaxed) }
    func closed() { counted.subtract(1, ordering: .relaxed) }
}

/// Guards one connection.
///
/// **Isolation.** On its event loop.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// How long a refused client may take to read the answer and close.
    private static let lingerTime = TimeAmount.seconds(2)

    private let counter: ConnectionCounter
    private let requestTimeout: TimeAmount
    private let bodyByteCount: Int
    private var isCounted = false
    private var requestsInProgress = 0
    private var isReading = false
    private var closesAfterResponse = false
    private var isLingering = false
    private var deadline: Scheduled<Void>?

    init(counter: ConnectionCounter, requestTimeout: Duration, bodyByteCount: Int) {
        self.counter = counter
        self.requestTimeout = TimeAmount(requestTimeout)
        self.bodyByteCount = bodyByteCount
    }

    func handlerAdded(context: ChannelHandlerContext) { if context.channel.isActive { count() } }

    func channelActive(context: ChannelHandlerContext) {
        count()
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        cutOff(context)
        uncount()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { uncount() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isLingering else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            requestsInProgress += 1
            isReading = true
            invite(head, context)
        case .body: break
        case .end:
            isReading = false
            deadline?.cancel()
            deadline = nil
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if isLingering { context.read() }
        // Most requests arrive whole in one go and need no timer.
        if isReading, deadline == nil { startDeadline(context) }
        context.fireChannelReadComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            if isLingering { context.close(promise: nil) } else { cutOff(context) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func cutOff(_ context: ChannelHandlerContext) {
        guard isReading else { return }
        isReading = false
        deadline?.cancel()
        deadline = nil
        context.fireErrorCaught(RequestCutOff())
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard requestsInProgress == 0, !isLingering, let error = error as? HTTPParserError else {
            context.fireErrorCaught(error)
            return
        }
        var problem = Problem.unreadable("the head of the request is not HTTP/1.1: \(error)")
        if error == .headerOverflow {
            problem.status = .requestHeaderFieldsTooLarge
            problem.title = "Header too large"
            problem.detail = "a header field, their number or their sum is larger than this server takes"
        }
        let document = problem.document
        var headers = problem.headers
        headers[.contentLength] = String(document.readableBytes)
        harden(&headers)
        context.write(wrapOutboundOut(.head(HTTPResponse(status: problem.status, headerFields: headers))), promise: nil)
        context.write(wrapOutboundOut(.body(document)), promise: nil)
        end(context, wrapOutboundOut(.end(nil)), promise: nil)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head) where head.status.kind != .informational:
            closesAfterResponse = head.headerFields[.connection] == "close"
        case .end:
            requestsInProgress -= 1
            if closesAfterResponse { return end(context, data, promise: promise) }
        default: break
        }
        context.write(data, promise: promise)
    }

    /// Answers `Expect: 100-continue`; a body that is too large anyway is not invited.
    private func invite(_ head: HTTPRequest, _ context: ChannelHandlerContext) {
        guard let expectation = head.headerFields[.expect], expectation.lowercased() == "100-continue" else { return }
        if let length = head.headerFields[.contentLength].flatMap({ Int($0) }), length > bodyByteCount { return }
        context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
    }

    private func startDeadline(_ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: requestTimeout) {
            let (handler, context) = bound.value
            handler.deadline = nil
            if handler.isReading { context.fireErrorCaught(RequestTimedOut()) }
        }
    }

    /// Writes the end of the last response and closes.
    ///
    /// First our direction closes, then all when the client has closed its own, or after a while. Closing at once with
    /// unread input would reset the connection and could take the answer with it.
    private func end(_ context: ChannelHandlerContext, _ data: NIOAny, promise: EventLoopPromise<Void>?) {
        isLingering = true
        isReading = false
        deadline?.cancel()
        deadline = nil
        let written = promise ?? context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        written.futureResult.whenComplete { _ in
            let context = bound.value
            context.close(mode: .output, promise: nil)
            context.read()
            context.eventLoop.scheduleTask(in: ConnectionGuard.lingerTime) { bound.value.close(promise: nil) }
        }
        context.writeAndFlush(data, promise: written)
    }

    private func count() {
        guard !isCounted else { return }
        isCounted = true
        counter.opened()
    }

    private func uncount() {
        deadline?.cancel()
        deadline = nil
        guard isCounted else { return }
        isCounted = false
        counter.closed()
    }
}
