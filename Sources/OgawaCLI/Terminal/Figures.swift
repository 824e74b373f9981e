// Numbers as people read them.

/// Formats without Foundation.
package enum Figure {
    /// A number with a fixed count of decimals, such as `12.30`.
    package static func fixed(_ number: Double, _ decimals: Int = 1) -> String {
        guard number.isFinite, abs(number) < 1e15 else { return number.isNaN ? "–" : "\(number)" }
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        let scaled = Int64((abs(number) * scale).rounded())
        let sign = number < 0 && scaled != 0 ? "-" : ""
        guard decimals > 0 else { return sign + grouped(scaled) }
        let digits = String(scaled)
        let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
        return "\(sign)\(padded.dropLast(decimals)).\(padded.suffix(decimals))"
    }

    /// A whole number with a blank between thousands.
    package static func grouped(_ number: Int64) -> String {
        let digits = String(number.magnitude)
        var result = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { result.append(" ") }
            result.append(digit)
        }
        return number < 0 ? "-" + result : result
    }

    /// Bytes with a binary unit.
    package static func bytes(_ count: Int64) -> String {
        var rest = Double(count)
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if rest < 1024 { return unit == "B" ? "\(count) B" : "\(fixed(rest)) \(unit)" }
            rest /= 1024
        }
        return "\(fixed(rest)) TiB"
    }

    /// Seconds in the largest unit that keeps them above 1.
    package static func seconds(_ seconds: Double) -> String {
        let size = abs(seconds)
        if size < 1 { return "\(fixed(seconds * 1000, size < 0.01 ? 1 : 0)) ms" }
        if size < 120 { return "\(fixed(seconds)) s" }
        if size < 7200 { return "\(fixed(seconds / 60)) min" }
        return size < 172_800 ? "\(fixed(seconds / 3600)) h" : "\(fixed(seconds / 86_400)) d"
    }
}
