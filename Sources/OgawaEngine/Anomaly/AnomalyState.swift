import OgawaCore
import OgawaSQL

/// A detector per key, fed in order of time with the values of the last duration.
///
/// **Memory.** Per key 24 bytes per value of the history, as many as there were at most, and some 150 bytes.
final class AnomalyState<Detector: AnomalyDetector>: OverState {
    /// The times of what a detector remembers; those before `start` are forgotten.
    private struct Times {
        var list: [Int64] = []
        var start = 0

        var count: Int { list.count - start }

        mutating func removeOldest() {
            start += 1
            guard start > 64, start * 2 > list.count else { return }
            list.removeFirst(start)
            start = 0
        }
    }

    private let fresh: Detector
    private let duration: Int64
    private let name: String
    private let range: SourceRange
    private var detectors: [Detector] = []
    private var times: [Times] = []

    init(_ call: OverCall, _ fresh: Detector, heap: TextHeap) {
        self.fresh = fresh
        duration = if case .duration(let ticks) = call.frame { ticks } else { .max }
        name = call.function.name
        range = call.range
        super.init(heap: heap)
    }

    override func reserveKeys(_ count: Int) {
        while detectors.count < count {
            detectors.append(fresh)
            times.append(Times())
        }
    }

    override func process(_ rows: OverRows) {
        startResult(rows)
        guard let argument = rows.arguments.first else { return }
        for row in 0..<rows.count {
            guard rows.takesPart(row), argument.tag(row) != .null else {
                result.append(.null, 0)
                continue
            }
            guard let value = argument.number(row) else {
                result.append(.null, 0)
                rows.context.fail(
                    row: row,
                    "\(name): the value must be a number, found \(argument.column.value(at: argument.index(row)).described)",
                    range)
                continue
            }
            append(value, key: Int(rows.keys[row]), time: rows.times[row])
        }
    }

    private func append(_ value: Double, key: Int, time: Int64) {
        // An event exactly as old as the duration is out, as it is of every frame.
        while times[key].count > 0 {
            let (age, overflow) = time.subtractingReportingOverflow(times[key].list[times[key].start])
            guard overflow || age >= duration else { break }
            times[key].removeOldest()
            detectors[key].forgetOldest()
        }
        let (isAnomaly, score) = detectors[key].add(value)
        if value.isFinite { times[key].list.append(time) }
        while times[key].count > detectors[key].historyCount { times[key].removeOldest() }
        result.append(.record, result.heap.append("{\"IsAnomaly\":\(isAnomaly ? 1 : 0),\"Score\":\(score)}"))
    }

    override func save(to writer: inout StateWriter) {
        writer.write(detectors.count)
        for (detector, times) in zip(detectors, times) {
            detector.save(to: &writer)
            writer.write(Array(times.list[times.start...]))
        }
    }

    override func restore(from reader: inout StateReader) throws {
        for _ in 0..<(try reader.readCount(ofSize: 16)) {
            var detector = fresh
            try detector.restore(from: &reader)
            let list = try reader.readArray(of: Int64.self)
            guard list.count == detector.historyCount else { throw StateError() }
            detectors.append(detector)
            times.append(Times(list: list))
        }
    }
}

extension AnalyticFunction {
    /// The state of an anomaly function; nil for every other.
    func anomalyState(_ call: OverCall, heap: TextHeap) -> OverState? {
        switch self {
        case .spikeAndDip(let confidence, let historySize, let mode):
            let detector = SpikeDetector(
                confidence: confidence, historySize: historySize,
                mode: SpikeDetector.Mode(rawValue: mode.rawValue) ?? .spikesAndDips)
            return AnomalyState(call, detector, heap: heap)
        case .changePoint(let confidence, let historySize):
            return AnomalyState(
                call, ChangePointDetector(confidence: confidence, historySize: historySize), heap: heap)
        default: return nil
        }
    }
}
