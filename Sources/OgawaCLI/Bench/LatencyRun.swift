// Latency under a steady load, without coordinated omission.
//
// Reading number n is due at start + n / rate, whatever happened to the ones before it, and its latency counts from
// that moment: a server that stalls for a second shows a second, not one slow reading. Readings go one a message by MQTT with
// QoS 1. Three things are observed:
// - acknowledged: PUBACK, which the server sends when the reading is durable in the log
// - stored: the first answer of GET /tables/… that holds the row, for readings of one device that is asked for all the time;
//   so the figure is an upper bound by the time of one answer
// - live: the row in the live feed, which comes after its commit in the table

import NIOCore
import NIOPosix
import Ogawa
import OgawaCore
import Synchronization

/// What one run gave.
struct LatencyResult: Sendable {
    var rate: Int
    var sentCount = 0
    var acknowledged = LatencyFigures()
    var stored = LatencyFigures()
    var live = LatencyFigures()
    /// Readings after the warm-up that never came in the live feed.
    var missingCount = 0

    var json: JSONValue {
        .object([
            JSONMember("eventsPerSecond", .integer(Int64(rate))), JSONMember("sent", .integer(Int64(sentCount))),
            JSONMember("acknowledged", acknowledged.json), JSONMember("stored", stored.json),
            JSONMember("live", live.json),
            JSONMember("missing", .integer(Int64(missingCount))),
        ])
    }
}

/// When each reading is due.
struct LatencySchedule: Sendable {
    var start: ContinuousClock.Instant
    var rate: Int
    var count: Int
    /// Readings before this one are sent and not measured.
    var firstMeasured: Int
    /// Every so manieth reading is of the device that the tables are asked for.
    var probeInterval: Int

    func dueTime(_ number: Int) -> ContinuousClock.Instant {
        start + .nanoseconds(Int64(number) * 1_000_000_000 / Int64(rate))
    }

    /// The reading that is due last at a time; negative before the first.
    func lastDue(at time: ContinuousClock.Instant) -> Int {
        let nanoseconds = (time - start).ticks * 100
        guard nanoseconds >= 0 else { return -1 }
        return min(count - 1, Int(nanoseconds / 1000 * Int64(rate) / 1_000_000))
    }
}

/// One run at one rate.
struct LatencyRun {
    static let probeDevice = "bench-probe"
    var server: BenchServer
    var rate: Int
    var duration: Duration
    var warmUp = Duration.seconds(2)
    var connectionCount = 50

    func run() async throws -> LatencyResult {
        // Sending has a thread of its own, so that what comes back does not delay it.
        let sending = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let receiving = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let result = try await run(sending: sending, receiving: receiving)
            try await sending.shutdownGracefully()
            try await receiving.shutdownGracefully()
            return result
        } catch {
            try? await sending.shutdownGracefully()
            try? await receiving.shutdownGracefully()
            throw error
        }
    }

    private func run(
        sending: MultiThreadedEventLoopGroup, receiving: MultiThreadedEventLoopGroup
    ) async throws -> LatencyResult {
        let total = Int((duration + warmUp).inSeconds * Double(rate))
        var schedule = LatencySchedule(
            start: .now, rate: rate, count: total, firstMeasured: Int(warmUp.inSeconds * Double(rate)),
            probeInterval: max(1, rate / 50))
        let sender = try await OpenLoopSender.connect(
            port: server.mqttPort, count: connectionCount, loop: sending.next())
        schedule.start = .now + .milliseconds(100)
        let live = try await LiveReceiver.connect(server.http, schedule: schedule, group: receiving)
        let probe = Task { [server, schedule] in try await StoredProbe(server: server, schedule: schedule).run() }
        // SAFETY: ended here in any case: by its own end of time, or cancelled when sending fails.
        do {
            let (sentCount, acknowledged) = try await sender.run(schedule)
            let stored = try await probe.value
            let received = try await live.finish(within: .seconds(10))
            var result = LatencyResult(rate: rate, sentCount: sentCount, acknowledged: acknowledged, stored: stored)
            result.live = received
            result.missingCount = max(0, sentCount - schedule.firstMeasured - received.count)
            return result
        } catch {
            probe.cancel()
            live.close()
            throw error
        }
    }
}

/// Asks the tables for the rows of one device, again and again.
private struct StoredProbe {
    var server: BenchServer
    var schedule: LatencySchedule

    func run() async throws -> LatencyFigures {
        var figures = LatencyFigures()
        let client = HTTPClient(server.http, timeout: .seconds(10))
        let path = "/tables/temperature?key=\(LatencyRun.probeDevice)&order=desc&limit=10"
        let lastProbe = (schedule.count - 1) / schedule.probeInterval * schedule.probeInterval
        let end = schedule.dueTime(schedule.count) + .seconds(10)
        var newest = -1
        while newest < lastProbe, ContinuousClock.now < end {
            // More often would take from the server what is measured.
            try await Task.sleep(for: .milliseconds(2))
            let response = try await client.request("GET", path)
            let now = ContinuousClock.now
            // The table is made by its first row.
            guard response.isSuccess else { continue }
            var numbers: [Int] = []
            response.body.withUnsafeBufferPointer { ReadingText.numbers(in: $0) { numbers.append($0) } }
            for number in numbers where number > newest && number >= schedule.firstMeasured {
                figures.record(now - schedule.dueTime(number))
            }
            newest = max(newest, numbers.max() ?? -1)
        }
        await client.close()
        return figures
    }
}
