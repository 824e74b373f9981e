import OgawaCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

// ABS CEILING FLOOR SIGN POWER ROUND keep the argument's type (a bit counts as the bigint 0 or 1); SQUARE SQRT EXP give a float. ROUND
// rounds half away from zero, with a negative length to the left of the point. NULL in gives NULL out. What has no
// value as a float (the root of a negative number, an overflow) is NULL, as a division by zero is; a bigint beyond 64 bits fails.

enum MathFunctions {
    static let table: [String: ScalarKernel] = [
        "ABS": keeping({ $0 < 0 ? Int64(0).subtractingReportingOverflow($0) : ($0, false) }, { $0.magnitude }),
        "CEILING": keeping({ ($0, false) }, { $0.rounded(.up) }),
        "FLOOR": keeping({ ($0, false) }, { $0.rounded(.down) }),
        "SIGN": keeping({ ($0.signum(), false) }, { $0 > 0 ? 1 : $0 < 0 ? -1 : 0 }),
        "SQUARE": real { $0 * $0 },
        "SQRT": real { $0.squareRoot() },
        "EXP": real { exp($0) },
        "POWER": power,
        "ROUND": round,
    ]

    /// An argument as a whole number where its type is bigint or bit.
    @inline(__always)
    private static func whole(_ arguments: ScalarArguments, _ index: Int) -> Int64? {
        switch arguments.tag(index) {
        case .bigint, .bit: Int64(bitPattern: arguments.bits(index))
        default: nil
        }
    }

    /// A float without the sign of zero; NULL where it is no finite number.
    @inline(__always)
    private static func finite(_ value: Double) -> Cell { value.isFinite ? .float(value + 0) : .null }

    private static func keeping(
        _ whole: @escaping @Sendable (Int64) -> (Int64, Bool), _ fraction: @escaping @Sendable (Double) -> Double
    ) -> ScalarKernel {
        { arguments in
            if arguments.isNull(0) { return .null }
            guard let number = MathFunctions.whole(arguments, 0) else {
                return finite(fraction(try arguments.number(0, "the argument")))
            }
            let (value, overflow) = whole(number)
            if overflow { throw ScalarFailure(message: "the result for \(number) is beyond 64 bits") }
            return .bigint(value)
        }
    }

    private static func real(_ function: @escaping @Sendable (Double) -> Double) -> ScalarKernel {
        { arguments in
            arguments.isNull(0) ? .null : finite(function(try arguments.number(0, "the argument")))
        }
    }

    // MARK: POWER

    private static func power(_ arguments: ScalarArguments) throws -> Cell {
        if arguments.hasNull { return .null }
        guard let base = whole(arguments, 0) else {
            return finite(pow(try arguments.number(0, "the base"), try arguments.number(1, "the exponent")))
        }
        if let exponent = whole(arguments, 1) { return try wholePower(base, exponent) }
        let value = pow(Double(base), try arguments.number(1, "the exponent"))
        guard value.isFinite else { return .null }
        guard let whole = Int64(exactly: value.rounded(.towardZero)) else { throw tooLarge }
        return .bigint(whole)
    }

    private static let tooLarge = ScalarFailure(message: "the result is beyond 64 bits")

    /// Exact; a fraction, which a negative exponent gives, is cut.
    private static func wholePower(_ base: Int64, _ exponent: Int64) throws -> Cell {
        switch base {
        case 1: return .bigint(1)
        case -1: return .bigint(exponent % 2 == 0 ? 1 : -1)
        case 0: return exponent < 0 ? .null : .bigint(exponent == 0 ? 1 : 0)
        default: break
        }
        if exponent < 0 { return .bigint(0) }
        var result: Int64 = 1
        // The 64th factor of 2 already overflows.
        for _ in 0..<min(exponent, 64) {
            let (value, overflow) = result.multipliedReportingOverflow(by: base)
            if overflow { throw tooLarge }
            result = value
        }
        return .bigint(result)
    }

    // MARK: ROUND

    private static func round(_ arguments: ScalarArguments) throws -> Cell {
        if arguments.hasNull { return .null }
        let length = Int(min(max(try arguments.integer(1, "the length"), -400), 400))
        if let number = whole(arguments, 0) { return .bigint(try roundWhole(number, length)) }
        let value = try arguments.number(0, "the argument")
        let scale = pow(10, Double(length.magnitude))
        if length < 0 {
            return finite(scale.isFinite ? (value / scale).rounded(.toNearestOrAwayFromZero) * scale : 0)
        }
        let rounded = (value * scale).rounded(.toNearestOrAwayFromZero) / scale
        // Where the scaled value overflows, the value has no digits so far to the right.
        return finite(rounded.isFinite ? rounded : value)
    }

    private static func roundWhole(_ number: Int64, _ length: Int) throws -> Int64 {
        if length >= 0 { return number }
        // 10^19 is more than twice any bigint.
        if length < -19 { return 0 }
        if length == -19 {
            if number.magnitude < 5_000_000_000_000_000_000 { return 0 }
            throw tooLarge
        }
        var unit: Int64 = 1
        for _ in 0..<(-length) { unit *= 10 }
        let rest = number % unit
        var value = number - rest
        if rest.magnitude >= UInt64(unit) - rest.magnitude {
            let (next, overflow) = value.addingReportingOverflow(number < 0 ? -unit : unit)
            if overflow { throw tooLarge }
            value = next
        }
        return value
    }
}
