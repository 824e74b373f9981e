import OgawaCore
import Testing

@Suite struct TimestampTests {
    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("1970-01-01", 0), ("1970-01-01 00:00:01", 10_000_000),
            ("1970-01-01T00:00:00.1234567Z", 1_234_567), ("1970-01-01T00:00:00.12345678Z", 1_234_567),
            ("1970-01-01T01:00:00+01:00", 0), ("1970-01-01T00:00-0130", 54_000_000_000),
            ("2025-03-01T08:00:30Z", 17_408_160_300_000_000), ("1969-12-31T23:59:59Z", -10_000_000),
        ] as [(String, Int64)])
    func `ISO 8601 text gives ticks`(_ text: String, _ ticks: Int64) {
        #expect(Timestamp(text)?.ticks == ticks)
    }

    @Test(
        arguments: [
            "", "2025", "2025-02-29", "2025-13-01", "2025-00-10", "2025-01-32", "2025-01-01T", "2025-01-01T24:00:00Z",
            "2025-01-01T00:00:00.Z", "2025-01-01T00:00:60Z", "2025-01-01T00:00:00+25:00", "2025-01-01T00:00:00ZZ",
            "0000-01-01", "9999-12-31T23:59:59-01:00", "２025-01-01", "1e10",
        ])
    func `text that is no instant gives nil`(_ text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test func `the written form reads back as the same instant`() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let time = Timestamp(ticks: .random(in: Timestamp.min.ticks...Timestamp.max.ticks, using: &generator))
            #expect(Timestamp(time.description) == time, "\(time.ticks)")
        }
        #expect(Timestamp.max.description == "9999-12-31T23:59:59.9999999Z")
        #expect(Timestamp.min.description == "0001-01-01T00:00:00.0000000Z")
    }

    @Test func `arithmetic with durations clamps to the supported years`() {
        #expect(Timestamp.max.advanced(by: .seconds(1)) == .max)
        #expect(Timestamp.min.advanced(by: .seconds(Int64.min / 100)) == .min)
        #expect(Timestamp(ticks: 5).duration(since: Timestamp(ticks: 2)) == .ticks(3))
        #expect(Duration.milliseconds(1).ticks == 10_000)
        #expect(Duration.ticks(-1).ticks == -1)
    }
}

@Suite struct DiagnosticTests {
    @Test func `a finding shows its line with a caret under the range`() {
        let source = SourceText(name: "a.sql", text: "SELECT 1\nFROM 温度 x\n")
        let range = SourceRange(14, 20)
        let found = source.render(
            Diagnostic(code: "unknown", message: "unknown input", hint: "did you mean y?", range: range))
        #expect(
            found == "a.sql:2:6: error: unknown input\n 2 | FROM 温度 x\n   |      ^^\n hint: did you mean y?")
    }

    @Test func `a position past the end is the end`() {
        let source = SourceText(name: "a", text: "x")
        #expect(source.location(of: 99) == (1, 2))
        #expect(SourceText(name: "a", text: "").location(of: 0) == (1, 1))
    }

    @Test func `the nearest name allows a third of the letters to differ`() {
        #expect(nearestName(to: "telemtry", in: ["telemetry", "temperature"]) == "telemetry")
        #expect(nearestName(to: "AVREAGE", in: ["average", "coverage"]) == "average")
        #expect(nearestName(to: "x", in: ["telemetry"]) == nil)
    }

    @Test func `the partition of a key never changes`() {
        // These numbers are part of the data on disk.
        let keys = ["", "dev-1", "dev-2", "sensor/42", "東京"]
        let hashes: [UInt64] = [
            0xefd01f60ba992926, 0x7794c83f9f078e0e, 0x4686875408c05922, 0x982e33825b38d8a4, 0xb700c569e52d4522,
        ]
        for (key, hash) in zip(keys, hashes) {
            Array(key.utf8).withUnsafeBytes {
                #expect(keyHash($0) == hash)
                #expect(partition(forKey: $0, count: 4).rawValue == Int32(hash % 4))
            }
        }
    }
}
