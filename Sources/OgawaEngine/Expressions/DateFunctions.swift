import OgawaCore
import OgawaSQL

// DATEADD cuts the fraction of its number; DATEDIFF counts the boundaries of the unit crossed from the first to the
// second instant, signed; weeks begin on Sunday, week 1 holds January 1, and weekday 1 is Sunday, as T-SQL's default.

enum DateFunctions {
    static let table: [String: ScalarKernel] = [
        "DAY": { try part($0, 0, .day) }, "MONTH": { try part($0, 0, .month) }, "YEAR": { try part($0, 0, .year) },
        "DATETIMEFROMPARTS": fromParts,
    ]

    /// The kernel of a function whose first argument named a part of a date; the arguments are those behind it.
    static func kernel(_ name: String, _ part: DatePart) -> ScalarKernel? {
        switch name {
        case "DATEADD": { try add($0, part) }
        case "DATEDIFF": { try difference($0, part) }
        case "DATEPART": { try self.part($0, 0, part) }
        case "DATENAME": { try self.name($0, part) }
        default: nil
        }
    }

    static let ticksPerDay: Int64 = 864_000_000_000

    /// Ticks of the parts with a fixed length when they are added or counted.
    private static func ticks(of part: DatePart) -> Int64? {
        switch part {
        case .week: 7 * ticksPerDay
        case .dayOfYear, .weekday: ticksPerDay
        default: part.ticks
        }
    }

    // MARK: DATEADD

    private static func add(_ arguments: ScalarArguments, _ part: DatePart) throws -> Cell {
        if arguments.hasNull { return .null }
        let number = try arguments.integer(0, "the number")
        let time = try arguments.time(1, "the third argument")
        var sum: Int64?
        if let unit = ticks(of: part) {
            let (span, overflow) = number.multipliedReportingOverflow(by: unit)
            let (ticks, carry) = time.addingReportingOverflow(span)
            sum = overflow || carry ? nil : ticks
        } else {
            sum = addMonths(number, part == .year ? 12 : part == .quarter ? 3 : 1, to: time)
        }
        guard let sum, sum >= Timestamp.min.ticks, sum <= Timestamp.max.ticks else {
            throw ScalarFailure(
                message: "\(Timestamp(ticks: time)) plus \(number) \(part.rawValue) is outside the years 0001 to 9999")
        }
        return .datetime(sum)
    }

    /// The same day of another month, or its last day where it is shorter; nil outside the years 0001 to 9999.
    private static func addMonths(_ number: Int64, _ factor: Int64, to time: Int64) -> Int64? {
        guard number.magnitude < 200_000 else { return nil }
        let day = floorDivide(time, ticksPerDay)
        let date = Timestamp.civil(fromDays: Int(day))
        let month = Int64(date.year) * 12 + Int64(date.month - 1) + number * factor
        let year = floorDivide(month, 12)
        guard (1...9999).contains(year) else { return nil }
        let index = Int(month - year * 12) + 1
        let last = daysInMonth(index, year: Int(year))
        let days = Timestamp.daysSinceEpoch(year: Int(year), month: index, day: min(date.day, last))
        return Int64(days) * ticksPerDay + time - day * ticksPerDay
    }

