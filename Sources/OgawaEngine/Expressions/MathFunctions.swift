import OgawaCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

// ABS CEILING FLOOR SIGN POWER keep the argument's type; SQUARE SQRT EXP give a float; ROUND rounds half away from zero,
// with a negative length to the left of the point. NULL in gives NULL out.

enum MathFunctions {
    static let table: [String: ScalarFunction] = [
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

    private static func keeping(
        _ whole: @escaping @Sendable (Int64) -> (Int64, Bool), _ fraction: @escaping @Sendable (Double) -> Double
    ) -> ScalarFunction {
        { values in
            switch values[0] {
            case .null: return .null
            case .bigint(let number):
                let (value, overflow) = whole(number)
                if overflow { throw ScalarFailure(message: "the result for \(number) is beyond 64 bits") }
                return .bigint(value)
            default: return .float(fraction(try values[0].float("the argument")))
            }
        }
    }

    /// NaN, as of the root of a negative number, becomes NULL.
    private static func real(_ function: @escaping @Sendable (Double) -> Double) -> ScalarFunction {
        { values in
            if values[0] == .null { return .null }
            let value = function(try values[0].float("the argument"))
            return value.isNaN ? .null : .float(value)
        }
    }

    private static func power(_ values: [Value]) throws -> Value {
        if values.contains(.null) { return .null }
        let value = pow(try values[0].float("the base"), try values[1].float("the exponent"))
        guard case .bigint = values[0] else { return value.isNaN ? .null : .float(value) }
        if case .bigint(let base) = values[0], case .bigint(let exponent) = values[1], exponent >= 0 {
            return .bigint(try wholePower(base, exponent))
        }
        guard let whole = Int64(exactly: value.rounded(.towardZero)) else {
            throw ScalarFailure(message: "the result is beyond 64 bits")
        }
        return .bigint(whole)
    }

    private static func wholePower(_ base: Int64, _ exponent: Int64) throws -> Int64 {
        if base == 0 || base == 1 || exponent == 0 { return exponent == 0 ? 1 : base }
        if base == -1 { return exponent % 2 == 0 ? 1 : -1 }
        var result: Int64 = 1
        for _ in 0..<min(exponent, 64) {
            let (value, overflow) = result.multipliedReportingOverflow(by: base)
            if overflow { throw ScalarFailure(message: "the result is beyond 64 bits") }
            result = value
        }
        return result
    }

    private static func round(_ values: [Value]) throws -> Value {
        if values.contains(.null) { return .null }
        let length = try values[1].integer("the length")
        guard (-300...300).contains(length) else {
            throw ScalarFailure(message: "the length must lie between -300 and 300, found \(length)")
        }
        if case .bigint(let number) = values[0] { return .bigint(try roundWhole(number, Int(length))) }
        let value = try values[0].float("the argument")
        let scale = pow(10, Double(length.magnitude))
        let rounded =
            length >= 0
            ? (value * scale).rounded(.toNearestOrAwayFromZero) / scale
            : (value / scale).rounded(.toNearestOrAwayFromZero) * scale
        // A scale that overflows means that there is nothing to round.
        return .float(rounded.isFinite ? rounded : value)
    }

    private static func roundWhole(_ number: Int64, _ length: Int) throws -> Int64 {
        if length >= 0 { return number }
        if length < -18 { return 0 }
        var unit: Int64 = 1
        for _ in 0..<(-length) { unit *= 10 }
        let rest = number % unit
        var value = number - rest
        if rest.magnitude >= UInt64(unit) - rest.magnitude {
            let (next, overflow) = value.addingReportingOverflow(number < 0 ? -unit : unit)
            if overflow { throw ScalarFailure(message: "the result is beyond 64 bits") }
            value = next
        }
        return value
    }
}
