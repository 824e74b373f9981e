// One TMP36 thermometer of the simulated building: a pure function of its seed and of time, so that the same seed shows the same day.
//
// A TMP36 gives 0.5 V at 0 °C and 10 mV more for each degree.

import OgawaCore

/// Random numbers that a seed repeats (SplitMix64, Steele, Lea and Flood 2014).
package struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// From 0 up to 1.
    package mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// Near to normal, with mean 0 and deviation 1 (the sum of twelve uniform numbers).
    package mutating func normal() -> Double { (0..<12).reduce(-6.0) { sum, _ in sum + unit() } }
}

/// What a thermometer sends at one moment.
package struct Reading: Hashable, Sendable {
    package var deviceID: String
    package var time: Timestamp
    package var voltage: Double
    /// How often it is sent; 2 where the device did not see the first acknowledgement.
    package var copies = 1
    /// How long it is held back by a bad network.
    package var delay = Duration.zero
    /// Whether the body breaks off in the middle.
    package var isTorn = false

    package init(deviceID: String, time: Timestamp, voltage: Double) {
        self.deviceID = deviceID
        self.time = time
        self.voltage = voltage
    }

    /// The event's body.
    package var json: String {
        let start = #"{"deviceId":"\#(deviceID)","timestamp":"\#(String(time.description.prefix(23)))Z","voltage":"#
        return isTorn ? start : "\(start)\(Figure.fixed(voltage, 4))}"
    }
}

/// A simulated thermometer.
package struct Thermometer: Sendable {
    /// What is wrong with it.
    package enum Fault: String, Hashable, Sendable {
        case none
        /// Its clock is a day fast.
        case fastClock
        /// It reads more and more too high, then rails at 0 V with garbage in between.
        case driftsAndFails
        /// It stops sending for a while.
        case goesSilent
    }

    package let deviceID: String
    package let fault: Fault
    /// Between two readings.
    package let interval: Duration
    /// Seconds after which a fault begins again from the start.
    private let cycle: Double
    private let base: Double
    private let phase: Double
    private var warmth = 0.0
    private var walker = 0.0
    private var lastElapsed = 0.0
    private var random: SeededRandom

    package init(deviceID: String, fault: Fault = .none, seed: UInt64, cycle: Double) {
        self.deviceID = deviceID
        self.fault = fault
        self.cycle = cycle
        random = SeededRandom(seed: seed)
        base = 19 + 5 * random.unit()
        phase = 2 * .pi * random.unit()
        interval = .milliseconds(500 + Int(500 * random.unit()))
    }

    /// The reading at a moment; nil where the device is silent.
    ///
    /// - Parameter elapsed: seconds since the start; must not go back.
    /// - Parameter now: the true time, cut to milliseconds as the device sends it.
    package mutating func reading(elapsed: Double, now: Timestamp) -> Reading? {
        let progress = (elapsed / cycle).truncatingRemainder(dividingBy: 1)
        let celsius = temperature(elapsed) + drift(progress)
        let chance = random.unit()
        let second = random.unit()
        if fault == .goesSilent, progress > 0.3, progress < 0.75 { return nil }
        let milliseconds = now.ticks / Timestamp.ticksPerMillisecond
        var reading = Reading(
            deviceID: deviceID, time: Timestamp(ticks: milliseconds * Timestamp.ticksPerMillisecond),
            voltage: 0.5 + celsius / 100)
        if fault == .fastClock { reading.time = reading.time.advanced(by: .seconds(86_400)) }
        if fault == .driftsAndFails, progress > 0.35, progress < 0.85 {
            reading.voltage = chance < 0.85 ? 0 : 3.3 * second
            reading.isTorn = chance > 0.97
        } else if chance < 0.01 {
            reading.copies = 2
        } else if chance < 0.02 {
            reading.delay = .milliseconds(1000 + Int(6000 * second))
        }
        return reading
    }

    /// The room: a slow swing, noise, and people who walk past and leave warmth for some seconds.
    private mutating func temperature(_ elapsed: Double) -> Double {
        let step = max(0, elapsed - lastElapsed)
        lastElapsed = elapsed
        if random.unit() < step / 25 { walker = 1.5 + 2.5 * random.unit() }
        // Warmth follows the walker within a second; the walker is gone after a few.
        warmth += (walker - warmth) * min(1, step / 1.2)
        walker *= max(0, 1 - step / 4)
        let swing = 0.8 * sine(2 * .pi * elapsed / 180 + phase)
        return base + swing + warmth + 0.25 * random.normal()
    }

    private func drift(_ progress: Double) -> Double {
        fault == .driftsAndFails && progress > 0.12 ? min((progress - 0.12) * 40, 9) : 0
    }

    /// The sine by its series, which is exact enough for a swing of the temperature.
    private func sine(_ angle: Double) -> Double {
        var x = angle.truncatingRemainder(dividingBy: 2 * .pi)
        if x > .pi { x -= 2 * .pi }
        if x < -.pi { x += 2 * .pi }
        let square = x * x
        return x * (1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72 * (1 - square / 110)))))
    }
}
