/// Whether bytes match a pattern of `*`, `?`, `[a-z]`, `[^a]` and `\` before a byte that means itself.
///
/// **Complexity.** At most pattern times text: only the last star is tried again, which is enough.
func matchesGlob(_ pattern: ByteSlice, _ text: ByteSlice) -> Bool {
    var place = 0
    var index = 0
    var starPlace = -1
    var starIndex = 0
    while index < text.count {
        if place < pattern.count, pattern[place] == UInt8(ascii: "*") {
            starPlace = place
            starIndex = index
            place += 1
            continue
        }
        if place < pattern.count, let next = matchOne(pattern, place, text[index]) {
            place = next
            index += 1
            continue
        }
        guard starPlace >= 0 else { return false }
        starIndex += 1
        index = starIndex
        place = starPlace + 1
    }
    while place < pattern.count, pattern[place] == UInt8(ascii: "*") { place += 1 }
    return place == pattern.count
}

/// Matches one byte; returns the place behind what matched it, nil where it does not match.
private func matchOne(_ pattern: ByteSlice, _ place: Int, _ byte: UInt8) -> Int? {
    switch pattern[place] {
    case UInt8(ascii: "?"): return place + 1
    case UInt8(ascii: "["): return matchClass(pattern, place + 1, byte)
    case UInt8(ascii: "\\") where place + 1 < pattern.count: return pattern[place + 1] == byte ? place + 2 : nil
    default: return pattern[place] == byte ? place + 1 : nil
    }
}

private func matchClass(_ pattern: ByteSlice, _ start: Int, _ byte: UInt8) -> Int? {
    var place = start
    var isNegated = false
    if place < pattern.count, pattern[place] == UInt8(ascii: "^") {
        isNegated = true
        place += 1
    }
    var isFound = false
    while place < pattern.count, pattern[place] != UInt8(ascii: "]") {
        if pattern[place] == UInt8(ascii: "\\"), place + 1 < pattern.count {
            place += 1
            if pattern[place] == byte { isFound = true }
        } else if place + 2 < pattern.count, pattern[place + 1] == UInt8(ascii: "-") {
            let low = min(pattern[place], pattern[place + 2])
            let high = max(pattern[place], pattern[place + 2])
            if low...high ~= byte { isFound = true }
            place += 2
        } else if pattern[place] == byte {
            isFound = true
        }
        place += 1
    }
    return isFound != isNegated ? min(place + 1, pattern.count) : nil
}
