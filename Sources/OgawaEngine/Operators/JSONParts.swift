// The parts of an array's or record's JSON text. The text comes from bodies that were parsed before, so that only its structure is followed here;
// damage ends the walk early.

/// Finds where the elements of an array, or the members of a record, lie in its text.
struct JSONParts {
    /// Where a member's name lies, with its quotes; empty in arrays.
    private(set) var names: [Range<Int>] = []
    /// Where the values lie.
    private(set) var values: [Range<Int>] = []

    init(_ text: UnsafeBufferPointer<UInt8>) {
        var cursor = 0
        skipBlanks(text, &cursor)
        guard cursor < text.count, text[cursor] == UInt8(ascii: "[") || text[cursor] == UInt8(ascii: "{") else {
            return
        }
        let isRecord = text[cursor] == UInt8(ascii: "{")
        cursor += 1
        while true {
            skipBlanks(text, &cursor)
            guard cursor < text.count, text[cursor] != UInt8(ascii: "]"), text[cursor] != UInt8(ascii: "}") else {
                return
            }
            if isRecord {
                let start = cursor
                skipValue(text, &cursor)
                let name = start..<cursor
                skipBlanks(text, &cursor)
                guard cursor < text.count, text[cursor] == UInt8(ascii: ":") else { return }
                cursor += 1
                skipBlanks(text, &cursor)
                names.append(name)
            }
            let start = cursor
            skipValue(text, &cursor)
            guard cursor > start else {
                if isRecord { names.removeLast() }
                return
            }
            values.append(start..<cursor)
            skipBlanks(text, &cursor)
            guard cursor < text.count, text[cursor] == UInt8(ascii: ",") else { return }
            cursor += 1
        }
    }

    private func skipBlanks(_ text: UnsafeBufferPointer<UInt8>, _ cursor: inout Int) {
        while cursor < text.count, text[cursor] <= 0x20 { cursor += 1 }
    }

    /// Moves behind a value: a text, a nested structure, or a word up to the next separator.
    private func skipValue(_ text: UnsafeBufferPointer<UInt8>, _ cursor: inout Int) {
        var depth = 0
        while cursor < text.count {
            switch text[cursor] {
            case UInt8(ascii: "\""):
                skipText(text, &cursor)
                if depth == 0 { return }
                continue
            case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                if depth == 0 { return }
                depth -= 1
                if depth == 0 {
                    cursor += 1
                    return
                }
            case UInt8(ascii: ","), UInt8(ascii: ":"), 0...0x20:
                if depth == 0 { return }
            default: break
            }
            cursor += 1
        }
    }

    private func skipText(_ text: UnsafeBufferPointer<UInt8>, _ cursor: inout Int) {
        cursor += 1
        while cursor < text.count, text[cursor] != UInt8(ascii: "\"") {
            cursor += text[cursor] == UInt8(ascii: "\\") ? 2 : 1
        }
        cursor = min(cursor + 1, text.count)
    }
}
