import Histogram
import Ogawa
import OgawaCore

/// Durations in a histogram that keeps three significant digits at every size.
///
/// **Units.** Microseconds inside, milliseconds out.
struct LatencyFigures: Sendable {
    private var histogram = Histogram<UInt64>(highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: .three)

    var count: Int { Int(clamping: histogram.totalCount) }

    mutating func record(_ duration: Duration) {
        let microseconds = UInt64(clamping: duration.ticks / 10)
        _ = histogram.record(min(max(microseconds, 1), 60_000_000))
    }

    mutating func add(_ other: LatencyFigures) { histogram.add(other.histogram) }

    /// The latency in milliseconds that the given part of all, 0 to 100, did not exceed; nil where nothing was measured.
    func milliseconds(_ percentile: Double) -> Double? {
        count == 0 ? nil : Double(histogram.valueAtPercentile(percentile)) / 1000
    }

    var maximumMilliseconds: Double? { count == 0 ? nil : Double(histogram.max) / 1000 }

    var json: JSONValue {
        func value(_ number: Double?) -> JSONValue { number.map { .float($0) } ?? .null }
        return .object([
            JSONMember("count", .integer(Int64(count))), JSONMember("p50_ms", value(milliseconds(50))),
            JSONMember("p99_ms", value(milliseconds(99))), JSONMember("p999_ms", value(milliseconds(99.9))),
            JSONMember("max_ms", value(maximumMilliseconds)),
        ])
    }

    /// `p50 / p99 / p99.9 ms`.
    var text: String {
        let parts = [50.0, 99, 99.9].map { milliseconds($0).map { Figure.fixed($0, $0 < 10 ? 2 : 1) } ?? "–" }
        return parts.joined(separator: " / ") + " ms"
    }
}
