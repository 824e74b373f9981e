import OgawaCore
import OgawaSQL

// The aggregate over the rows near the current one, per key, in flat memory.
//
// Each key has a ring of entries in shared arrays; a ring that is full moves to a block of twice the size, and freed blocks are reused
// by size. Sums of bigints are exact in 128 bits, so an old entry is subtracted. Sums of floats, minima and maxima cannot
// be subtracted exactly: they use two stacks. The older entries ("front") each carry the aggregate from themselves to the front's end, the
// newer ones ("back") share one running aggregate; when the front is used up, the back becomes the front in one backward pass. Each entry
// is touched a constant number of times, and the result depends on the sequence of rows only, never on batches.
//
// State per key: 80 bytes and 25 bytes per entry held.

/// The frame of one aggregate call, for all keys.
final class SlidingAggregate {
    private struct KeyState {
        var block: Int32 = -1
        var blockSize: Int32 = 0
        /// Positions count up for ever; an entry lies at `position & (blockSize - 1)`.
        var head: UInt32 = 0
        var middle: UInt32 = 0
        var tail: UInt32 = 0
        /// The position of the best entry of the back; meaningless while the back is empty.
        var backBest: UInt32 = 0
        var valueCount: Int32 = 0
        var floatCount: Int32 = 0
        var backSum = 0.0
        var wholes: Int128 = 0
    }

    private let function: AggregateFunction
    private let frame: OverCall.Frame
    private let countsRows: Bool
    private let range: SourceRange
    private var states: [KeyState] = []
    private var times: UnsafeMutablePointer<Int64>
    private var bits: UnsafeMutablePointer<UInt64>
    private var fronts: UnsafeMutablePointer<UInt64>
    private var tags: UnsafeMutablePointer<UInt8>
    private var capacity = 1024
    private var used = 0
    private var freeBlocks: [[Int32]] = Array(repeating: [], count: 32)
    private let initialBlockSize: Int32

    init(_ call: OverCall) {
        function = call.function
        frame = call.frame
        countsRows = call.argument == nil
        range = call.range
        times = .allocate(capacity: capacity)
        bits = .allocate(capacity: capacity)
        fronts = .allocate(capacity: capacity)
        tags = .allocate(capacity: capacity)
        if case .rows(let preceding) = call.frame {
            // The ring never holds more than preceding + 1 entries; a large frame starts small all the same.
            var size: Int32 = 2
            while Int(size) < min(preceding + 1, 64) { size *= 2 }
            initialBlockSize = size
        } else {
            initialBlockSize = 4
        }
    }

    deinit {
        times.deallocate()
        bits.deallocate()
        fronts.deallocate()
        tags.deallocate()
    }

    /// Makes room for the states of `count` keys.
    func reserveKeys(_ count: Int) {
        while states.count < count { states.append(KeyState()) }
    }

    /// Moves the frame of a key to a row, adds the row's value where it takes part, and appends the aggregate to `result`.
    func add(
        key: Int, time: Int64, value: Operand?, row: Int, takesPart: Bool, context: EvaluationContext,
        into result: Column
    ) {
        precondition(key < states.count, "SlidingAggregate: reserveKeys comes first")
        states.withUnsafeMutableBufferPointer { states in
            // SAFETY: the precondition shows that the array is not empty.
            let state = states.baseAddress.unsafelyUnwrapped + key
            if case .duration(let ticks) = frame { evict(state, notAfter: time &- ticks) }
            if takesPart { push(state, time: time, value: value, row: row, context: context) }
            write(state, into: result)
        }
    }

    private func push(
        _ state: UnsafeMutablePointer<KeyState>, time: Int64, value: Operand?, row: Int, context: EvaluationContext
    ) {
        var (tag, entry): (ValueTag, UInt64) = (.null, 0)
        if let value, !countsRows {
            tag = value.tag(row)
            entry = value.bits(row)
            if tag == .text || tag == .record || tag == .array {
                (tag, entry) = converted(value, row, context)
            }
        }
        if tag == .null, !countsRows, case .duration = frame { return }
        if case .rows(let preceding) = frame, Int(state.pointee.tail &- state.pointee.head) > preceding {
            popFront(state)
        }
        let position = room(state)
        times[position] = time
        bits[position] = entry
        tags[position] = tag.rawValue
        let index = state.pointee.tail
        state.pointee.tail = index &+ 1
        account(state, tag: tag, bits: entry, index: index)
    }

