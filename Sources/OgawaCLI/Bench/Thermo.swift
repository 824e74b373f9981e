// The workload of `ogawa bench sql`: thermometers that give a voltage, one JSON object a line.

import Ogawa
import OgawaCore

/// Makes thermo files; the same numbers give the same file, also from Benchmarks/peers/thermo.cpp.
struct Thermo {
    var deviceCount = 1000
    var eventCount = 2_000_000
    var seed: UInt64 = 42
    /// Between an event and the next, in milliseconds.
    var interval = 1
    /// How far events may be out of order, in milliseconds.
    var disorder = 0

    /// Celsius of a reading.
    static let celsius = "(voltage - 0.5) * 100"
    private static let firstTime = 1_795_305_600_000  // 2026-11-22T00:00:00Z

    /// Writes the file.
    func write(to path: String) throws {
        let sink = try FileSink(path)
        var random = SplitMix64(state: seed)
        var line: [UInt8] = []
        for number in 0..<eventCount {
            let device = random.next() % UInt64(deviceCount)
            let voltage = 50_000 + random.next() % 50_000
            var time = Thermo.firstTime + number * interval
            if disorder > 0 { time -= Int(random.next() % UInt64(disorder)) }
            line.removeAll(keepingCapacity: true)
            line += #"{"deviceId":"dev-"#.utf8
            Thermo.append(Int(device), digits: 6, to: &line)
            line += #"","timestamp":""#.utf8
            line += Timestamp(ticks: Int64(time) * Timestamp.ticksPerMillisecond).description.utf8.prefix(23)
            line += #"Z","seq":"#.utf8
            line += String(number).utf8
            line += #","voltage":0."#.utf8
            Thermo.append(Int(voltage), digits: 5, to: &line)
            line += #","site":"tokyo-"#.utf8
            line += String(device % 4 + 1).utf8
            line += "\"}\n".utf8
            try sink.write(line)
        }
        try sink.finish()
    }

    private static func append(_ value: Int, digits: Int, to line: inout [UInt8]) {
        let start = line.count
        var rest = value
        line.append(contentsOf: repeatElement(0x30, count: digits))
        for index in stride(from: start + digits - 1, through: start, by: -1) {
            line[index] = 0x30 + UInt8(rest % 10)
            rest /= 10
        }
    }
}

/// Steele, Lea and Flood's generator (2014): fast, and its stream depends on the seed only.
struct SplitMix64 {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
