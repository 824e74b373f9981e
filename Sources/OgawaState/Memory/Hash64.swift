/// A 64-bit hash of bytes under a seed that senders cannot know, so that they cannot make keys collide.
///
/// **Source.** The mixing scheme of wyhash, final version 4 (public domain, Wang Yi).
@inline(__always)
func hash64(_ bytes: ByteSlice, seed: UInt64) -> UInt64 {
    let secret0: UInt64 = 0xa076_1d64_78bd_642f
    let secret1: UInt64 = 0xe703_7ed1_a0b4_28db
    var place = bytes.base
    let count = bytes.count
    var state = seed ^ secret0
    var first: UInt64
    var second: UInt64
    if count <= 16 {
        if count >= 4 {
            let middle = (count >> 3) << 2
            first = read4(place, 0) << 32 | read4(place, middle)
            second = read4(place, count &- 4) << 32 | read4(place, count &- 4 &- middle)
        } else if count > 0 {
            first = UInt64(bytes[0]) << 16 | UInt64(bytes[count >> 1]) << 8 | UInt64(bytes[count &- 1])
            second = 0
        } else {
            first = 0
            second = 0
        }
    } else {
        var rest = count
        while rest > 16 {
            state = mix(read8(place, 0) ^ secret1, read8(place, 8) ^ state)
            place += 16
            rest &-= 16
        }
        first = read8(place, rest &- 16)
        second = read8(place, rest &- 8)
    }
    let product = (first ^ secret1).multipliedFullWidth(by: second ^ state)
    return mix(product.low ^ secret0 ^ UInt64(truncatingIfNeeded: count), product.high ^ secret1)
}

@inline(__always)
private func mix(_ first: UInt64, _ second: UInt64) -> UInt64 {
    let product = first.multipliedFullWidth(by: second)
    return product.high ^ product.low
}

@inline(__always)
private func read8(_ place: UnsafeRawPointer, _ offset: Int) -> UInt64 {
    place.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
}

@inline(__always)
private func read4(_ place: UnsafeRawPointer, _ offset: Int) -> UInt64 {
    UInt64(place.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
}
