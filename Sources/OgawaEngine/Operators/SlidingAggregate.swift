import OgawaCore
import OgawaSQL

// COUNT, SUM, AVG, MIN and MAX over the rows near the current one, per key, in flat memory.
//
// Each key has a ring of rows in a block of words. Sums of bigints are exact in 128 bits, so an old row is subtracted. Sums of floats, minima
// and maxima cannot be subtracted exactly: they use two stacks. The older rows ("front") each carry the aggregate from themselves to the front's
// end, the newer ones ("back") share one running aggregate; when the front is used up, the back becomes the front in one backward
// pass. Each row is touched a constant number of times, and the result depends on the sequence of rows only, never on batches.
//
// As long as every value is a float, no types are kept; the first other value adds a byte of type per word.
// State per key: 64 bytes, one cache line. Per row held: 16 bytes with ROWS, 24 with LIMIT DURATION.

/// The frame of one aggregate call, for all keys.
final class SlidingAggregate: OverState {
    /// What one key remembers.
    struct Key {
        /// The ring's place in the pool.
        var block: UInt32 = 0
        /// The ring's size in rows.
        var capacity: UInt32 = 0
        /// The slot of the oldest row.
        var head: UInt32 = 0
        /// The numbers of rows in the front and behind it.
        var front: UInt32 = 0
        var back: UInt32 = 0
        /// The slot of the back's best row; meaningless where it has none.
        var backBest = SlidingAggregate.none
        /// How many rows have a value, and how many of those a float; kept for COUNT and where types are.
        var valueCount: UInt32 = 0
        var floatCount: UInt32 = 0
        var wholes: Int128 = 0
        var backSum = 0.0
        private var padding: UInt64 = 0

        var rowCount: UInt32 { front &+ back }
    }

    typealias Ring = UnsafeMutablePointer<Key>

    /// Stands for a slot where there is none.
    static let none = UInt32.max
    let function: AnalyticFunction
    private let countsRows: Bool
    private let range: SourceRange
    let ticks: Int64
    let rowLimit: UInt32
    /// Whether rows have a time; otherwise they are counted.
    let isTimed: Bool
    /// Words of a row: the value's bits, the front's aggregate, the time.
    let stride: Int
    let pool = BlockPool()
    private(set) var keys: UnsafeMutablePointer<Key>
    private(set) var keyCount = 0
    private var keyCapacity = 64
    /// The type of each row's value, at the position of its first word; nil as long as all are floats.
    private var tags: UnsafeMutablePointer<UInt8>?
    private var tagCapacity = 0
    /// What ``SlidingAggregate/touch(_:_:stride:)`` read, so that the reads are not left out.
    var touched: UInt64 = 0

    init(_ call: OverCall, heap: TextHeap) {
        function = call.function
        countsRows = call.arguments.isEmpty
        range = call.range
        ticks = call.frame.ticks
        rowLimit = UInt32(clamping: call.frame.rowLimit)
        if case .duration = call.frame { isTimed = true } else { isTimed = false }
        stride = isTimed ? 3 : 2
        keys = .allocate(capacity: keyCapacity)
        super.init(heap: heap)
    }

    deinit {
        keys.deallocate()
        tags?.deallocate()
    }

    override func reserveKeys(_ count: Int) {
        if count > keyCapacity {
            let wanted = max(count, keyCapacity * 2)
            let larger = UnsafeMutablePointer<Key>.allocate(capacity: wanted)
            larger.update(from: keys, count: keyCount)
            keys.deallocate()
            keys = larger
            keyCapacity = wanted
        }
        if count > keyCount {
            (keys + keyCount).initialize(repeating: Key(), count: count - keyCount)
            keyCount = count
        }
    }

    override func process(_ rows: OverRows) {
        let isSum = function == .sum || function == .average
        if isSum, tags == nil, rows.takesPart == nil, let value = rows.arguments.first, !value.isConstant,
            value.column.isUniform(.float)
        {
            processFloats(rows, value.column.values)
        } else {
            startResult(rows)
            let isBest = function == .minimum || function == .maximum
            for row in 0..<rows.count {
                let key = keys + Int(rows.keys[row])
                let time = rows.times[row]
                if isTimed { removeRows(key, notAfter: time &- ticks) }
                if rows.takesPart(row) { add(key, time, row, rows) }
                if isBest { writeBest(key) } else { writeSum(key) }
            }
        }
    }

