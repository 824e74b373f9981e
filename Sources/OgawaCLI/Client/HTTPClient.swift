// A small HTTP/1.1 client: one connection, kept alive, requests one behind the other, and responses whole or as they come.
//
// The commands talk to one instance on one address, so there is no pool, no redirect and no TLS here.

import NIOCore
import NIOHTTP1
import NIOPosix
import Ogawa
import Synchronization

/// A whole response.
package struct HTTPResponse: Sendable {
    package var status: Int
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package var text: String { String(decoding: body, as: UTF8.self) }
    package var isSuccess: Bool { (200..<300).contains(status) }

    package func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// The problem that a failed response tells (RFC 9457), as an error for the user.
    package var problem: ClientError {
        let json = try? JSONValue.parse(text)
        func field(_ name: String) -> String? {
            if case .string(let text)? = json?[name] { return DisplayText.plain(text) }
            return nil
        }
        let title = field("title") ?? "the answer was \(status)"
        let message = field("detail").map { "\(title): \($0)" } ?? title
        return ClientError(message, hint: field("hint"))
    }
}

/// A connection to one instance; opened when first needed, and again after it was lost.
///
/// **Isolation.** Any task; requests are answered in the order in which they were made.
/// **Errors.** ``ClientError``.
package final class HTTPClient: Sendable {
    package let address: ServerAddress
    private let timeout: Duration
    private let channel = Mutex<(any Channel)?>(nil)

    package init(_ address: ServerAddress, timeout: Duration = .seconds(10)) {
        self.address = address
        self.timeout = timeout
    }

    /// Sends a request and returns the whole response.
    package func request(
        _ method: String, _ path: String, headers: [(String, String)] = [], body: [UInt8] = []
    ) async throws -> HTTPResponse {
        let channel = try await connected()
        let promise = channel.eventLoop.makePromise(of: HTTPResponse.self)
        let exchange = HTTPExchange(
            head: head(method, path, headers, byteCount: body.isEmpty && method == "GET" ? nil : body.count),
            body: body,
            receiver: .whole(promise), timeout: .nanoseconds(timeout.ticks * 100))
        do {
            try await channel.writeAndFlush(exchange)
            return try await promise.futureResult.get()
        } catch {
            promise.fail(error)
            throw explain(error)
        }
    }

    /// Sends a GET and gives the lines of the body as they come; ends with the body.
    package func lines(_ path: String, accept: String = "text/event-stream") async throws -> AsyncThrowingStream<
        String, any Error
    > {
        let channel = try await connect()
        let (stream, continuation) = AsyncThrowingStream.makeStream(
            of: String.self, bufferingPolicy: .bufferingOldest(100_000))
        continuation.onTermination = { _ in channel.close(promise: nil) }
        let promise = channel.eventLoop.makePromise(of: HTTPResponse.self)
        let exchange = HTTPExchange(
            head: head("GET", path, [("accept", accept)], byteCount: nil), body: [],
            receiver: .lines(promise, continuation), timeout: .nanoseconds(timeout.ticks * 100))
        do {
            try await channel.writeAndFlush(exchange)
            let response = try await promise.futureResult.get()
            guard response.isSuccess else { throw response.problem }
            return stream
        } catch {
            promise.fail(error)
            channel.close(promise: nil)
            throw explain(error)
        }
    }

    /// Closes the connection; a request after it opens a new one.
    package func close() async {
        let open = channel.withLock { channel in
            defer { channel = nil }
            return channel
        }
        try? await open?.close()
    }

    private func head(_ method: String, _ path: String, _ headers: [(String, String)], byteCount: Int?)
        -> HTTPRequestHead
    {
        var fields = HTTPHeaders([("host", address.hostHeader), ("user-agent", "ogawa")] + headers)
        if let byteCount { fields.replaceOrAdd(name: "content-length", value: String(byteCount)) }
        return HTTPRequestHead(version: .http1_1, method: HTTPMethod(rawValue: method), uri: path, headers: fields)
    }

    private func connected() async throws -> any Channel {
        if let open = channel.withLock({ $0 }), open.isActive { return open }
        let opened = try await connect()
        channel.withLock { $0 = opened }
        return opened
    }

    private func connect() async throws -> any Channel {
        do {
            return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(.seconds(5))
                .channelOption(.socketOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        try channel.pipeline.syncOperations.addHandler(HTTPExchangeHandler())
                    }
                }
                .connect(host: address.host, port: address.port).get()
        } catch {
            throw explain(error)
        }
    }

    /// Puts the reasons that users meet into plain words.
    private func explain(_ error: any Error) -> any Error {
        if error is ClientError || error is CancellationError { return error }
        let start = "start it with `ogawa run` or give its address with --url"
        if let error = error as? NIOConnectionError {
            let reason = error.connectionErrors.first?.error ?? error
            let isRefused = (reason as? IOError)?.errnoCode == 111 || (reason as? IOError)?.errnoCode == 61
            let words = isRefused ? "connection refused" : "\(reason)"
            return ClientError("no Ogawa is running at \(address): \(words)", hint: start)
        }
        if let error = error as? ChannelError, case .connectTimeout = error {
            return ClientError("no Ogawa answers at \(address) within 5 s", hint: start)
        }
        if error is HTTPExchangeTimeout {
            return ClientError(
                "\(address) did not answer within \(Figure.seconds(timeout.inSeconds))",
                hint: "look at its log and at `ogawa status`")
        }
        return ClientError(
            "the connection to \(address) was lost: \(error)", hint: "see whether the instance still runs")
    }
}

/// The server took longer than the client waits.
struct HTTPExchangeTimeout: Error {}
