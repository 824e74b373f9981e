import OgawaCore
import Testing

/// A date written out by hand: its text is taken apart, days are counted one year at a time.
private struct CalendarModel {
    let year: Int
    let month: Int
    let day: Int
    let tickOfDay: Int64
    let days: Int

    init(_ time: Timestamp) {
        let text = Array(time.description.utf8)
        func number(_ start: Int, _ count: Int) -> Int {
            text[start..<start + count].reduce(0) { $0 * 10 + Int($1 - 48) }
        }
        year = number(0, 4)
        month = number(5, 2)
        day = number(8, 2)
        let seconds = Int64(number(11, 2) * 3600 + number(14, 2) * 60 + number(17, 2))
        tickOfDay = seconds * 10_000_000 + Int64(number(20, 7))
        days = CalendarModel.days(year, month, day)
    }

    static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    static func length(_ month: Int, _ year: Int) -> Int {
        [31, isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
    }

    /// Days since 0001-01-01, a Monday.
    static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        (1..<year).reduce(0) { $0 + (isLeap($1) ? 366 : 365) } + (1..<month).reduce(0) { $0 + length($1, year) } + day
            - 1
    }

    var dayOfYear: Int { days - CalendarModel.days(year, 1, 1) + 1 }
    /// 1 is Sunday.
    var weekday: Int { (days + 1) % 7 + 1 }
    /// Sundays up to this day.
    var week: Int { (days + 1) / 7 }

    func part(_ name: String) -> Int64 {
        switch name {
        case "year": Int64(year)
        case "quarter": Int64((month + 2) / 3)
        case "month": Int64(month)
        case "dayofyear": Int64(dayOfYear)
        case "day": Int64(day)
        case "week": Int64(week - CalendarModel.firstWeek(year) + 1)
        case "weekday": Int64(weekday)
        case "hour": tickOfDay / 36_000_000_000
        case "minute": tickOfDay / 600_000_000 % 60
        case "second": tickOfDay / 10_000_000 % 60
        case "millisecond": tickOfDay % 10_000_000 / 10_000
        default: tickOfDay % 10_000_000 / 10
        }
    }

    private static func firstWeek(_ year: Int) -> Int { (days(year, 1, 1) + 1) / 7 }

    /// A count that grows by one at each boundary of the part.
    func boundary(_ name: String) -> Int64 {
        let ticks = Int64(days) * 864_000_000_000 + tickOfDay
        return switch name {
        case "year": Int64(year)
        case "quarter": Int64(year * 4 + (month + 2) / 3)
        case "month": Int64(year * 12 + month)
        case "dayofyear", "day", "weekday": Int64(days)
        case "week": Int64(week)
        case "hour": ticks / 36_000_000_000
        case "minute": ticks / 600_000_000
        case "second": ticks / 10_000_000
        case "millisecond": ticks / 10_000
        default: ticks / 10
        }
    }

    /// The text of the date some parts later; nil outside the years 0001 to 9999.
    func adding(_ count: Int64, _ name: String, to time: Timestamp) -> String? {
        let fixed: [String: Int64] = [
            "dayofyear": 864_000_000_000, "day": 864_000_000_000, "weekday": 864_000_000_000, "week": 6_048_000_000_000,
            "hour": 36_000_000_000, "minute": 600_000_000, "second": 10_000_000, "millisecond": 10_000,
            "microsecond": 10,
        ]
        if let unit = fixed[name] {
            let sum = Timestamp(ticks: time.ticks + count * unit)
            return sum < .min || sum > .max ? nil : sum.description
        }
        let months = count * (name == "year" ? 12 : name == "quarter" ? 3 : 1) + Int64(year * 12 + month - 1)
        guard months >= 12, months < 120_000 else { return nil }
        let (newYear, newMonth) = (Int(months / 12), Int(months % 12) + 1)
        let newDay = min(day, CalendarModel.length(newMonth, newYear))
        func digits(_ value: Int, _ count: Int) -> String {
            String(repeating: "0", count: count - String(value).count) + String(value)
        }
        return "\(digits(newYear, 4))-\(digits(newMonth, 2))-\(digits(newDay, 2))" + time.description.dropFirst(10)
    }
}

@Suite struct DateModelTests {
    private static let parts = [
        "year", "quarter", "month", "dayofyear", "day", "week", "weekday", "hour", "minute", "second", "millisecond",
        "microsecond",
    ]

    /// Instants of all years, often near the boundary of a day.
    private func instant(_ random: inout SeededGenerator) -> Timestamp {
        var ticks = Int64.random(in: Timestamp.min.ticks...Timestamp.max.ticks, using: &random)
        if Bool.random(using: &random) {
            ticks = ticks / 864_000_000_000 * 864_000_000_000 + Int64.random(in: -1...1, using: &random)
        }
        return Timestamp(ticks: max(Timestamp.min.ticks, min(ticks, Timestamp.max.ticks)))
    }

    @Test(arguments: parts)
    func `parts, differences and sums of dates are those of the calendar`(_ part: String) throws {
        let seed = UInt64.random(in: 0...UInt64(UInt32.max))
        print("date model of \(part): seed \(seed)")
        var random = SeededGenerator(seed: seed)
        var events: [TestEvent] = []
        var expected: [String] = []
        while events.count < 60 {
            let (a, b) = (instant(&random), instant(&random))
            let count = Int64.random(in: -3000...3000, using: &random)
            let (first, second) = (CalendarModel(a), CalendarModel(b))
            guard let sum = first.adding(count, part, to: a) else { continue }
            events.append(
                TestEvent(body: "{\"ts\":\"\(at(events.count))\",\"a\":\"\(a)\",\"b\":\"\(b)\",\"n\":\(count)}"))
            expected.append(
                "{\"p\":\(first.part(part)),\"d\":\(second.boundary(part) - first.boundary(part)),\"s\":\"\(sum)\"}")
        }
        let sql = """
            SELECT DATEPART(\(part), a) AS p, DATEDIFF(\(part), a, b) AS d, DATEADD(\(part), n, a) AS s
            INTO out FROM input TIMESTAMP BY ts
            """
        let rows = try run(sql, events, batchSize: Int.random(in: 1...100, using: &random))["out"] ?? []
        #expect(rows.count == expected.count)
        for (index, row) in rows.enumerated() where row != expected[index] {
            Issue.record("\(events[index].body) gave \(row), not \(expected[index]), seed \(seed)")
        }
    }
}
