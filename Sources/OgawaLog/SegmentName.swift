import OgawaCore

/// The names of a partition's files: twenty digits of the first offset and what the file is.
enum SegmentName {
    private static let digitCount = 20

    /// The records.
    static let segmentSuffix = ".segment"
    /// The index beside a closed segment.
    static let indexSuffix = ".index"

    /// `00000000000000000042.segment`.
    static func segment(_ base: Offset) -> String { digits(base) + segmentSuffix }

    /// `00000000000000000042.index`.
    static func index(_ base: Offset) -> String { digits(base) + indexSuffix }

    /// The first offset that a name states before the suffix; nil where it is no such name.
    static func base(of name: String, suffix: String) -> Offset? {
        guard name.hasSuffix(suffix) else { return nil }
        let digits = name.utf8.dropLast(suffix.utf8.count)
        guard digits.count == digitCount, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int64(String(decoding: Array(digits), as: UTF8.self)).map(Offset.init(rawValue:))
    }

    private static func digits(_ base: Offset) -> String {
        let text = String(base.rawValue)
        return String(repeating: "0", count: max(0, digitCount - text.count)) + text
    }
}
