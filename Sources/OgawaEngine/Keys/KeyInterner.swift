import OgawaCore

// Keys become dense numbers, so that state lives in flat arrays. A key is stored once as bytes: per value a tag and
// either 8 bytes or a length and the text. Numbers that are equal are one key (1 and 1.0), NULL is a key of its own.
// The table is open-addressed with linear probing at a load of at most 1/2; its hash is seeded per process, so
// that nobody can prepare colliding device names. Numbers are given in order of first appearance, whatever the seed.

/// Gives each distinct key a dense number from 0.
///
/// **Complexity and allocation.** No allocation per row once the arrays have grown. About 24 bytes a key and its text.
/// **Isolation.** Owned by one operator.
package final class KeyInterner {
    private var table: [UInt32]
    private var hashes: [UInt32] = []
    private var starts: [UInt32] = [0]
    private let arena = TextHeap(capacity: 1024)
    private let scratch = TextHeap(capacity: 256)
    // SAFETY: no result depends on the seed: numbers are given in order of first appearance, whatever the hash.
    private static let seed = UInt64.random(in: .min ... .max)

    package init() { table = Array(repeating: .max, count: 64) }

    /// The number of distinct keys.
    package var count: Int { hashes.count }

    /// Writes the key number of every row.
    ///
    /// - Parameter ids: overwritten, one element per row.
    func intern(_ keys: [Operand], count: Int, into ids: inout [UInt32]) {
        ids.removeAll(keepingCapacity: true)
        if keys.isEmpty {
            if hashes.isEmpty { _ = find(hash: 0, scratch.base, 0) }
            ids.append(contentsOf: repeatElement(0, count: count))
            return
        }
        for row in 0..<count {
            scratch.count = 0
            for key in keys { encode(key, row) }
            ids.append(find(hash: hash(scratch.base, scratch.count), scratch.base, scratch.count))
        }
    }

    /// The number of one key given as bytes; keys of this kind and of the other do not mix in one interner.
    package func intern(_ key: UnsafeBufferPointer<UInt8>) -> Int {
        scratch.count = 0
        if let base = key.baseAddress { _ = scratch.append(base, count: key.count) }
        return Int(find(hash: hash(scratch.base, scratch.count), scratch.base, scratch.count))
    }

    /// Writes the values of a key into one column per part.
    func decode(_ id: UInt32, into columns: ArraySlice<Column>) {
        var cursor = Int(starts[Int(id)])
        for column in columns {
            let tag = ValueTag(rawValue: arena.base[cursor]) ?? .null
            cursor += 1
            switch tag {
            case .null: column.append(.null, 0)
            case .text, .record, .array:
                let count = Int(UInt32(truncatingIfNeeded: load(cursor, byteCount: 4)))
                column.append(tag, column.heap.append(arena.base + cursor + 4, count: count))
                cursor += 4 + count
            default:
                column.append(tag, load(cursor, byteCount: 8))
                cursor += 8
            }
        }
    }

    private func load(_ position: Int, byteCount: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<byteCount { value |= UInt64(arena.base[position + index]) << UInt64(8 * index) }
        return value
    }

    @inline(__always)
    private func encode(_ key: Operand, _ row: Int) {
        let index = key.index(row)
        var tag = key.column.tags[index]
        var value = key.column.values[index]
        scratch.reserve(16)
        switch ValueTag(rawValue: tag) ?? .null {
        case .null:
            put(tag)
            return
        case .text, .record, .array:
            let bytes = key.column.heap.bytes(value)
            put(tag)
            put(UInt64(bytes.count), byteCount: 4)
            guard let base = bytes.baseAddress else { return }
            _ = scratch.append(base, count: bytes.count)
            return
        case .float:
            if let whole = Int64(exactly: Double(bitPattern: value)) {
                tag = ValueTag.bigint.rawValue
                value = UInt64(bitPattern: whole)
            }
        default: break
        }
        put(tag)
        put(value, byteCount: 8)
    }

    @inline(__always)
    private func put(_ byte: UInt8) {
        scratch.base[scratch.count] = byte
        scratch.count += 1
    }

    @inline(__always)
    private func put(_ value: UInt64, byteCount: Int) {
        var rest = value
        for _ in 0..<byteCount {
            put(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    @inline(__always)
    private func hash(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) -> UInt32 {
        var hash = KeyInterner.seed ^ UInt64(count)
        let raw = UnsafeRawPointer(bytes)
        var index = 0
        while index + 8 <= count {
            hash = mix(hash, raw.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            index += 8
        }
        var rest: UInt64 = 0
        while index < count {
            rest = rest << 8 | UInt64(bytes[index])
            index += 1
        }
        hash = mix(hash, rest)
        return UInt32(truncatingIfNeeded: hash ^ (hash >> 32))
    }

    @inline(__always)
    private func mix(_ hash: UInt64, _ value: UInt64) -> UInt64 {
        let product = (hash ^ value).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        return product.high ^ product.low
    }

    private func find(hash: UInt32, _ bytes: UnsafeMutablePointer<UInt8>, _ byteCount: Int) -> UInt32 {
        var slot = Int(hash) & (table.count - 1)
        while table[slot] != .max {
            let id = Int(table[slot])
            if hashes[id] == hash, isEqual(id, bytes, byteCount) { return UInt32(truncatingIfNeeded: id) }
            slot = (slot + 1) & (table.count - 1)
        }
        let id = UInt32(truncatingIfNeeded: hashes.count)
        table[slot] = id
        hashes.append(hash)
        _ = arena.append(bytes, count: byteCount)
        starts.append(UInt32(truncatingIfNeeded: arena.count))
        if hashes.count * 2 > table.count { grow() }
        return id
    }

    private func isEqual(_ id: Int, _ bytes: UnsafeMutablePointer<UInt8>, _ byteCount: Int) -> Bool {
        let start = Int(starts[id])
        guard Int(starts[id + 1]) - start == byteCount else { return false }
        let stored = arena.base + start
        for index in 0..<byteCount where stored[index] != bytes[index] { return false }
        return true
    }

    private func grow() {
        table = Array(repeating: .max, count: table.count * 2)
        for (id, hash) in hashes.enumerated() {
            var slot = Int(hash) & (table.count - 1)
            while table[slot] != .max { slot = (slot + 1) & (table.count - 1) }
            table[slot] = UInt32(truncatingIfNeeded: id)
        }
    }
}
