import OgawaCore
import OgawaLog
import Synchronization

/// A stream that takes events from outside, and the body field that holds their key.
package struct StreamRoute: Sendable, Hashable {
    package var name: String
    package var keyField: String

    package init(name: String, keyField: String = "deviceId") {
        self.name = name
        self.keyField = keyField
    }
}

/// Takes messages from the listeners, checks them and appends them to the log.
///
/// **Shape.** A message goes in whole or not at all. One append call a request or MQTT batch, whatever its size.
/// **Isolation.** From any thread; the checking runs on the caller's thread, the answer comes when the events are durable.
/// Not for internal writes: functions append to the log themselves.
package final class Gateway: DeviceIngest, Sendable {
    package let limits: GatewayLimits
    package let rejections: RejectionLog
    private let log: Log
    private let routes: Mutex<Routes>
    private let intakes = IntakePool()

    private struct Routes {
        var keyFields: [String: String]
        var telemetryStream: String?

        init(_ streams: [StreamRoute], telemetryStream: String?) {
            keyFields = Dictionary(streams.map { ($0.name, $0.keyField) }, uniquingKeysWith: { first, _ in first })
            self.telemetryStream = telemetryStream ?? (streams.count == 1 ? streams.first?.name : nil)
        }
    }

    /// - Parameter telemetryStream: where messages go that name a device but no stream; nil means the only stream, if there is
    ///   just one.
    package init(
        log: Log, streams: [StreamRoute], telemetryStream: String?, rejections: RejectionLog,
        limits: GatewayLimits = GatewayLimits()
    ) {
        self.log = log
        self.rejections = rejections
        self.limits = limits
        routes = Mutex(Routes(streams, telemetryStream: telemetryStream))
    }

    /// Takes over new settings; requests under way finish under the old ones.
    package func update(streams: [StreamRoute], telemetryStream: String?) {
        let updated = Routes(streams, telemetryStream: telemetryStream)
        routes.withLock { $0 = updated }
    }

    /// The names of the streams that take events, sorted.
    package var streamNames: [String] { routes.withLock { $0.keyFields.keys.sorted() } }

    /// Where messages go that name a device but no stream.
    package var telemetryStream: String? { routes.withLock { $0.telemetryStream } }

    /// The stream of a name, or the telemetry stream, with its key field.
    func target(_ name: String?) throws(IngestError) -> (stream: LogStream, keyField: String) {
        let (wanted, keyField, known) = routes.withLock { routes in
            let wanted = name ?? routes.telemetryStream
            return (wanted, wanted.flatMap { routes.keyFields[$0] }, routes.keyFields.keys.sorted())
        }
        guard let wanted else { throw .noTelemetryStream(known: known) }
        guard let keyField, let stream = log.stream(wanted) else { throw .unknownStream(wanted, known: known) }
        return (stream, keyField)
    }

    /// Checks one request body and gives its events, keyed and ready for the log.
    ///
    /// - Parameter deviceID: the key of all events where the request names it; nil takes it from each event.
    func events(
        in body: UnsafeRawBufferPointer, keyField: String, deviceID: String?
    ) throws(IngestError) -> PendingEvents {
        var events = PendingEvents()
        let source = try keySource(deviceID, field: keyField)
        let intake = intakes.borrow(limits)
        defer { intakes.giveBack(intake) }
        _ = try intake.value.take(
            body, keyField: keyField, source: source, properties: UnsafeRawBufferPointer(start: nil, count: 0),
            maxEvents: limits.eventsPerRequest, into: &events)
        return events
    }

    private func keySource(_ deviceID: String?, field: String) throws(IngestError) -> KeySource {
        guard let deviceID else { return .body }
        guard DeviceKey.isValid(deviceID, limits: limits) else { throw .badKey(deviceID, limits: limits) }
        return .given(GivenKey(deviceID, field: field))
    }
}

// MARK: Messages of devices

