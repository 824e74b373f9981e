// Readings as bytes, made fast: one prepared text in which time and voltage, which have a fixed length, are overwritten.
//
// The voltage carries the reading's number in its 9 decimals, so that a row that comes back, whatever the order, tells from
// `celsius` which reading it was: celsius = (voltage - 0.5) * 100.

import OgawaCore
import OgawaPlatform

/// One reading of one device as JSON, with the places of time and voltage.
struct ReadingText {
    private(set) var bytes: [UInt8]
    private let timePosition: Int
    private let voltagePosition: Int

    init(device: String) {
        let start = #"{"deviceId":"\#(device)","timestamp":""#
        let middle = #"","voltage":0."#
        timePosition = start.utf8.count
        voltagePosition = timePosition + Timestamp.iso8601ByteCount + middle.utf8.count
        let time = String(repeating: "0", count: Timestamp.iso8601ByteCount)
        bytes = Array((start + time + middle + "000000000}").utf8)
    }

    /// Puts time and number into a copy of the bytes that begins at a position.
    func fill(_ target: inout [UInt8], at position: Int, time: Timestamp, number: Int) {
        target.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, position + bytes.count <= buffer.count else { return }
            time.writeISO8601(to: base + position + timePosition)
            var rest = number
            for digit in stride(from: 8, through: 0, by: -1) {
                base[position + voltagePosition + digit] = 0x30 &+ UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            }
        }
    }

    /// The reading's number, from a row's `celsius`; nil for no reading of a bench.
    static func number(celsius: Double) -> Int? {
        let number = ((celsius / 100 + 0.5) * 1e9).rounded()
        return number >= 0 && number < 1e9 ? Int(number) : nil
    }

    /// The numbers in the rows of a text of JSON rows, in order: what stands behind each `"celsius":`.
    static func numbers(in text: UnsafeBufferPointer<UInt8>, _ body: (Int) -> Void) {
        let name: [UInt8] = Array(#""celsius":"#.utf8)
        var index = 0
        while index + name.count < text.count {
            guard text[index] == name[0], text[index..<index + name.count].elementsEqual(name) else {
                index += 1
                continue
            }
            index += name.count
            let start = index
            while index < text.count, text[index] != UInt8(ascii: ","), text[index] != UInt8(ascii: "}") { index += 1 }
            let word = String(decoding: text[start..<index], as: UTF8.self)
            if let celsius = Double(word), let found = number(celsius: celsius) { body(found) }
        }
    }
}

/// A request body of many readings, one a line.
struct ReadingLines {
    private var bytes: [UInt8] = []
    private let texts: [ReadingText]
    private let positions: [Int]

    /// - Parameter devices: the device of each line.
    init(devices: [String]) {
        texts = devices.map { ReadingText(device: $0) }
        var positions: [Int] = []
        for text in texts {
            positions.append(bytes.count)
            bytes += text.bytes
            bytes.append(0x0a)
        }
        self.positions = positions
    }

    var lineCount: Int { texts.count }

    /// The lines with new times, 100 ns apart, and numbers.
    mutating func next(time: Timestamp, firstNumber: Int) -> [UInt8] {
        for (line, text) in texts.enumerated() {
            let moment = Timestamp(ticks: time.ticks + Int64(line))
            text.fill(&bytes, at: positions[line], time: moment, number: (firstNumber + line) % 1_000_000_000)
        }
        return bytes
    }
}

/// The wall clock.
func wallTime() -> Timestamp { SystemClock().now() }
