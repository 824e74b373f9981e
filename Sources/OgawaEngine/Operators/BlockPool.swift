/// Blocks of 64-bit words in one piece of memory that grows; freed blocks are reused by size.
///
/// **Shape.** Sizes are rounded up to one of four steps per doubling, so that at most a fifth of a block is unused.
/// **Isolation.** Owned by one operator. Pointers are valid until the next ``allocate(_:)``.
final class BlockPool {
    private(set) var words: UnsafeMutablePointer<UInt64>
    private(set) var capacity = 1024
    private var used = 0
    private var free: [[UInt32]] = Array(repeating: [], count: 160)

    init() { words = .allocate(capacity: capacity) }

    deinit { words.deallocate() }

    /// A block of at least `count` words and its true size.
    func allocate(_ count: Int) -> (block: UInt32, size: Int) {
        let (index, size) = BlockPool.sizeClass(count)
        if let block = free[index].popLast() { return (block, size) }
        let block = used
        used += size
        precondition(used <= Int(UInt32.max), "BlockPool: more than 32 GiB of state")
        if used > capacity { grow() }
        return (UInt32(truncatingIfNeeded: block), size)
    }

    /// Gives a block back; `count` is the number that it was allocated with, or its true size.
    func release(_ block: UInt32, _ count: Int) {
        free[BlockPool.sizeClass(count).index].append(block)
    }

    private func grow() {
        let wanted = max(capacity * 2, used)
        let larger = UnsafeMutablePointer<UInt64>.allocate(capacity: wanted)
        larger.update(from: words, count: capacity)
        words.deallocate()
        words = larger
        capacity = wanted
    }

    private static func sizeClass(_ count: Int) -> (index: Int, size: Int) {
        if count <= 8 {
            let pairs = max(1, (count + 1) / 2)
            return (pairs - 1, pairs * 2)
        }
        let doubling = Int.bitWidth - 1 - (count - 1).leadingZeroBitCount
        let step = 1 << (doubling - 2)
        let size = (count + step - 1) & ~(step - 1)
        return (4 + (doubling - 3) * 4 + (size - (1 << doubling)) / step - 1, size)
    }
}
