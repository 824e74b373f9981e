/// A list: a ring of addresses of items, so that both ends and every index are reached at once.
///
/// **Complexity.** Constant at both ends and by index; linear for removal inside.
struct ListValue {
    let heap: UnsafeMutablePointer<Heap>
    private var ring: UnsafeMutablePointer<UnsafeMutableRawPointer>
    private var mask: Int
    private var head = 0
    private(set) var count = 0

    static func make(_ heap: UnsafeMutablePointer<Heap>) -> UnsafeMutablePointer<ListValue> {
        let pointer = UnsafeMutablePointer<ListValue>.allocate(capacity: 1)
        pointer.initialize(to: ListValue(heap))
        heap.pointee.byteCount += MemoryLayout<ListValue>.stride
        return pointer
    }

    private init(_ heap: UnsafeMutablePointer<Heap>) {
        self.heap = heap
        ring = .allocate(capacity: 8)
        mask = 7
        heap.pointee.byteCount += 8 * 8
    }

    /// The item at an index from 0 to `count` - 1.
    func item(_ index: Int) -> ByteSlice {
        let raw = ring[(head &+ index) & mask]
        return ByteSlice(raw + 4, Int(raw.load(as: UInt32.self)))
    }

    private func makeItem(_ bytes: ByteSlice) -> UnsafeMutableRawPointer {
        let raw = heap.pointee.allocate(4 + bytes.count)
        raw.storeBytes(of: UInt32(truncatingIfNeeded: bytes.count), as: UInt32.self)
        (raw + 4).copyMemory(from: bytes.base, byteCount: bytes.count)
        return raw
    }

    private func freeItem(_ index: Int) {
        let raw = ring[(head &+ index) & mask]
        heap.pointee.free(raw, 4 + Int(raw.load(as: UInt32.self)))
    }

    mutating func append(_ bytes: ByteSlice) {
        if count > mask { grow() }
        ring[(head &+ count) & mask] = makeItem(bytes)
        count += 1
    }

    mutating func prepend(_ bytes: ByteSlice) {
        if count > mask { grow() }
        head = (head &- 1) & mask
        ring[head] = makeItem(bytes)
        count += 1
    }

    mutating func removeFirst(_ dropped: Int) {
        for index in 0..<dropped { freeItem(index) }
        head = (head &+ dropped) & mask
        count -= dropped
    }

    mutating func removeLast(_ dropped: Int) {
        for index in count - dropped..<count { freeItem(index) }
        count -= dropped
    }

    mutating func set(_ index: Int, _ bytes: ByteSlice) {
        let new = makeItem(bytes)
        freeItem(index)
        ring[(head &+ index) & mask] = new
    }

    /// Removes up to `limit` items that equal the bytes, from the front or from the back; returns how many.
    mutating func remove(_ bytes: ByteSlice, limit: Int, fromBack: Bool) -> Int {
        var removed = 0
        var isKept = [Bool](repeating: true, count: count)
        for step in 0..<count where removed < limit {
            let index = fromBack ? count - 1 - step : step
            if item(index).equals(bytes) {
                isKept[index] = false
                removed += 1
            }
        }
        guard removed > 0 else { return 0 }
        var target = 0
        for index in 0..<count {
            if isKept[index] {
                ring[(head &+ target) & mask] = ring[(head &+ index) & mask]
                target += 1
            } else {
                freeItem(index)
            }
        }
        count = target
        return removed
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<UnsafeMutableRawPointer>.allocate(capacity: (mask + 1) * 2)
        for index in 0..<count { larger[index] = ring[(head &+ index) & mask] }
        ring.deallocate()
        heap.pointee.byteCount += (mask + 1) * 8
        ring = larger
        mask = mask * 2 + 1
        head = 0
    }

    func free() {
        for index in 0..<count { freeItem(index) }
        heap.pointee.byteCount -= (mask + 1) * 8 + MemoryLayout<ListValue>.stride
        ring.deallocate()
    }
}
