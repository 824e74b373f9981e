// Patterns become programs of a machine that follows all ways through the pattern at once (Thompson, Pike), so that the time is at most
// proportional to the text times the program, whatever the pattern. Only the beginning of the leftmost match is wanted; no captures are
// kept, and lazy quantifiers are as good as greedy ones.

/// A compiled pattern.
struct RegexProgram {
    enum Operation: UInt8 {
        /// Reads the character `value`, a capital where there is one.
        case character
        case any
        /// Reads a character of the set `value`.
        case set
        /// Goes on at `target` and at `other`.
        case split
        case jump
        case start
        case end
        case wordBoundary
        case noWordBoundary
        case match
    }

    struct Instruction {
        var operation: Operation
        var value: UInt32 = 0
        var target: Int32 = 0
        var other: Int32 = 0
    }

    private(set) var instructions: [Instruction] = []
    private(set) var sets: [RegexSet] = []
    /// Whether a match can begin with each ASCII character; empty where it may begin anywhere.
    private(set) var firsts: [Bool] = []
    private static let maximumCount = 2000

    init(_ pattern: String) throws(RegexError) {
        try append(try RegexParser.parse(pattern))
        try append(Instruction(operation: .match))
        firsts = findFirsts()
    }

    // MARK: Compilation

    private mutating func append(_ instruction: Instruction) throws(RegexError) {
        guard instructions.count < RegexProgram.maximumCount else {
            throw .unsupported("more than \(RegexProgram.maximumCount) steps once its repetitions are written out")
        }
        instructions.append(instruction)
    }

    private var next: Int32 { Int32(instructions.count) }

    private mutating func append(_ tree: RegexTree) throws(RegexError) {
        switch tree {
        case .empty: break
        case .character(let character):
            try append(Instruction(operation: .character, value: RegexCase.upper(character)))
        case .any: try append(Instruction(operation: .any))
        case .set(let set):
            sets.append(set)
            try append(Instruction(operation: .set, value: UInt32(sets.count - 1)))
        case .start: try append(Instruction(operation: .start))
        case .end: try append(Instruction(operation: .end))
        case .wordBoundary(let isNegated):
            try append(Instruction(operation: isNegated ? .noWordBoundary : .wordBoundary))
        case .sequence(let parts):
            for part in parts { try append(part) }
        case .alternation(let branches): try append(branches: branches[...])
        case .repetition(let part, let minimum, let maximum): try append(part, minimum, maximum)
        }
    }

    private mutating func append(branches: ArraySlice<RegexTree>) throws(RegexError) {
        var ends: [Int] = []
        for (index, branch) in branches.enumerated() {
            guard index < branches.count - 1 else {
                try append(branch)
                break
            }
            let split = instructions.count
            try append(Instruction(operation: .split, target: next + 1))
            try append(branch)
            ends.append(instructions.count)
            try append(Instruction(operation: .jump))
            instructions[split].other = next
        }
        for end in ends { instructions[end].target = next }
    }

    private mutating func append(_ part: RegexTree, _ minimum: Int, _ maximum: Int?) throws(RegexError) {
        for _ in 0..<minimum { try appendNonEmpty(part) }
        guard let maximum else {
            let split = instructions.count
            try append(Instruction(operation: .split, target: next + 1))
            try append(part)
            try append(Instruction(operation: .jump, target: Int32(split)))
            instructions[split].other = next
            return
        }
        var splits: [Int] = []
        for _ in minimum..<maximum {
            splits.append(instructions.count)
            try append(Instruction(operation: .split, target: next + 1))
            try append(part)
        }
        for split in splits { instructions[split].other = next }
    }

    /// Counts a repetition of nothing, too, so that `(){1000000}` ends at the limit.
    private mutating func appendNonEmpty(_ part: RegexTree) throws(RegexError) {
        let before = instructions.count
        try append(part)
        if instructions.count == before { try append(Instruction(operation: .jump, target: next + 1)) }
    }

    // MARK: What a match begins with

    /// Follows the program without reading; empty where a match may be empty or begin beyond ASCII.
    private func findFirsts() -> [Bool] {
        var firsts = Array(repeating: false, count: 128)
        var seen = Array(repeating: false, count: instructions.count)
        var open: [Int32] = [0]
        while let index = open.popLast() {
            guard !seen[Int(index)] else { continue }
            seen[Int(index)] = true
            let instruction = instructions[Int(index)]
            switch instruction.operation {
            case .character:
                guard instruction.value < 128 else { return [] }
                firsts[Int(instruction.value)] = true
                firsts[Int(RegexCase.lower(instruction.value))] = true
            case .set:
                let set = sets[Int(instruction.value)]
                // Only the sets of ASCII that are no opposites leave out all others.
                guard set.isWithinASCII else { return [] }
                for character in UInt32(0)..<128 where set.contains(character) { firsts[Int(character)] = true }
            case .any, .match: return []
            case .split: open += [instruction.target, instruction.other]
            case .jump: open.append(instruction.target)
            case .start, .end, .wordBoundary, .noWordBoundary: open.append(index + 1)
            }
        }
        return firsts
    }
}
