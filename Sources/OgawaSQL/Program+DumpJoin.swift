import OgawaCore

// Joins, reference data and APPLY as text.
extension JoinPlan {
    func shown(left: [String], right: [String]) -> [String] {
        var lines = [isLeft ? "left join" : "join"]
        for bound in bounds {
            let time = bound.leftTime.map { left.indices.contains($0) ? left[$0] : "#\($0)" } ?? "left"
            lines.append(
                "  within \(bound.low) to \(bound.high) boundaries of \(shownTicks(bound.unit)) from \(time) to right")
        }
        for (one, other) in zip(leftKeys, rightKeys) {
            lines.append("  hashed: \(one.shown(left)) = \(other.shown(right))")
        }
        if let residual { lines.append("  each pair: \(residual.shown(left + right))") }
        return lines
    }
}

extension LookupPlan {
    var shownFields: [String] {
        fields.map { $0.isEmpty ? "\(reference).*" : ([reference] + $0).map(quoted).joined(separator: ".") }
    }

    func shown(_ names: [String]) -> [String] {
        var lines = ["\(isLeft ? "left join" : "join") with reference data \(quoted(reference))"]
        for (one, other) in zip(keys, referenceKeys) {
            lines.append("  looked up: \(one.shown(names)) = \(other.shown(shownFields))")
        }
        if keys.isEmpty { lines.append("  every row is tried") }
        if let residual { lines.append("  each pair: \(residual.shown(names + shownFields))") }
        return lines
    }
}

extension ApplyPlan {
    var shownColumns: [String] {
        columns.map { column in
            switch column {
            case .key: function.fieldNames[0]
            case .value: function.fieldNames[1]
            case .record: function.rawValue
            }
        }
    }

    func shown(_ names: [String]) -> String {
        "\(isOuter ? "outer" : "cross") apply \(function.rawValue)(\(argument.shown(names)))"
    }
}
