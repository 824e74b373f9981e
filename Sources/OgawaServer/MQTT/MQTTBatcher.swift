import NIOCore
import OgawaMQTT

/// Collects the messages of all connections of one event loop and offers them to the gateway in one call.
///
/// A turn of the loop first reads every socket that has something and then runs what was scheduled meanwhile: that is
/// when the batch leaves. It so holds what is there now, one message or a thousand; nobody waits for it to fill up.
/// The outcomes come back with one hop onto the loop.
///
/// **Isolation.** One event loop; only the hop back leaves it.
final class MQTTBatcher {
    /// Bounds of one call; a batch that reaches one of them leaves at once.
    private static let maximumMessageCount = 4096
    private static let maximumByteCount = 4 * 1024 * 1024

    private let ingest: any DeviceIngest
    private let eventLoop: any EventLoop
    private var messages: [DeviceMessage] = []
    private var byteCount = 0
    private var owners: [Owner] = []
    private var isScheduled = false

    /// Whose messages follow each other in the batch.
    private struct Owner {
        var handler: MQTTConnectionHandler
        var count: Int
    }

    init(ingest: any DeviceIngest, eventLoop: any EventLoop) {
        self.ingest = ingest
        self.eventLoop = eventLoop
    }

    /// Adds a connection's messages; its `finishBatch(_:)` is called once with their outcomes.
    func add(_ deliveries: [MQTTDelivery], for handler: MQTTConnectionHandler) {
        for delivery in deliveries {
            byteCount += delivery.payload.count
            messages.append(
                DeviceMessage(
                    deviceID: delivery.deviceID, payload: delivery.payload, properties: delivery.properties))
        }
        owners.append(Owner(handler: handler, count: deliveries.count))
        if messages.count >= Self.maximumMessageCount || byteCount >= Self.maximumByteCount { return offer() }
        guard !isScheduled else { return }
        isScheduled = true
        eventLoop.assumeIsolated().execute { self.offer() }
    }

    private func offer() {
        isScheduled = false
        guard !messages.isEmpty else { return }
        let batch = messages
        let owners = NIOLoopBound(self.owners, eventLoop: eventLoop)
        messages = []
        self.owners = []
        byteCount = 0
        let eventLoop = eventLoop
        ingest.ingest(batch, protocolName: "mqtt") { results in
            eventLoop.execute { Self.deliver(results, to: owners.value) }
        }
    }

    private static func deliver(_ results: [Result<Int, IngestError>], to owners: [Owner]) {
        var rest = results[...]
        for owner in owners {
            owner.handler.finishBatch(rest.prefix(owner.count).map(outcome))
            rest = rest.dropFirst(owner.count)
        }
    }

    private static func outcome(_ result: Result<Int, IngestError>) -> MQTTOutcome {
        switch result {
        case .success: .stored
        case .failure(let error): error.isTemporary ? .busy(error.detail) : .refused(error.detail)
        }
    }
}
