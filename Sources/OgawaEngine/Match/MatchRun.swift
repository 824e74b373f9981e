import OgawaCore
import OgawaSQL

/// What one way through the pattern keeps of its rows.
struct MatchMemory: Equatable {
    /// One value per register; nil where no row counted yet.
    var values: [Value?]
    /// The variable of each row, 0 for any row, else its number + 1; empty where nobody asks.
    var labels: [UInt16] = []
}

/// One way through the pattern: the state that takes the next row, and what was kept so far.
struct MatchThread: Equatable {
    var state: Int
    var memory: MatchMemory
}

/// The best match of one beginning so far.
struct MatchCandidate {
    var memory: MatchMemory
    /// The time and the number of the last row.
    var time: Int64
    var sequence: Int64
}

/// Everything that begins with one row.
///
/// **Memory.** 80 bytes, and per thread 48 and 24 for each register, text as long as it is, and 2 per row where Classifier() is used.
struct MatchRun {
    var key: UInt32
    var firstTime: Int64
    /// The number of the first row.
    var sequence: Int64
    /// In order of preference.
    var threads: [MatchThread]
    var candidate: MatchCandidate?
}

extension MatchPlan.Register {
    /// The value after one more row.
    func updated(_ old: Value?, with value: Value) throws -> Value? {
        switch function {
        case .first: return old ?? value
        case .last: return value
        case .classifier: return nil
        case .count:
            guard case .bigint(let count)? = old else { return .bigint(argument == nil || value != .null ? 1 : 0) }
            return .bigint(argument == nil || value != .null ? count &+ 1 : count)
        case .minimum, .maximum:
            if value == .null { return old }
            guard let old else { return value }
            guard let isLess = value.isLess(than: old) else {
                throw ScalarFailure(
                    message: "\(function.rawValue) compares values of one kind, found \(old.described) and "
                        + value.described)
            }
            return isLess == (function == .minimum) && value != old ? value : old
        case .sum:
            if value == .null { return old }
            if case .bigint(let number) = value {
                guard let old else { return value }
                if case .bigint(let sum) = old {
                    let (total, overflow) = sum.addingReportingOverflow(number)
                    if overflow { throw ScalarFailure(message: "SUM is beyond 64 bits") }
                    return .bigint(total)
                }
            }
            return .float(try (old ?? .bigint(0)).float("the sum") + value.float("the argument of SUM"))
        }
    }

    /// What stands for a match without such rows.
    var empty: Value { function == .count ? .bigint(0) : .null }
}

extension Value {
    /// The value as a float; text must be a number.
    func float(_ what: String) throws -> Double {
        let column = Column(heap: TextHeap(capacity: 64))
        column.append(self)
        guard let number = Operand(column: column, isConstant: true).number(0) else {
            throw ScalarFailure(message: "\(what) must be a number, found \(described)")
        }
        return number
    }

    /// Whether a value comes before another of its kind; nil where they cannot be compared.
    func isLess(than other: Value) -> Bool? {
        switch (self, other) {
        case (.bigint(let one), .bigint(let two)): one < two
        case (.float(let one), .float(let two)): one < two
        case (.float(let one), .bigint(let two)): one < Double(two)
        case (.bigint(let one), .float(let two)): Double(one) < two
        case (.datetime(let one), .datetime(let two)): one < two
        case (.text(let one), .text(let two)): one.utf8.lexicographicallyPrecedes(two.utf8)
        case (.bit(let one), .bit(let two)): !one && two
        default: nil
        }
    }
}
