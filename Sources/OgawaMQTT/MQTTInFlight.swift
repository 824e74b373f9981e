// Messages between their arrival and their acknowledgement, in order of arrival.
//
// One batch at a time is at the gateway; what arrives meanwhile waits for the next. So a connection's messages reach the
// log in their order even where a batch must be offered again, and acknowledgements leave in order of arrival
// [MQTT-4.6.0-2] without sorting. A batch grows with the load by itself.
//
//   arrived --> waiting --> offered --> done --> acknowledged, as soon as everything before it is
//                  ^___________|  (busy)

/// A message on its way to the gateway.
package struct MQTTDelivery: Hashable, Sendable {
    package var deviceID: String
    package var payload: [UInt8]
    /// One JSON object text, or empty.
    package var properties: [UInt8]

    package init(deviceID: String, payload: [UInt8], properties: [UInt8] = []) {
        self.deviceID = deviceID
        self.payload = payload
        self.properties = properties
    }
}

/// What became of an offered message.
package enum MQTTOutcome: Hashable, Sendable {
    /// It is durable in the log.
    case stored
    /// It will never be stored: the same bytes would be refused again.
    case refused(String)
    /// It may be stored later.
    case busy(String)
}

/// The bounded queue of messages which are not yet acknowledged.
struct MQTTInFlight: Sendable {
    struct Entry: Sendable {
        enum State: Hashable, Sendable {
            case waiting
            case offered
            case stored
            case refused(String)
        }

        /// 0 for a message without acknowledgement.
        var packetID: UInt16
        var delivery: MQTTDelivery
        var state = State.waiting

        var byteCount: Int { delivery.payload.count + delivery.properties.count }
    }

    private(set) var entries: [Entry] = []
    private(set) var byteCount = 0
    private(set) var isOffered = false

    var count: Int { entries.count }

    func contains(packetID: UInt16) -> Bool { entries.contains { $0.packetID == packetID } }

    mutating func append(_ entry: Entry) {
        entries.append(entry)
        byteCount += entry.byteCount
    }

    /// Everything that waits, once nothing is offered any more.
    mutating func takeBatch() -> [MQTTDelivery] {
        guard !isOffered else { return [] }
        var batch: [MQTTDelivery] = []
        for index in entries.indices where entries[index].state == .waiting {
            entries[index].state = .offered
            batch.append(entries[index].delivery)
        }
        isOffered = !batch.isEmpty
        return batch
    }

    /// Notes the outcomes of the offered messages, in their order; missing ones count as busy.
    ///
    /// - Returns: the reason of a busy message, where there is one.
    mutating func finishBatch(_ outcomes: [MQTTOutcome]) -> String? {
        var busy: String?
        var next = outcomes.makeIterator()
        for index in entries.indices where entries[index].state == .offered {
            switch next.next() ?? .busy("the gateway gave no answer") {
            case .stored: entries[index].state = .stored
            case .refused(let reason): entries[index].state = .refused(reason)
            case .busy(let reason):
                entries[index].state = .waiting
                busy = busy ?? reason
            }
        }
        isOffered = false
        return busy
    }

    /// Forgets the messages which wait and which their device will send again.
    mutating func dropWaiting() {
        entries.removeAll { $0.state == .waiting && $0.packetID != 0 }
        byteCount = entries.reduce(0) { $0 + $1.byteCount }
    }

    /// Forgets everything that is not offered.
    mutating func dropAll() {
        entries.removeAll { $0.state != .offered }
        byteCount = entries.reduce(0) { $0 + $1.byteCount }
    }

    /// Takes the first message away, if its outcome is known.
    mutating func popFinished() -> Entry? {
        guard let first = entries.first, first.state != .waiting, first.state != .offered else { return nil }
        byteCount -= first.byteCount
        entries.removeFirst()
        return first
    }
}