    override func save(to writer: inout StateWriter) { saveKeys(to: &writer) }

    override func restore(from reader: inout StateReader) throws { try restoreKeys(from: &reader) }

    // MARK: One row

    private func add(_ key: Ring, _ time: Int64, _ row: Int, _ rows: OverRows) {
        var (tag, bits): (ValueTag, UInt64) = (.null, 0)
        if let value = rows.arguments.first {
            tag = value.tag(row)
            bits = value.bits(row)
            if function != .count, tag == .text || tag == .record || tag == .array {
                (tag, bits) = converted(value, row, rows.context)
            }
        } else {
            tag = .bit
        }
        if function == .count {
            // Whether there is a value is all that counts.
            (tag, bits) = (.float, tag == .null ? 0 : 1)
        }
        let hasValue = function == .count ? bits != 0 : tag != .null
        // Without a value a row has a part only in the number of rows.
        if !hasValue, isTimed { return }
        if tag != .float, tags == nil { startTags() }
        if !isTimed, key.pointee.rowCount >= rowLimit { removeFirst(key) }
        if key.pointee.rowCount == key.pointee.capacity { resize(key) }
        let slot = self.slot(key, key.pointee.rowCount)
        let position = Int(key.pointee.block) + Int(slot) * stride
        pool.words[position] = bits
        if isTimed { pool.words[position + 2] = UInt64(bitPattern: time) }
        tags?[position] = tag.rawValue
        key.pointee.back &+= 1
        guard hasValue else { return }
        key.pointee.valueCount &+= 1
        switch function {
        case .sum, .average:
            if tag == .float {
                key.pointee.floatCount &+= 1
                key.pointee.backSum += Double(bitPattern: bits)
            } else {
                key.pointee.wholes += Int128(Int64(bitPattern: bits))
            }
        case .minimum, .maximum:
            let best = key.pointee.backBest
            if best == SlidingAggregate.none || isBetter(key, slot, than: best) { key.pointee.backBest = slot }
        default: break
        }
    }

    /// Text counts as the number it spells; anything else that has no place in the aggregate is an error of the row.
    private func converted(_ value: Operand, _ row: Int, _ context: EvaluationContext) -> (ValueTag, UInt64) {
        if let number = value.number(row) { return (.float, number.bitPattern) }
        context.fail(row: row, "\(function.name) needs numbers, found \(value.describe(row))", range)
        return (.null, 0)
    }

    /// The slot of the row that is `index` rows behind the oldest.
    @inline(__always)
    private func slot(_ key: Ring, _ index: UInt32) -> UInt32 {
        let slot = key.pointee.head &+ index
        return slot >= key.pointee.capacity ? slot &- key.pointee.capacity : slot
    }

    @inline(__always)
    private func position(_ key: Ring, _ slot: UInt32) -> Int { Int(key.pointee.block) + Int(slot) * stride }

    @inline(__always)
    private func tag(_ position: Int) -> ValueTag {
        guard let tags else { return .float }
        return ValueTag(rawValue: tags[position]) ?? .null
    }

    @inline(__always)
    func removeRows(_ key: Ring, notAfter limit: Int64) {
        while key.pointee.rowCount > 0,
            Int64(bitPattern: pool.words[position(key, key.pointee.head) + 2]) <= limit
        {
            removeFirst(key)
        }
    }

    func removeFirst(_ key: Ring) {
        if key.pointee.front == 0 { turnOver(key) }
        let position = position(key, key.pointee.head)
        let tag = tag(position)
        let bits = pool.words[position]
        key.pointee.head = slot(key, 1)
        key.pointee.front &-= 1
        if function == .count ? bits == 0 : tag == .null { return }
        key.pointee.valueCount &-= 1
        guard function == .sum || function == .average else { return }
        if tag == .float {
            key.pointee.floatCount &-= 1
        } else {
            key.pointee.wholes -= Int128(Int64(bitPattern: bits))
        }
    }

