import Ogawa
import OgawaCLI
import OgawaCore
import Testing

private let start = Timestamp(ticks: 17_954_784_000_000_000)

/// The readings of a thermometer over some seconds.
private func readings(_ fault: Thermometer.Fault, seed: UInt64 = 7, seconds: Double = 100) -> [Reading?] {
    var model = Thermometer(deviceID: "lobby", fault: fault, seed: seed, cycle: 100)
    return stride(from: 0.0, to: seconds, by: 0.5).map { elapsed in
        model.reading(elapsed: elapsed, now: start.advanced(by: .milliseconds(Int(elapsed * 1000))))
    }
}

private func celsius(_ reading: Reading) -> Double { (reading.voltage - 0.5) * 100 }

@Suite struct DemoTests {
    @Test func `the same seed shows the same readings`() {
        #expect(readings(.none) == readings(.none))
        #expect(readings(.none) != readings(.none, seed: 8))
    }

    @Test func `a sound thermometer shows room temperatures, noise and walkers`() {
        let values = readings(.none, seconds: 600).compactMap { $0 }.map(celsius)
        #expect(values.count == 1200)
        #expect(values.allSatisfy { $0 > 15 && $0 < 32 })
        let jumps = zip(values, values.dropFirst()).map { abs($0 - $1) }
        #expect(jumps.reduce(0, +) / Double(jumps.count) > 0.1)
        #expect(values.max().map { $0 - values.reduce(0, +) / 1200 > 1.5 } == true)
    }

    @Test func `each fault shows`() {
        let fast = readings(.fastClock).compactMap { $0 }
        #expect(fast.first?.time == start.advanced(by: .seconds(86_400)))
        let broken = readings(.driftsAndFails).compactMap { $0 }
        #expect(broken.filter { $0.voltage == 0 }.count > 50)
        #expect(broken.contains { $0.isTorn })
        let silent = readings(.goesSilent)
        #expect(silent.prefix(50).allSatisfy { $0 != nil })
        #expect(silent[80...140].allSatisfy { $0 == nil })
        #expect(silent.suffix(20).allSatisfy { $0 != nil })
    }

    @Test func `a reading is an event of the temperature project`() throws {
        let reading = Reading(deviceID: "lobby", time: start, voltage: 0.7071)
        let json = try JSONValue.parse(reading.json)
        #expect(json["deviceId"] == .string("lobby"))
        #expect(json["voltage"] == .float(0.7071))
        guard case .string(let time)? = json["timestamp"] else { throw JSONError(message: "no timestamp", position: 0) }
        #expect(Timestamp(time) == start)
        var torn = reading
        torn.isTorn = true
        #expect(throws: JSONError.self) { try JSONValue.parse(torn.json) }
    }

    @Test func `the building has twenty devices, half by HTTP and half by MQTT`() {
        let building = Building(seed: 1, cycle: 60)
        #expect(building.thermometers.count == 20)
        #expect(building.thermometers.filter { $0.transport == .mqtt }.count == 10)
        #expect(Set(building.thermometers.map(\.model.deviceID)).count == 20)
        #expect(Set(building.thermometers.map(\.model.fault)).count == 4)
        #expect(
            building.thermometers.allSatisfy {
                $0.model.interval >= .milliseconds(500) && $0.model.interval <= .seconds(1)
            })
    }

    @Test func `latency is matched by device and time`() {
        let meter = DemoMeter()
        meter.willSend(Reading(deviceID: "lobby", time: start, voltage: 0.7))
        meter.stored(#"{"deviceId":"lobby","time":"\#(start.description)","smoothed":20.5}"#)
        meter.stored(#"{"deviceId":"other","time":"\#(start.description)"}"#)
        meter.stored("not json")
        meter.acknowledged()
        let figures = meter.figures
        #expect(figures.events == 1)
        #expect(figures.liveRows == 2)
        #expect(figures.p50Milliseconds != nil)
        #expect(figures.lobby == [20.5])
    }
}