extension Gateway {
    package func ingest(
        _ messages: [DeviceMessage], protocolName: String,
        completion: @escaping @Sendable ([Result<Int, IngestError>]) -> Void
    ) {
        let stream: LogStream
        let keyField: String
        do {
            (stream, keyField) = try target(nil)
        } catch {
            for message in messages { record(error, stream: nil, device: message.deviceID, protocolName) }
            return completion(messages.map { _ in .failure(error) })
        }
        let (events, results) = take(messages, stream: stream, keyField: keyField, protocolName)
        let gathering = IngestGathering(results) { completion($0) }
        for (partition, part) in zip(stream.partitions, events) where !part.events.isEmpty {
            gathering.begin()
            partition.append(part.events) { [self] outcome in
                guard case .failure(let cause) = outcome else { return gathering.end() }
                let error = IngestError(cause)
                // A busy log is asked again by the listener; only what is given up is worth a line.
                if error.kind != .busy {
                    for index in part.messages {
                        record(error, stream: stream.name, device: messages[index].deviceID, protocolName)
                    }
                }
                gathering.end(failing: part.messages, with: error)
            }
        }
        gathering.end()
    }

    /// The events for one partition and the messages that they come from.
    private struct Part {
        var events = PendingEvents()
        var messages: [Int] = []
    }

    private func take(
        _ messages: [DeviceMessage], stream: LogStream, keyField: String, _ protocolName: String
    ) -> ([Part], [Result<Int, IngestError>]) {
        var parts = [Part](repeating: Part(), count: stream.partitions.count)
        let intake = intakes.borrow(limits)
        defer { intakes.giveBack(intake) }
        let results = messages.indices.map { index in
            let message = messages[index]
            // The device is the key of all events of its message.
            let partition = Array(message.deviceID.utf8).withUnsafeBytes {
                OgawaCore.partition(forKey: $0, count: parts.count).index
            }
            return Result { () throws(IngestError) -> Int in
                do throws(IngestError) {
                    let source = try keySource(message.deviceID, field: keyField)
                    let count = try message.payload.withBytes { payload throws(IngestError) in
                        try message.properties.withBytes { properties throws(IngestError) in
                            try intake.value.take(
                                payload, keyField: keyField, source: source, properties: properties,
                                maxEvents: limits.eventsPerRequest, into: &parts[partition].events)
                        }
                    }
                    parts[partition].messages.append(index)
                    return count
                } catch {
                    record(error, stream: stream.name, device: message.deviceID, protocolName)
                    throw error
                }
            }
        }
        return (parts, results)
    }

    package func reject(deviceID: String?, reason: String) {
        rejections.append(
            kind: .rejected, stream: telemetryStream, function: nil, device: deviceID, reason: reason)
    }

    /// Records a refusal over HTTP for the console.
    func record(_ detail: String, stream: String?, device: String?) {
        rejections.append(
            kind: .rejected, stream: stream, function: nil, device: device.map { String($0.prefix(128)) },
            reason: "http: \(detail)")
    }

    private func record(_ error: IngestError, stream: String?, device: String?, _ protocolName: String) {
        rejections.append(
            kind: .rejected, stream: stream, function: nil, device: device.map { String($0.prefix(128)) },
            reason: "\(protocolName): \(error.detail)")
    }
}

/// Waits for the appends of one batch of messages and answers once, each message by the fate of its own partition.
private final class IngestGathering: Sendable {
    private let state: Mutex<(results: [Result<Int, IngestError>], waiting: Int)>
    private let completion: @Sendable ([Result<Int, IngestError>]) -> Void

    /// Counts itself as one append until the first ``end(failing:with:)``.
    init(
        _ results: [Result<Int, IngestError>],
        completion: @escaping @Sendable ([Result<Int, IngestError>]) -> Void
    ) {
        state = Mutex((results, 1))
        self.completion = completion
    }

    func begin() { state.withLock { $0.waiting += 1 } }

    func end(failing messages: [Int] = [], with error: IngestError? = nil) {
        let results: [Result<Int, IngestError>]? = state.withLock { state in
            if let error {
                for index in messages { state.results[index] = .failure(error) }
            }
            state.waiting -= 1
            return state.waiting == 0 ? state.results : nil
        }
        if let results { completion(results) }
    }
}

/// Intakes that wait for their next message, so that their memory is used again.
private final class IntakePool: Sendable {
    /// SAFETY: an intake is not thread-safe, but only the pool and one borrower ever hold it, in turn, and the pool's
    /// lock orders what they do.
    struct Lent: @unchecked Sendable { let value: EventIntake }

    private static let capacity = 16
    private let waiting = Mutex<[Lent]>([])

    func borrow(_ limits: GatewayLimits) -> Lent {
        waiting.withLock { $0.popLast() } ?? Lent(value: EventIntake(limits: limits))
    }

    func giveBack(_ intake: Lent) {
        waiting.withLock { if $0.count < IntakePool.capacity { $0.append(intake) } }
    }
}
