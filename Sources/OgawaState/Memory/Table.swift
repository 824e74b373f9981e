// The hash table under everything: key space, hashes, sets, members of sorted sets. Extendible hashing: a directory of segments,
// each with at most 256 slots and open addressing inside. A full segment is split in two, so growth never stops the commands for
// the size of the whole table, and a range of hashes, not a place in memory, names how far a walk has come: SCAN and the
// snapshot hold such a range while segments split under them.
//
// A slot is one word: 15 bits of the hash to compare without looking at the entry, the address of the entry, and a bit that
// tells that the entry has an expiry, so that the search for expired keys reads slots alone.

/// A slot's bits.
enum Slot {
    static let expiring: UInt64 = 1 << 63
    static let tagMask: UInt64 = 0x7fff << 48
    static let addressMask: UInt64 = (1 << 48) - 1

    @inline(__always)
    static func tag(_ hash: UInt64) -> UInt64 { (hash << 24) & tagMask }

    @inline(__always)
    static func entry(_ word: UInt64) -> Entry {
        // SAFETY: a word that is not 0 holds the address of an entry, which is never null.
        Entry(UnsafeMutableRawPointer(bitPattern: UInt(truncatingIfNeeded: word & addressMask)).unsafelyUnwrapped)
    }

    @inline(__always)
    static func word(_ entry: Entry, hash: UInt64) -> UInt64 {
        UInt64(UInt(bitPattern: entry.raw)) | tag(hash)
    }
}

/// Slots for the hashes that begin with the same `depth` bits.
struct Segment {
    let raw: UnsafeMutableRawPointer

    static let largestSlotCount = 256
    static let headerByteCount = 16

    @inline(__always)
    var mask: Int { Int(raw.load(as: UInt32.self)) }

    @inline(__always)
    var depth: Int { Int(raw.load(fromByteOffset: 4, as: UInt32.self)) }

    @inline(__always)
    var count: Int {
        get { Int(raw.load(fromByteOffset: 8, as: UInt32.self)) }
        nonmutating set { raw.storeBytes(of: UInt32(truncatingIfNeeded: newValue), toByteOffset: 8, as: UInt32.self) }
    }

    @inline(__always)
    var slots: UnsafeMutablePointer<UInt64> { (raw + Segment.headerByteCount).assumingMemoryBound(to: UInt64.self) }

    var byteCount: Int { Segment.headerByteCount + (mask + 1) * 8 }

    static func make(_ heap: UnsafeMutablePointer<Heap>, slotCount: Int, depth: Int) -> Segment {
        let byteCount = headerByteCount + slotCount * 8
        let raw = heap.pointee.allocate(byteCount)
        raw.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        raw.storeBytes(of: UInt32(truncatingIfNeeded: slotCount - 1), as: UInt32.self)
        raw.storeBytes(of: UInt32(truncatingIfNeeded: depth), toByteOffset: 4, as: UInt32.self)
        return Segment(raw: raw)
    }

    /// Puts a word into the first free slot from its home on.
    @inline(__always)
    func place(_ word: UInt64, hash: UInt64) {
        let mask = mask
        let slots = slots
        var index = Int(truncatingIfNeeded: hash) & mask
        while slots[index] != 0 { index = (index &+ 1) & mask }
        slots[index] = word
        count &+= 1
    }

    /// Empties a slot and moves back those that had to step aside for it.
    func remove(at index: Int) {
        let mask = mask
        let slots = slots
        var hole = index
        var next = index
        while true {
            next = (next &+ 1) & mask
            let word = slots[next]
            if word == 0 { break }
            let home = Int(truncatingIfNeeded: Slot.entry(word).hash) & mask
            if (next &- home) & mask >= (next &- hole) & mask {
                slots[hole] = word
                hole = next
            }
        }
        slots[hole] = 0
        count &-= 1
    }
}

/// A hash table of entries.
///
/// **Isolation.** One thread at a time. **Complexity.** Constant for find, insert and remove; a split costs one segment.
struct Table {
    let heap: UnsafeMutablePointer<Heap>
    private var directory: UnsafeMutablePointer<Segment>
    private(set) var depth = 0
    private(set) var count = 0
    /// Entries whose slot says that they expire.
    private(set) var expiringCount = 0

    /// Beyond this many leading bits segments grow instead of splitting; only equal hashes get there.
    private static let deepest = 32

    init(_ heap: UnsafeMutablePointer<Heap>) {
        self.heap = heap
        directory = .allocate(capacity: 1)
        directory[0] = Segment.make(heap, slotCount: 8, depth: 0)
    }

    /// A new table behind a pointer of its own.
    static func make(_ heap: UnsafeMutablePointer<Heap>) -> UnsafeMutablePointer<Table> {
        let pointer = UnsafeMutablePointer<Table>.allocate(capacity: 1)
        pointer.initialize(to: Table(heap))
        heap.pointee.byteCount += MemoryLayout<Table>.stride + 24
        return pointer
    }

    @inline(__always)
    private func directoryIndex(_ hash: UInt64) -> Int {
        Int(truncatingIfNeeded: (hash &>> 1) &>> UInt64(truncatingIfNeeded: 63 &- depth))
    }

    @inline(__always)
    func segment(_ hash: UInt64) -> Segment { directory[directoryIndex(hash)] }

    @inline(__always)
    func find(_ hash: UInt64, _ key: ByteSlice) -> Entry? {
        let segment = segment(hash)
        let mask = segment.mask
        let slots = segment.slots
        let tag = Slot.tag(hash)
        var index = Int(truncatingIfNeeded: hash) & mask
        while true {
            let word = slots[index]
            if word == 0 { return nil }
            if word & Slot.tagMask == tag {
                let entry = Slot.entry(word)
                if entry.key.equals(key) { return entry }
            }
            index = (index &+ 1) & mask
        }
    }

