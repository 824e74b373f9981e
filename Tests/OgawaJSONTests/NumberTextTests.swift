import OgawaJSON
import Testing

@Suite struct NumberTextTests {
    @Test(arguments: [
        (0.0, "0.0"), (-0.0, "-0.0"), (1.0, "1.0"), (-1.5, "-1.5"), (0.1, "0.1"), (0.001, "0.001"), (0.0001, "1e-04"),
        (0.00012, "0.00012"), (1e15, "1e+15"), (123_456.0, "123456.0"), (1e22, "1e+22"),
        (Double.leastNonzeroMagnitude, "5e-324"),
        (1.797_693_134_862_315_7e308, "1.7976931348623157e+308"), (0.1 + 0.2, "0.30000000000000004"),
        (100_000.0, "1e+05"), (12_300_000.0, "12300000.0"), (.nan, "null"), (.infinity, "null"),
    ])
    func `a double has its shortest text`(number: Double, text: String) { #expect(formatNumber(number) == text) }

    @Test func `the text of any double reads back as the same double and has no more digits than Swift's`() {
        var state: UInt64 = 7
        for round in 0..<40_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let bits = state ^ (state >> 29)
            let number =
                switch round % 4 {
                case 0: Double(bitPattern: bits)
                case 1: Double(bits % 1_000_000) / 1000
                case 2: (Double(bits % 100_000) / 1e5 - 0.5) * 100 / Double(1 + bits % 13)
                default: Double(Int64(bitPattern: bits) >> Int64(bits % 60))
                }
            guard number.isFinite else { continue }
            let text = formatNumber(number)
            #expect(Double(text)?.bitPattern == number.bitPattern, "\(number) gave \(text)")
            // Whole numbers beyond 53 bits are written out, which may take more digits and never more characters than the exponent.
            if number.magnitude >= 0x1p53 { continue }
            #expect(digitCount(text) == digitCount(number.description), "\(number) gave \(text)")
        }
    }

    /// Digits before the exponent without zeros at either end.
    private func digitCount(_ text: String) -> Int {
        let digits = text.prefix { $0 != "e" }.filter(\.isNumber).drop { $0 == "0" }
        return digits.reversed().drop { $0 == "0" }.count
    }
}
