import OgawaCore

/// Turns running counts into rates over the last seconds.
///
/// **Isolation.** Owned by the instance's state.
struct RateMeter {
    /// How many samples make a rate; one is taken each second.
    private static let sampleCount = 5
    private var samples: [(time: Timestamp, counts: [String: Int])] = []

    /// Notes the counts of this moment.
    mutating func sample(_ counts: [String: Int], at time: Timestamp) {
        samples.append((time, counts))
        if samples.count > RateMeter.sampleCount { samples.removeFirst() }
    }

    /// The rate of a count per second; 0 before two samples.
    func rate(_ name: String) -> Double {
        guard let first = samples.first, let last = samples.last, last.time > first.time else { return 0 }
        let difference = (last.counts[name] ?? 0) - (first.counts[name] ?? 0)
        return max(0, Double(difference) / last.time.duration(since: first.time).inSeconds)
    }
}
