import OgawaCore
import Testing

@Suite struct ISO8601ReaderTests {
    private func read(_ texts: [String]) -> [Int64?] {
        var reader = ISO8601Reader()
        return texts.map { text in
            var text = text
            return text.withUTF8 { reader.ticks($0) }
        }
    }

    @Test func `texts one after another read as each alone`() {
        let bases = [
            "2026-11-22T00:00:00.123Z", "2026-11-22T23:59:59.9999999Z", "2026-11-22T12:34:56Z", "2026-11-22",
            "2026-11-23T00:00:00Z",
            "2026-11-22T12:34:56,5Z", "2026-11-22T12:34:56.12345678Z", "2026-11-22t12:34:56z",
            "2026-11-22 12:34:56+09:00",
            "9999-12-31T23:59:59.9999999Z", "0001-01-01T00:00:00Z", "2024-02-29T10:00:00Z", "2026-11-22T12:34:56.Z", "",
        ]
        var state: UInt64 = 3
        func next(_ count: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % count
        }
        var texts: [String] = []
        for _ in 0..<20_000 {
            var bytes = Array(bases[next(bases.count)].utf8)
            if next(3) == 0, !bytes.isEmpty { bytes[next(bytes.count)] = Array("0123456789:-.TZ \0/".utf8)[next(18)] }
            texts.append(String(decoding: bytes, as: UTF8.self))
        }
        let readings = read(texts)
        for (text, ticks) in zip(texts, readings) { #expect(ticks == Timestamp(text)?.ticks, "\(text)") }
    }

    @Test func `a text of zero bytes is no time`() {
        #expect(read([String(repeating: "\0", count: 10) + "T00:00:00Z"]) == [nil])
    }
}
