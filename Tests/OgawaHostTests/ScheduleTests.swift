import OgawaCore
import OgawaHost
import Testing

/// Due times of timers.
struct ScheduleTests {
    private func next(_ text: String, _ time: String) throws -> String? {
        let time = try #require(Timestamp(time))
        return try Schedule(parsing: text).next(after: time).map { String($0.description.prefix(19)) }
    }

    @Test(arguments: [
        ("0 */5 * * * *", "2026-11-22T14:03:10Z", "2026-11-22T14:05:00"),
        ("0 */5 * * * *", "2026-11-22T14:05:00Z", "2026-11-22T14:10:00"),
        ("*/10 * * * * *", "2026-11-22T23:59:50Z", "2026-11-23T00:00:00"),
        ("*/10 * * * * *", "2026-11-22T23:59:50.5Z", "2026-11-23T00:00:00"),
        ("0 0 * * * *", "2026-12-31T23:30:00Z", "2027-01-01T00:00:00"),
        ("0 30 9 * * 1-5", "2026-11-20T10:00:00Z", "2026-11-23T09:30:00"),
        ("0 30 9 * * MON-FRI", "2026-11-22T10:00:00Z", "2026-11-23T09:30:00"),
        ("0 0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00"),
        ("0 0 0 31 * *", "2026-04-01T00:00:00Z", "2026-05-31T00:00:00"),
        ("0 0 12 13 * 5", "2026-01-01T00:00:00Z", "2026-02-13T12:00:00"),
        ("0 0 0 * JAN,jul SUN", "2026-02-01T00:00:00Z", "2026-07-05T00:00:00"),
        ("0 0 0 * * 7", "2026-11-20T00:00:00Z", "2026-11-22T00:00:00"),
        ("15,45 10-20/5 * * * *", "2026-11-22T00:11:00Z", "2026-11-22T00:15:15"),
        ("5 4 * * *", "2026-11-22T04:05:00Z", "2026-11-23T04:05:00"),
        ("0 0 0 1 1 *", "1960-06-01T00:00:00Z", "1961-01-01T00:00:00"),
        ("10s", "2026-11-22T14:03:13Z", "2026-11-22T14:03:20"),
        ("10s", "2026-11-22T14:03:20Z", "2026-11-22T14:03:30"),
        ("00:05:00", "2026-11-22T14:03:13Z", "2026-11-22T14:05:00"),
        ("rate(5 minutes)", "2026-11-22T14:03:13Z", "2026-11-22T14:05:00"),
        ("cron(0 10 ? * MON-FRI *)", "2026-11-21T14:03:13Z", "2026-11-23T10:00:00"),
        ("cron(15 10 ? * 1 *)", "2026-11-20T14:03:13Z", "2026-11-22T10:15:00"),
    ])
    func `the next due time follows from the fields`(text: String, from: String, expected: String) throws {
        #expect(try next(text, from) == expected)
    }

    @Test func `a moment that never comes is none`() throws {
        #expect(try next("0 0 0 30 2 *", "2026-01-01T00:00:00Z") == nil)
    }

    @Test(arguments: [
        "", "x", "0 60 * * * *", "* * * *", "0 0 0 0 * *", "0 0 0 * 13 *", "0 0 0 * * 8", "5-1 * * * * *",
        "*/0 * * * * *",
        "1,,2 * * * * *", "-10s", "0s", "10 parsecs", "1e99s", "rate(x)", "cron(1 2 3)", "1:2", "00:99:00",
    ])
    func `what is no schedule is refused with words`(text: String) {
        #expect(throws: ScheduleError.self) { try Schedule(parsing: text) }
    }

    @Test func `random expressions agree with a search second by second`() throws {
        var state: UInt64 = 7
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let start: Int64 = 1_767_225_600
        for _ in 0..<60 {
            let second = random(60)
            let minute = random(60)
            let step = random(7) + 1
            let hour = random(24)
            let text = "\(second) \(minute)/\(step) \(hour)-23 * * *"
            let from = start + Int64(random(86_400))
            let expected = (from + 1..<from + 3 * 86_400).first { time in
                let inDay = Int(time % 86_400)
                let inHour = inDay / 60 % 60
                return inDay % 60 == second && inHour >= minute && (inHour - minute) % step == 0 && inDay / 3600 >= hour
            }
            let found = try Schedule(parsing: text).next(after: Timestamp(ticks: from * Timestamp.ticksPerSecond))
            #expect(found?.ticks == expected.map { $0 * Timestamp.ticksPerSecond }, "\(text) from \(from)")
        }
    }
}
