// ISO 8601 text to ticks and back, without Foundation and without allocation.
//
// Accepted: `YYYY-MM-DD`, then optionally `T`, `t` or a blank and `hh:mm[:ss[.fraction]]`, then
// optionally `Z`, `z`, `±hh:mm`, `±hhmm` or `±hh`. No zone means UTC. The fraction is cut after 7 digits (100 ns).
// Days are counted with the civil-calendar algorithm (years begin in March, so that leap days end a year).

extension Timestamp {
    /// The instant that the text names; nil where it is not ISO 8601 or not a real date.
    public init?(_ text: some StringProtocol) {
        var text = String(text)
        guard let parsed = text.withUTF8({ Timestamp(iso8601: UnsafeRawBufferPointer($0)) }) else { return nil }
        self = parsed
    }

    /// The instant that the UTF-8 bytes name; nil where they are not ISO 8601 or not a real date.
    public init?(iso8601 bytes: UnsafeRawBufferPointer) {
        var cursor = ISO8601Cursor(bytes: bytes)
        guard let ticks = cursor.parse() else { return nil }
        self.ticks = ticks
    }

    /// Days from 1970-01-01 to the given day of the proleptic Gregorian calendar.
    public static func daysSinceEpoch(year: Int, month: Int, day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// Year, month and day of a count of days since 1970-01-01.
    public static func civil(fromDays days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    /// The length of the fixed output form `YYYY-MM-DDThh:mm:ss.fffffffZ`.
    public static let iso8601ByteCount = 28

    /// Writes the fixed 28-byte form with 7 digits and `Z`.
    ///
    /// - Parameter target: room for at least ``iso8601ByteCount`` bytes.
    public func writeISO8601(to target: UnsafeMutablePointer<UInt8>) {
        var (seconds, fraction) = ticks.quotientAndRemainder(dividingBy: Timestamp.ticksPerSecond)
        if fraction < 0 {
            fraction += Timestamp.ticksPerSecond
            seconds -= 1
        }
        var days = seconds / 86_400
        var secondOfDay = seconds - days * 86_400
        if secondOfDay < 0 {
            secondOfDay += 86_400
            days -= 1
        }
        let date = Timestamp.civil(fromDays: Int(days))
        func digits(_ value: Int, count: Int, at start: Int) {
            var rest = value
            for index in stride(from: start + count - 1, through: start, by: -1) {
                target[index] = 0x30 &+ UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            }
        }
        digits(date.year, count: 4, at: 0)
        target[4] = UInt8(ascii: "-")
        digits(date.month, count: 2, at: 5)
        target[7] = UInt8(ascii: "-")
        digits(date.day, count: 2, at: 8)
        target[10] = UInt8(ascii: "T")
        digits(Int(secondOfDay / 3600), count: 2, at: 11)
        target[13] = UInt8(ascii: ":")
        digits(Int(secondOfDay / 60 % 60), count: 2, at: 14)
        target[16] = UInt8(ascii: ":")
        digits(Int(secondOfDay % 60), count: 2, at: 17)
        target[19] = UInt8(ascii: ".")
        digits(Int(fraction), count: 7, at: 20)
        target[27] = UInt8(ascii: "Z")
    }
}

extension Timestamp: CustomStringConvertible {
    public var description: String {
        String(unsafeUninitializedCapacity: Timestamp.iso8601ByteCount) { buffer in
            // SAFETY: the closure is given at least the capacity asked for, which is not 0.
            guard let base = buffer.baseAddress else { return 0 }
            writeISO8601(to: base)
            return Timestamp.iso8601ByteCount
        }
    }
}

/// Reads ISO 8601 text byte by byte; every read past the end gives nil.
private struct ISO8601Cursor {
    let bytes: UnsafeRawBufferPointer
    var index = 0

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func parse() -> Int64? {
        guard let year = number(digits: 4), eat("-"), let month = number(digits: 2), eat("-"),
            let day = number(digits: 2), year >= 1, isDay(day, month: month, year: year)
        else { return nil }
        let days = Timestamp.daysSinceEpoch(year: year, month: month, day: day)
        var ticks = Int64(days) * 864_000_000_000
        if index == bytes.count { return ticks }
        guard eat("T") || eat("t") || eat(" ") else { return nil }
        guard let timeOfDay = timeOfDay() else { return nil }
        ticks += timeOfDay
        guard let offset = zone(), index == bytes.count else { return nil }
        ticks -= offset
        return ticks >= Timestamp.min.ticks && ticks <= Timestamp.max.ticks ? ticks : nil
    }

    private mutating func timeOfDay() -> Int64? {
        guard let hour = number(digits: 2), hour < 24, eat(":"), let minute = number(digits: 2), minute < 60
        else { return nil }
        var ticks = Int64(hour * 60 + minute) * 60 * Timestamp.ticksPerSecond
        guard eat(":") else { return ticks }
        guard let second = number(digits: 2), second < 60 else { return nil }
        ticks += Int64(second) * Timestamp.ticksPerSecond
        guard eat(".") || eat(",") else { return ticks }
        var unit = Timestamp.ticksPerSecond
        var count = 0
        while index < bytes.count, let digit = digit(bytes[index]) {
            unit /= 10
            ticks += Int64(digit) * unit
            index += 1
            count += 1
        }
        return count > 0 ? ticks : nil
    }

    private mutating func zone() -> Int64? {
        if index == bytes.count || eat("Z") || eat("z") { return 0 }
        let sign: Int64
        if eat("+") { sign = 1 } else if eat("-") { sign = -1 } else { return nil }
        guard let hours = number(digits: 2), hours < 24 else { return nil }
        var minutes = 0
        if index < bytes.count {
            _ = eat(":")
            guard let value = number(digits: 2), value < 60 else { return nil }
            minutes = value
        }
        return sign * Int64(hours * 60 + minutes) * 60 * Timestamp.ticksPerSecond
    }

    private func isDay(_ day: Int, month: Int, year: Int) -> Bool {
        guard (1...12).contains(month), day >= 1 else { return false }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        switch month {
        case 2: return day <= (isLeap ? 29 : 28)
        case 4, 6, 9, 11: return day <= 30
        default: return day <= 31
        }
    }

    private func digit(_ byte: UInt8) -> UInt8? {
        let value = byte &- 0x30
        return value < 10 ? value : nil
    }

    private mutating func number(digits count: Int) -> Int? {
        guard index + count <= bytes.count else { return nil }
        var value = 0
        for position in index..<index + count {
            guard let digit = digit(bytes[position]) else { return nil }
            value = value * 10 + Int(digit)
        }
        index += count
        return value
    }

    private mutating func eat(_ character: Unicode.Scalar) -> Bool {
        guard index < bytes.count, UInt32(bytes[index]) == character.value else { return false }
        index += 1
        return true
    }
}
