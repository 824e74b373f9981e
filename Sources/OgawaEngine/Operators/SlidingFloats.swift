import OgawaCore
import OgawaSQL

// SUM and AVG where every value is a float, the usual case of a sensor: all that a row touches are the key's cache line, the oldest and
// the newest row of its ring.

extension SlidingAggregate {
    /// Fills the result for a batch of floats that all take part, as the general way would.
    func processFloats(_ rows: OverRows, _ values: UnsafeMutablePointer<UInt64>) {
        result.finish(count: 0, tagSet: [])
        result.reserve(rows.count)
        result.tags.update(repeating: ValueTag.float.rawValue, count: rows.count)
        if isTimed { addTimed(rows, values) } else { addCounted(rows, values) }
        result.finish(count: rows.count, tagSet: .float)
    }

    private func addCounted(_ rows: OverRows, _ values: UnsafeMutablePointer<UInt64>) {
        let (keys, ids, count) = (keys, rows.keys, rows.count)
        let sums = result.values
        let limit = rowLimit
        let isAverage = function == .average
        var words = pool.words
        let isLarge = keyCount > SlidingAggregate.cachedKeyCount
        for row in 0..<count {
            if isLarge, row % SlidingAggregate.touchedRows == 0 { touch(rows, row, stride: 2) }
            let key = keys + Int(ids[row])
            var rowCount = key.pointee.rowCount
            if rowCount >= limit {
                if key.pointee.front == 0 { turnOverFloats(key, words, stride: 2) }
                let head = key.pointee.head &+ 1
                key.pointee.head = head == key.pointee.capacity ? 0 : head
                key.pointee.front &-= 1
                rowCount &-= 1
            } else if rowCount == key.pointee.capacity {
                resize(key)
                words = pool.words
            }
            let ring = words + Int(key.pointee.block)
            let head = key.pointee.head
            var slot = head &+ rowCount
            if slot >= key.pointee.capacity { slot &-= key.pointee.capacity }
            ring[Int(slot) * 2] = values[row]
            key.pointee.back &+= 1
            let back = key.pointee.backSum + Double(bitPattern: values[row])
            key.pointee.backSum = back
            let sum = key.pointee.front > 0 ? Double(bitPattern: ring[Int(head) * 2 + 1]) + back : back
            sums[row] = (isAverage ? sum / Double(rowCount &+ 1) : sum).bitPattern
        }
    }

    private func addTimed(_ rows: OverRows, _ values: UnsafeMutablePointer<UInt64>) {
        let (keys, ids, times, count) = (keys, rows.keys, rows.times, rows.count)
        let sums = result.values
        let ticks = ticks
        let isAverage = function == .average
        var words = pool.words
        let isLarge = keyCount > SlidingAggregate.cachedKeyCount
        for row in 0..<count {
            if isLarge, row % SlidingAggregate.touchedRows == 0 { touch(rows, row, stride: 3) }
            let key = keys + Int(ids[row])
            let time = times[row]
            let limit = time &- ticks
            var rowCount = key.pointee.rowCount
            while rowCount > 0,
                Int64(bitPattern: words[Int(key.pointee.block) + Int(key.pointee.head) * 3 + 2]) <= limit
            {
                if key.pointee.front == 0 {
                    turnOverFloats(key, words, stride: 3)
                    words = pool.words
                }
                let head = key.pointee.head &+ 1
                key.pointee.head = head == key.pointee.capacity ? 0 : head
                key.pointee.front &-= 1
                rowCount &-= 1
            }
            if rowCount == key.pointee.capacity {
                resize(key)
                words = pool.words
            }
            let ring = words + Int(key.pointee.block)
            let head = key.pointee.head
            var slot = head &+ rowCount
            if slot >= key.pointee.capacity { slot &-= key.pointee.capacity }
            ring[Int(slot) * 3] = values[row]
            ring[Int(slot) * 3 + 2] = UInt64(bitPattern: time)
            key.pointee.back &+= 1
            let back = key.pointee.backSum + Double(bitPattern: values[row])
            key.pointee.backSum = back
            let sum = key.pointee.front > 0 ? Double(bitPattern: ring[Int(head) * 3 + 1]) + back : back
            sums[row] = (isAverage ? sum / Double(rowCount &+ 1) : sum).bitPattern
        }
    }

    /// Up to so many keys the state lies in the processor's own cache.
    private static var cachedKeyCount: Int { 4096 }
    private static var touchedRows: Int { 32 }

    /// Reads the memory that the next rows will need, so that their cache misses overlap.
    private func touch(_ rows: OverRows, _ start: Int, stride: Int) {
        let end = min(start + SlidingAggregate.touchedRows, rows.count)
        let words = pool.words
        var sum: UInt64 = 0
        for row in start..<end { sum &+= UInt64(keys[Int(rows.keys[row])].block) }
        for row in start..<end {
            let key = keys + Int(rows.keys[row])
            guard key.pointee.capacity > 0 else { continue }
            var tail = key.pointee.head &+ key.pointee.rowCount
            if tail >= key.pointee.capacity { tail &-= key.pointee.capacity }
            let ring = words + Int(key.pointee.block)
            sum &+= ring[Int(key.pointee.head) * stride] &+ ring[Int(tail) * stride]
        }
        touched &+= sum
    }

    /// Makes the back the front, in a smaller ring where most of it is unused.
    private func turnOverFloats(_ key: Ring, _ words: UnsafeMutablePointer<UInt64>, stride: Int) {
        let (capacity, count) = (key.pointee.capacity, key.pointee.rowCount)
        if capacity > 16, count < capacity / 4 {
            resize(key)
            return
        }
        let ring = words + Int(key.pointee.block)
        var sum = 0.0
        var slot = key.pointee.head &+ count
        if slot > capacity { slot &-= capacity }
        for _ in 0..<count {
            slot = slot == 0 ? capacity &- 1 : slot &- 1
            let row = ring + Int(slot) * stride
            sum += Double(bitPattern: row[0])
            row[1] = sum.bitPattern
        }
        key.pointee.front = count
        key.pointee.back = 0
        key.pointee.backSum = 0
    }
}