    /// The slot of an entry that is in the table.
    private func slotIndex(_ entry: Entry, _ segment: Segment) -> Int? {
        let mask = segment.mask
        let address = UInt64(UInt(bitPattern: entry.raw))
        var index = Int(truncatingIfNeeded: entry.hash) & mask
        while segment.slots[index] != 0 {
            if segment.slots[index] & Slot.addressMask == address { return index }
            index = (index &+ 1) & mask
        }
        return nil
    }

    /// Adds an entry whose key is not there yet.
    mutating func insert(_ entry: Entry) {
        let hash = entry.hash
        var target = segment(hash)
        while target.count &* 4 >= (target.mask &+ 1) &* 3 {
            makeRoom(hash)
            target = segment(hash)
        }
        target.place(Slot.word(entry, hash: hash), hash: hash)
        count &+= 1
    }

    /// Takes an entry out; the caller frees it.
    mutating func remove(_ entry: Entry) {
        let segment = segment(entry.hash)
        guard let index = slotIndex(entry, segment) else { return }
        if segment.slots[index] & Slot.expiring != 0 { expiringCount &-= 1 }
        segment.remove(at: index)
        count &-= 1
    }

    /// Puts an entry with the same key into the place of another.
    mutating func replace(_ old: Entry, with new: Entry) {
        let segment = segment(old.hash)
        guard let index = slotIndex(old, segment) else { return }
        segment.slots[index] = Slot.word(new, hash: new.hash) | (segment.slots[index] & Slot.expiring)
    }

    /// Notes in the slot whether the entry has an expiry.
    mutating func setExpiring(_ entry: Entry, _ isExpiring: Bool) {
        let segment = segment(entry.hash)
        guard let index = slotIndex(entry, segment) else { return }
        let was = segment.slots[index] & Slot.expiring != 0
        guard was != isExpiring else { return }
        segment.slots[index] ^= Slot.expiring
        expiringCount &+= isExpiring ? 1 : -1
    }

    // MARK: Growth

    @inline(never)
    private mutating func makeRoom(_ hash: UInt64) {
        let old = segment(hash)
        if old.mask + 1 < Segment.largestSlotCount || old.depth >= Table.deepest {
            let larger = Segment.make(heap, slotCount: (old.mask + 1) * 2, depth: old.depth)
            move(old, hash: hash) { _ in larger }
            return
        }
        if old.depth == depth { doubleDirectory() }
        let low = Segment.make(heap, slotCount: Segment.largestSlotCount, depth: old.depth + 1)
        let high = Segment.make(heap, slotCount: Segment.largestSlotCount, depth: old.depth + 1)
        let bit = UInt64(1) << UInt64(63 - old.depth)
        move(old, hash: hash) { $0 & bit == 0 ? low : high }
    }

    /// Spreads a segment's entries over others that take its place in the directory.
    private mutating func move(_ old: Segment, hash: UInt64, to target: (UInt64) -> Segment) {
        for index in 0...old.mask where old.slots[index] != 0 {
            let word = old.slots[index]
            let hash = Slot.entry(word).hash
            target(hash).place(word, hash: hash)
        }
        let span = 1 << (depth - old.depth)
        let first = directoryIndex(hash) & ~(span - 1)
        for index in first..<first + span {
            // The hash that would be looked up here, to ask which of the two it is now.
            let lookedUp = depth == 0 ? 0 : UInt64(index) << UInt64(64 - depth)
            directory[index] = target(lookedUp)
        }
        heap.pointee.free(old.raw, old.byteCount)
    }

    private mutating func doubleDirectory() {
        let size = 1 << depth
        let larger = UnsafeMutablePointer<Segment>.allocate(capacity: size * 2)
        for index in 0..<size {
            larger[index * 2] = directory[index]
            larger[index * 2 + 1] = directory[index]
        }
        directory.deallocate()
        directory = larger
        depth += 1
        heap.pointee.byteCount += size * 8
    }

    // MARK: Walks

    /// Visits the segment that holds a place in the range of hashes; returns where the next one begins, 0 behind the last.
    @inline(__always)
    func visitSegment(at place: UInt64, _ body: (Entry) -> Void) -> UInt64 {
        let segment = segment(place)
        let slots = segment.slots
        for index in 0...segment.mask where slots[index] != 0 { body(Slot.entry(slots[index])) }
        return endOfSegment(segment, at: place)
    }

    /// The same for the entries with an expiry, which costs little where there are none.
    @inline(__always)
    func visitExpiring(at place: UInt64, _ body: (Entry) -> Void) -> UInt64 {
        let segment = segment(place)
        let slots = segment.slots
        for index in 0...segment.mask where slots[index] & Slot.expiring != 0 { body(Slot.entry(slots[index])) }
        return endOfSegment(segment, at: place)
    }

    @inline(__always)
    private func endOfSegment(_ segment: Segment, at place: UInt64) -> UInt64 {
        guard segment.depth > 0 else { return 0 }
        let width = UInt64(1) << UInt64(64 - segment.depth)
        return (place & ~(width &- 1)) &+ width
    }

    func forEach(_ body: (Entry) -> Void) {
        var place: UInt64 = 0
        repeat { place = visitSegment(at: place, body) } while place != 0
    }

    /// Whether a walk takes more than a few segments.
    var isLarge: Bool { depth > 2 }

    /// Frees the table's own memory; the entries must be freed before.
    func freeStorage() {
        var index = 0
        while index < 1 << depth {
            let segment = directory[index]
            index += 1 << (depth - segment.depth)
            heap.pointee.free(segment.raw, segment.byteCount)
        }
        heap.pointee.byteCount -= ((1 << depth) - 1) * 8
        directory.deallocate()
    }
}
