import OgawaCore
import OgawaEngine
import Testing

/// Windows and running aggregates against models written straight from their definitions.
@Suite struct WindowModelTests {
    struct Reading {
        var device: Int
        var milliseconds: Int
        var value: Int?
    }

    /// Sorted by time, whole halves as values so that every sum is exact in a double.
    static func readings(seed: UInt64, count: Int) -> [Reading] {
        var generator = SeededGenerator(seed: seed)
        var time = 0
        return (0..<count).map { _ in
            time += [0, 0, 1, 250, 500, 1000, 1000, 7000].randomElement(using: &generator) ?? 0
            let value =
                Int.random(in: 0..<10, using: &generator) == 0 ? nil : Int.random(in: -50...50, using: &generator)
            return Reading(device: .random(in: 0..<4, using: &generator), milliseconds: time, value: value)
        }
    }

    static func events(_ readings: [Reading]) -> [TestEvent] {
        readings.map { reading in
            let value = reading.value.map { "\(Double($0) / 2)" } ?? "null"
            return TestEvent(
                body: "{\"d\":\"dev-\(reading.device)\",\"ts\":\"\(at(reading.milliseconds))\",\"v\":\(value)}")
        }
    }

    @Test(arguments: [(5000, 5000), (10_000, 2500), (10_000, 4000), (1000, 3000)])
    func `a window holds the readings of (start, end] and no others`(_ size: Int, _ hop: Int) throws {
        let seed = UInt64.random(in: 0..<1000)
        let readings = Self.readings(seed: seed, count: 300)
        let sql = """
            SELECT d, COUNT(*) AS n, COUNT(v) AS c, SUM(v) AS s, MIN(v) AS lo, MAX(v) AS hi, System.Timestamp() AS e
            INTO out FROM input TIMESTAMP BY ts GROUP BY d, HoppingWindow(millisecond, \(size), \(hop))
            """
        var expected: [String] = []
        let origin = Timestamp.min.ticks
        let first = (at(0).ticks - origin) / (Int64(hop) * 10_000) * Int64(hop) * 10_000 + origin
        let last = at(readings.last?.milliseconds ?? 0).ticks + Int64(size) * 10_000
        for end in stride(from: first, through: last, by: Int(hop) * 10_000) {
            let held = readings.filter {
                let time = at($0.milliseconds).ticks
                return time > end - Int64(size) * 10_000 && time <= end
            }
            var order: [Int] = []
            for reading in held where !order.contains(reading.device) { order.append(reading.device) }
            for device in order {
                let group = held.filter { $0.device == device }
                let values = group.compactMap { $0.value.map { Double($0) / 2 } }
                let sum = values.isEmpty ? "null" : "\(values.reduce(0, +))"
                let (low, high) = (values.min().map { "\($0)" } ?? "null", values.max().map { "\($0)" } ?? "null")
                expected.append(
                    "{\"d\":\"dev-\(device)\",\"n\":\(group.count),\"c\":\(values.count),\"s\":\(sum),\"lo\":\(low),"
                        + "\"hi\":\(high),\"e\":\"\(Timestamp(ticks: end))\"}")
            }
        }
        for batchSize in [1, 7, 1000] {
            let rows = try run(sql, Self.events(readings), batchSize: batchSize)["out"] ?? []
            let difference = Set(rows).symmetricDifference(expected).sorted().prefix(4)
            #expect(difference.isEmpty && rows.count == expected.count, "seed \(seed), batches of \(batchSize)")
        }
    }

