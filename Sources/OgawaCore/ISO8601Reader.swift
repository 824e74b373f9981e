// The layout that devices send most, `YYYY-MM-DDThh:mm:ss[.fraction]Z`, is read by words of 8 bytes, and the date is
// worked out only when it differs from the one before. Everything else, wrong text included, goes to Timestamp(iso8601:).

/// Reads many ISO 8601 texts one after another, as ``Timestamp/init(iso8601:)`` reads each of them.
package struct ISO8601Reader {
    // No UTF-8 text has these bytes.
    private var yearAndMonth = UInt64.max
    private var day = UInt16.max
    private var dayTicks: Int64 = 0

    package init() {}

    /// The ticks of the instant that the bytes name; nil where they are not ISO 8601 or not a real date.
    @inline(__always)
    package mutating func ticks(_ bytes: UnsafeBufferPointer<UInt8>) -> Int64? {
        let count = bytes.count
        guard count >= 20, count <= 28, let base = bytes.baseAddress, base[count - 1] == UInt8(ascii: "Z"),
            base[10] == UInt8(ascii: "T")
        else { return slowTicks(bytes) }
        let raw = UnsafeRawPointer(base)
        guard raw.loadUnaligned(as: UInt64.self) == yearAndMonth,
            raw.loadUnaligned(fromByteOffset: 8, as: UInt16.self) == day
        else { return slowTicks(bytes) }
        // Digits become 0 to 9 and colons 0.
        let clock = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: 11, as: UInt64.self)) ^ 0x3030_3a30_303a_3030
        let isClock =
            ((clock &+ 0x7676_7676_7676_7676) | clock) & 0x8080_8080_8080_8080 == 0
            && clock & 0x0000_ff00_00ff_0000 == 0
        let hour = (clock & 0xff) &* 10 &+ (clock >> 8 & 0xff)
        let minute = (clock >> 24 & 0xff) &* 10 &+ (clock >> 32 & 0xff)
        let second = (clock >> 48 & 0xff) &* 10 &+ (clock >> 56)
        guard isClock, hour < 24, minute < 60, second < 60 else { return slowTicks(bytes) }
        var ticks = dayTicks &+ Int64((hour &* 60 &+ minute) &* 60 &+ second) &* Timestamp.ticksPerSecond
        guard count > 20 else { return ticks }
        guard base[19] == UInt8(ascii: "."), count > 21 else { return slowTicks(bytes) }
        var unit = Timestamp.ticksPerSecond
        for index in 20..<count &- 1 {
            let digit = base[index] &- 0x30
            guard digit < 10 else { return slowTicks(bytes) }
            unit /= 10
            ticks &+= Int64(digit) &* unit
        }
        return ticks
    }

    @inline(never)
    private mutating func slowTicks(_ bytes: UnsafeBufferPointer<UInt8>) -> Int64? {
        let ticks = Timestamp(iso8601: UnsafeRawBufferPointer(bytes))?.ticks
        // A date within the range of times leaves every instant of its day within it.
        if ticks != nil, bytes.count >= 10,
            let date = Timestamp(iso8601: UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[..<10])))
        {
            let raw = UnsafeRawBufferPointer(bytes)
            yearAndMonth = raw.loadUnaligned(as: UInt64.self)
            day = raw.loadUnaligned(fromByteOffset: 8, as: UInt16.self)
            dayTicks = date.ticks
        }
        return ticks
    }
}
