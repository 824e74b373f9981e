/// The candidate that a mistyped name most likely meant; nil where none is near.
///
/// **Shape.** Compares without regard to case by edit distance with swaps; a candidate counts as near within a third of the
/// longer name's length, at least 1.
public func nearestName(to name: String, in candidates: some Sequence<String>) -> String? {
    let wanted = Array(name.lowercased().utf8.prefix(128))
    var best: (distance: Int, name: String)?
    for candidate in candidates {
        let other = Array(candidate.lowercased().utf8.prefix(128))
        let limit = max(1, max(wanted.count, other.count) / 3)
        guard abs(wanted.count - other.count) <= limit else { continue }
        let distance = editDistance(wanted, other)
        if distance <= limit, distance < (best?.distance ?? .max) { best = (distance, candidate) }
    }
    return best?.name
}

/// Insertions, deletions, replacements and swaps of neighbours from one name to the other.
private func editDistance(_ source: [UInt8], _ target: [UInt8]) -> Int {
    var beforeLast = [Int](repeating: 0, count: target.count + 1)
    var last = Array(0...target.count)
    for (row, byte) in source.enumerated() {
        var current = [row + 1]
        for (column, other) in target.enumerated() {
            var cost = min(last[column + 1] + 1, current[column] + 1, last[column] + (byte == other ? 0 : 1))
            if row > 0, column > 0, byte == target[column - 1], source[row - 1] == other {
                cost = min(cost, beforeLast[column - 1] + 1)
            }
            current.append(cost)
        }
        beforeLast = last
        last = current
    }
    return last[target.count]
}
