import COgawaJSON
import OgawaCore

/// Writes rows as JSON lines.
///
/// **Shape.** One object and `\n` per row, members in column order; datetimes as ISO 8601 with 7 digits and `Z`, bits as true/false, floats
/// as the shortest text that reads back the same (whole ones keep `.0`), NULL as null. A spread column's members stand in place
/// unless a named column of the row has their name.
/// **Isolation.** Owned by one runner; the buffer is reused.
/// **Complexity and allocation.** No allocation per row.
package final class RowEncoder {
    private var buffer = ogj_buffer(base: nil, count: 0, capacity: 0)

    package init() {}

    deinit { ogj_buffer_free(&buffer) }

    /// The encoded bytes since the last ``clear()``; valid until the next call.
    package var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: buffer.base, count: buffer.count) }

    /// Forgets the encoded bytes and keeps the room.
    package func clear() { buffer.count = 0 }

    /// Appends the rows; returns where each line lies in ``bytes``, without its line end.
    package func encode(_ rows: RowBatch) -> [ByteSlice] {
        var lines = [ByteSlice](repeating: ByteSlice(start: 0, count: 0), count: rows.count)
        lines.withUnsafeMutableBufferPointer { lines in
            lines.withMemoryRebound(to: ogj_slice.self) { append(rows, lines: $0.baseAddress) }
        }
        return lines
    }

    /// Appends the rows as lines that nobody needs to tell apart.
    package func append(_ rows: RowBatch) { append(rows, lines: nil) }

    private func append(_ rows: RowBatch, lines: UnsafeMutablePointer<ogj_slice>?) {
        guard rows.count > 0 else { return }
        var arena = CStringArena()
        var items: [ogj_item] = []
        var named: [String] = []
        for item in rows.items {
            if case .named(let name) = item { named.append(name) }
        }
        for (item, column) in zip(rows.items, rows.columns) {
            var target = ogj_item()
            target.tags = UnsafePointer(column.tags)
            target.values = UnsafePointer(column.values)
            target.heap = UnsafePointer(column.heap.base)
            switch item {
            case .named(let name):
                let label = arena.store(RowEncoder.label(name))
                target.label = label.base
                target.label_length = label.count
            case .spread(let excluded):
                let names = arena.storeList((excluded + named).map { Array($0.utf8) })
                target.excluded = names.pointers
                target.excluded_lengths = names.counts
                target.excluded_count = names.count
            }
            items.append(target)
        }
        let status = ogj_encode_rows(items, items.count, rows.count, &buffer, lines)
        arena.free()
        precondition(status == 0, "RowEncoder: out of memory")
    }

    /// `"name":` with the name escaped as JSON.
    private static func label(_ name: String) -> [UInt8] {
        var label: [UInt8] = [UInt8(ascii: "\"")]
        let digits = Array("0123456789abcdef".utf8)
        for byte in name.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): label += [UInt8(ascii: "\\"), byte]
            case 0..<0x20:
                label += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: label.append(byte)
            }
        }
        return label + [UInt8(ascii: "\""), UInt8(ascii: ":")]
    }
}

/// Byte strings at stable addresses for the length of one call into C.
private struct CStringArena {
    private var blocks: [UnsafeMutableRawPointer] = []

    mutating func store(_ bytes: [UInt8]) -> (base: UnsafePointer<CChar>, count: Int) {
        let block = UnsafeMutableRawPointer.allocate(byteCount: max(1, bytes.count), alignment: 16)
        block.copyMemory(from: bytes, byteCount: bytes.count)
        blocks.append(block)
        return (UnsafePointer(block.assumingMemoryBound(to: CChar.self)), bytes.count)
    }

    mutating func storeList(
        _ list: [[UInt8]]
    ) -> (pointers: UnsafePointer<UnsafePointer<CChar>?>, counts: UnsafePointer<Int>, count: Int) {
        let stored = list.map { store($0) }
        let pointers = UnsafeMutablePointer<UnsafePointer<CChar>?>.allocate(capacity: max(1, list.count))
        let counts = UnsafeMutablePointer<Int>.allocate(capacity: max(1, list.count))
        for (index, text) in stored.enumerated() {
            (pointers + index).initialize(to: text.base)
            (counts + index).initialize(to: text.count)
        }
        blocks.append(UnsafeMutableRawPointer(pointers))
        blocks.append(UnsafeMutableRawPointer(counts))
        return (UnsafePointer(pointers), UnsafePointer(counts), list.count)
    }

    mutating func free() {
        for block in blocks { block.deallocate() }
        blocks = []
    }
}
