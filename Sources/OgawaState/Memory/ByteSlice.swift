#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A run of bytes in memory that belongs to someone else: a request buffer, an entry.
///
/// **Isolation.** Valid as long as its owner neither moves nor frees the bytes; never kept beyond the command.
struct ByteSlice {
    let base: UnsafeRawPointer
    let count: Int

    @inline(__always)
    init(_ base: UnsafeRawPointer, _ count: Int) {
        self.base = base
        self.count = count
    }

    @inline(__always)
    subscript(_ index: Int) -> UInt8 { base.load(fromByteOffset: index, as: UInt8.self) }

    var array: [UInt8] { [UInt8](UnsafeRawBufferPointer(start: base, count: count)) }

    var string: String { String(decoding: UnsafeRawBufferPointer(start: base, count: count), as: UTF8.self) }

    @inline(__always)
    func equals(_ other: ByteSlice) -> Bool { count == other.count && memcmp(base, other.base, count) == 0 }

    /// The order of members with equal scores: by bytes, the shorter first.
    func precedes(_ other: ByteSlice) -> Bool {
        let order = memcmp(base, other.base, min(count, other.count))
        return order != 0 ? order < 0 : count < other.count
    }

    /// Whether these are the letters of a word, in any case; `word` is in capitals.
    func isWord(_ word: StaticString) -> Bool {
        guard count == word.utf8CodeUnitCount else { return false }
        for index in 0..<count where upperCased(self[index]) != word.utf8Start[index] { return false }
        return true
    }

    /// A whole number as Redis reads it: no spaces, no sign but minus, no leading zeros.
    var integer: Int64? {
        guard count > 0, count <= 20 else { return nil }
        let isNegative = self[0] == UInt8(ascii: "-")
        var index = isNegative ? 1 : 0
        guard index < count else { return nil }
        if self[index] == UInt8(ascii: "0") { return count == 1 ? 0 : nil }
        var magnitude: UInt64 = 0
        while index < count {
            let digit = self[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            let (product, overflow) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
            if overflow || carry { return nil }
            magnitude = sum
            index += 1
        }
        if isNegative {
            return magnitude <= UInt64(Int64.max) + 1 ? Int64(truncatingIfNeeded: 0 &- magnitude) : nil
        }
        return Int64(exactly: magnitude)
    }

    /// A number with a fraction, or an infinity; nil for anything else.
    var double: Double? {
        guard count > 0, count < 256 else { return nil }
        if self[0] <= 0x20 { return nil }
        return withUnsafeTemporaryAllocation(byteCount: count + 1, alignment: 1) { buffer in
            guard let start = buffer.baseAddress else { return nil }
            memcpy(start, base, count)
            start.storeBytes(of: 0, toByteOffset: count, as: UInt8.self)
            let text = start.assumingMemoryBound(to: CChar.self)
            var end: UnsafeMutablePointer<CChar>?
            let value = strtod(text, &end)
            guard let end, end == text + count, !value.isNaN else { return nil }
            return value
        }
    }

    func withoutFirst(_ dropped: Int) -> ByteSlice { ByteSlice(base + dropped, count - dropped) }
}

@inline(__always)
func upperCased(_ byte: UInt8) -> UInt8 { byte &- UInt8(ascii: "a") < 26 ? byte & 0xdf : byte }

/// Lends a slice of an array's bytes.
func withSlice<Result>(_ bytes: [UInt8], _ body: (ByteSlice) throws -> Result) rethrows -> Result {
    try bytes.withUnsafeBytes { buffer in
        try body(buffer.slice)
    }
}

extension UnsafeRawBufferPointer {
    /// The buffer as a slice; an empty one may have no address, so it gets one that is never read.
    var slice: ByteSlice {
        guard let base = baseAddress else { return ByteSlice(emptyPlace, 0) }
        return ByteSlice(base, count)
    }
}

// SAFETY: an address for slices of no bytes, never read or written.
private nonisolated(unsafe) let emptyPlace = UnsafeRawPointer(
    UnsafeMutableRawPointer.allocate(byteCount: 8, alignment: 8))
