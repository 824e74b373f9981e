import OgawaCore

// NCRONTAB as Azure's timers use it: six fields beginning with seconds, or five without. Unlike cron, a day must fit the
// day of month AND the day of week; days of week count from Sunday = 0. All times are UTC.

/// A set of moments given by seconds, minutes, hours, days, months and days of week.
package struct CronExpression: Hashable, Sendable {
    /// Each a set of numbers as bits.
    private var seconds: UInt64
    private var minutes: UInt64
    private var hours: UInt64
    private var days: UInt64
    private var months: UInt64
    private var weekdays: UInt64

    private static let monthNames = [
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ]
    private static let dayNames = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]

    /// Reads five or six fields.
    package init(parsing text: String) throws(ScheduleError) {
        var fields = text.split { $0 == " " || $0 == "\t" }.map(String.init)
        if fields.count == 5 { fields.insert("0", at: 0) }
        guard fields.count == 6 else {
            throw ScheduleError(
                "`\(text)` has \(fields.count) fields; NCRONTAB has 6: second minute hour day month day-of-week")
        }
        seconds = try CronExpression.field(fields[0], "second", 0...59)
        minutes = try CronExpression.field(fields[1], "minute", 0...59)
        hours = try CronExpression.field(fields[2], "hour", 0...23)
        days = try CronExpression.field(fields[3], "day", 1...31)
        months = try CronExpression.field(fields[4], "month", 1...12, names: CronExpression.monthNames, firstName: 1)
        let week = try CronExpression.field(
            fields[5], "day of week", 0...7, names: CronExpression.dayNames, firstName: 0)
        weekdays = week & 0x80 != 0 ? week | 1 : week
    }

    /// Reads the six fields of AWS: minute hour day month day-of-week year, days of week from Sunday = 1.
    package init(aws text: String) throws(ScheduleError) {
        let fields = text.split(separator: " ").map { $0 == "?" ? "*" : String($0) }
        guard fields.count == 6, fields[5] == "*" else {
            throw ScheduleError("`cron(\(text))` needs six fields, the last of them (the year) `*`")
        }
        let weekday = String(
            fields[4].split(separator: ",").map { part in
                part.split(separator: "-").map { Int($0).map { String($0 - 1) } ?? String($0) }.joined(separator: "-")
            }.joined(separator: ","))
        try self.init(parsing: "0 \(fields[0]) \(fields[1]) \(fields[2]) \(fields[3]) \(weekday)")
    }

    /// The first moment after an instant; nil where there is none within 40 years.
    package func next(after time: Timestamp) -> Timestamp? {
        let second = Int64((Double(time.ticks) / Double(Timestamp.ticksPerSecond)).rounded(.down)) + 1
        var day = Int(second >= 0 ? second / 86_400 : (second - 86_399) / 86_400)
        var rest = Int(second - Int64(day) * 86_400)
        let lastDay = day + 40 * 366
        while day <= lastDay {
            let (year, month, dayOfMonth) = Timestamp.civil(fromDays: day)
            if months & 1 << UInt64(month) == 0 {
                day = Timestamp.daysSinceEpoch(year: month == 12 ? year + 1 : year, month: month % 12 + 1, day: 1)
                rest = 0
                continue
            }
            // 1970-01-01 was a Thursday.
            let weekday = ((day + 4) % 7 + 7) % 7
            if days & 1 << UInt64(dayOfMonth) != 0, weekdays & 1 << UInt64(weekday) != 0,
                let found = firstSecond(from: rest)
            {
                return Timestamp(ticks: (Int64(day) * 86_400 + Int64(found)) * Timestamp.ticksPerSecond)
            }
            day += 1
            rest = 0
        }
        return nil
    }

    /// The first second of a day, from one on, that fits.
    private func firstSecond(from start: Int) -> Int? {
        for hour in start / 3_600..<24 where hours & 1 << UInt64(hour) != 0 {
            let isFirstHour = hour == start / 3_600
            for minute in (isFirstHour ? start / 60 % 60 : 0)..<60 where minutes & 1 << UInt64(minute) != 0 {
                let isFirstMinute = isFirstHour && minute == start / 60 % 60
                for second in (isFirstMinute ? start % 60 : 0)..<60 where seconds & 1 << UInt64(second) != 0 {
                    return hour * 3_600 + minute * 60 + second
                }
            }
        }
        return nil
    }

    /// A field: a list of `*`, `n`, `a-b`, each with `/step` if wanted.
    private static func field(
        _ text: String, _ name: String, _ range: ClosedRange<Int>, names: [String] = [], firstName: Int = 0
    ) throws(ScheduleError) -> UInt64 {
        var set: UInt64 = 0
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = item.split(separator: "/", omittingEmptySubsequences: false)
            let step = sides.count == 2 ? Int(sides[1]) : 1
            guard sides.count <= 2, let step, step >= 1 else { throw wrong(text, name, range) }
            let bounds = sides[0].split(separator: "-", omittingEmptySubsequences: false).map { word -> Int? in
                let upper = word.uppercased()
                return names.firstIndex(of: upper).map { $0 + firstName } ?? Int(word)
            }
            let low: Int
            let high: Int
            if sides[0] == "*" {
                low = range.lowerBound
                // 7 is another name of Sunday, not an eighth day.
                high = range == 0...7 ? 6 : range.upperBound
            } else if let first = bounds[0], bounds.count == 1 {
                low = first
                high = sides.count == 2 ? (range == 0...7 ? 6 : range.upperBound) : first
            } else if bounds.count == 2, let first = bounds[0], let last = bounds[1] {
                low = first
                high = last
            } else {
                throw wrong(text, name, range)
            }
            guard range.contains(low), range.contains(high), low <= high else { throw wrong(text, name, range) }
            for value in stride(from: low, through: high, by: step) { set |= 1 << UInt64(value) }
        }
        return set
    }

    private static func wrong(_ text: String, _ name: String, _ range: ClosedRange<Int>) -> ScheduleError {
        ScheduleError(
            "`\(text)` is no \(name); write *, a number from \(range.lowerBound) to \(range.upperBound), a-b, a/step or a list"
        )
    }
}
