// `GET /live/{name}`: server-sent events, one message a batch with a `data:` line a row. A browser's EventSource joins
// the lines, so that a message's data is NDJSON.

import HTTPTypes
import Hummingbird
import NIOCore
import OgawaCore

/// Serves live feeds.
struct LiveEndpoint: Sendable {
    let backend: any ServerBackend
    let feed: LiveFeed
    let keepAliveInterval: Duration

    func stream(_ request: Request, name: String, target: RequestTarget) throws(Problem) -> Response {
        try target.allowQuery(["key"])
        let known = backend.liveNames
        guard known.contains(name) else {
            throw .notFound("output or stream", name, type: "unknown-output", known: known)
        }
        let key = target.value("key")
        let headers: HTTPFields = [.contentType: "text/event-stream", .cacheControl: "no-store"]
        guard request.method != .head else { return Response(status: .ok, headers: headers) }
        return Response(
            status: .ok, headers: headers,
            body: ResponseBody { [feed, keepAliveInterval] writer in
                let subscription = feed.subscribe(name, key: key)
                defer { subscription.cancel() }
                try await writer.write(ByteBuffer(string: "retry: 2000\n: watching\n\n"))
                try await request.body.consumeWithInboundCloseHandler { _ in
                    // Cancelled when the closure ends.
                    async let _ = tick(subscription, every: keepAliveInterval)
                    try await send(subscription, to: &writer)
                } onInboundClosed: {
                    subscription.cancel()
                }
                try await writer.finish(nil)
            })
    }
}

/// Wakes a subscription's reader in intervals, until it ends.
private func tick(_ subscription: LiveSubscription, every interval: Duration) async {
    while (try? await Task.sleep(for: interval)) != nil, !subscription.isEnded { subscription.wake() }
}

/// Writes what a subscription gives until it ends or the reader is gone.
private func send(_ subscription: LiveSubscription, to writer: inout any ResponseBodyWriter) async throws {
    let key = subscription.key.map { Array($0.utf8) }
    var bytes: [UInt8] = []
    while let event = await subscription.next() {
        switch event {
        case .frame(let frame): frame.appendServerSentEvent(key: key, to: &bytes)
        case .lost(let count): bytes.append(contentsOf: "event: lost\ndata: {\"frames\":\(count)}\n\n".utf8)
        case .idle: bytes.append(contentsOf: ": keep-alive\n\n".utf8)
        }
        if bytes.isEmpty || (subscription.hasMore && bytes.count < LiveEndpoint.joinedByteCount) { continue }
        try await writer.write(ByteBuffer(bytes: bytes))
        bytes.removeAll(keepingCapacity: true)
    }
}

extension LiveEndpoint {
    /// Bytes of several messages that go out in one write.
    fileprivate static let joinedByteCount = 256 << 10
}
