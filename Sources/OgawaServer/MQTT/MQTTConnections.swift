import Logging
import NIOCore
import Synchronization

/// The open connections of a listener, and which of them speaks for a client id.
///
/// **Isolation.** Callable from any thread; asked once a connect and once a disconnect, never per packet.
final class MQTTConnections: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var clients: [String: any Channel] = [:]
        var isStopping = false
        var inventedCount: UInt64 = 0
    }

    private let state = Mutex(State())
    private let maximum: Int

    init(maximum: Int) { self.maximum = maximum }

    var count: Int { state.withLock { $0.channels.count } }

    /// Notes a new connection; false where there are too many or the listener stops.
    func add(_ channel: any Channel) -> Bool {
        state.withLock { state in
            guard !state.isStopping, state.channels.count < maximum else { return false }
            state.channels[ObjectIdentifier(channel)] = channel
            return true
        }
    }

    /// Forgets a closed connection.
    func remove(_ channel: any Channel) {
        state.withLock { $0.channels[ObjectIdentifier(channel)] = nil }
    }

    /// Frees a client id, unless a newer connection took it over.
    func release(_ clientID: String, of channel: any Channel) {
        state.withLock { state in
            if state.clients[clientID] === channel { state.clients[clientID] = nil }
        }
    }

    /// Gives the client id to a connection; the connection that had it is returned.
    func claim(_ clientID: String, for channel: any Channel) -> (any Channel)? {
        state.withLock { state in
            let older = state.clients.updateValue(channel, forKey: clientID)
            return older === channel ? nil : older
        }
    }

    /// A client id that no other client has, for one that sent none.
    func inventClientID() -> String {
        let number = state.withLock { state in
            state.inventedCount += 1
            return state.inventedCount
        }
        // The random half keeps ids of an earlier run from coming back.
        return "auto-\(String(UInt64.random(in: .min ... .max), radix: 16))-\(number)"
    }

    /// Refuses connections from now on and returns those that are open.
    func stop() -> [any Channel] {
        state.withLock { state in
            state.isStopping = true
            return Array(state.channels.values)
        }
    }
}

/// Lets a bounded number of log lines a second pass and counts the others.
final class MQTTLogLimiter: Sendable {
    private let state = Mutex((second: Int64(0), count: 0, suppressed: 0))
    private let limit: Int

    init(linesPerSecond limit: Int) { self.limit = limit }

    /// The number of lines left out since the last one; nil where this one is left out, too.
    func pass(at now: NIODeadline) -> Int? {
        let second = Int64(clamping: now.uptimeNanoseconds / 1_000_000_000)
        return state.withLock { state in
            if state.second != second {
                state.second = second
                state.count = 0
            }
            guard state.count < limit else {
                state.suppressed += 1
                return nil
            }
            state.count += 1
            defer { state.suppressed = 0 }
            return state.suppressed
        }
    }
}
