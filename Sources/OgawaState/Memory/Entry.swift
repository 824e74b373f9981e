#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What a key holds.
enum ValueKind: UInt8 {
    case string
    case list
    case hash
    case set
    case sortedSet
}

/// Counts the bytes that a store has taken, so that a limit can be held.
struct Heap {
    var byteCount = 0

    mutating func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
        self.byteCount &+= byteCount &+ Heap.overhead
        return UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 16)
    }

    mutating func free(_ pointer: UnsafeMutableRawPointer, _ byteCount: Int) {
        self.byteCount &-= byteCount &+ Heap.overhead
        pointer.deallocate()
    }

    /// What the allocator keeps beside each block.
    static let overhead = 8
}

/// A key with its value in one block of memory: the entry of the key space, a field of a hash, a member of a set.
///
///     byte 0       8            12     13..15   16             20         24                     32
///          | hash | key count  | kind | unused | value count | capacity | expiry or score      | key | value …
///
/// `capacity` counts the bytes behind the 32. A string's value stands there itself; other kinds keep a pointer.
struct Entry: Equatable {
    let raw: UnsafeMutableRawPointer

    static let headerByteCount = 32

    @inline(__always)
    init(_ raw: UnsafeMutableRawPointer) { self.raw = raw }

    @inline(__always)
    var hash: UInt64 { raw.load(as: UInt64.self) }

    @inline(__always)
    var keyCount: Int { Int(raw.load(fromByteOffset: 8, as: UInt32.self)) }

    @inline(__always)
    var kind: ValueKind {
        // SAFETY: written by `make` from a ValueKind, and by nothing else.
        unsafeBitCast(raw.load(fromByteOffset: 12, as: UInt8.self), to: ValueKind.self)
    }

    @inline(__always)
    var valueCount: Int {
        get { Int(raw.load(fromByteOffset: 16, as: UInt32.self)) }
        nonmutating set { raw.storeBytes(of: UInt32(truncatingIfNeeded: newValue), toByteOffset: 16, as: UInt32.self) }
    }

    @inline(__always)
    var capacity: Int { Int(raw.load(fromByteOffset: 20, as: UInt32.self)) }

    /// Milliseconds since 1970 at which the key ends; 0 for never.
    @inline(__always)
    var expiry: Int64 {
        get { raw.load(fromByteOffset: 24, as: Int64.self) }
        nonmutating set { raw.storeBytes(of: newValue, toByteOffset: 24, as: Int64.self) }
    }

    /// The score of a sorted set's member, in the place of the expiry.
    @inline(__always)
    var score: Double {
        get { raw.load(fromByteOffset: 24, as: Double.self) }
        nonmutating set { raw.storeBytes(of: newValue, toByteOffset: 24, as: Double.self) }
    }

    @inline(__always)
    var key: ByteSlice { ByteSlice(raw + Entry.headerByteCount, keyCount) }

    @inline(__always)
    var valueBase: UnsafeMutableRawPointer { raw + (Entry.headerByteCount &+ keyCount) }

    @inline(__always)
    var value: ByteSlice { ByteSlice(valueBase, valueCount) }

    /// Bytes that a value may have without a new block.
    @inline(__always)
    var valueCapacity: Int { capacity &- keyCount }

    /// The pointer of a value that is not a string.
    @inline(__always)
    var object: UnsafeMutableRawPointer {
        get { valueBase.loadUnaligned(as: UnsafeMutableRawPointer.self) }
        nonmutating set { valueBase.storeBytes(of: newValue, as: UnsafeMutableRawPointer.self) }
    }

    /// Overwrites the value; the caller has seen that it fits.
    @inline(__always)
    func store(_ value: ByteSlice) {
        // The new value may lie in the old one, as after `SET a` with the bytes of a reply.
        memmove(valueBase, value.base, value.count)
        valueCount = value.count
    }

    /// Makes an entry with room for a value.
    static func make(
        _ heap: UnsafeMutablePointer<Heap>, hash: UInt64, key: ByteSlice, kind: ValueKind, valueCapacity: Int
    ) -> Entry {
        // Blocks of 16 n + 8 bytes are what the allocator gives without loss.
        let total = ((headerByteCount + key.count + valueCapacity + 8 + 15) & ~15) - 8
        let raw = heap.pointee.allocate(total)
        raw.storeBytes(of: hash, as: UInt64.self)
        raw.storeBytes(of: UInt32(truncatingIfNeeded: key.count), toByteOffset: 8, as: UInt32.self)
        raw.storeBytes(of: UInt32(kind.rawValue), toByteOffset: 12, as: UInt32.self)
        raw.storeBytes(of: 0, toByteOffset: 16, as: UInt32.self)
        raw.storeBytes(of: UInt32(truncatingIfNeeded: total - headerByteCount), toByteOffset: 20, as: UInt32.self)
        raw.storeBytes(of: 0, toByteOffset: 24, as: Int64.self)
        memcpy(raw + headerByteCount, key.base, key.count)
        return Entry(raw)
    }

    /// Gives the block back, not what it points to.
    @inline(__always)
    func free(_ heap: UnsafeMutablePointer<Heap>) { heap.pointee.free(raw, Entry.headerByteCount + capacity) }
}
