#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Finds values that lie outside of what the last values let expect: spikes, dips or both.
///
/// **Method.** The density of the last values is estimated by a Gaussian kernel at each of them; the score is the probability that it
/// gives to a value as far out as the new one (on the asked side, or twice the smaller side). The value is an anomaly where that is
/// less than 1 - confidence. The kernel's width adapts to the data: it is √2 times the local scale at its value, which
/// is the distance that holds a quarter of the values around it, as a standard deviation of a normal distribution,
/// but at most the standard deviation of all values, which in turn is taken from the quartiles where they tell less. So former spikes
/// neither widen the kernels nor hide later ones, and several levels of operation are told apart. Normal noise has
/// to deviate by √3 · 1.96 = 3.4 standard deviations to be an anomaly at a confidence of 95.
///
/// **Memory.** 16 bytes per value of the history. **Complexity.** Work per value grows with the history.
package struct SpikeDetector: AnomalyDetector {
    package enum Mode: String, Sendable, CaseIterable {
        case spikes
        case dips
        case spikesAndDips = "spikesanddips"
    }

    /// Before it has seen so many values, or as many as the history holds, nothing is an anomaly.
    static let warmUp = 8

    private let mode: Mode
    private let limit: Double
    private var history: AnomalyHistory

    /// - Parameters:
    ///   - confidence: in percent, 1 to 100.
    ///   - historySize: how many values are remembered; at least 2.
    package init(confidence: Double, historySize: Int, mode: Mode) {
        self.mode = mode
        limit = 1 - confidence / 100
        history = AnomalyHistory(capacity: max(2, historySize))
    }

    package var historyCount: Int { history.count }

    package mutating func forgetOldest() { history.removeOldest() }

    package mutating func add(_ value: Double) -> (isAnomaly: Bool, score: Double) {
        guard value.isFinite else { return (false, 1) }
        defer { history.add(value) }
        guard history.count >= min(SpikeDetector.warmUp, history.capacity) else { return (false, 1) }
        let score = probability(of: value)
        return (score < limit, score)
    }

    private func probability(of value: Double) -> Double {
        let sorted = history.sorted
        let count = sorted.count
        let scale = scale
        // What numbers of this size cannot tell apart is no deviation.
        let least = max(1e-9 * max(abs(sorted[0]), abs(sorted[count - 1])), .leastNormalMagnitude)
        let near = max(1, count / 4)
        // A normal distribution holds a quarter of its values within 0.3186 standard deviations.
        let spread = 1 / 0.318_639_363_964_375
        var (above, below) = (0.0, 0.0)
        var first = 0
        for index in 0..<count {
            // The `near` values next to this one, without itself, lie from `first` to `first + near`.
            while first + near + 1 < count, sorted[first + near + 1] - sorted[index] < sorted[index] - sorted[first] {
                first += 1
            }
            let reach = max(sorted[index] - sorted[first], sorted[min(count - 1, first + near)] - sorted[index])
            let local = min(scale, reach * spread)
            let width = 2 * max(local, scale * 0.01, least)
            // The kernel's deviation is √2 · local, and erfc wants another √2.
            let distance = (value - sorted[index]) / width
            above += erfc(distance)
            below += erfc(-distance)
        }
        let (up, down) = (above / Double(2 * count), below / Double(2 * count))
        switch mode {
        case .spikes: return up
        case .dips: return down
        case .spikesAndDips: return min(1, 2 * min(up, down))
        }
    }

    /// The standard deviation, or a smaller one from the quartiles.
    private var scale: Double {
        let sorted = history.sorted
        let count = Double(sorted.count)
        var sum = 0.0
        for value in sorted { sum += value / count }
        var squares = 0.0
        for value in sorted { squares += (value - sum) * (value - sum) }
        let deviation = (squares / count).squareRoot()
        let range = quantile(0.75) - quantile(0.25)
        return range > 0 ? min(deviation, range / 1.348_979_500_392_163) : deviation
    }

    private func quantile(_ share: Double) -> Double {
        let position = share * Double(history.count - 1)
        let low = Int(position)
        let high = min(history.count - 1, low + 1)
        return history.sorted[low] + (history.sorted[high] - history.sorted[low]) * (position - Double(low))
    }

    package func save(to writer: inout StateWriter) { history.save(to: &writer) }

    package mutating func restore(from reader: inout StateReader) throws {
        history = try AnomalyHistory(capacity: history.capacity, from: &reader)
    }
}
