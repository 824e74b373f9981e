import OgawaCore

// Keys become dense numbers, so that state lives in flat arrays. A key is stored once as bytes: per value a tag and
// either 8 bytes or a length and the text. Numbers that are equal are one key (1 and 1.0), NULL is a key of its own.
// The table is open-addressed with linear probing at a load of at most 1/2; its hash is seeded per process, so
// that nobody can prepare colliding device names. Numbers are given in order of first appearance, whatever the seed.
//
// The usual key is one text. A batch of these is looked up in three passes, hashes, then table slots, then stored bytes, so that
// the processor waits for many cache misses at once; a row whose key is not found that way goes the ordinary way.

/// Gives each distinct key a dense number from 0.
///
/// **Complexity and allocation.** No allocation per row once the arrays have grown. At most 40 bytes a key and its text.
/// **Isolation.** Owned by one operator.
package final class KeyInterner {
    /// A hash (upper half) and a key number (lower half) per slot; all bits set where the slot is free.
    private var table: UnsafeMutablePointer<UInt64>
    private var tableCount = 64
    private var candidates: [UInt64] = []
    private var hashes: [UInt32] = []
    private var starts: [UInt32] = [0]
    private let arena = TextHeap(capacity: 1024)
    private let scratch = TextHeap(capacity: 256)
    // SAFETY: no result depends on the seed: numbers are given in order of first appearance, whatever the hash.
    private static let seed = UInt64.random(in: .min ... .max)

    package init() { table = KeyInterner.freeTable(tableCount) }

    deinit { table.deallocate() }

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
        if keys.count == 1, !keys[0].isConstant, keys[0].column.isUniform(.text) {
            return internTexts(keys[0].column, count: count, into: &ids)
        }
        for row in 0..<count {
            scratch.count = 0
            for key in keys { encode(key, row) }
            ids.append(find(hash: hash(scratch.base, scratch.count), scratch.base, scratch.count))
        }
    }

    /// Writes the key number of every row, `UInt32.max` for a key that is not known; adds none.
    func find(_ keys: [Operand], count: Int, into ids: inout [UInt32]) {
        ids.removeAll(keepingCapacity: true)
        for row in 0..<count {
            scratch.count = 0
            for key in keys { encode(key, row) }
            ids.append(known(hash: hash(scratch.base, scratch.count), scratch.base, scratch.count))
        }
    }

    private func known(hash: UInt32, _ bytes: UnsafeMutablePointer<UInt8>, _ byteCount: Int) -> UInt32 {
        var slot = Int(hash) & (tableCount - 1)
        while table[slot] != .max {
            let id = UInt32(truncatingIfNeeded: table[slot])
            if table[slot] >> 32 == UInt64(hash), isEqual(Int(id), bytes, byteCount) { return id }
            slot = (slot + 1) & (tableCount - 1)
        }
        return .max
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
        let end = Int(starts[Int(id) + 1])
        for column in columns {
            let tag = cursor < end ? ValueTag(rawValue: arena.base[cursor]) ?? .null : .null
            cursor += 1
            switch tag {
            case .null: column.append(.null, 0)
            case .text, .record, .array:
                // Only stored keys that were damaged end early.
                let left = max(0, end - cursor - 4)
                let count = min(left, Int(UInt32(truncatingIfNeeded: load(cursor, byteCount: 4))))
                column.append(tag, column.heap.append(arena.base + cursor + 4, count: count))
                cursor += 4 + count
            default:
                column.append(tag, load(cursor, byteCount: 8))
                cursor += 8
            }
        }
    }

    /// Writes every key in the order of the numbers.
    package func save(to writer: inout StateWriter) {
        writer.write(starts)
        writer.write(UnsafeRawBufferPointer(start: arena.base, count: arena.count))
    }

    /// Takes saved keys; hashes are made anew, because their seed is the process's own.
    package func restore(from reader: inout StateReader) throws {
        let ends = try reader.readArray(of: UInt32.self)
        let bytes = try reader.readBytes()
        guard ends.first == 0, ends.last.map(Int.init) == bytes.count,
            zip(ends, ends.dropFirst()).allSatisfy({ $0 <= $1 })
        else { throw StateError() }
        bytes.withUnsafeBufferPointer { bytes in
            for (start, end) in zip(ends, ends.dropFirst()) {
                _ = intern(UnsafeBufferPointer(rebasing: bytes[Int(start)..<Int(end)]))
            }
        }
        guard count == ends.count - 1 else { throw StateError() }
    }

    /// Forgets the keys that are not marked and numbers the others anew, in their order; returns the new number of each old one,
    /// `UInt32.max` for those forgotten.
    func forget(except isLive: [Bool]) -> [UInt32] {
        var numbers = Array(repeating: UInt32.max, count: count)
        let old = (starts: starts, hashes: hashes, bytes: TextHeap(capacity: arena.count))
        _ = old.bytes.append(arena.base, count: arena.count)
        arena.count = 0
        starts = [0]
        hashes = []
        for id in numbers.indices where isLive[id] {
            numbers[id] = UInt32(truncatingIfNeeded: hashes.count)
            hashes.append(old.hashes[id])
            let start = Int(old.starts[id])
            _ = arena.append(old.bytes.base + start, count: Int(old.starts[id + 1]) - start)
            starts.append(UInt32(truncatingIfNeeded: arena.count))
        }
        var size = 64
        while size < hashes.count * 2 { size *= 2 }
        tableCount = size / 2
        grow()
        return numbers
    }

    private func load(_ position: Int, byteCount: Int) -> UInt64 {
        guard position + byteCount <= arena.capacity else { return 0 }
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
        // A key of one text hashes as the text alone, which then needs no copy.
        let head = KeyInterner.textHeadCount
        if count >= head, bytes[0] == ValueTag.text.rawValue,
            UnsafeRawPointer(bytes).loadUnaligned(fromByteOffset: 1, as: UInt32.self).littleEndian == count - head
        {
            return KeyInterner.textHash(bytes + head, count - head)
        }
        return KeyInterner.textHash(bytes, count)
    }

    /// The tag and the byte count before a text.
    private static let textHeadCount = 5

    @inline(__always)
    private static func textHash(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> UInt32 {
        var hash = seed ^ UInt64(truncatingIfNeeded: count)
        let raw = UnsafeRawPointer(bytes)
        if count >= 8 {
            var index = 0
            while index &+ 8 < count {
                hash = mix(hash, raw.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                index &+= 8
            }
            hash = mix(hash, raw.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self))
        } else {
            var rest: UInt64 = 0
            for index in 0..<count { rest = rest << 8 | UInt64(bytes[index]) }
            hash = mix(hash, rest)
        }
        return UInt32(truncatingIfNeeded: hash ^ (hash >> 32))
    }

    @inline(__always)
    private static func mix(_ hash: UInt64, _ value: UInt64) -> UInt64 {
        let product = (hash ^ value).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        return product.high ^ product.low
    }

    private func internTexts(_ column: Column, count: Int, into ids: inout [UInt32]) {
        let (values, text, mask) = (column.values, column.heap.base, tableCount &- 1)
        if candidates.count < count { candidates = Array(repeating: 0, count: count) }
        ids.append(contentsOf: repeatElement(0, count: count))
        candidates.withUnsafeMutableBufferPointer { candidates in
            let table = table
            for row in 0..<count {
                let bits = values[row]
                candidates[row] = UInt64(
                    KeyInterner.textHash(text + Int(bits & 0xffff_ffff), Int(bits >> 32)))
            }
            for row in 0..<count {
                let hash = candidates[row]
                var slot = Int(truncatingIfNeeded: hash) & mask
                // A free slot ends the search: its number is not one, and the last pass adds the key.
                while table[slot] != .max, table[slot] >> 32 != hash { slot = (slot &+ 1) & mask }
                candidates[row] = hash << 32 | table[slot] & 0xffff_ffff
            }
        }
        ids.withUnsafeMutableBufferPointer { ids in
            for row in 0..<count {
                let candidate = UInt32(truncatingIfNeeded: candidates[row])
                let bits = values[row]
                let (bytes, byteCount) = (text + Int(bits & 0xffff_ffff), Int(bits >> 32))
                if candidate != .max, isText(Int(candidate), bytes, byteCount) {
                    ids[row] = candidate
                } else {
                    scratch.count = 0
                    encode(Operand(column: column, isConstant: false), row)
                    ids[row] = find(
                        hash: UInt32(truncatingIfNeeded: candidates[row] >> 32), scratch.base, scratch.count)
                }
            }
        }
    }

    /// Whether a key is one text with these bytes.
    @inline(__always)
    private func isText(_ id: Int, _ bytes: UnsafePointer<UInt8>, _ byteCount: Int) -> Bool {
        let head = KeyInterner.textHeadCount
        let (start, end) = starts.withUnsafeBufferPointer { (Int($0[id]), Int($0[id &+ 1])) }
        guard end &- start == byteCount &+ head, arena.base[start] == ValueTag.text.rawValue else { return false }
        return KeyInterner.isEqual(arena.base + start + head, bytes, byteCount)
    }

    @inline(__always)
    private static func isEqual(_ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        let (x, y) = (UnsafeRawPointer(a), UnsafeRawPointer(b))
        guard count >= 8 else {
            for index in 0..<count where a[index] != b[index] { return false }
            return true
        }
        var index = 0
        while index &+ 8 < count {
            if x.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                != y.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            {
                return false
            }
            index &+= 8
        }
        return x.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
            == y.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
    }

    private func find(hash: UInt32, _ bytes: UnsafeMutablePointer<UInt8>, _ byteCount: Int) -> UInt32 {
        let known = known(hash: hash, bytes, byteCount)
        if known != .max { return known }
        var slot = Int(hash) & (tableCount - 1)
        while table[slot] != .max { slot = (slot + 1) & (tableCount - 1) }
        let id = UInt32(truncatingIfNeeded: hashes.count)
        table[slot] = UInt64(hash) << 32 | UInt64(id)
        hashes.append(hash)
        _ = arena.append(bytes, count: byteCount)
        starts.append(UInt32(truncatingIfNeeded: arena.count))
        if hashes.count * 2 > tableCount { grow() }
        return id
    }

    private func isEqual(_ id: Int, _ bytes: UnsafeMutablePointer<UInt8>, _ byteCount: Int) -> Bool {
        let start = Int(starts[id])
        guard Int(starts[id + 1]) - start == byteCount else { return false }
        return KeyInterner.isEqual(arena.base + start, bytes, byteCount)
    }

    private static func freeTable(_ count: Int) -> UnsafeMutablePointer<UInt64> {
        let table = UnsafeMutablePointer<UInt64>.allocate(capacity: count)
        table.initialize(repeating: .max, count: count)
        return table
    }

    private func grow() {
        table.deallocate()
        tableCount *= 2
        table = KeyInterner.freeTable(tableCount)
        for (id, hash) in hashes.enumerated() {
            var slot = Int(hash) & (tableCount - 1)
            while table[slot] != .max { slot = (slot + 1) & (tableCount - 1) }
            table[slot] = UInt64(hash) << 32 | UInt64(id)
        }
    }
}
