// The syntax of patterns: ECMAScript's, without what needs going back over the text (look-around, back references).

/// A pattern as a tree.
indirect enum RegexTree {
    case empty
    case character(UInt32)
    /// `.`: every character, line ends too (the reference calls patterns single-line).
    case any
    case set(RegexSet)
    case start
    case end
    case wordBoundary(isNegated: Bool)
    case sequence([RegexTree])
    case alternation([RegexTree])
    /// At least `minimum` times, at most `maximum` (nil: any number). Lazy ones match where greedy ones do.
    case repetition(RegexTree, minimum: Int, maximum: Int?)
}

/// Why a pattern cannot be used.
enum RegexError: Error {
    /// Not a regular expression: REGEXMATCH gives 0.
    case invalid
    /// A regular expression that cannot be matched in time proportional to the text; says what it has.
    case unsupported(String)
}

/// Reads one pattern.
struct RegexParser {
    private let pattern: [UInt32]
    private var index = 0
    private var depth = 0
    private static let maximumDepth = 100
    private static let maximumLength = 8000

    static func parse(_ pattern: String) throws(RegexError) -> RegexTree {
        var parser = RegexParser(pattern: pattern.unicodeScalars.map(\.value))
        guard parser.pattern.count <= maximumLength else {
            throw .unsupported("more than \(maximumLength) characters")
        }
        let tree = try parser.alternation()
        guard parser.index == parser.pattern.count else { throw .invalid }
        return tree
    }

    private init(pattern: [UInt32]) { self.pattern = pattern }

    private func peek(_ offset: Int = 0) -> UInt32? {
        index + offset < pattern.count ? pattern[index + offset] : nil
    }

    private func isAt(_ character: Unicode.Scalar) -> Bool { peek() == character.value }

    private mutating func eat(_ character: Unicode.Scalar) -> Bool {
        guard isAt(character) else { return false }
        index += 1
        return true
    }

    // MARK: Terms

    private mutating func alternation() throws(RegexError) -> RegexTree {
        var branches = [try sequence()]
        while eat("|") { branches.append(try sequence()) }
        return branches.count == 1 ? branches[0] : .alternation(branches)
    }

    private mutating func sequence() throws(RegexError) -> RegexTree {
        var parts: [RegexTree] = []
        while peek() != nil, !isAt("|"), !isAt(")") { parts.append(try quantified()) }
        return parts.isEmpty ? .empty : parts.count == 1 ? parts[0] : .sequence(parts)
    }

    private mutating func quantified() throws(RegexError) -> RegexTree {
        let start = index
        let atom = try atom()
        guard let (minimum, maximum) = try quantifier() else { return atom }
        // A bare assertion is not repeated; in a group it may be.
        switch atom {
        case .start, .end, .wordBoundary: if pattern[start] != UInt32(UInt8(ascii: "(")) { throw .invalid }
        default: break
        }
        _ = eat("?")
        if try quantifier() != nil { throw .invalid }
        return .repetition(atom, minimum: minimum, maximum: maximum)
    }

    /// The bounds of a quantifier, where one stands here; a brace that is none is a character.
    private mutating func quantifier() throws(RegexError) -> (Int, Int?)? {
        if eat("*") { return (0, nil) }
        if eat("+") { return (1, nil) }
        if eat("?") { return (0, 1) }
        guard isAt("{") else { return nil }
        let start = index
        index += 1
        guard let minimum = number() else {
            index = start
            return nil
        }
        var maximum: Int? = minimum
        if eat(",") { maximum = number() }
        guard eat("}") else {
            index = start
            return nil
        }
        if let maximum, maximum < minimum { throw .invalid }
        return (minimum, maximum)
    }

    private mutating func number() -> Int? {
        let start = index
        var value = 0
        while let digit = peek(), digit >= 0x30, digit <= 0x39 {
            value = min(value * 10 + Int(digit - 0x30), 1_000_000)
            index += 1
        }
        return index > start ? value : nil
    }

    // MARK: Atoms

    private mutating func atom() throws(RegexError) -> RegexTree {
        guard let character = peek() else { throw .invalid }
        let start = index
        if try quantifier() != nil { throw .invalid }
        index = start + 1
        switch character {
        case UInt32(UInt8(ascii: ".")): return .any
        case UInt32(UInt8(ascii: "^")): return .start
        case UInt32(UInt8(ascii: "$")): return .end
        case UInt32(UInt8(ascii: "(")): return try group()
        case UInt32(UInt8(ascii: "[")): return .set(try set())
        case UInt32(UInt8(ascii: "\\")): return try escape()
        default: return .character(character)
        }
    }