    /// Makes the back the front: each row gets the aggregate from itself to the newest.
    private func turnOver(_ key: Ring) {
        if key.pointee.capacity > 16, key.pointee.rowCount < key.pointee.capacity / 4 {
            resize(key)
            return
        }
        var sum = 0.0
        var best = SlidingAggregate.none
        for index in (0..<key.pointee.rowCount).reversed() {
            let slot = slot(key, index)
            let position = position(key, slot)
            let tag = tag(position)
            switch function {
            case .sum, .average:
                if tag == .float { sum += Double(bitPattern: pool.words[position]) }
                pool.words[position + 1] = sum.bitPattern
            case .minimum, .maximum:
                let isFirst = best == SlidingAggregate.none
                if tag != .null, isFirst || isBetter(key, slot, than: best, orEqual: true) { best = slot }
                pool.words[position + 1] = UInt64(best)
            default: break
            }
        }
        key.pointee.front = key.pointee.rowCount
        key.pointee.back = 0
        key.pointee.backSum = 0
        key.pointee.backBest = SlidingAggregate.none
    }

    private func isBetter(_ key: Ring, _ a: UInt32, than b: UInt32, orEqual: Bool = false) -> Bool {
        let (x, y) = (position(key, a), position(key, b))
        let ordering = orderNumbers(tag(x), pool.words[x], tag(y), pool.words[y])
        if ordering == .equal { return orEqual }
        return ordering == (function == .minimum ? .less : .greater)
    }

    // MARK: Results

    private func writeSum(_ key: Ring) {
        if function == .count {
            result.append(.bigint, UInt64(key.pointee.valueCount))
            return
        }
        let count = tags == nil ? key.pointee.rowCount : key.pointee.valueCount
        guard count > 0 else {
            result.append(.null, 0)
            return
        }
        var floats = key.pointee.backSum
        if key.pointee.front > 0 {
            floats = Double(bitPattern: pool.words[position(key, key.pointee.head) + 1]) + floats
        }
        let wholes = key.pointee.wholes
        if function == .average {
            let sum = wholes == 0 ? floats : floats + double(wholes)
            result.append(.float, (sum / Double(count)).bitPattern)
        } else if tags == nil || key.pointee.floatCount > 0 {
            result.append(.float, (wholes == 0 ? floats : floats + double(wholes)).bitPattern)
        } else {
            let whole = Int64(truncatingIfNeeded: wholes)
            if Int128(whole) == wholes {
                result.append(.bigint, UInt64(bitPattern: whole))
            } else {
                result.append(.float, Double(wholes).bitPattern)
            }
        }
    }

    /// The nearest double; the usual case in one instruction.
    @inline(__always)
    private func double(_ wholes: Int128) -> Double {
        let whole = Int64(truncatingIfNeeded: wholes)
        return Int128(whole) == wholes ? Double(whole) : Double(wholes)
    }

    private func writeBest(_ key: Ring) {
        var best = SlidingAggregate.none
        if key.pointee.front > 0 {
            best = UInt32(truncatingIfNeeded: pool.words[position(key, key.pointee.head) + 1])
        }
        let back = key.pointee.backBest
        if back != SlidingAggregate.none, best == SlidingAggregate.none || isBetter(key, back, than: best) {
            best = back
        }
        guard best != SlidingAggregate.none else {
            result.append(.null, 0)
            return
        }
        let position = position(key, best)
        result.append(tag(position), pool.words[position])
    }

    // MARK: Memory

    /// Starts to keep types: all values so far are floats.
    private func startTags() {
        growTags()
        for index in 0..<keyCount where function != .count {
            let key = keys + index
            key.pointee.valueCount = key.pointee.rowCount
            key.pointee.floatCount = key.pointee.rowCount
        }
    }

    private func growTags() {
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: pool.capacity)
        larger.initialize(repeating: ValueTag.float.rawValue, count: pool.capacity)
        if let tags {
            larger.update(from: tags, count: tagCapacity)
            tags.deallocate()
        }
        tags = larger
        tagCapacity = pool.capacity
    }

    /// Moves a ring that is full to a larger block, and one that is nearly empty to a smaller one; its rows become the front.
    func resize(_ key: Ring) {
        let count = key.pointee.rowCount
        let wanted: Int
        if key.pointee.capacity == 0 {
            wanted = isTimed ? 4 : Int(min(rowLimit, 16))
        } else if count == key.pointee.capacity {
            wanted = min(Int(count) * 2, Int(rowLimit))
        } else {
            wanted = max(4, Int(count) * 2)
        }
        move(key, to: wanted)
        if count > 0 { turnOver(key) }
    }

    private func move(_ key: Ring, to wanted: Int) {
        let old = key.pointee
        let (block, size) = pool.allocate(wanted * stride)
        if tags != nil, tagCapacity < pool.capacity { growTags() }
        for index in 0..<old.rowCount {
            let source = position(key, slot(key, index))
            let target = Int(block) + Int(index) * stride
            (pool.words + target).update(from: pool.words + source, count: stride)
            if let tags { tags[target] = tags[source] }
        }
        if old.capacity > 0 { pool.release(old.block, Int(old.capacity) * stride) }
        key.pointee.block = block
        key.pointee.capacity = UInt32(truncatingIfNeeded: size / stride)
        key.pointee.head = 0
    }
}

