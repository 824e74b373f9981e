import OgawaCore
import OgawaEngine
import Testing

@Suite struct ExpectedOrderTests {
    private let sql =
        "SELECT k, COUNT(*) AS n, SUM(v) AS s FROM input TIMESTAMP BY t GROUP BY k, TumblingWindow(second, 10)"

    private func events(_ seconds: [Int]) -> [TestEvent] {
        seconds.enumerated().map { index, second in
            let time = Timestamp(ticks: 17_000_000_000 + Int64(second) * Timestamp.ticksPerSecond)
            return TestEvent(body: #"{"t":"\#(time)","k":"key-\#(index % 7)","v":\#(index)}"#)
        }
    }

    @Test(arguments: [1, 3, 1000])
    func `an input in order gives the same rows as a sorted one`(batchSize: Int) throws {
        let ordered = events((0..<200).map { $0 / 2 })
        var expected = OrderingPolicy()
        expected.expectOrder()
        let sorted = OrderingPolicy(outOfOrder: .seconds(86_400))
        let rows = try run(sql, ordered, policy: expected, batchSize: batchSize)
        #expect(try run(sql, ordered, policy: sorted, batchSize: batchSize) == rows)
        // Seven keys in each of ten windows, and two at the boundary where the events begin.
        #expect(rows.values.joined().count == 72)
    }

    @Test func `an event behind a newer one ends the run`() {
        var expected = OrderingPolicy()
        expected.expectOrder()
        #expect(throws: OutOfOrderInput.self) { try run(sql, events([1, 2, 4, 3]), policy: expected) }
    }

    @Test(arguments: [1, 7, 64, 5000])
    func `shuffled rows come out as sorted ones`(batchSize: Int) throws {
        var state: UInt64 = 11
        func next(_ count: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % count
        }
        let shuffled = events((0..<3000).map { max(0, $0 - next(30)) })
        let plain = "SELECT t, k, v FROM input TIMESTAMP BY t"
        let policy = OrderingPolicy(outOfOrder: .seconds(40))
        let rows = try run(plain, shuffled, policy: policy, batchSize: batchSize).values.joined()
        let bodies = shuffled.enumerated().map { ($0.offset, $0.element.body) }
        let sorted = bodies.sorted { ($0.1.prefix(40), $0.0) < ($1.1.prefix(40), $1.0) }
        #expect(Array(rows) == sorted.map(\.1))
    }

    @Test(arguments: [1, 5, 512])
    func `keys of any type and length are told apart`(batchSize: Int) throws {
        var state: UInt64 = 5
        func next(_ count: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % count
        }
        var counts: [String: Int] = [:]
        let time = Timestamp(ticks: 17_000_000_000)
        let events = (0..<4000).map { index -> TestEvent in
            var key = "\"" + String("abcdefghijklmnopqrstuvwxyz".prefix(next(26))) + "\(next(3))\""
            // Now and then a key of another type, from some batch on.
            if index > 2000, next(20) == 0 { key = ["1", "null", "true", "2.5"][next(4)] }
            counts[key, default: 0] += 1
            return TestEvent(body: #"{"t":"\#(time)","k":\#(key)}"#)
        }
        let sql = "SELECT k, COUNT(*) AS n FROM input TIMESTAMP BY t GROUP BY k, TumblingWindow(second, 10)"
        let rows = try run(sql, events, batchSize: batchSize).values.joined()
        #expect(Set(rows) == Set(counts.map { #"{"k":\#($0.key),"n":\#($0.value)}"# }))
    }
}
