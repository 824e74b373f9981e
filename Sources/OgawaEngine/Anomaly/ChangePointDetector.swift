#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Finds values from which on a series is another one: a change that lasts.
///
/// **Method.** If nothing changes, the order of the values says nothing, so that the rank of each new value among the last ones is
/// as good as random. Three martingales bet against that: on large ranks, on small ranks, and on ranks of the distance from the
/// median. A rank gives p = (values at least as strange, ties and the value itself by half) / (count + 1); the bet is the mixture of all
/// power bets, ∫ ε p^(ε-1) dε = (e^q - 1 - q) / q² with q = -ln p, whose mean over p is 1. Each martingale is restarted at every value (the
/// procedure of Shiryaev and Roberts: R ← (1 + R) · bet), and the score is the mean of the three R. It is an anomaly where
/// the score exceeds historySize / (1 - confidence): were the ranks independent, false alarms would be that many values apart on average.
///
/// A value is compared with those before the suspected change only: the values since a martingale's sum of logarithms was last 0 are
/// left out, at most half of the history. So a short history finds a change, too, before the new level has become usual. After
/// an alarm the values before the change are forgotten: the new level is the normal one.
///
/// **Memory.** 16 bytes per value of the history and 48. **Complexity.** Work per value grows with the logarithm of the history, but for moving
/// values in memory.
package struct ChangePointDetector: AnomalyDetector {
    /// What each martingale bets on.
    private enum Direction: Int, CaseIterable {
        case up
        case down
        case apart
    }

    private static let greatestScore = 1e300

    private let limit: Double
    private var history: AnomalyHistory
    private var martingales = Array(repeating: 0.0, count: 3)
    /// The same bets added up since they last lost all: where the change began.
    private var sums = Array(repeating: 0.0, count: 3)
    private var lengths = Array(repeating: 0, count: 3)

    /// - Parameters:
    ///   - confidence: in percent, 1 to 100.
    ///   - historySize: how many values are remembered; at least 2.
    package init(confidence: Double, historySize: Int) {
        let size = max(2, historySize)
        history = AnomalyHistory(capacity: size)
        limit = confidence >= 100 ? .infinity : Double(size) / (1 - confidence / 100)
    }

    package var historyCount: Int { history.count }

    package mutating func forgetOldest() { history.removeOldest() }

    package mutating func add(_ value: Double) -> (isAnomaly: Bool, score: Double) {
        guard value.isFinite else { return (false, 0) }
        let center = median(with: value)
        for index in martingales.indices {
            let bet = ChangePointDetector.bet(probability(of: value, Direction.allCases[index], center))
            martingales[index] = min(ChangePointDetector.greatestScore, (1 + martingales[index]) * bet)
            sums[index] += log(bet)
            if sums[index] > 0 {
                lengths[index] += 1
            } else {
                sums[index] = 0
                lengths[index] = 0
            }
        }
        history.add(value)
        let score = martingales.reduce(0, +) / Double(Direction.allCases.count)
        guard score > limit else { return (false, score) }
        startAnew()
        return (true, score)
    }

    /// Forgets what was before the change.
    private mutating func startAnew() {
        let best = martingales.indices.max { martingales[$0] < martingales[$1] } ?? 0
        let kept = max(1, lengths[best])
        while history.count > kept { history.removeOldest() }
        for index in martingales.indices {
            martingales[index] = 0
            sums[index] = 0
            lengths[index] = 0
        }
    }

    /// The p-value of a value among those before the suspected change.
    private func probability(of value: Double, _ direction: Direction, _ center: Double) -> Double {
        let suspected = min(lengths[direction.rawValue], history.count / 2)
        var total = history.count - suspected
        var (stranger, equal) = (0, 0)
        switch direction {
        case .up:
            stranger = history.count - history.upperRank(of: value)
            equal = history.count - stranger - history.rank(of: value)
        case .down:
            stranger = history.rank(of: value)
            equal = history.upperRank(of: value) - stranger
        case .apart:
            let distance = abs(value - center)
            let (low, high) = (center - distance, center + distance)
            let (from, to) = (history.rank(of: low), history.upperRank(of: high))
            stranger = from + history.count - to
            equal = history.upperRank(of: low) - from
            if distance > 0 { equal += to - history.rank(of: high) }
        }
        for offset in 0..<suspected {
            let other = history.recent(offset)
            switch direction {
            case .up: count(other > value, other == value, &stranger, &equal)
            case .down: count(other < value, other == value, &stranger, &equal)
            case .apart:
                let distance = abs(value - center)
                let (low, high) = (center - distance, center + distance)
                count(other < low || other > high, other == low || other == high, &stranger, &equal)
            }
        }
        total += 1
        return (Double(stranger) + Double(equal + 1) / 2) / Double(total)
    }

    private func count(_ isStranger: Bool, _ isEqual: Bool, _ stranger: inout Int, _ equal: inout Int) {
        if isStranger { stranger -= 1 } else if isEqual { equal -= 1 }
    }

    /// The median of the history and the new value.
    private func median(with value: Double) -> Double {
        let smaller = history.rank(of: value)
        func element(_ index: Int) -> Double {
            if index < smaller { return history.sorted[index] }
            return index == smaller ? value : history.sorted[index - 1]
        }
        let count = history.count + 1
        return count % 2 == 1 ? element(count / 2) : element(count / 2 - 1) / 2 + element(count / 2) / 2
    }

    /// The mixture of power bets.
    static func bet(_ p: Double) -> Double {
        let q = -log(p)
        // Near 0 the differences cancel out; these are the first parts of the series.
        guard q > 1e-3 else { return 0.5 + q / 6 + q * q / 24 }
        return (expm1(q) - q) / (q * q)
    }

    package func save(to writer: inout StateWriter) {
        history.save(to: &writer)
        for values in [martingales, sums] { writer.write(values) }
        writer.write(lengths)
    }

    package mutating func restore(from reader: inout StateReader) throws {
        history = try AnomalyHistory(capacity: history.capacity, from: &reader)
        martingales = try reader.readArray(of: Double.self)
        sums = try reader.readArray(of: Double.self)
        lengths = try reader.readArray(of: Int.self)
        let counts = [martingales.count, sums.count, lengths.count]
        guard counts.allSatisfy({ $0 == Direction.allCases.count }), (martingales + sums).allSatisfy(\.isFinite),
            martingales.allSatisfy({ $0 >= 0 }), lengths.allSatisfy({ $0 >= 0 && $0 < .max })
        else { throw StateError() }
    }
}
