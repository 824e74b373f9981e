// Aggregates and windows as text, for `ogawa explain` and as the key by which equal calls are found.

import OgawaCore

extension AggregateCall {
    func shown(_ names: [String]) -> String {
        var parts: [String] = []
        switch function {
        case .continuousPercentile, .discretePercentile: parts.append("\(parameter)")
        case .collectTop: parts.append("\(Int(parameter))")
        default: break
        }
        let isPercentile = function == .continuousPercentile || function == .discretePercentile
        if !isPercentile { parts.append((isDistinct ? "DISTINCT " : "") + (argument?.shown(names) ?? "*")) }
        var text = "\(function.rawValue)(\(parts.joined(separator: ", ")))"
        if !order.isEmpty {
            let keys = order.map { $0.expression.shown(names) + ($0.isDescending ? " DESC" : "") }
            text += " OVER (ORDER BY \(keys.joined(separator: ", ")))"
        }
        if let filter { text += " FILTER (WHERE \(filter.shown(names)))" }
        return text + (comparesText ? " as text" : "")
    }
}

extension WindowPlan {
    func shown(_ names: [String]) -> String {
        func offsetText(_ offset: Int64) -> String { offset == 0 ? "" : " offset \(shownTicks(offset))" }
        func partitionText(_ keys: [Expression]) -> String {
            keys.isEmpty ? " shared by all keys" : " per \(shownList(keys, names))"
        }
        switch self {
        case .hopping(let size, let hop, let offset):
            let length =
                size == hop ? "tumbling \(shownTicks(size))" : "hopping \(shownTicks(size)) every \(shownTicks(hop))"
            return length + offsetText(offset)
        case .cumulating(let size, let step, let offset):
            return "cumulating \(shownTicks(size)) every \(shownTicks(step))" + offsetText(offset)
        case .sliding(let size): return "sliding \(shownTicks(size))"
        case .triggered(let before, let after, let keys, let condition):
            return "\(shownTicks(before)) before to \(shownTicks(after)) after each row with "
                + condition.shown(names) + partitionText(keys)
        case .session(let timeout, let maximum, let keys):
            return "session timeout \(shownTicks(timeout)) at most \(shownTicks(maximum))" + partitionText(keys)
        case .snapshot: return "snapshot"
        case .count(let size, let step):
            return size == step ? "count \(size)" : "count \(size) every \(step)"
        case .state(let open, let close):
            return "state from \(open.shown(names))" + (close.map { " to \($0.shown(names))" } ?? "")
        case .several(let windows):
            let shown = windows.map { ($0.id.map { "\(quotedText($0)) " } ?? "") + $0.window.shown(names) }
            return "(\(shown.joined(separator: "; ")))"
        }
    }
}
