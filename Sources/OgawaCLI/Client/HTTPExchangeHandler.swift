// The event-loop half of HTTPClient: requests wait in a queue for their responses, which come in the same order.

import NIOCore
import NIOHTTP1

/// A request on its way through the pipeline, and who waits for its response.
struct HTTPExchange: Sendable {
    enum Receiver: Sendable {
        case whole(EventLoopPromise<HTTPResponse>)
        /// The promise gets the head of a good response, or the whole of a bad one.
        case lines(EventLoopPromise<HTTPResponse>, AsyncThrowingStream<String, any Error>.Continuation)
    }

    var head: HTTPRequestHead
    var body: [UInt8]
    var receiver: Receiver
    var timeout: TimeAmount
}

/// Matches responses with the requests that wait for them.
///
/// **Isolation.** The channel's event loop.
final class HTTPExchangeHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = HTTPExchange
    typealias OutboundOut = HTTPClientRequestPart

    private static let maximumBodyByteCount = 256 << 20

    private var waiting = CircularBuffer<(receiver: HTTPExchange.Receiver, timeout: Scheduled<Void>)>()
    private var response = HTTPResponse(status: 0, headers: [], body: [])
    private var partialLine: [UInt8] = []

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let exchange = unwrapOutboundIn(data)
        let channel = context.channel
        let timeout = context.eventLoop.scheduleTask(in: exchange.timeout) {
            channel.pipeline.fireErrorCaught(HTTPExchangeTimeout())
        }
        waiting.append((exchange.receiver, timeout))
        context.write(wrapOutboundOut(.head(exchange.head)), promise: nil)
        if !exchange.body.isEmpty {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: exchange.body)))), promise: nil)
        }
        context.write(wrapOutboundOut(.end(nil)), promise: promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let current = waiting.first else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            response = HTTPResponse(
                status: Int(head.status.code), headers: head.headers.map { ($0.name, $0.value) }, body: [])
            if case .lines(let promise, _) = current.receiver, response.isSuccess {
                current.timeout.cancel()
                promise.succeed(response)
            }
        case .body(let buffer):
            if case .lines(_, let continuation) = current.receiver, response.isSuccess {
                yieldLines(buffer, continuation)
            } else if response.body.count + buffer.readableBytes > HTTPExchangeHandler.maximumBodyByteCount {
                fail(
                    context, ClientError("the answer is larger than 256 MiB", hint: "ask for less with --last or --key")
                )
            } else {
                response.body.append(contentsOf: buffer.readableBytesView)
            }
        case .end:
            current.timeout.cancel()
            waiting.removeFirst()
            switch current.receiver {
            case .whole(let promise): promise.succeed(response)
            case .lines(let promise, let continuation):
                if !response.isSuccess { promise.succeed(response) }
                continuation.finish()
            }
            let connection = response.header("connection")?.lowercased()
            if connection == "close" { context.close(promise: nil) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(context, error) }

    func channelInactive(context: ChannelHandlerContext) {
        fail(context, ChannelError.eof)
        context.fireChannelInactive()
    }

    private func fail(_ context: ChannelHandlerContext, _ error: any Error) {
        while let current = waiting.popFirst() {
            current.timeout.cancel()
            switch current.receiver {
            case .whole(let promise): promise.fail(error)
            case .lines(let promise, let continuation):
                promise.fail(error)
                continuation.finish(throwing: error)
            }
        }
        context.close(promise: nil)
    }

    /// Splits at line ends; a line may come in several pieces.
    private func yieldLines(_ buffer: ByteBuffer, _ continuation: AsyncThrowingStream<String, any Error>.Continuation) {
        var rest = buffer.readableBytesView
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            partialLine.append(contentsOf: rest[..<end])
            if partialLine.last == UInt8(ascii: "\r") { partialLine.removeLast() }
            continuation.yield(String(decoding: partialLine, as: UTF8.self))
            partialLine.removeAll(keepingCapacity: true)
            rest = rest[rest.index(after: end)...]
        }
        partialLine.append(contentsOf: rest)
        if partialLine.count > HTTPExchangeHandler.maximumBodyByteCount { partialLine = [] }
    }
}
