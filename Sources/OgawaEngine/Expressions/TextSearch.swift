import OgawaCore

// CHARINDEX, PATINDEX, REPLACE and LIKE. Positions are characters from 1, 0 means none. Letters differ by case. `%` is any text and `_`
// one character; there are no other wildcards.

enum TextSearch {
    static let table: [String: ScalarKernel] = [
        "CHARINDEX": charIndex, "PATINDEX": patternIndex, "REPLACE": replace,
    ]

    private static func charIndex(_ arguments: ScalarArguments) throws -> Cell {
        if arguments.hasNull { return .null }
        let start = arguments.count > 2 ? max(1, try arguments.integer(2, "the start")) : 1
        let wanted = try arguments.text(0, "the text to find")
        let text = arguments.bytes(try arguments.text(1, "the text to search"))
        let from = UTF8Text.position(afterCharacters: Int(clamping: start - 1), in: text)
        guard let found = UTF8Text.find(arguments.bytes(wanted), in: text, from: from) else { return .bigint(0) }
        return .bigint(characterNumber(found, text))
    }

    /// The number, from 1, of the character at a position.
    private static func characterNumber(_ position: Int, _ text: UTF8Text.Bytes) -> Int {
        1 + UTF8Text.characterCount(UnsafeBufferPointer(rebasing: text[0..<position]))
    }

    /// The reference's limit on the characters of a pattern.
    private static let maximumPatternLength = 8000

    private static func patternIndex(_ arguments: ScalarArguments) throws -> Cell {
        if arguments.hasNull { return .null }
        let packed = try arguments.text(0, "the pattern")
        let text = arguments.bytes(try arguments.text(1, "the text"))
        let pattern = arguments.bytes(packed)
        guard UTF8Text.characterCount(pattern) <= maximumPatternLength else {
            throw ScalarFailure(message: "the pattern has more than \(maximumPatternLength) characters")
        }
        guard let found = firstMatch(of: pattern, in: text) else { return .bigint(0) }
        // The end of the text, where only nothing fits, is no character.
        return .bigint(found == text.count ? 0 : characterNumber(found, text))
    }

    /// Where the part of the text begins that a pattern describes behind its leading `%`; nil where the text does not match it.
    private static func firstMatch(of pattern: UTF8Text.Bytes, in text: UTF8Text.Bytes) -> Int? {
        let percent = UInt8(ascii: "%")
        guard pattern.first == percent else { return matchesLike(text, pattern) ? 0 : nil }
        let start = pattern.firstIndex { $0 != percent } ?? pattern.count
        let rest = UnsafeBufferPointer(rebasing: pattern[start...])
        guard !rest.isEmpty else { return 0 }
        let end = rest.firstIndex(of: percent) ?? rest.count
        let part = UnsafeBufferPointer(rebasing: rest[..<end])
        if end == rest.count {
            // Nothing may follow the part, so that it ends where the text does.
            let count = UTF8Text.characterCount(part)
            let from = UTF8Text.position(beforeLastCharacters: count, in: text)
            return matchesLike(UnsafeBufferPointer(rebasing: text[from...]), part) ? from : nil
        }
        // The first place where the part fits leaves the most text to the rest: if the rest does not fit there, it fits nowhere.
        var from = 0
        while from <= text.count {
            let after = UnsafeBufferPointer(rebasing: text[from...])
            if let length = prefixLength(of: part, in: after) {
                let left = UnsafeBufferPointer(rebasing: after[length...])
                return matchesLike(left, UnsafeBufferPointer(rebasing: rest[end...])) ? from : nil
            }
            if from == text.count { return nil }
            from += UTF8Text.scalar(in: text, at: from).count
        }
        return nil
    }

    /// The byte count of the text's beginning that a part without `%` fits.
    private static func prefixLength(of part: UTF8Text.Bytes, in text: UTF8Text.Bytes) -> Int? {
        var position = 0
        for byte in part {
            guard position < text.count else { return nil }
            if byte == UInt8(ascii: "_") {
                position += UTF8Text.scalar(in: text, at: position).count
            } else if byte == text[position] {
                position += 1
            } else {
                return nil
            }
        }
        return position
    }

    private static func replace(_ arguments: ScalarArguments) throws -> Cell {
        if arguments.hasNull { return .null }
        let packed = try arguments.text(0, "the text")
        let wanted = try arguments.text(1, "the pattern")
        let replacement = try arguments.text(2, "the replacement")
        let count = occurrences(of: arguments.bytes(wanted), in: arguments.bytes(packed))
        if count == 0 { return .text(packed) }
        let (size, newSize) = (Int(wanted >> 32), Int(replacement >> 32))
        // Neither factor exceeds 4 GiB, so that the product fits.
        return try arguments.makeText(Int(packed >> 32) + count * (newSize - size)) { target in
            let (text, pattern, new) = (arguments.bytes(packed), arguments.bytes(wanted), arguments.bytes(replacement))
            var (start, end) = (0, 0)
            while let found = UTF8Text.find(pattern, in: text, from: start) {
                end = TextFunctions.copy(UnsafeBufferPointer(rebasing: text[start..<found]), to: target, end)
                end = TextFunctions.copy(new, to: target, end)
                start = found + size
            }
            return TextFunctions.copy(UnsafeBufferPointer(rebasing: text[start...]), to: target, end)
        }
    }

    private static func occurrences(of pattern: UTF8Text.Bytes, in text: UTF8Text.Bytes) -> Int {
        var (count, start) = (0, 0)
        while let found = UTF8Text.find(pattern, in: text, from: start) {
            count += 1
            start = found + pattern.count
        }
        return count
    }
}

/// Whether a text is what a pattern of LIKE describes; goes back to the last `%` only, which takes at most text × pattern steps.
func matchesLike(_ text: UnsafeBufferPointer<UInt8>, _ pattern: UnsafeBufferPointer<UInt8>) -> Bool {
    var (position, index) = (0, 0)
    var restart: (position: Int, index: Int)?
    while position < text.count {
        if index < pattern.count, pattern[index] == UInt8(ascii: "%") {
            restart = (position, index)
            index += 1
        } else if index < pattern.count, pattern[index] == UInt8(ascii: "_") {
            position += UTF8Text.scalar(in: text, at: position).count
            index += 1
        } else if index < pattern.count, pattern[index] == text[position] {
            position += 1
            index += 1
        } else if let last = restart {
            let next = last.position + UTF8Text.scalar(in: text, at: last.position).count
            restart = (next, last.index)
            (position, index) = (next, last.index + 1)
        } else {
            return false
        }
    }
    while index < pattern.count, pattern[index] == UInt8(ascii: "%") { index += 1 }
    return index == pattern.count
}
