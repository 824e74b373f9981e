import OgawaMQTT

/// Plays a conversation with a session, written one step a line: `input -> what the session wants`.
///
/// Inputs: `connect ID [dirty] [keep=SECONDS]`, `accepted`, `publish QOS PACKETID [dup] [TOPIC]`, `subscribe PACKETID FILTER QOS`,
/// `unsubscribe PACKETID FILTER`, a bare packet name such as `pingreq`, `offer`, `finish OUTCOME…`, `wait SECONDS`, `takeover`,
/// `stop`, `lost`, `malformed`, `level N`. The wish ends in `, paused` where reading must stop.
final class SessionDiagram {
    private var session: MQTTSession
    private var now = MQTTTime(nanoseconds: 0)

    init(_ configuration: MQTTSessionConfiguration = MQTTSessionConfiguration()) {
        session = MQTTSession(configuration, at: now)
    }

    /// Plays the inputs of the diagram and returns it with the wishes that really came.
    func play(_ diagram: String) -> String {
        diagram.split(separator: "\n").map { line in
            let input = line.split(separator: "->")[0].trimmed
            return input + " -> " + step(input.split(separator: " ").map(String.init))
        }.joined(separator: "\n")
    }

    private func step(_ words: [String]) -> String {
        let wish = wish(words)
        return wish + (session.canReceive || session.isClosed ? "" : ", paused")
    }

    private func wish(_ words: [String]) -> String {
        let argument = words.count > 1 ? words[1] : ""
        switch words[0] {
        case "accepted": return text(session.accepted(clientID: argument, at: now))
        case "offer":
            let batch = session.takeBatch(at: now)
            return batch.isEmpty
                ? "none" : batch.map { String(decoding: $0.payload, as: UTF8.self) }.joined(separator: " ")
        case "finish": return text(session.finishBatch(words.dropFirst().map(outcome), at: now))
        case "wait":
            now = now.advanced(by: .milliseconds(Int64((Double(argument) ?? 0) * 1000)))
            return text(session.timerFired(at: now))
        case "takeover": return text(session.takenOver())
        case "stop": return text(session.stop())
        case "lost":
            session.disconnected()
            return "none"
        case "malformed": return text(session.receive(MQTTError(.malformed, "bad bytes")))
        case "level": return text(session.receive(MQTTError(.unsupportedLevel, "level", level: UInt8(argument))))
        default: return text(session.receive(packet(words), at: now))
        }
    }

    private func packet(_ words: [String]) -> MQTTPacket {
        let number = words.count > 1 ? UInt16(words[1]) ?? 0 : 0
        switch words[0] {
        case "connect":
            let id = words.count > 1 && words[1] != "''" ? words[1] : ""
            let keep = words.first { $0.hasPrefix("keep=") }.flatMap { UInt16($0.dropFirst(5)) } ?? 0
            return .connect(
                MQTTConnect(clientID: id, cleanSession: !words.contains("dirty"), keepAliveSeconds: keep))
        case "publish":
            let qos = MQTTQoS(rawValue: UInt8(number)) ?? .atMostOnce
            let topic = words.first { $0.contains("/") } ?? "devices/dev-1/telemetry"
            return .publish(
                MQTTPublish(
                    topic: topic, payload: Array(words[2].utf8), qos: qos,
                    packetID: qos == .atMostOnce ? 0 : UInt16(words[2]) ?? 0, isDuplicate: words.contains("dup")))
        case "subscribe":
            let qos = MQTTQoS(rawValue: UInt8(words[3]) ?? 0) ?? .atMostOnce
            return .subscribe(number, [MQTTSubscription(filter: words[2], qos: qos)])
        case "unsubscribe": return .unsubscribe(number, [words[2]])
        default:
            // The first example of each type stands for it.
            return examples.first { $0.packet.type.name.lowercased() == words[0] }?.packet ?? .pingreq
        }
    }

    private func outcome(_ word: String) -> MQTTOutcome {
        switch word {
        case "stored": .stored
        case "busy": .busy("the log is busy")
        default: .refused("not JSON")
        }
    }

    private func text(_ action: MQTTSessionAction) -> String {
        switch action {
        case .none: "none"
        case .accept(let id): "accept \(id ?? "(invent)")"
        case .send(.suback(let id, let granted)): "SUBACK \(id) \(granted.map { $0.map { "\($0.rawValue)" } ?? "no" })"
        case .send(let packet): packet.type.name
        case .refuse: "refuse"
        case .refuseAndClose: "refuse and close"
        case .close(let close): text(close)
        }
    }

    private func text(_ progress: MQTTSessionProgress) -> String {
        var parts: [String] = []
        if !progress.acknowledged.isEmpty { parts.append("PUBACK \(progress.acknowledged)") }
        if let close = progress.close { parts.append(text(close)) }
        return parts.isEmpty ? "none" : parts.joined(separator: ", ")
    }

    private func text(_ close: MQTTClose) -> String {
        let farewell = close.farewell.isEmpty ? "" : " \(close.farewell)"
        return "close \(close.kind.rawValue)\(farewell)"
    }
}

extension StringProtocol {
    fileprivate var trimmed: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}

/// Whether a session behaves as the diagram says; the answer shows the first step that differs.
func follows(_ diagram: String, _ configuration: MQTTSessionConfiguration = MQTTSessionConfiguration()) -> String? {
    let real = SessionDiagram(configuration).play(diagram).split(separator: "\n")
    for (line, came) in zip(diagram.split(separator: "\n"), real) {
        let halves = line.split(separator: "->")
        let expected = halves[0].trimmed + " -> " + halves[1].trimmed
        if expected != came { return "expected \(expected)\n     got \(came)" }
    }
    return nil
}
