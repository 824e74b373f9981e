import OgawaCore

/// When a timer is due.
package enum Schedule: Hashable, Sendable {
    /// At whole multiples of a duration since 1970, so that it does not drift with restarts.
    case every(Duration)
    case cron(CronExpression)

    /// Reads `every 10s`-like durations, NCRONTAB expressions, and AWS's `rate(…)` and `cron(…)`.
    ///
    /// **Errors.** ``ScheduleError``, naming the part that is wrong.
    package init(parsing text: String) throws(ScheduleError) {
        let text = String(text.trimmed)
        if let inner = Schedule.argument(of: "rate", in: text) {
            self = .every(try Schedule.duration(inner.filter { $0 != " " }))
        } else if let inner = Schedule.argument(of: "cron", in: text) {
            self = .cron(try CronExpression(aws: inner))
        } else if text.contains(" ") || text == "*" {
            self = .cron(try CronExpression(parsing: text))
        } else if text.contains(":") {
            self = .every(try Schedule.timeSpan(text))
        } else {
            self = .every(try Schedule.duration(text))
        }
    }

    /// The first due time after an instant; nil where there is none.
    package func next(after time: Timestamp) -> Timestamp? {
        switch self {
        case .cron(let expression): return expression.next(after: time)
        case .every(let duration):
            let ticks = max(1, duration.ticks)
            let count = time.ticks >= 0 ? time.ticks / ticks : (time.ticks - ticks + 1) / ticks
            let (due, overflow) = (count + 1).multipliedReportingOverflow(by: ticks)
            return overflow || due > Timestamp.max.ticks ? nil : Timestamp(ticks: due)
        }
    }

    private static func argument(of name: String, in text: String) -> String? {
        guard text.lowercased().hasPrefix(name + "("), text.hasSuffix(")") else { return nil }
        return String(text.dropFirst(name.count + 1).dropLast())
    }

    /// `hh:mm:ss`, as Azure writes time spans; `d.hh:mm:ss` with days.
    package static func timeSpan(_ text: String) throws(ScheduleError) -> Duration {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let head = parts.first.map { $0.split(separator: ".") } ?? []
        let hours = head.last.flatMap { Int64($0) }
        let days = head.count == 2 ? Int64(head[0]) : 0
        guard parts.count == 3, let hours, let days, let minutes = Int64(parts[1]), let seconds = Double(parts[2]),
            (0..<60).contains(minutes), seconds >= 0, seconds < 60, hours >= 0, hours < 1_000_000, days >= 0,
            days < 100_000
        else { throw ScheduleError("`\(text)` is no time span of the form hh:mm:ss") }
        return .seconds(days * 86_400 + hours * 3_600 + minutes * 60) + .milliseconds(Int64(seconds * 1_000))
    }

    /// `10s`, `500ms`, `5m`, `2h`, `1d`, and the words that AWS uses: `5minutes`.
    package static func duration(_ text: String) throws(ScheduleError) -> Duration {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let units: [String: Int64] = [
            "ms": 1, "s": 1_000, "second": 1_000, "seconds": 1_000, "m": 60_000, "minute": 60_000, "minutes": 60_000,
            "h": 3_600_000, "hour": 3_600_000, "hours": 3_600_000, "d": 86_400_000, "day": 86_400_000,
            "days": 86_400_000,
        ]
        guard let number = Double(digits), let unit = units[String(text.dropFirst(digits.count)).lowercased()],
            number > 0, number * Double(unit) < 1e15, number * Double(unit) >= 1
        else { throw ScheduleError("`\(text)` is no duration; write 500ms, 10s, 5m, 2h or 1d") }
        return .milliseconds(Int64(number * Double(unit)))
    }
}

/// A schedule that cannot be read.
package struct ScheduleError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
