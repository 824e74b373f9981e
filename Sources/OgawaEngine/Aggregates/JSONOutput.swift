import OgawaCore
import OgawaJSON

/// Writes values as JSON text at the end of a heap, in the form that outputs have: datetimes as ISO 8601 text, bits as true and false.
enum JSONOutput {
    static func append(_ text: String, to heap: TextHeap) { _ = heap.append(text) }

    /// Appends one value; its column may lie on the same heap.
    static func append(_ operand: Operand, _ row: Int, to heap: TextHeap) {
        let bits = operand.bits(row)
        switch operand.tag(row) {
        case .null: append("null", to: heap)
        case .bigint: append(String(Int64(bitPattern: bits)), to: heap)
        case .float:
            let number = Double(bitPattern: bits)
            append(number.isFinite ? formatNumber(number) : "null", to: heap)
        case .bit: append(bits != 0 ? "true" : "false", to: heap)
        case .datetime: append("\"\(Timestamp(ticks: Int64(bitPattern: bits)))\"", to: heap)
        case .text:
            // With the room made first, the bytes stay where they are, also on this heap.
            heap.reserve(Int(bits >> 32) * 6 + 2)
            append(quoted: operand.column.heap.bytes(bits), to: heap)
        case .record, .array:
            heap.reserve(Int(bits >> 32))
            let bytes = operand.column.heap.bytes(bits)
            if let base = bytes.baseAddress { _ = heap.append(base, count: bytes.count) }
        }
    }

    private static let digits = Array("0123456789abcdef".utf8)

    /// Appends text with quotes; room for six bytes per byte is there.
    static func append(quoted text: UnsafeBufferPointer<UInt8>, to heap: TextHeap) {
        func put(_ byte: UInt8) {
            heap.base[heap.count] = byte
            heap.count += 1
        }
        put(UInt8(ascii: "\""))
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                put(UInt8(ascii: "\\"))
                put(byte)
            case UInt8(ascii: "\n"):
                put(UInt8(ascii: "\\"))
                put(UInt8(ascii: "n"))
            case 0..<0x20:
                for escape in "\\u00".utf8 { put(escape) }
                put(digits[Int(byte >> 4)])
                put(digits[Int(byte & 15)])
            default: put(byte)
            }
        }
        put(UInt8(ascii: "\""))
    }
}
