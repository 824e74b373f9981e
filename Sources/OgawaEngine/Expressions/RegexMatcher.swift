import OgawaCore

/// Finds the leftmost match of a program; keeps its room between texts.
final class RegexMatcher {
    private let program: RegexProgram
    private let count: Int
    /// Threads in order of their beginnings: an instruction and where the match would begin.
    private var current: [(index: Int32, start: Int)] = []
    private var following: [(index: Int32, start: Int)] = []
    /// The step at which each instruction was last added to a list.
    private var marks: [Int]
    private var step = 0
    private var open: [Int32] = []

    init(_ program: RegexProgram) {
        self.program = program
        count = program.instructions.count
        marks = Array(repeating: 0, count: count)
    }

    /// The byte position at which the leftmost match begins; nil where nothing matches.
    func firstMatch(in text: UnsafeBufferPointer<UInt8>) -> Int? {
        current.removeAll(keepingCapacity: true)
        var best: Int?
        var position = 0
        var previous: UInt32?
        step += 1
        while true {
            if current.isEmpty {
                if best != nil { return best }
                if !program.firsts.isEmpty { (position, previous) = skip(text, position, previous) }
            }
            let (character, size): (UInt32?, Int) =
                position < text.count ? { ($0.value, $0.count) }(UTF8Text.scalar(in: text, at: position)) : (nil, 0)
            // A new beginning comes last: those before it are further left.
            if best == nil {
                if let match = add(0, start: position, to: &current, previous, character) { best = match }
            }
            guard let character else { return best }
            step += 1
            following.removeAll(keepingCapacity: true)
            let after = position + size
            let ahead = after < text.count ? UTF8Text.scalar(in: text, at: after).value : nil
            let capital = RegexCase.upper(character)
            for thread in current {
                if let best, thread.start >= best { break }
                guard reads(program.instructions[Int(thread.index)], character, capital) else { continue }
                if let match = add(thread.index + 1, start: thread.start, to: &following, character, ahead) {
                    best = match
                    break
                }
            }
            swap(&current, &following)
            position = after
            previous = character
        }
    }

    /// The next position at which a match can begin, or the end.
    private func skip(
        _ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ previous: UInt32?
    ) -> (position: Int, previous: UInt32?) {
        var position = start
        while position < text.count, text[position] >= 128 || !program.firsts[Int(text[position])] { position += 1 }
        guard position > start else { return (start, previous) }
        var last = position - 1
        while last > 0, UTF8Text.continues(text[last]) { last -= 1 }
        return (position, UTF8Text.scalar(in: text, at: last).value)
    }

    @inline(__always)
    private func reads(_ instruction: RegexProgram.Instruction, _ character: UInt32, _ capital: UInt32) -> Bool {
        switch instruction.operation {
        case .character: instruction.value == capital
        case .any: true
        case .set: program.sets[Int(instruction.value)].contains(character)
        default: false
        }
    }

    /// Adds an instruction and all that is reached from it without reading; gives `start` where that is the end of the pattern.
    private func add(
        _ first: Int32, start: Int, to list: inout [(index: Int32, start: Int)], _ previous: UInt32?, _ next: UInt32?
    ) -> Int? {
        open.removeAll(keepingCapacity: true)
        open.append(first)
        while let index = open.popLast() {
            guard marks[Int(index)] != step else { continue }
            marks[Int(index)] = step
            let instruction = program.instructions[Int(index)]
            switch instruction.operation {
            case .match: return start
            case .jump: open.append(instruction.target)
            case .split:
                open.append(instruction.other)
                open.append(instruction.target)
            case .start: if previous == nil { open.append(index + 1) }
            case .end: if next == nil { open.append(index + 1) }
            case .wordBoundary: if isBoundary(previous, next) { open.append(index + 1) }
            case .noWordBoundary: if !isBoundary(previous, next) { open.append(index + 1) }
            case .character, .any, .set: list.append((index, start))
            }
        }
        return nil
    }

    private func isBoundary(_ previous: UInt32?, _ next: UInt32?) -> Bool {
        let before = previous.map { RegexSet.word.contains($0) } ?? false
        return before != (next.map { RegexSet.word.contains($0) } ?? false)
    }
}
