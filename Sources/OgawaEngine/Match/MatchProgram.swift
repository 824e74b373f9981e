import OgawaCore
import OgawaSQL

/// A pattern as a nondeterministic automaton: the rows that it takes, and what may follow each of them.
///
/// **Shape.** A state takes one row. What follows a state is in order of preference: more of a repetition before its end, an
/// alternation's first branch before the others. So the first way through the automaton that reaches the end is the match.
struct MatchProgram {
    /// The end of the pattern among the states that follow.
    static let end = -1

    /// The variable of each state; nil stands for any row.
    private(set) var variables: [Int?] = []
    /// The states that may begin a match.
    private(set) var first: [Int] = []
    /// The states that may follow each state.
    private(set) var following: [[Int]] = []

    private enum Instruction {
        case take(Int?)
        /// Goes on at one place, or else at the other.
        case split(Int, Int)
        case jump(Int)
        case end
    }

    init(_ pattern: MatchPlan.Pattern) {
        var instructions: [Instruction] = []
        MatchProgram.emit(pattern, into: &instructions)
        instructions.append(.end)
        var states: [Int: Int] = [:]
        for (index, instruction) in instructions.enumerated() {
            guard case .take(let variable) = instruction else { continue }
            states[index] = variables.count
            variables.append(variable)
        }
        first = MatchProgram.reachable(from: 0, instructions, states)
        for index in instructions.indices where states[index] != nil {
            following.append(MatchProgram.reachable(from: index + 1, instructions, states))
        }
    }

    private static func emit(_ pattern: MatchPlan.Pattern, into code: inout [Instruction]) {
        switch pattern {
        case .variable(let variable): code.append(.take(variable))
        case .anything: code.append(.take(nil))
        case .sequence(let parts): for part in parts { emit(part, into: &code) }
        case .alternation(let parts):
            var exits: [Int] = []
            for part in parts.dropLast() {
                let split = code.count
                code.append(.end)
                emit(part, into: &code)
                exits.append(code.count)
                code.append(.end)
                code[split] = .split(split + 1, code.count)
            }
            if let last = parts.last { emit(last, into: &code) }
            for exit in exits { code[exit] = .jump(code.count) }
        case .repetition(let part, let minimum, let maximum):
            for _ in 0..<minimum { emit(part, into: &code) }
            guard let maximum else {
                let split = code.count
                code.append(.end)
                emit(part, into: &code)
                code.append(.jump(split))
                code[split] = .split(split + 1, code.count)
                return
            }
            var splits: [Int] = []
            for _ in minimum..<max(minimum, maximum) {
                splits.append(code.count)
                code.append(.end)
                emit(part, into: &code)
            }
            for split in splits { code[split] = .split(split + 1, code.count) }
        }
    }

    /// The states that a place leads to without taking a row, the preferred first.
    ///
    /// A place that was passed already leads nowhere new, so that a repetition of nothing ends.
    private static func reachable(from start: Int, _ code: [Instruction], _ states: [Int: Int]) -> [Int] {
        var found: [Int] = []
        var isPassed = Array(repeating: false, count: code.count)
        var waiting = [start]
        while let place = waiting.popLast() {
            guard code.indices.contains(place), !isPassed[place] else { continue }
            isPassed[place] = true
            switch code[place] {
            case .take: if let state = states[place] { found.append(state) }
            case .split(let preferred, let other): waiting += [other, preferred]
            case .jump(let target): waiting.append(target)
            case .end: found.append(MatchProgram.end)
            }
        }
        return found
    }
}
