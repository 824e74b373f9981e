import OgawaCore

// DATEADD cuts the fraction of its number; DATEDIFF counts the boundaries of the unit crossed from the first to the
// second instant, signed; weeks begin on Sunday and weekday 1 is Sunday, as T-SQL's default.

enum DateFunctions {
    static let table: [String: ScalarFunction] = [
        "DATEADD": dateAdd, "DATEDIFF": dateDifference, "DATEPART": datePart,
    ]

    /// Ticks of the parts with a fixed length.
    private static let ticks: [String: Int64] = [
        "week": 6_048_000_000_000, "day": 864_000_000_000, "dayofyear": 864_000_000_000,
        "weekday": 864_000_000_000, "hour": 36_000_000_000, "minute": 600_000_000, "second": 10_000_000,
        "millisecond": 10_000, "microsecond": 10,
    ]

    private static func part(_ value: Value) throws -> String {
        guard case .text(let name) = value else { throw ScalarFailure(message: "the first argument is a date part") }
        return name
    }

    private static func dateAdd(_ values: [Value]) throws -> Value {
        let part = try part(values[0])
        if values[1] == .null || values[2] == .null { return .null }
        let number = try values[1].integer("the number")
        let time = try values[2].time("the third argument")
        if let unit = ticks[part] {
            let (span, overflow) = number.multipliedReportingOverflow(by: unit)
            let (sum, carry) = time.ticks.addingReportingOverflow(span)
            guard !overflow, !carry else { throw outOfRange(time, part, number) }
            return try checked(sum, time, part, number)
        }
        let months: [String: Int64] = ["month": 1, "quarter": 3, "year": 12]
        guard let count = months[part] else { throw ScalarFailure(message: "unknown date part '\(part)'") }
        guard number.magnitude < 200_000 else { throw outOfRange(time, part, number) }
        let day = 864_000_000_000 as Int64
        let date = Timestamp.civil(fromDays: Int(floorDivide(time.ticks, day)))
        let month = Int64(date.year) * 12 + Int64(date.month - 1) + number * count
        let (year, index) = (Int(floorDivide(month, 12)), Int(month - floorDivide(month, 12) * 12))
        guard (1...9999).contains(year) else { throw outOfRange(time, part, number) }
        let lastDay = daysInMonth(index + 1, year: year)
        let days = Timestamp.daysSinceEpoch(year: year, month: index + 1, day: min(date.day, lastDay))
        let timeOfDay = time.ticks - floorDivide(time.ticks, day) * day
        return try checked(Int64(days) * day + timeOfDay, time, part, number)
    }

    private static func checked(
        _ ticks: Int64, _ time: Timestamp, _ part: String, _ number: Int64
    ) throws -> Value {
        let sum = Timestamp(ticks: ticks)
        guard sum >= .min, sum <= .max else { throw outOfRange(time, part, number) }
        return .datetime(sum)
    }

    private static func outOfRange(_ time: Timestamp, _ part: String, _ number: Int64) -> ScalarFailure {
        ScalarFailure(message: "\(time) plus \(number) \(part) is outside the years 0001 to 9999")
    }

    private static func daysInMonth(_ month: Int, year: Int) -> Int {
        let first = Timestamp.daysSinceEpoch(year: year, month: month, day: 1)
        let next = month == 12 ? (year + 1, 1) : (year, month + 1)
        return Timestamp.daysSinceEpoch(year: next.0, month: next.1, day: 1) - first
    }

    private static func dateDifference(_ values: [Value]) throws -> Value {
        let part = try part(values[0])
        if values[1] == .null || values[2] == .null { return .null }
        let start = try values[1].time("the second argument")
        let end = try values[2].time("the third argument")
        return .bigint(try boundary(end, part) - boundary(start, part))
    }

    /// How many boundaries of the unit lie before an instant.
    private static func boundary(_ time: Timestamp, _ part: String) throws -> Int64 {
        let day = floorDivide(time.ticks, 864_000_000_000)
        switch part {
        case "week": return floorDivide(day + 4, 7)  // 1970-01-01 was a Thursday
        case "month", "quarter", "year":
            let date = Timestamp.civil(fromDays: Int(day))
            if part == "year" { return Int64(date.year) }
            let month = Int64(date.year) * 12 + Int64(date.month - 1)
            return part == "month" ? month : floorDivide(month, 3)
        default:
            guard let unit = ticks[part] else { throw ScalarFailure(message: "unknown date part '\(part)'") }
            return floorDivide(time.ticks, unit)
        }
    }

    private static func datePart(_ values: [Value]) throws -> Value {
        let part = try part(values[0])
        if values[1] == .null { return .null }
        let time = try values[1].time("the second argument")
        let day = floorDivide(time.ticks, 864_000_000_000)
        let tickOfDay = time.ticks - day * 864_000_000_000
        let date = Timestamp.civil(fromDays: Int(day))
        let newYear = Int64(Timestamp.daysSinceEpoch(year: date.year, month: 1, day: 1))
        switch part {
        case "year": return .bigint(Int64(date.year))
        case "quarter": return .bigint(Int64((date.month - 1) / 3 + 1))
        case "month": return .bigint(Int64(date.month))
        case "dayofyear": return .bigint(day - newYear + 1)
        case "day": return .bigint(Int64(date.day))
        case "week": return .bigint(floorDivide(day + 4, 7) - floorDivide(newYear + 4, 7) + 1)
        case "weekday": return .bigint(day + 4 - floorDivide(day + 4, 7) * 7 + 1)
        case "hour": return .bigint(tickOfDay / 36_000_000_000)
        case "minute": return .bigint(tickOfDay / 600_000_000 % 60)
        case "second": return .bigint(tickOfDay / 10_000_000 % 60)
        case "millisecond": return .bigint(tickOfDay / 10_000 % 1000)
        case "microsecond": return .bigint(tickOfDay / 10 % 1_000_000)
        default: throw ScalarFailure(message: "unknown date part '\(part)'")
        }
    }
}

/// Division rounding toward minus infinity.
@inline(__always)
func floorDivide(_ dividend: Int64, _ divisor: Int64) -> Int64 {
    let quotient = dividend / divisor
    return dividend % divisor < 0 ? quotient - 1 : quotient
}