    @Test(arguments: [0, 1, 9, 40])
    func `ROWS holds the current row and at most n before it of the same key`(_ preceding: Int) throws {
        let seed = UInt64.random(in: 0..<1000)
        let readings = Self.readings(seed: seed, count: 400)
        let frame = "OVER (PARTITION BY d ROWS BETWEEN \(preceding) PRECEDING AND CURRENT ROW)"
        let sql = """
            SELECT SUM(v) \(frame) AS s, MIN(v) \(frame) AS lo, MAX(v) \(frame) AS hi, COUNT(*) \(frame) AS n,
                COUNT(v) \(frame) AS c INTO out FROM input TIMESTAMP BY ts
            """
        let expected = readings.indices.map { index in
            let same = readings[...index].filter { $0.device == readings[index].device }
            return Self.row(Array(same.suffix(preceding + 1)))
        }
        for batchSize in [1, 13, 1000] {
            #expect(
                try run(sql, Self.events(readings), batchSize: batchSize)["out"] == expected,
                "seed \(seed), batches of \(batchSize)")
        }
    }

    @Test(arguments: [1, 1000, 60_000])
    func `LIMIT DURATION holds the rows of (t - duration, t]`(_ milliseconds: Int) throws {
        let seed = UInt64.random(in: 0..<1000)
        let readings = Self.readings(seed: seed, count: 400)
        let frame = "OVER (PARTITION BY d LIMIT DURATION(millisecond, \(milliseconds)))"
        let sql = """
            SELECT SUM(v) \(frame) AS s, MIN(v) \(frame) AS lo, MAX(v) \(frame) AS hi, COUNT(*) \(frame) AS n,
                COUNT(v) \(frame) AS c INTO out FROM input TIMESTAMP BY ts
            """
        let expected = readings.indices.map { index in
            let now = readings[index]
            return Self.row(
                readings[...index].filter {
                    $0.device == now.device && $0.milliseconds > now.milliseconds - milliseconds
                })
        }
        for batchSize in [1, 13, 1000] {
            #expect(
                try run(sql, Self.events(readings), batchSize: batchSize)["out"] == expected,
                "seed \(seed), batches of \(batchSize)")
        }
    }

    private static func row(_ held: [Reading]) -> String {
        let values = held.compactMap { $0.value.map { Double($0) / 2 } }
        let sum = values.isEmpty ? "null" : "\(values.reduce(0, +))"
        let (low, high) = (values.min().map { "\($0)" } ?? "null", values.max().map { "\($0)" } ?? "null")
        return "{\"s\":\(sum),\"lo\":\(low),\"hi\":\(high),\"n\":\(held.count),\"c\":\(values.count)}"
    }

    @Test func `partitions merge to the rows of one partition, however their batches interleave`() throws {
        let seed = UInt64.random(in: 0..<1000)
        let sql = """
            SELECT COUNT(*) AS n, SUM(v) AS s, System.Timestamp() AS e
            INTO out FROM input TIMESTAMP BY ts GROUP BY TumblingWindow(second, 5)
            """
        let events = Self.events(Self.readings(seed: seed, count: 300))
        let expected = try run(sql, events)["out"]
        for batchSize in [1, 5, 50] {
            var generator = SeededGenerator(seed: seed)
            let spread = events.map { event in
                var event = event
                event.partition = Int.random(in: 0..<3, using: &generator)
                return event
            }
            let rows = try run(sql, spread, batchSize: batchSize, partitionCount: 3)["out"]
            #expect(rows == expected, "seed \(seed), batches of \(batchSize)")
        }
    }

    @Test func `floats give the same bits whatever the batch size`() throws {
        var generator = SeededGenerator(seed: 7)
        let events = (0..<2000).map { index in
            let value = Double.random(in: -1...1, using: &generator) * 1e6
            return TestEvent(body: "{\"d\":\"x\(index % 3)\",\"ts\":\"\(at(index * 37))\",\"v\":\(value)}")
        }
        let sql = """
            SELECT AVG(v) OVER (PARTITION BY d LIMIT DURATION(second, 10)) AS a,
                SUM(v) OVER (PARTITION BY d ROWS BETWEEN 9 PRECEDING AND CURRENT ROW) AS s
            INTO one FROM input TIMESTAMP BY ts
            SELECT d, AVG(v) AS a INTO two FROM input TIMESTAMP BY ts GROUP BY d, HoppingWindow(second, 10, 3)
            """
        let reference = try run(sql, events, batchSize: 1)
        for batchSize in [2, 64, 999, 5000] {
            #expect(try run(sql, events, batchSize: batchSize) == reference)
        }
    }
}
