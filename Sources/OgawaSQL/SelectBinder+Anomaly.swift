import OgawaCore

/// Which anomalies AnomalyDetection_SpikeAndDip reports.
package enum AnomalyMode: String, Hashable, Sendable, CaseIterable {
    case spikes
    case dips
    case spikesAndDips = "spikesanddips"
}

// AnomalyDetection_SpikeAndDip(value, confidence, history, mode) and AnomalyDetection_ChangePoint(value, confidence, history).
extension SelectBinder {
    /// The function with its settings, which are fixed in the text; nil after an error.
    func bind(anomaly name: String, _ call: Syntax.Call) -> AnalyticFunction? {
        let isSpike = name.uppercased().hasSuffix("SPIKEANDDIP")
        guard let confidence = confidence(call, name), let history = historySize(call, name) else { return nil }
        guard isSpike else { return .changePoint(confidence: confidence, historySize: history) }
        guard case .text(let text) = call.arguments[3].kind, let mode = AnomalyMode(rawValue: text.lowercased()) else {
            binder.error(
                "invalid-argument", "the fourth argument of \(name) is 'spikes', 'dips' or 'spikesanddips'",
                at: call.arguments[3].range)
            return nil
        }
        return .spikeAndDip(confidence: confidence, historySize: history, mode: mode)
    }

    private func confidence(_ call: Syntax.Call, _ name: String) -> Double? {
        let number: Double? =
            switch call.arguments[1].kind {
            case .integer(let number): Double(number)
            case .float(let number): number
            default: nil
            }
        if let number, number >= 1, number <= 100 { return number }
        binder.error(
            "invalid-argument", "the confidence of \(name) is a number from 1 to 100", hint: "begin with 90",
            at: call.arguments[1].range)
        return nil
    }

    private func historySize(_ call: Syntax.Call, _ name: String) -> Int? {
        if case .integer(let number) = call.arguments[2].kind, number >= 2, number <= Limits.anomalyHistoryCount {
            return Int(number)
        }
        binder.error(
            "invalid-argument",
            "the history of \(name) is a whole number of events from 2 to \(Limits.anomalyHistoryCount)",
            hint: "take as many as LIMIT DURATION holds, 120 for instance", at: call.arguments[2].range)
        return nil
    }
}

extension Limits {
    /// How many values the detection of anomalies remembers at most: its work per event grows with them.
    static let anomalyHistoryCount: Int64 = 10_000
}
