import OgawaCore

// What operators remember, as bytes: a sequence of fields in the order in which the operator writes them, all little-endian, without
// names. The one who stores the bytes adds version, length and checksum; the reader checks every length all the same, so that
// damaged bytes end in an error and never in a trap.

/// Collects the state of operators.
package struct StateWriter {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package mutating func write(_ value: Int64) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func write(_ value: UInt64) { write(Int64(bitPattern: value)) }

    package mutating func write(_ value: Int) { write(Int64(value)) }

    package mutating func write(_ value: Double) { write(value.bitPattern) }

    package mutating func write(_ flag: Bool) { bytes.append(flag ? 1 : 0) }

    package mutating func write(_ value: Int128) {
        write(UInt64(truncatingIfNeeded: value))
        write(Int64(truncatingIfNeeded: value >> 64))
    }

    package mutating func write(_ raw: UnsafeRawBufferPointer) {
        write(raw.count)
        bytes.append(contentsOf: raw)
    }

    package mutating func write(_ text: String) {
        var text = text
        text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
    }

    /// Writes an array of numbers without references as it lies in memory.
    package mutating func write<Element: BitwiseCopyable>(_ values: [Element]) {
        values.withUnsafeBytes { write($0) }
    }

    /// Writes a column with its own copies of text.
    package mutating func write(_ column: Column) {
        write(column.count)
        for row in 0..<column.count {
            bytes.append(column.tags[row])
            if TagSet.heaped.contains(column.tag(at: row).set) {
                write(UnsafeRawBufferPointer(column.heap.bytes(column.values[row])))
            } else {
                write(column.values[row])
            }
        }
    }

    package mutating func write(_ value: Value) {
        let column = Column(heap: TextHeap(capacity: 64))
        column.append(value)
        write(column)
    }
}

/// Stored state that cannot be read.
package struct StateError: Error, CustomStringConvertible {
    package init() {}
    package var description: String { "the stored state is damaged or of another function" }
}

/// Gives fields back in the order in which a ``StateWriter`` took them.
package struct StateReader {
    private let bytes: [UInt8]
    private var position = 0

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Whether every field was read.
    package var isAtEnd: Bool { position == bytes.count }

    private mutating func take(_ count: Int) throws(StateError) -> Range<Int> {
        guard count >= 0, count <= bytes.count - position else { throw StateError() }
        defer { position += count }
        return position..<position + count
    }

    package mutating func readInt64() throws(StateError) -> Int64 {
        let range = try take(8)
        return bytes.withUnsafeBytes {
            Int64(littleEndian: $0.loadUnaligned(fromByteOffset: range.lowerBound, as: Int64.self))
        }
    }

    package mutating func readUInt64() throws(StateError) -> UInt64 { UInt64(bitPattern: try readInt64()) }

    package mutating func readInt() throws(StateError) -> Int { Int(truncatingIfNeeded: try readInt64()) }

    /// A number of things that follow, each of at least `size` bytes.
    package mutating func readCount(ofSize size: Int = 1) throws(StateError) -> Int {
        let count = try readInt()
        guard count >= 0, count <= (bytes.count - position) / max(1, size) else { throw StateError() }
        return count
    }

    package mutating func readDouble() throws(StateError) -> Double { Double(bitPattern: try readUInt64()) }

    package mutating func readBool() throws(StateError) -> Bool { bytes[try take(1).lowerBound] != 0 }

    package mutating func readInt128() throws(StateError) -> Int128 {
        let low = try readUInt64()
        return Int128(try readInt64()) << 64 | Int128(low)
    }

    package mutating func readBytes() throws(StateError) -> [UInt8] {
        let count = try readCount()
        return Array(bytes[try take(count)])
    }

    package mutating func readString() throws(StateError) -> String { String(decoding: try readBytes(), as: UTF8.self) }

    package mutating func readArray<Element: BitwiseCopyable>(of type: Element.Type) throws(StateError) -> [Element] {
        let byteCount = try readCount()
        let stride = MemoryLayout<Element>.stride
        let range = try take(byteCount)
        guard byteCount % stride == 0 else { throw StateError() }
        return bytes.withUnsafeBytes { raw in
            (0..<byteCount / stride).map {
                raw.loadUnaligned(fromByteOffset: range.lowerBound + $0 * stride, as: Element.self)
            }
        }
    }

    /// Adds the rows of a stored column to another.
    package mutating func read(into column: Column) throws(StateError) {
        let count = try readCount()
        for _ in 0..<count {
            guard let tag = ValueTag(rawValue: bytes[try take(1).lowerBound]) else { throw StateError() }
            guard TagSet.heaped.contains(tag.set) else {
                column.append(tag, try readUInt64())
                continue
            }
            let text = try readBytes()
            column.append(
                tag,
                text.withUnsafeBufferPointer { $0.baseAddress.map { column.heap.append($0, count: text.count) } ?? 0 })
        }
    }

    package mutating func readValue() throws(StateError) -> Value {
        let column = Column(heap: TextHeap(capacity: 64))
        try read(into: column)
        guard column.count == 1 else { throw StateError() }
        return column.value(at: 0)
    }
}