    private static func daysInMonth(_ month: Int, year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    // MARK: DATEDIFF

    private static func difference(_ arguments: ScalarArguments, _ part: DatePart) throws -> Cell {
        if arguments.hasNull { return .null }
        let start = try arguments.time(0, "the second argument")
        let end = try arguments.time(1, "the third argument")
        return .bigint(boundary(end, part) - boundary(start, part))
    }

    /// How many boundaries of a unit lie between a fixed instant and this one.
    static func boundary(_ time: Int64, _ part: DatePart) -> Int64 {
        let day = floorDivide(time, ticksPerDay)
        switch part {
        case .week: return floorDivide(day + 4, 7)  // 1970-01-01 was a Thursday
        case .month, .quarter, .year:
            let date = Timestamp.civil(fromDays: Int(day))
            if part == .year { return Int64(date.year) }
            let month = Int64(date.year) * 12 + Int64(date.month - 1)
            return part == .month ? month : floorDivide(month, 3)
        default: return floorDivide(time, ticks(of: part) ?? ticksPerDay)
        }
    }

    // MARK: DATEPART, DATENAME

    private static func part(_ arguments: ScalarArguments, _ index: Int, _ part: DatePart) throws -> Cell {
        if arguments.isNull(index) { return .null }
        return .bigint(value(of: part, in: try arguments.time(index, "the date")))
    }

    /// A part of a date as a number.
    static func value(of part: DatePart, in time: Int64) -> Int64 {
        let day = floorDivide(time, ticksPerDay)
        let tickOfDay = time - day * ticksPerDay
        switch part {
        case .hour: return tickOfDay / 36_000_000_000
        case .minute: return tickOfDay / 600_000_000 % 60
        case .second: return tickOfDay / 10_000_000 % 60
        case .millisecond: return tickOfDay / 10_000 % 1000
        case .microsecond: return tickOfDay / 10 % 1_000_000
        case .weekday: return day + 4 - floorDivide(day + 4, 7) * 7 + 1
        default: break
        }
        let date = Timestamp.civil(fromDays: Int(day))
        let newYear = Int64(Timestamp.daysSinceEpoch(year: date.year, month: 1, day: 1))
        switch part {
        case .year: return Int64(date.year)
        case .quarter: return Int64((date.month - 1) / 3 + 1)
        case .month: return Int64(date.month)
        case .dayOfYear: return day - newYear + 1
        case .week: return floorDivide(day + 4, 7) - floorDivide(newYear + 4, 7) + 1
        default: return Int64(date.day)
        }
    }

    static let monthNames = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    static let weekdayNames = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

    private static func name(_ arguments: ScalarArguments, _ part: DatePart) throws -> Cell {
        if arguments.isNull(0) { return .null }
        let number = value(of: part, in: try arguments.time(0, "the date"))
        switch part {
        case .month: return try arguments.store(monthNames[Int(number) - 1])
        case .weekday: return try arguments.store(weekdayNames[Int(number) - 1])
        default: return try arguments.store(String(number))
        }
    }

    // MARK: DATETIMEFROMPARTS

    private static func fromParts(_ arguments: ScalarArguments) throws -> Cell {
        if arguments.hasNull { return .null }
        let year = try number(arguments, 0, "year", 1...9999)
        let month = try number(arguments, 1, "month", 1...12)
        let day = try number(arguments, 2, "day", 1...Int64(daysInMonth(month, year: year)))
        let hour = try number(arguments, 3, "hour", 0...23)
        let minute = try number(arguments, 4, "minute", 0...59)
        let second = try number(arguments, 5, "second", 0...59)
        let millisecond = try number(arguments, 6, "millisecond", 0...999)
        let days = Timestamp.daysSinceEpoch(year: year, month: month, day: day)
        let seconds = Int64(days) * 86_400 + Int64(hour * 3600 + minute * 60 + second)
        return .datetime(seconds * Timestamp.ticksPerSecond + Int64(millisecond) * Timestamp.ticksPerMillisecond)
    }

    private static func number(
        _ arguments: ScalarArguments, _ index: Int, _ what: String, _ range: ClosedRange<Int64>
    ) throws -> Int {
        let value = try arguments.integer(index, "the \(what)")
        guard range.contains(value) else {
            throw ScalarFailure(
                message: "the \(what) must lie between \(range.lowerBound) and \(range.upperBound), found \(value)")
        }
        return Int(value)
    }
}

/// Division rounding toward minus infinity.
@inline(__always)
func floorDivide(_ dividend: Int64, _ divisor: Int64) -> Int64 {
    let quotient = dividend / divisor
    return dividend % divisor < 0 ? quotient - 1 : quotient
}
