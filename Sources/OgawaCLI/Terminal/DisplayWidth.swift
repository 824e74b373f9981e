// How many columns of a terminal a text takes, and text that can't change the terminal.

/// Text as a terminal shows it.
package enum DisplayText {
    /// The text with control characters shown as `·`, so that data can't move the cursor or colour the screen.
    package static func plain(_ text: String) -> String {
        let isPlain = text.unicodeScalars.allSatisfy { $0.value >= 0x20 && ($0.value < 0x7f || $0.value > 0x9f) }
        if isPlain { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
            result.append(isControl ? "·" : scalar)
        }
        return String(result)
    }

    /// Columns that the text takes.
    package static func width(_ text: String) -> Int {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
        return text.reduce(0) { $0 + width(of: $1) }
    }

    /// The text in exactly `width` columns: cut with `…` or filled with blanks.
    package static func fit(_ text: String, width wanted: Int, right: Bool = false) -> String {
        let found = width(text)
        if found <= wanted {
            let blanks = String(repeating: " ", count: wanted - found)
            return right ? blanks + text : text + blanks
        }
        var result = ""
        var used = 0
        for character in text {
            let next = width(of: character)
            if used + next > wanted - 1 { break }
            result.append(character)
            used += next
        }
        result += "…"
        return result + String(repeating: " ", count: max(0, wanted - used - 1))
    }

    /// East Asian wide characters and emoji take two columns, marks that combine none of their own.
    private static func width(of character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first else { return 0 }
        switch scalar.value {
        case 0x300...0x36f, 0x200b...0x200f, 0xfe00...0xfe0f: return 0
        case 0x1100...0x115f, 0x2e80...0x303e, 0x3041...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f,
            0xff00...0xff60, 0xffe0...0xffe6, 0x1f300...0x1f64f, 0x1f900...0x1f9ff, 0x20000...0x3fffd:
            return 2
        default: return 1
        }
    }
}
