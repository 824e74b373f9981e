// Compares the rows that came with the rows that were expected.
//
// Numbers are equal by value within a relative error, date-times as instants, an absent column equals null. Rows in order
// are aligned first, so that one missing row is told as one missing row and not as a difference in all that follow.

import OgawaCore

/// How rows are compared.
package struct RowComparison: Sendable {
    /// Whether rows must come in the expected order.
    package var isOrdered = true
    /// Columns whose arrays may hold their elements in any order.
    package var unorderedArrays: Set<String> = []
    /// Relative error by column, in place of 1e-9.
    package var tolerance: [String: Double] = [:]
    /// Whether a row may have more columns than expected.
    package var isSubsetMatch = false
    /// Whether integers are compared as 64-bit integers and not as floats.
    package var comparesExactly = false

    package init() {}

    /// Lines of a table with more cells than this are aligned by position only.
    private static let maximumAlignmentCellCount = 1_000_000
    private static let maximumDifferenceCount = 20

    /// What differs, as lines for people; empty where everything is equal.
    package func differences(output: String, actual: [JSONValue], expected: [JSONValue]) -> [String] {
        let (missing, extra) = isOrdered ? alignedRest(actual, expected) : unorderedRest(actual, expected)
        if missing.isEmpty && extra.isEmpty { return [] }
        var lines = ["output \(output): \(expected.count) rows expected, \(actual.count) found"]
        var shownExtra = Set<Int>()
        var count = 0
        for index in missing {
            count += 1
            if count > RowComparison.maximumDifferenceCount { continue }
            lines.append("  - row \(index + 1): \(expected[index].text)")
            let partner = extra.first { !shownExtra.contains($0) && (!isOrdered || abs($0 - index) <= extra.count) }
            guard let partner else { continue }
            shownExtra.insert(partner)
            lines.append("  + row \(partner + 1): \(actual[partner].text)")
            lines += columnDifferences(actual[partner], expected[index]).map { "      \($0)" }
        }
        for index in extra where !shownExtra.contains(index) {
            count += 1
            if count <= RowComparison.maximumDifferenceCount {
                lines.append("  + row \(index + 1): \(actual[index].text)")
            }
        }
        let rest = count - RowComparison.maximumDifferenceCount
        if rest > 0 { lines.append("  … and \(rest) more") }
        return lines
    }

    /// Rows without a partner when order counts, by the longest common subsequence.
    private func alignedRest(_ actual: [JSONValue], _ expected: [JSONValue]) -> (missing: [Int], extra: [Int]) {
        var start = 0
        while start < min(actual.count, expected.count), isEqual(row: actual[start], expected[start]) { start += 1 }
        let rows = expected.count - start
        let columns = actual.count - start
        guard rows > 0, columns > 0, rows * columns <= RowComparison.maximumAlignmentCellCount else {
            if rows == 0 || columns == 0 { return (Array(start..<expected.count), Array(start..<actual.count)) }
            let differing = (start..<min(actual.count, expected.count)).filter {
                !isEqual(row: actual[$0], expected[$0])
            }
            let common = min(actual.count, expected.count)
            return (differing + Array(common..<expected.count), differing + Array(common..<actual.count))
        }
        var lengths = [Int32](repeating: 0, count: (rows + 1) * (columns + 1))
        var equal = [Bool](repeating: false, count: rows * columns)
        for row in stride(from: rows - 1, through: 0, by: -1) {
            for column in stride(from: columns - 1, through: 0, by: -1) {
                let same = isEqual(row: actual[start + column], expected[start + row])
                equal[row * columns + column] = same
                let below = lengths[(row + 1) * (columns + 1) + column]
                let right = lengths[row * (columns + 1) + column + 1]
                let diagonal = lengths[(row + 1) * (columns + 1) + column + 1] + 1
                lengths[row * (columns + 1) + column] = same ? diagonal : max(below, right)
            }
        }
        var missing: [Int] = []
        var extra: [Int] = []
        var (row, column) = (0, 0)
        while row < rows || column < columns {
            if row < rows, column < columns, equal[row * columns + column] {
                row += 1
                column += 1
            } else if column == columns
                || (row < rows
                    && lengths[(row + 1) * (columns + 1) + column] >= lengths[row * (columns + 1) + column + 1])
            {
                missing.append(start + row)
                row += 1
            } else {
                extra.append(start + column)
                column += 1
            }
        }
        return (missing, extra)
    }

    /// Rows without a partner when order is free.
    private func unorderedRest(_ actual: [JSONValue], _ expected: [JSONValue]) -> (missing: [Int], extra: [Int]) {
        var free = Array(actual.indices)
        var missing: [Int] = []
        for (index, row) in expected.enumerated() {
            if let found = free.firstIndex(where: { isEqual(row: actual[$0], row) }) {
                free.remove(at: found)
            } else {
                missing.append(index)
            }
        }
        return (missing, free)
    }

    private func isEqual(row actual: JSONValue, _ expected: JSONValue) -> Bool {
        columnDifferences(actual, expected, stopsAtFirst: true).isEmpty
    }

    private func columnDifferences(_ actual: JSONValue, _ expected: JSONValue, stopsAtFirst: Bool = false) -> [String] {
        guard let actual = actual.members, let expected = expected.members else { return ["not an object"] }
        var lines: [String] = []
        var seen = Set<String>()
        for member in expected where !stopsAtFirst || lines.isEmpty {
            seen.insert(member.name)
            let found = actual.first { $0.name == member.name }?.value
            if !isEqual(found ?? .null, member.value, column: member.name, isTop: true) {
                lines.append("\(member.name): expected \(member.value.text), found \(found?.text ?? "no such column")")
            }
        }
        var names = Set<String>()
        for member in actual where !stopsAtFirst || lines.isEmpty {
            if !names.insert(member.name).inserted {
                lines.append("\(member.name): the column occurs twice")
            } else if !seen.contains(member.name), !isSubsetMatch, member.value != .null {
                lines.append("\(member.name): not expected, found \(member.value.text)")
            }
        }
        return lines
    }

    private func isEqual(_ actual: JSONValue, _ expected: JSONValue, column: String, isTop: Bool = false) -> Bool {
        switch (expected, actual) {
        case (.null, .null): return true
        case (.bool(let left), .bool(let right)): return left == right
        case (.integer(let left), .integer(let right)):
            return left == right || (!isExact(column) && isNear(Double(left), Double(right), column))
        case (.integer(let left), .float(let right)):
            return isExact(column) ? Int64(exactly: right) == left : isNear(Double(left), right, column)
        case (.float(let left), .integer(let right)): return isNear(left, Double(right), column)
        case (.float(let left), .float(let right)): return isNear(left, right, column)
        case (.string(let left), .string(let right)):
            if left == right { return true }
            guard left.contains(":"), let leftTime = Timestamp(left), let rightTime = Timestamp(right) else {
                return false
            }
            return leftTime == rightTime
        case (.array(let left), .array(let right)):
            guard left.count == right.count else { return false }
            if isTop, unorderedArrays.contains(column) { return isPermutation(right, of: left, column) }
            return zip(right, left).allSatisfy { isEqual($0, $1, column: column) }
        case (.object(let left), .object(let right)):
            let rightNames = Set(right.map(\.name))
            guard rightNames.count == right.count else { return false }
            for name in rightNames.union(left.map(\.name)) {
                let found = right.first { $0.name == name }?.value ?? .null
                let wanted = left.first { $0.name == name }?.value ?? .null
                if !isEqual(found, wanted, column: column) { return false }
            }
            return true
        default: return false
        }
    }

    private func isPermutation(_ actual: [JSONValue], of expected: [JSONValue], _ column: String) -> Bool {
        var free = actual
        for element in expected {
            guard let index = free.firstIndex(where: { isEqual($0, element, column: column) }) else { return false }
            free.remove(at: index)
        }
        return free.isEmpty
    }

    private func isExact(_ column: String) -> Bool { comparesExactly && tolerance[column] == nil }

    private func isNear(_ left: Double, _ right: Double, _ column: String) -> Bool {
        left == right || abs(left - right) <= (tolerance[column] ?? 1e-9) * max(abs(left), abs(right))
    }
}

extension CaseFile {
    /// Compares what every output got, as JSON object texts in order, with what the case expects.
    ///
    /// **Shape.** Output names compare without regard to case; an output that got nothing may be absent. Empty where all is equal.
    package func differences(actual: [String: [String]]) -> [String] {
        guard case .rows(let outputs) = expect else {
            let count = actual.values.reduce(0) { $0 + $1.count }
            return ["an error was expected, but the query ran and gave \(count) \(count == 1 ? "row" : "rows")"]
        }
        var found: [String: [JSONValue]] = [:]
        var lines: [String] = []
        for (name, rows) in actual.sorted(by: { $0.key < $1.key }) {
            for row in rows {
                do {
                    found[name.lowercased(), default: []].append(try JSONValue.parse(row))
                } catch {
                    lines.append("output \(name): a row is not JSON: \(error): \(row.prefix(200))")
                }
            }
        }
        for output in outputs {
            let rows = found.removeValue(forKey: output.name.lowercased()) ?? []
            lines += comparison.differences(output: output.name, actual: rows, expected: output.rows)
        }
        for (name, rows) in found.sorted(by: { $0.key < $1.key }) {
            lines += comparison.differences(output: name, actual: rows, expected: [])
        }
        return lines
    }
}
