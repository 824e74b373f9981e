// Counts what the devices sent and how long it took until the row was stored.
//
// The live feed publishes a row after its commit; the row is matched with its reading by device and time. Readings whose time the
// ordering policy moved find no match and are left out of the figures.

import Ogawa
import OgawaCore
import Synchronization

/// Counts and latencies of the demo.
///
/// **Isolation.** Any task.
package final class DemoMeter: Sendable {
    private struct Key: Hashable {
        var deviceID: String
        var ticks: Int64
    }

    private struct State {
        var acknowledged = 0
        var refused = 0
        var failed = 0
        var rows = 0
        var sent: [Key: ContinuousClock.Instant] = [:]
        var latencies: [Double] = []
        var nextLatency = 0
        var lobby: [Double] = []
    }

    /// Older figures than these make room for newer ones.
    private static let latencyLimit = 65_536
    private let state = Mutex(State())

    package init() {}

    /// A reading is about to be sent.
    package func willSend(_ reading: Reading) {
        let now = ContinuousClock.now
        state.withLock { state in
            if state.sent.count > 10_000 { state.sent = state.sent.filter { now - $0.value < .seconds(30) } }
            state.sent[Key(deviceID: reading.deviceID, ticks: reading.time.ticks)] = now
        }
    }

    package func acknowledged() { state.withLock { $0.acknowledged += 1 } }
    package func refused() { state.withLock { $0.refused += 1 } }
    package func failed() { state.withLock { $0.failed += 1 } }

    /// A row of the live feed.
    package func stored(_ row: String) {
        let now = ContinuousClock.now
        guard let json = try? JSONValue.parse(row), case .string(let deviceID)? = json["deviceId"],
            case .string(let text)? = json["time"], let time = Timestamp(text)
        else { return }
        state.withLock { state in
            state.rows += 1
            if deviceID == "lobby", case .float(let celsius)? = json["smoothed"] {
                state.lobby.append(celsius)
                if state.lobby.count > 24 { state.lobby.removeFirst() }
            }
            guard let sent = state.sent.removeValue(forKey: Key(deviceID: deviceID, ticks: time.ticks)) else { return }
            let milliseconds = (now - sent).inSeconds * 1000
            if state.latencies.count < DemoMeter.latencyLimit {
                state.latencies.append(milliseconds)
            } else {
                state.latencies[state.nextLatency] = milliseconds
                state.nextLatency = (state.nextLatency + 1) % DemoMeter.latencyLimit
            }
        }
    }

    /// What was measured so far.
    package struct Figures: Sendable {
        package var events: Int
        package var refused: Int
        package var failed: Int
        package var liveRows: Int
        /// nil where no row could be matched.
        package var p50Milliseconds: Double?
        package var p99Milliseconds: Double?
        /// The newest smoothed degrees of the lobby.
        package var lobby: [Double]
    }

    package var figures: Figures {
        let snapshot = state.withLock { ($0.acknowledged, $0.refused, $0.failed, $0.rows, $0.latencies, $0.lobby) }
        let sorted = snapshot.4.sorted()
        func quantile(_ fraction: Double) -> Double? {
            guard !sorted.isEmpty else { return nil }
            return sorted[min(sorted.count - 1, Int(Double(sorted.count) * fraction))]
        }
        return Figures(
            events: snapshot.0, refused: snapshot.1, failed: snapshot.2, liveRows: snapshot.3,
            p50Milliseconds: quantile(0.5),
            p99Milliseconds: quantile(0.99), lobby: snapshot.5)
    }
}
