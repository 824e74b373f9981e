#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Bytes that grow at the end, kept behind a pointer so that appending costs no checks and no reference counts.
///
/// **Isolation.** One thread at a time; the owner calls ``free()`` once.
struct GrowingBytes {
    private(set) var base: UnsafeMutableRawPointer
    private(set) var count = 0
    private(set) var capacity: Int

    init(capacity: Int = 256) {
        self.capacity = max(16, capacity)
        base = UnsafeMutableRawPointer.allocate(byteCount: self.capacity, alignment: 16)
    }

    func free() { base.deallocate() }

    /// A new buffer behind a pointer of its own.
    static func make(capacity: Int = 256) -> UnsafeMutablePointer<GrowingBytes> {
        let pointer = UnsafeMutablePointer<GrowingBytes>.allocate(capacity: 1)
        pointer.initialize(to: GrowingBytes(capacity: capacity))
        return pointer
    }

    var slice: ByteSlice { ByteSlice(base, count) }
    var raw: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// The end of the bytes, where `reserve` has made room.
    @inline(__always)
    var end: UnsafeMutableRawPointer { base + count }

    @inline(__always)
    mutating func reserve(_ more: Int) {
        if capacity - count < more { grow(more) }
    }

    @inline(never)
    private mutating func grow(_ more: Int) {
        let wanted = max(capacity * 2, count + more)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 16)
        memcpy(larger, base, count)
        base.deallocate()
        base = larger
        capacity = wanted
    }

    /// Bytes written behind the end now belong to the buffer.
    @inline(__always)
    mutating func advance(_ written: Int) { count &+= written }

    @inline(__always)
    mutating func append(_ bytes: ByteSlice) {
        reserve(bytes.count)
        memcpy(base + count, bytes.base, bytes.count)
        count &+= bytes.count
    }

    @inline(__always)
    mutating func append(byte: UInt8) {
        reserve(1)
        base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count &+= 1
    }

    @inline(__always)
    mutating func append(_ text: StaticString) {
        append(ByteSlice(UnsafeRawPointer(text.utf8Start), text.utf8CodeUnitCount))
    }

    mutating func append(text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0).slice) }
    }

    /// Appends a whole number in decimal digits.
    @inline(__always)
    mutating func append(number: Int64) {
        reserve(20)
        count &+= writeDigits(number, to: base + count)
    }

    mutating func removeAll() { count = 0 }

    mutating func truncate(to newCount: Int) { count = min(count, newCount) }

    /// Drops bytes at the front.
    mutating func removeFirst(_ dropped: Int) {
        guard dropped > 0 else { return }
        count -= dropped
        memmove(base, base + dropped, count)
    }

    /// Gives memory back after a burst.
    mutating func shrink(to limit: Int) {
        guard capacity > limit, count <= limit else { return }
        let smaller = UnsafeMutableRawPointer.allocate(byteCount: limit, alignment: 16)
        memcpy(smaller, base, count)
        base.deallocate()
        base = smaller
        capacity = limit
    }
}

/// Writes decimal digits, at most 20 bytes; returns how many.
@inline(__always)
func writeDigits(_ number: Int64, to target: UnsafeMutableRawPointer) -> Int {
    if number >= 0, number < 10 {
        target.storeBytes(of: UInt8(truncatingIfNeeded: number) &+ 48, as: UInt8.self)
        return 1
    }
    return writeManyDigits(number, to: target)
}

private func writeManyDigits(_ number: Int64, to target: UnsafeMutableRawPointer) -> Int {
    var digitCount = number < 0 ? 1 : 0
    var rest = number.magnitude
    while rest > 0 {
        digitCount &+= 1
        rest /= 10
    }
    rest = number.magnitude
    var place = digitCount
    while rest > 0 {
        place &-= 1
        target.storeBytes(of: UInt8(truncatingIfNeeded: rest % 10) &+ 48, toByteOffset: place, as: UInt8.self)
        rest /= 10
    }
    if number < 0 { target.storeBytes(of: UInt8(ascii: "-"), as: UInt8.self) }
    return digitCount
}
