import COgawaPlatform

/// How two numbers in text add up.
package enum DecimalSum: Sendable, Equatable {
    /// The length of the sum that was written to the target.
    case written(Int)
    case badFirst
    case badSecond
    /// The sum is infinite or no number.
    case infinite
}

/// Adds two numbers in text in the widest binary format that the machine has, and writes at most 17 digits behind the point.
///
/// **Source.** What Redis does for INCRBYFLOAT; `target` should have room for 5,100 bytes, the longest such number.
package func sumDecimals(
    _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
) -> DecimalSum {
    var written = 0
    let result = opf_sum_decimal(
        first.baseAddress?.assumingMemoryBound(to: CChar.self), first.count,
        second.baseAddress?.assumingMemoryBound(to: CChar.self), second.count,
        target.baseAddress?.assumingMemoryBound(to: CChar.self), target.count, &written)
    switch result {
    case OPF_SUM_OK: return .written(written)
    case OPF_SUM_BAD_FIRST: return .badFirst
    case OPF_SUM_BAD_SECOND: return .badSecond
    default: return .infinite
    }
}

/// Writes the shortest text that reads back as the same number, as C writes it; returns its length.
///
/// - Parameter target: 32 bytes are enough.
package func formatDouble(_ value: Double, into target: UnsafeMutableRawBufferPointer) -> Int {
    opf_format_double(value, target.baseAddress?.assumingMemoryBound(to: CChar.self), target.count)
}