// MARK: - Stored state

extension SlidingAggregate {
    private func saveKeys(to writer: inout StateWriter) {
        writer.write(tags != nil)
        writer.write(keyCount)
        for index in 0..<keyCount {
            let key = keys + index
            let state = key.pointee
            for number in [state.capacity, state.front, state.back, state.valueCount, state.floatCount] {
                writer.write(UInt64(number))
            }
            writer.write(relative(state.backBest, key))
            writer.write(state.wholes)
            writer.write(state.backSum)
            for index in 0..<state.rowCount {
                let position = position(key, slot(key, index))
                writer.write(pool.words[position])
                let isBest = function == .minimum || function == .maximum
                let front = pool.words[position + 1]
                let isFront = index < state.front
                writer.write(
                    isBest && isFront ? relative(UInt32(truncatingIfNeeded: front), key) : isFront ? front : 0)
                if isTimed { writer.write(pool.words[position + 2]) }
                if tags != nil { writer.write(UInt64(tag(position).rawValue)) }
            }
        }
    }

    /// A slot counted from the head.
    private func relative(_ slot: UInt32, _ key: Ring) -> UInt64 {
        guard slot != SlidingAggregate.none else { return UInt64(SlidingAggregate.none) }
        let (head, capacity) = (key.pointee.head, key.pointee.capacity)
        return UInt64(slot >= head ? slot &- head : slot &+ capacity &- head)
    }

    private func restoreKeys(from reader: inout StateReader) throws {
        let hasTags = try reader.readBool()
        reserveKeys(try reader.readCount(ofSize: 72))
        for index in 0..<keyCount {
            let key = keys + index
            func number() throws -> UInt32 {
                guard let number = UInt32(exactly: try reader.readUInt64()) else { throw StateError() }
                return number
            }
            let capacity = try number()
            let (front, back) = (try number(), try number())
            guard UInt64(front) + UInt64(back) <= UInt64(capacity), capacity < 1 << 28 else { throw StateError() }
            if capacity > 0 {
                move(key, to: Int(capacity))
                guard key.pointee.capacity == capacity else { throw StateError() }
            }
            if hasTags, tags == nil || tagCapacity < pool.capacity { growTags() }
            key.pointee.front = front
            key.pointee.back = back
            key.pointee.valueCount = try number()
            key.pointee.floatCount = try number()
            key.pointee.backBest = try slot(number(), key)
            key.pointee.wholes = try reader.readInt128()
            key.pointee.backSum = try reader.readDouble()
            try restoreRows(of: key, hasTags: hasTags, from: &reader)
        }
        if hasTags, tags == nil { growTags() }
    }

    /// A stored slot, which must be one of the ring's rows or none.
    private func slot(_ stored: UInt32, _ key: Ring) throws -> UInt32 {
        guard stored == SlidingAggregate.none || stored < key.pointee.rowCount else { throw StateError() }
        return stored
    }

    private func restoreRows(of key: Ring, hasTags: Bool, from reader: inout StateReader) throws {
        let isBest = function == .minimum || function == .maximum
        for index in 0..<key.pointee.rowCount {
            let position = position(key, index)
            pool.words[position] = try reader.readUInt64()
            let front = try reader.readUInt64()
            pool.words[position + 1] = front
            if isBest, index < key.pointee.front {
                guard let stored = UInt32(exactly: front) else { throw StateError() }
                pool.words[position + 1] = UInt64(try slot(stored, key))
            }
            if isTimed { pool.words[position + 2] = try reader.readUInt64() }
            guard hasTags else { continue }
            guard let raw = UInt8(exactly: try reader.readUInt64()), ValueTag(rawValue: raw) != nil else {
                throw StateError()
            }
            tags?[position] = raw
        }
    }
}
