#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A sorted set: members by name in a table, and in the order of (score, name) in runs of at most 256.
///
/// **Complexity.** Finding a place is a binary search over the runs and one inside; a rank adds up the runs before.
struct SortedSet {
    private static let longestRun = 256

    private struct Run {
        var members: UnsafeMutablePointer<Entry>
        var count: Int
    }

    /// A place in the order.
    private struct Place {
        var run: Int
        var index: Int
    }

    let heap: UnsafeMutablePointer<Heap>
    private(set) var table: Table
    private var runs: UnsafeMutablePointer<Run>
    private var runCount = 1
    private var runCapacity = 4

    static func make(_ heap: UnsafeMutablePointer<Heap>) -> UnsafeMutablePointer<SortedSet> {
        let pointer = UnsafeMutablePointer<SortedSet>.allocate(capacity: 1)
        pointer.initialize(to: SortedSet(heap))
        heap.pointee.byteCount += MemoryLayout<SortedSet>.stride
        return pointer
    }

    private init(_ heap: UnsafeMutablePointer<Heap>) {
        self.heap = heap
        table = Table(heap)
        runs = .allocate(capacity: runCapacity)
        runs[0] = SortedSet.makeRun(heap)
    }

    private static func makeRun(_ heap: UnsafeMutablePointer<Heap>) -> Run {
        heap.pointee.byteCount += longestRun * 8
        return Run(members: .allocate(capacity: longestRun), count: 0)
    }

    var count: Int { table.count }

    func find(_ hash: UInt64, _ member: ByteSlice) -> Entry? { table.find(hash, member) }

    /// Adds a member that is not there yet.
    mutating func insert(_ hash: UInt64, _ member: ByteSlice, score: Double) {
        let entry = Entry.make(heap, hash: hash, key: member, kind: .string, valueCapacity: 0)
        entry.score = score
        table.insert(entry)
        link(entry)
    }

    /// Moves a member to another score.
    mutating func update(_ entry: Entry, score: Double) {
        unlink(entry)
        entry.score = score
        link(entry)
    }

    mutating func remove(_ entry: Entry) {
        unlink(entry)
        table.remove(entry)
        entry.free(heap)
    }

    // MARK: Order

    /// How many members come before the first for which `isBefore` is false; it must hold for a beginning of the order only.
    func rank(where isBefore: (Entry) -> Bool) -> Int {
        let place = firstPlace(where: isBefore)
        var rank = place.index
        for run in 0..<place.run { rank += runs[run].count }
        return rank
    }

    func rank(of entry: Entry) -> Int { rank { SortedSet.precedes($0, entry) } }

    /// Visits members by rank, upwards or downwards; `body` returns whether to go on.
    func visit(from rank: Int, descending: Bool = false, _ body: (Entry) -> Bool) {
        guard rank >= 0, rank < count else { return }
        var place = Place(run: 0, index: rank)
        while place.index >= runs[place.run].count {
            place.index -= runs[place.run].count
            place.run += 1
        }
        while true {
            if !body(runs[place.run].members[place.index]) { return }
            if descending {
                place.index -= 1
                while place.index < 0 {
                    place.run -= 1
                    if place.run < 0 { return }
                    place.index = runs[place.run].count - 1
                }
            } else {
                place.index += 1
                while place.index >= runs[place.run].count {
                    place.run += 1
                    place.index = 0
                    if place.run >= runCount { return }
                }
            }
        }
    }

    private static func precedes(_ first: Entry, _ second: Entry) -> Bool {
        first.score != second.score ? first.score < second.score : first.key.precedes(second.key)
    }

    private func firstPlace(where isBefore: (Entry) -> Bool) -> Place {
        // The last run whose first member is before, for what is looked for lies in it or at its end.
        var low = 0
        var high = runCount
        while high - low > 1 {
            let middle = (low + high) / 2
            if runs[middle].count > 0, isBefore(runs[middle].members[0]) { low = middle } else { high = middle }
        }
        let run = runs[low]
        var first = 0
        var end = run.count
        while first < end {
            let middle = (first + end) / 2
            if isBefore(run.members[middle]) { first = middle + 1 } else { end = middle }
        }
        return Place(run: low, index: first)
    }

    private mutating func link(_ entry: Entry) {
        var place = firstPlace { SortedSet.precedes($0, entry) }
        if runs[place.run].count == SortedSet.longestRun {
            split(place.run)
            let kept = runs[place.run].count
            if place.index > kept { place = Place(run: place.run + 1, index: place.index - kept) }
        }
        let run = runs[place.run]
        memmove(run.members + place.index + 1, run.members + place.index, (run.count - place.index) * 8)
        run.members[place.index] = entry
        runs[place.run].count += 1
    }

    private mutating func unlink(_ entry: Entry) {
        let place = firstPlace { SortedSet.precedes($0, entry) }
        var at = place
        // The place may be the end of a run, and the member the first of the next.
        while at.run < runCount, at.index >= runs[at.run].count { at = Place(run: at.run + 1, index: 0) }
        guard at.run < runCount, runs[at.run].members[at.index] == entry else { return }
        let run = runs[at.run]
        memmove(run.members + at.index, run.members + at.index + 1, (run.count - at.index - 1) * 8)
        runs[at.run].count -= 1
        if runs[at.run].count == 0, runCount > 1 {
            freeRun(at.run)
            memmove(runs + at.run, runs + at.run + 1, (runCount - at.run - 1) * MemoryLayout<Run>.stride)
            runCount -= 1
        }
    }

    private mutating func split(_ index: Int) {
        if runCount == runCapacity {
            let larger = UnsafeMutablePointer<Run>.allocate(capacity: runCapacity * 2)
            memcpy(larger, runs, runCount * MemoryLayout<Run>.stride)
            runs.deallocate()
            runs = larger
            runCapacity *= 2
        }
        memmove(runs + index + 2, runs + index + 1, (runCount - index - 1) * MemoryLayout<Run>.stride)
        let half = SortedSet.longestRun / 2
        var upper = SortedSet.makeRun(heap)
        upper.count = SortedSet.longestRun - half
        memcpy(upper.members, runs[index].members + half, upper.count * 8)
        runs[index].count = half
        runs[index + 1] = upper
        runCount += 1
    }

    private func freeRun(_ index: Int) {
        heap.pointee.byteCount -= SortedSet.longestRun * 8
        runs[index].members.deallocate()
    }

    /// Frees the set's own memory; the members must be freed before.
    func freeStorage() {
        table.freeStorage()
        for index in 0..<runCount { freeRun(index) }
        runs.deallocate()
        heap.pointee.byteCount -= MemoryLayout<SortedSet>.stride
    }
}