    /// Text counts as the number it spells; anything else that has no place in the aggregate is an error of the row.
    private func converted(_ value: Operand, _ row: Int, _ context: EvaluationContext) -> (ValueTag, UInt64) {
        if function == .count { return (.bit, 1) }
        if let number = value.number(row) { return (.float, number.bitPattern) }
        context.fail(row: row, "\(function.rawValue) needs numbers, found \(value.describe(row))", range)
        return (.null, 0)
    }

    private func account(_ state: UnsafeMutablePointer<KeyState>, tag: ValueTag, bits: UInt64, index: UInt32) {
        if tag == .null {
            if countsRows { state.pointee.valueCount += 1 }
            return
        }
        state.pointee.valueCount += 1
        switch function {
        case .count: return
        case .sum, .average:
            if tag == .float {
                state.pointee.floatCount += 1
                state.pointee.backSum += Double(bitPattern: bits)
            } else {
                state.pointee.wholes += Int128(Int64(bitPattern: bits))
            }
        case .minimum, .maximum:
            if isBackEmptyOfValues(state, before: index) || isBetter(state, index, than: state.pointee.backBest) {
                state.pointee.backBest = index
            }
        }
    }

    /// Whether no entry of the back before `index` has a value.
    private func isBackEmptyOfValues(_ state: UnsafeMutablePointer<KeyState>, before index: UInt32) -> Bool {
        let best = state.pointee.backBest
        // The best entry lies in the back and has a value, or there is none.
        let distance = best &- state.pointee.middle
        guard distance < index &- state.pointee.middle else { return true }
        return tags[place(state, best)] == ValueTag.null.rawValue
    }

    private func evict(_ state: UnsafeMutablePointer<KeyState>, notAfter limit: Int64) {
        while state.pointee.head != state.pointee.tail, times[place(state, state.pointee.head)] <= limit {
            popFront(state)
        }
    }

    private func popFront(_ state: UnsafeMutablePointer<KeyState>) {
        if state.pointee.head == state.pointee.middle { turnOver(state) }
        let position = place(state, state.pointee.head)
        let tag = tags[position]
        state.pointee.head = state.pointee.head &+ 1
        if tag == ValueTag.null.rawValue {
            if countsRows { state.pointee.valueCount -= 1 }
            return
        }
        state.pointee.valueCount -= 1
        guard function == .sum || function == .average else { return }
        if tag == ValueTag.float.rawValue {
            state.pointee.floatCount -= 1
        } else {
            state.pointee.wholes -= Int128(Int64(bitPattern: bits[position]))
        }
    }

    /// Makes the back the front: each entry gets the aggregate from itself to the newest entry.
    private func turnOver(_ state: UnsafeMutablePointer<KeyState>) {
        var index = state.pointee.tail
        var sum = 0.0
        var best = UInt32.max
        var hasBest = false
        while index != state.pointee.head {
            index = index &- 1
            let position = place(state, index)
            let tag = tags[position]
            switch function {
            case .sum, .average:
                if tag == ValueTag.float.rawValue { sum += Double(bitPattern: bits[position]) }
                fronts[position] = sum.bitPattern
            case .minimum, .maximum:
                if tag != ValueTag.null.rawValue, !hasBest || isBetter(state, index, than: best, orEqual: true) {
                    best = index
                    hasBest = true
                }
                fronts[position] = hasBest ? UInt64(best) : .max
            case .count: break
            }
        }
        state.pointee.middle = state.pointee.tail
        state.pointee.backSum = 0
        state.pointee.backBest = state.pointee.tail
    }

    private func isBetter(
        _ state: UnsafeMutablePointer<KeyState>, _ a: UInt32, than b: UInt32, orEqual: Bool = false
    ) -> Bool {
        let (x, y) = (place(state, a), place(state, b))
        let ordering = compareNumbers(tags[x], bits[x], tags[y], bits[y])
        if ordering == .equal { return orEqual }
        return ordering == (function == .minimum ? .less : .greater)
    }

    private func write(_ state: UnsafeMutablePointer<KeyState>, into result: Column) {
        let count = state.pointee.valueCount
        switch function {
        case .count: result.append(.bigint, UInt64(bitPattern: Int64(count)))
        case .sum, .average:
            guard count > 0 else {
                result.append(.null, 0)
                return
            }
            writeSum(state, into: result)
        case .minimum, .maximum:
            guard count > 0, let best = best(state) else {
                result.append(.null, 0)
                return
            }
            let position = place(state, best)
            result.append(ValueTag(rawValue: tags[position]) ?? .null, bits[position])
        }
    }

