/// A set of characters, without regard to case.
struct RegexSet: Sendable {
    private var ranges: [ClosedRange<UInt32>] = []
    private var others: [RegexSet] = []
    private let isNegated: Bool
    /// The answer for each ASCII character, once the set is complete.
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    init(isNegated: Bool = false, _ ranges: [ClosedRange<UInt32>] = []) {
        self.isNegated = isNegated
        self.ranges = ranges
        finish()
    }

    static let digit = RegexSet([0x30...0x39])
    static let word = RegexSet([0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a])
    private static let blanks: [ClosedRange<UInt32>] = [
        0x09...0x0d, 0x20...0x20, 0xa0...0xa0, 0x1680...0x1680, 0x2000...0x200a, 0x2028...0x2029, 0x202f...0x202f,
        0x205f...0x205f, 0x3000...0x3000, 0xfeff...0xfeff,
    ]

    private init(_ ranges: [ClosedRange<UInt32>]) { self.init(isNegated: false, ranges) }

    /// The set of `\d`, `\w`, `\s` or its opposite.
    static func named(_ letter: UInt32) -> RegexSet? {
        switch letter {
        case UInt32(UInt8(ascii: "d")): digit
        case UInt32(UInt8(ascii: "D")): RegexSet(isNegated: true, digit.ranges)
        case UInt32(UInt8(ascii: "w")): word
        case UInt32(UInt8(ascii: "W")): RegexSet(isNegated: true, word.ranges)
        case UInt32(UInt8(ascii: "s")): RegexSet(blanks)
        case UInt32(UInt8(ascii: "S")): RegexSet(isNegated: true, blanks)
        default: nil
        }
    }

    mutating func add(_ range: ClosedRange<UInt32>) { ranges.append(range) }

    /// Adds a character or a set; nothing else occurs inside a set.
    mutating func add(_ tree: RegexTree) {
        switch tree {
        case .character(let character): ranges.append(character...character)
        case .set(let set): others.append(set)
        default: break
        }
    }

    /// Prepares the answers for ASCII.
    mutating func finish() {
        (low, high) = (0, 0)
        for character in UInt32(0)..<128 where search(character) {
            if character < 64 { low |= 1 << UInt64(character) } else { high |= 1 << UInt64(character - 64) }
        }
    }

    @inline(__always)
    func contains(_ character: UInt32) -> Bool {
        if character < 64 { return low >> UInt64(character) & 1 != 0 }
        if character < 128 { return high >> UInt64(character - 64) & 1 != 0 }
        return search(character)
    }

    /// Whether it surely has ASCII characters only.
    var isWithinASCII: Bool {
        !isNegated && ranges.allSatisfy { $0.upperBound < 128 } && others.allSatisfy(\.isWithinASCII)
    }

    private func search(_ character: UInt32) -> Bool {
        let (upper, lower) = (RegexCase.upper(character), RegexCase.lower(character))
        let isListed = ranges.contains { $0.contains(character) || $0.contains(upper) || $0.contains(lower) }
        return (isListed || others.contains { $0.contains(character) }) != isNegated
    }
}

/// Letters without regard to case: characters are equal when their capitals are.
///
/// As in ECMAScript, a mapping to several characters, or from beyond ASCII into it, does not count.
enum RegexCase {
    @inline(__always)
    static func upper(_ character: UInt32) -> UInt32 {
        if character < 128 { return character &- 0x61 < 26 ? character ^ 0x20 : character }
        return mapped(character, \.uppercaseMapping)
    }

    @inline(__always)
    static func lower(_ character: UInt32) -> UInt32 {
        if character < 128 { return character &- 0x41 < 26 ? character ^ 0x20 : character }
        return mapped(character, \.lowercaseMapping)
    }

    private static func mapped(_ character: UInt32, _ mapping: KeyPath<Unicode.Scalar.Properties, String>) -> UInt32 {
        guard let scalar = Unicode.Scalar(character) else { return character }
        let scalars = scalar.properties[keyPath: mapping].unicodeScalars
        guard scalars.count == 1, let only = scalars.first, only.value >= 128 else { return character }
        return only.value
    }
}
