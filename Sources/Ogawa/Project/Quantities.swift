// Durations and sizes as people write them in ogawa.yaml and on the command line.

extension Duration {
    private static let unitNanoseconds: [String: Int64] = [
        "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000,
        "d": 86_400_000_000_000, "w": 604_800_000_000_000,
    ]

    /// What ``init(quantity:)`` accepts, for error messages.
    package static let quantityForm = "a duration such as 50ms, 5s, 10m, 1h30m, 7d or PT5S"

    /// Reads `50ms`, `5s`, `1.5h`, `1h30m`, `7d`, `2w` or an ISO 8601 duration such as `PT5S`; nil for anything else.
    ///
    /// **Units.** `us ms s m h d w`; at most 100 years.
    package init?(quantity text: String) {
        if text.hasPrefix("P") {
            self.init(iso8601: text)
            return
        }
        var total: Int64 = 0
        var rest = Array(text.utf8)[...]
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let number = rest.prefix { ($0 >= 0x30 && $0 <= 0x39) || $0 == UInt8(ascii: ".") }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { $0 >= 0x61 && $0 <= 0x7a }
            rest = rest.dropFirst(unit.count)
            guard let scale = Duration.unitNanoseconds[String(decoding: unit, as: UTF8.self)],
                let part = Duration.nanoseconds(number, scale: scale)
            else { return nil }
            let (sum, overflow) = total.addingReportingOverflow(part)
            guard !overflow, sum <= Duration.maximumNanoseconds else { return nil }
            total = sum
        }
        self = .nanoseconds(total)
    }

    /// Reads `P1DT2H3M4.5S`; years and months have no fixed length and are refused.
    package init?(iso8601 text: String) {
        var rest = Array(text.utf8)[...]
        guard rest.popFirst() == UInt8(ascii: "P"), !rest.isEmpty else { return nil }
        var total: Int64 = 0
        var isTime = false
        while let first = rest.first {
            if first == UInt8(ascii: "T") {
                guard !isTime, rest.count > 1 else { return nil }
                isTime = true
                rest.removeFirst()
                continue
            }
            let number = rest.prefix { ($0 >= 0x30 && $0 <= 0x39) || $0 == UInt8(ascii: ".") }
            rest = rest.dropFirst(number.count)
            guard let designator = rest.popFirst(),
                let unit = Duration.isoUnit(designator, isTime: isTime), let scale = Duration.unitNanoseconds[unit],
                let part = Duration.nanoseconds(number, scale: scale)
            else { return nil }
            let (sum, overflow) = total.addingReportingOverflow(part)
            guard !overflow, sum <= Duration.maximumNanoseconds else { return nil }
            total = sum
        }
        self = .nanoseconds(total)
    }

    private static let maximumNanoseconds: Int64 = 36_525 * 86_400_000_000_000

    private static func isoUnit(_ designator: UInt8, isTime: Bool) -> String? {
        switch (designator, isTime) {
        case (UInt8(ascii: "W"), false): "w"
        case (UInt8(ascii: "D"), false): "d"
        case (UInt8(ascii: "H"), true): "h"
        case (UInt8(ascii: "M"), true): "m"
        case (UInt8(ascii: "S"), true): "s"
        default: nil
        }
    }

    private static func nanoseconds(_ digits: some Collection<UInt8>, scale: Int64) -> Int64? {
        let text = String(decoding: digits, as: UTF8.self)
        guard let first = text.first, first != ".", text.last != "." else { return nil }
        if let whole = Int64(text) {
            let (product, overflow) = whole.multipliedReportingOverflow(by: scale)
            return overflow ? nil : product
        }
        guard let number = Double(text) else { return nil }
        return Int64(exactly: (number * Double(scale)).rounded())
    }
}

/// A number of bytes as people write it.
package enum ByteQuantity {
    private static let units: [String: Int64] = [
        "": 1, "b": 1, "kb": 1_000, "mb": 1_000_000, "gb": 1_000_000_000, "tb": 1_000_000_000_000,
        "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
    ]

    /// What ``parse(_:)`` accepts, for error messages.
    package static let form = "a size such as 512MiB, 10GB or 1000000"

    /// Reads `64MiB`, `10 GB`, `1.5GiB` or plain bytes; nil for anything else.
    package static func parse(_ text: String) -> Int64? {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = text.dropFirst(number.count).drop { $0 == " " }
        guard let first = number.first, first != ".", number.last != ".", let scale = units[unit.lowercased()] else {
            return nil
        }
        if let whole = Int64(number) {
            let (product, overflow) = whole.multipliedReportingOverflow(by: scale)
            return overflow ? nil : product
        }
        return Double(number).flatMap { Int64(exactly: ($0 * Double(scale)).rounded()) }
    }
}