    private func writeSum(_ state: UnsafeMutablePointer<KeyState>, into result: Column) {
        let hasFront = state.pointee.head != state.pointee.middle
        let front = hasFront ? Double(bitPattern: fronts[place(state, state.pointee.head)]) : 0
        let floats = front + state.pointee.backSum
        if function == .average {
            let sum = state.pointee.wholes == 0 ? floats : floats + Double(state.pointee.wholes)
            result.append(.float, (sum / Double(state.pointee.valueCount)).bitPattern)
        } else if state.pointee.floatCount > 0 {
            result.append(.float, (floats + Double(state.pointee.wholes)).bitPattern)
        } else if let whole = Int64(exactly: state.pointee.wholes) {
            result.append(.bigint, UInt64(bitPattern: whole))
        } else {
            result.append(.float, Double(state.pointee.wholes).bitPattern)
        }
    }

    private func best(_ state: UnsafeMutablePointer<KeyState>) -> UInt32? {
        var best: UInt32?
        if state.pointee.head != state.pointee.middle {
            let front = fronts[place(state, state.pointee.head)]
            if front != .max { best = UInt32(truncatingIfNeeded: front) }
        }
        if !isBackEmptyOfValues(state, before: state.pointee.tail) {
            let back = state.pointee.backBest
            if let front = best { return isBetter(state, back, than: front) ? back : front }
            best = back
        }
        return best
    }

    @inline(__always)
    private func place(_ state: UnsafeMutablePointer<KeyState>, _ index: UInt32) -> Int {
        Int(state.pointee.block) + Int(index & UInt32(bitPattern: state.pointee.blockSize &- 1))
    }

    /// The place for the entry at `tail`, in a larger block where the present one is full.
    private func room(_ state: UnsafeMutablePointer<KeyState>) -> Int {
        let held = Int32(bitPattern: state.pointee.tail &- state.pointee.head)
        if held >= state.pointee.blockSize { move(state, to: max(initialBlockSize, state.pointee.blockSize * 2)) }
        return place(state, state.pointee.tail)
    }

    private func move(_ state: UnsafeMutablePointer<KeyState>, to size: Int32) {
        let block = allocate(size)
        let old = state.pointee
        state.pointee.block = block
        state.pointee.blockSize = size
        guard old.blockSize > 0 else { return }
        var index = old.head
        while index != old.tail {
            let source = Int(old.block) + Int(index & UInt32(bitPattern: old.blockSize &- 1))
            let target = place(state, index)
            times[target] = times[source]
            bits[target] = bits[source]
            fronts[target] = fronts[source]
            tags[target] = tags[source]
            index = index &+ 1
        }
        freeBlocks[old.blockSize.trailingZeroBitCount].append(old.block)
    }

    private func allocate(_ size: Int32) -> Int32 {
        if let block = freeBlocks[size.trailingZeroBitCount].popLast() { return block }
        let block = used
        used += Int(size)
        precondition(used <= Int(Int32.max), "SlidingAggregate: more than 2 billion entries")
        if used > capacity { growArrays() }
        return Int32(block)
    }

    private func growArrays() {
        let larger = max(capacity * 2, used)
        times = grown(times, larger)
        bits = grown(bits, larger)
        fronts = grown(fronts, larger)
        tags = grown(tags, larger)
        capacity = larger
    }

    private func grown<Element>(
        _ pointer: UnsafeMutablePointer<Element>, _ larger: Int
    ) -> UnsafeMutablePointer<Element> {
        let target = UnsafeMutablePointer<Element>.allocate(capacity: larger)
        target.update(from: pointer, count: capacity)
        pointer.deallocate()
        return target
    }
}

/// The order of two values that are numbers, bits or datetimes.
@inline(__always)
private func compareNumbers(_ tagA: UInt8, _ bitsA: UInt64, _ tagB: UInt8, _ bitsB: UInt64) -> Ordering3 {
    let float = ValueTag.float.rawValue
    if tagA == float, tagB == float {
        let (x, y) = (Double(bitPattern: bitsA), Double(bitPattern: bitsB))
        return x < y ? .less : x > y ? .greater : .equal
    }
    if tagA == float { return orderExactly(Double(bitPattern: bitsA), Int64(bitPattern: bitsB)) }
    if tagB == float { return orderExactly(Double(bitPattern: bitsB), Int64(bitPattern: bitsA)).reversed }
    let (x, y) = (Int64(bitPattern: bitsA), Int64(bitPattern: bitsB))
    return x < y ? .less : x > y ? .greater : .equal
}
