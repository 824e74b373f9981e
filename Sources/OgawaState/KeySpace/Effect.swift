/// What a change does to one key.
///
/// Commands are remembered as their effects, so that reading them back needs neither clock
/// nor chance, and each can be passed over by itself where a snapshot holds it already.
enum EffectKind: UInt8 {
    /// key, value, expiry in `number` (0 for none).
    case setString = 1
    case delete = 2
    /// expiry in `number`, 0 to take it away.
    case setExpiry = 3
    /// key, field, value.
    case setField = 4
    case removeField = 5
    case pushFront = 6
    case pushBack = 7
    /// count in `number`.
    case popFront = 8
    case popBack = 9
    /// index in `number`.
    case setItem = 10
    /// the count of LREM in `number`, its sign included.
    case removeItems = 11
    /// member, the bits of the score in `number`.
    case setScore = 12
    case removeScore = 13
    case addMember = 14
    case removeMember = 15
    /// Everything in the database.
    case clear = 16
    /// bytes to add to a string.
    case append = 17

    // Only in snapshots.

    /// The snapshot holds the database's keys with hashes below `number` (0: all), as of the sequence in the key's place.
    case rangeMark = 32
    /// A large key begins, as of the sequence in the first argument; what was read of it before is void.
    case beginKey = 33
    /// Of a large key, the parts with hashes below `number` (0: all) are there as of the sequence in the first argument.
    case fieldMark = 34
    /// The end: effects in `number`, first argument the sequence that the journal must reach.
    case end = 35
}

/// An effect with the bytes it needs, which belong to the buffer it was read from.
struct Effect {
    var kind: EffectKind
    var database: Int
    var key: ByteSlice
    var first: ByteSlice
    var second: ByteSlice
    var number: Int64

    /// byte 0: kind; 1: database; 2..3: zero; 4, 8, 12: counts of key, first and second; 16: number; 24: key, first, second.
    static let headerByteCount = 24

    /// Reads the effect at a position and moves behind it; nil where the bytes are none.
    static func read(_ bytes: UnsafeRawBufferPointer, _ position: inout Int) -> Effect? {
        let rest = bytes.count - position
        guard rest >= headerByteCount, let base = bytes.baseAddress.map({ $0 + position }) else { return nil }
        let keyCount = Int(UInt32(littleEndian: base.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
        let firstCount = Int(UInt32(littleEndian: base.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
        let secondCount = Int(UInt32(littleEndian: base.loadUnaligned(fromByteOffset: 12, as: UInt32.self)))
        let total = headerByteCount + keyCount + firstCount + secondCount
        let database = Int(base.load(fromByteOffset: 1, as: UInt8.self))
        guard rest >= total, database < KeySpace.databaseCount,
            let kind = EffectKind(rawValue: base.load(as: UInt8.self))
        else { return nil }
        position += total
        let key = base + headerByteCount
        return Effect(
            kind: kind, database: database, key: ByteSlice(key, keyCount), first: ByteSlice(key + keyCount, firstCount),
            second: ByteSlice(key + keyCount + firstCount, secondCount),
            number: Int64(littleEndian: base.loadUnaligned(fromByteOffset: 16, as: Int64.self)))
    }
}

extension GrowingBytes {
    /// Appends an effect.
    @inline(__always)
    mutating func append(
        _ kind: EffectKind, _ database: Int, _ key: ByteSlice, _ first: ByteSlice, _ second: ByteSlice, _ number: Int64
    ) {
        let total = Effect.headerByteCount &+ key.count &+ first.count &+ second.count
        reserve(total)
        let target = end
        target.storeBytes(of: UInt32(kind.rawValue) | UInt32(truncatingIfNeeded: database) << 8, as: UInt32.self)
        target.storeBytes(of: UInt32(truncatingIfNeeded: key.count).littleEndian, toByteOffset: 4, as: UInt32.self)
        target.storeBytes(of: UInt32(truncatingIfNeeded: first.count).littleEndian, toByteOffset: 8, as: UInt32.self)
        target.storeBytes(of: UInt32(truncatingIfNeeded: second.count).littleEndian, toByteOffset: 12, as: UInt32.self)
        target.storeBytes(of: number.littleEndian, toByteOffset: 16, as: Int64.self)
        var place = target + Effect.headerByteCount
        place.copyMemory(from: key.base, byteCount: key.count)
        place += key.count
        place.copyMemory(from: first.base, byteCount: first.count)
        place += first.count
        place.copyMemory(from: second.base, byteCount: second.count)
        advance(total)
    }
}

/// Effects that wait to be written to the journal.
struct EffectLog {
    var bytes = EffectLog.makeBuffer()
    /// The number of the next effect, counted from 0 over the life of the store.
    var nextSequence: UInt64 = 0
    /// Whether effects are kept; off while they are read back, and for a store without files.
    var isOn = false

    @inline(__always)
    mutating func append(
        _ kind: EffectKind, _ database: Int, _ key: ByteSlice, _ first: ByteSlice, _ second: ByteSlice, _ number: Int64
    ) {
        guard isOn else { return }
        bytes.append(kind, database, key, first, second, number)
        nextSequence &+= 1
    }
}
