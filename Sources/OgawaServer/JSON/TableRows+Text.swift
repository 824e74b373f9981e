import OgawaCore
import OgawaStore

extension TableRows {
    /// The rows as one JSON object; a value that a row does not have is null.
    package func json() -> [UInt8] {
        var writer = JSONWriter(reserving: 64 + rows.count * columns.count * 24)
        writer.object {
            $0.member("table", table)
            $0.member("columns", columns)
            $0.name("rows")
            $0.array {
                for row in rows {
                    $0.object {
                        for (column, value) in zip(columns, row) {
                            $0.name(column)
                            $0.value(value)
                        }
                    }
                }
            }
        }
        return writer.bytes
    }

    /// The rows as CSV after RFC 4180, with a line of column names.
    ///
    /// **Shape.** Null is an empty field and an empty text is `""`, so that the two can be told apart.
    package func csv() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(64 + rows.count * columns.count * 16)
        appendLine(columns.map { .text($0) }, to: &bytes)
        for row in rows { appendLine(row, to: &bytes) }
        return bytes
    }
}

private func appendLine(_ values: [Value], to bytes: inout [UInt8]) {
    for (index, value) in values.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        switch value {
        case .null: break
        case .bigint(let number): bytes.append(contentsOf: String(number).utf8)
        case .float(let number): if number.isFinite { bytes.append(contentsOf: number.description.utf8) }
        case .bit(let flag): bytes.append(contentsOf: (flag ? "true" : "false").utf8)
        case .datetime(let time): bytes.append(contentsOf: time.description.utf8)
        case .text(let text): appendField(text, to: &bytes)
        case .record(let json), .array(let json): appendField(json, to: &bytes)
        }
    }
    bytes.append(contentsOf: "\r\n".utf8)
}

/// A text field, in quotes where a reader would otherwise take part of it for structure or trim it.
private func appendField(_ text: String, to bytes: inout [UInt8]) {
    let needsQuotes =
        text.isEmpty || text.utf8.first == 0x20 || text.utf8.last == 0x20
        || text.utf8.contains { $0 == 0x22 || $0 == 0x2c || $0 == 0x0a || $0 == 0x0d }
    guard needsQuotes else {
        bytes.append(contentsOf: text.utf8)
        return
    }
    bytes.append(0x22)
    for byte in text.utf8 {
        if byte == 0x22 { bytes.append(0x22) }
        bytes.append(byte)
    }
    bytes.append(0x22)
}