    private mutating func group() throws(RegexError) -> RegexTree {
        if eat("?") {
            if eat("<") {
                if isAt("=") || isAt("!") { throw .unsupported("a look-behind") }
                try name()
            } else if isAt("=") || isAt("!") {
                throw .unsupported("a look-ahead")
            } else if !eat(":") {
                throw .unsupported("the group (?\(peek().flatMap(Unicode.Scalar.init).map(String.init) ?? "")")
            }
        }
        depth += 1
        guard depth <= RegexParser.maximumDepth else {
            throw .unsupported("more than \(RegexParser.maximumDepth) groups inside each other")
        }
        let tree = try alternation()
        depth -= 1
        guard eat(")") else { throw .invalid }
        return tree
    }

    /// Reads the name of a group and its `>`.
    private mutating func name() throws(RegexError) {
        let start = index
        while let character = peek(), RegexSet.word.contains(character) || character >= 0x80 { index += 1 }
        guard index > start, eat(">") else { throw .invalid }
    }

    private mutating func escape() throws(RegexError) -> RegexTree {
        guard let letter = peek() else { throw .invalid }
        if let set = RegexSet.named(letter) {
            index += 1
            return .set(set)
        }
        switch letter {
        case UInt32(UInt8(ascii: "b")), UInt32(UInt8(ascii: "B")):
            index += 1
            return .wordBoundary(isNegated: letter == UInt32(UInt8(ascii: "B")))
        case 0x31...0x39, UInt32(UInt8(ascii: "k")): throw .unsupported("a back reference")
        case UInt32(UInt8(ascii: "p")), UInt32(UInt8(ascii: "P")): throw .unsupported("a Unicode property")
        default: return .character(try escapedCharacter())
        }
    }

    /// The character that an escape stands for; a letter without meaning stands for itself.
    private mutating func escapedCharacter() throws(RegexError) -> UInt32 {
        guard let letter = peek() else { throw .invalid }
        index += 1
        switch letter {
        case UInt32(UInt8(ascii: "t")): return 0x09
        case UInt32(UInt8(ascii: "n")): return 0x0a
        case UInt32(UInt8(ascii: "v")): return 0x0b
        case UInt32(UInt8(ascii: "f")): return 0x0c
        case UInt32(UInt8(ascii: "r")): return 0x0d
        case UInt32(UInt8(ascii: "0")): return 0
        case UInt32(UInt8(ascii: "x")): return hexadecimal(digits: 2) ?? letter
        case UInt32(UInt8(ascii: "u")):
            guard let unit = hexadecimal(digits: 4) else { return letter }
            guard unit & 0xfc00 == 0xd800, isAt("\\"), peek(1) == UInt32(UInt8(ascii: "u")) else { return unit }
            let start = index
            index += 2
            guard let low = hexadecimal(digits: 4), low & 0xfc00 == 0xdc00 else {
                index = start
                return unit
            }
            return 0x10000 + (unit & 0x3ff) << 10 + low & 0x3ff
        case UInt32(UInt8(ascii: "c")):
            guard let control = peek(), (control | 0x20) &- 0x61 < 26 else {
                index -= 1
                return UInt32(UInt8(ascii: "\\"))
            }
            index += 1
            return control & 0x1f
        default: return letter
        }
    }

    private mutating func hexadecimal(digits count: Int) -> UInt32? {
        var value: UInt32 = 0
        for offset in 0..<count {
            guard let digit = peek(offset).flatMap(Unicode.Scalar.init), let number = Character(digit).hexDigitValue,
                digit.isASCII
            else { return nil }
            value = value << 4 | UInt32(number)
        }
        index += count
        return value
    }

    // MARK: Sets

    private mutating func set() throws(RegexError) -> RegexSet {
        var set = RegexSet(isNegated: eat("^"))
        while !eat("]") {
            let first = try setAtom()
            guard isAt("-"), let next = peek(1), next != UInt32(UInt8(ascii: "]")) else {
                set.add(first)
                continue
            }
            index += 1
            let last = try setAtom()
            if case .character(let low) = first, case .character(let high) = last {
                guard low <= high else { throw .invalid }
                set.add(low...high)
            } else {
                // A class has no ends, so that the sign stands for itself.
                set.add(first)
                set.add(.character(UInt32(UInt8(ascii: "-"))))
                set.add(last)
            }
        }
        set.finish()
        return set
    }

    private mutating func setAtom() throws(RegexError) -> RegexTree {
        guard let character = peek() else { throw .invalid }
        index += 1
        guard character == UInt32(UInt8(ascii: "\\")) else { return .character(character) }
        guard let letter = peek() else { throw .invalid }
        if let named = RegexSet.named(letter) {
            index += 1
            return .set(named)
        }
        if letter == UInt32(UInt8(ascii: "b")) {
            index += 1
            return .character(0x08)
        }
        if letter == UInt32(UInt8(ascii: "p")) || letter == UInt32(UInt8(ascii: "P")) {
            throw .unsupported("a Unicode property")
        }
        return .character(try escapedCharacter())
    }
}
