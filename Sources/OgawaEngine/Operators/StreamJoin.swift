import OgawaCore
import OgawaSQL

// A join of two streams. Rows of both sides are taken in one order of time (at the same time the left side first, then in order of
// arrival), as far as both inputs have come. Each row meets the rows of its key that the other side has taken in before it, so that a pair comes out
// at the later of its two times.
//
// A left row whose partners can no longer come gives its row of NULLs at its own time plus the upper bound. Because DATEDIFF counts
// boundaries, this time may lie before the moment when it is known: rows of a LEFT JOIN wait in a buffer until none can come
// before them.
//
// State: the rows of both sides within the bounds; see JoinSide for bytes. Keys without rows are forgotten.

/// INNER or LEFT JOIN of two streams.
final class StreamJoin: Operator {
    private static let pairsPerBatch = 1024
    /// What is known of a left row.
    private enum Match {
        static let none: UInt8 = 0
        /// In a pair that is not tried yet.
        static let candidate: UInt8 = 1
        static let found: UInt8 = 2
    }

    private let plan: JoinPlan
    private let left: JoinSide
    private let right: JoinSide
    private let leftInput: KeyReader
    private let rightInput: KeyReader
    private var interner = KeyInterner()
    private var ranges: [PartnerRange] = []
    private var matches: [UInt8] = []
    private let residual: ExpressionNode?
    private let context: EvaluationContext
    private let policy: FailurePolicy
    private let selector: RowSelector
    private let output: ColumnBatch
    private let waiting: ReorderBuffer?
    /// Pairs that are not given out yet, as row numbers.
    private var pairs: (left: [Int], right: [Int]) = ([], [])
    private var rows: [Int32] = []
    private var lonely: [Int] = []
    /// Left rows before it have a partner or are gone.
    private var firstOpen = 0
    private var passed = Int64.min
    private var told = Int64.min
    private let isComposite: Bool
    /// How far a row without a partner may lie before the time that the left side has reached.
    private let stampLag: Int64

    init(
        _ plan: JoinPlan, left: (columnCount: Int, heap: TextHeap), right: (columnCount: Int, heap: TextHeap),
        outputHeap: TextHeap, policy: FailurePolicy
    ) throws {
        self.plan = plan
        self.policy = policy
        self.left = JoinSide(columnCount: left.columnCount)
        self.right = JoinSide(columnCount: right.columnCount)
        leftInput = try KeyReader(plan.leftKeys, columnCount: left.columnCount, heap: left.heap, policy: policy)
        rightInput = try KeyReader(plan.rightKeys, columnCount: right.columnCount, heap: right.heap, policy: policy)
        residual = try plan.residual.map(ExpressionCompiler(heap: outputHeap).node)
        context = EvaluationContext(heap: outputHeap)
        let width = left.columnCount + right.columnCount
        selector = RowSelector(columnCount: width, heap: outputHeap)
        output = ColumnBatch(columns: (0..<width).map { _ in Column(heap: outputHeap) }, heap: outputHeap)
        waiting = plan.isLeft ? ReorderBuffer(columnCount: width, heap: outputHeap) : nil
        isComposite = plan.bounds.contains { $0.leftTime != nil }
        let least = plan.bounds.map { $0.high &* $0.unit }.min() ?? 0
        stampLag = plan.isLeft && !isComposite ? min(0, least) : 0
    }

    /// The operator that takes the rows of the left side.
    var leftPort: Operator {
        InputPort(
            to: self, process: { [unowned self] in try takeLeft($0) },
            advance: { [unowned self] in
                left.watermark = max(left.watermark, $0)
                try run()
            })
    }

    /// The operator that takes the rows of the right side.
    var rightPort: Operator {
        InputPort(
            to: self, process: { [unowned self] in try take($0, rightInput, right) },
            advance: { [unowned self] in
                right.watermark = max(right.watermark, $0)
                try run()
            })
    }

    override func process(_ batch: ColumnBatch) throws { try takeLeft(batch) }

    // MARK: Rows in

    private func takeLeft(_ batch: ColumnBatch) throws {
        let start = left.times.count
        try take(batch, leftInput, left)
        for index in start..<left.times.count {
            let rowTime = left.times[index]
            let columns = left.columns
            let range = PartnerRange(plan.bounds, rowTime: rowTime) { bound in
                guard let column = bound.leftTime else { return rowTime }
                guard columns[column].tag(at: index) == .datetime else { return nil }
                return Int64(bitPattern: columns[column].values[index])
            }
            ranges.append(range)
            matches.append(Match.none)
        }
    }

    private func take(_ batch: ColumnBatch, _ reader: KeyReader, _ side: JoinSide) throws {
        let kept = try reader.read(batch, interner)
        side.append(kept, keys: reader.ids)
        left.reserveKeys(interner.count)
        right.reserveKeys(interner.count)
    }

    // MARK: Time

    private func run() throws {
        let limit = min(left.watermark, right.watermark)
        guard limit > passed else { return }
        passed = limit
        while let isLeft = nextIsLeft(before: limit) {
            let time = (isLeft ? left.nextTime : right.nextTime) ?? limit
            try forget(before: time)
            if isLeft { meetRight(left.processed) } else { meetLeft(right.processed) }
            if pairs.left.count >= StreamJoin.pairsPerBatch { try flush() }
        }
        try forget(before: limit)
        try flush()
        compact(force: false)
        let reached = outputTime(limit)
        if let waiting { try emit(waiting.release(upTo: reached, isInclusive: false)) }
        guard reached > told else { return }
        told = reached
        try advance(to: reached)
    }

    /// Whether the next row in order of time is the left side's; nil where both have none before the limit.
    private func nextIsLeft(before limit: Int64) -> Bool? {
        let one = left.nextTime ?? .max
        let other = right.nextTime ?? .max
        guard min(one, other) < limit else { return nil }
        return one <= other
    }

    /// The time that no row to come lies before.
    private func outputTime(_ limit: Int64) -> Int64 {
        guard plan.isLeft, limit != .max else { return limit }
        var reached = limit &+ stampLag
        firstOpen = max(firstOpen, left.first)
        while firstOpen < left.processed, matches[firstOpen - left.base] == Match.found { firstOpen += 1 }
        for row in firstOpen..<max(firstOpen, left.processed) {
            if matches[row - left.base] != Match.found { reached = min(reached, ranges[row - left.base].stamp) }
            // Without other streams in the row, later rows have later stamps.
            if !isComposite { break }
        }
        return reached
    }

    /// Forgets rows that can have no partner at or after a time.
    private func forget(before time: Int64) throws {
        while left.first < left.processed, ranges[left.first - left.base].to < time {
            let index = left.first - left.base
            if matches[index] == Match.candidate { try flush() }
            if plan.isLeft, matches[index] != Match.found { lonely.append(left.first) }
            left.dropFirst()
        }
        guard right.first < right.processed else { return }
        var earliest = Int64.min
        for bound in plan.bounds { earliest = max(earliest, PartnerRange.from(bound, time &- bound.leftLag)) }
        while right.first < right.processed, right.time(right.first) < earliest || time == .max { right.dropFirst() }
    }

    // MARK: Pairs

    private func meetRight(_ row: Int) {
        let index = row - left.base
        let range = ranges[index]
        var partner = range.from <= range.to ? right.head(left.keys[index]) : -1
        while partner >= 0 {
            let time = right.time(partner)
            if time > range.to { break }
            if time >= range.from { pair(row, partner) }
            partner = right.next(after: partner)
        }
        left.processNext()
    }

    private func meetLeft(_ row: Int) {
        let time = right.time(row)
        var partner = left.head(right.keys[row - right.base])
        while partner >= 0 {
            let range = ranges[partner - left.base]
            if range.from <= time, time <= range.to {
                pair(partner, row)
            } else if !isComposite, range.from > time {
                break
            }
            partner = left.next(after: partner)
        }
        right.processNext()
    }

    private func pair(_ one: Int, _ other: Int) {
        pairs.left.append(one)
        pairs.right.append(other)
        if matches[one - left.base] == Match.none {
            matches[one - left.base] = residual == nil ? Match.found : Match.candidate
        }
    }

    // MARK: Rows out

    private func flush() throws {
        if !pairs.left.isEmpty { try flushPairs() }
        guard !lonely.isEmpty, let waiting else { return }
        startOutput()
        gather(lonely, left, into: output.columns[..<left.columns.count])
        for column in output.columns[left.columns.count...] {
            column.reserve(lonely.count)
            column.tags.update(repeating: ValueTag.null.rawValue, count: lonely.count)
            column.values.update(repeating: 0, count: lonely.count)
            column.finish(count: lonely.count, tagSet: .null)
        }
        for row in lonely { output.times.append(ranges[row - left.base].stamp) }
        lonely.removeAll(keepingCapacity: true)
        // Behind the pairs of the same time.
        waiting.append(output, partition: PartitionID(1))
    }

    private func flushPairs() throws {
        startOutput()
        gather(pairs.left, left, into: output.columns[..<left.columns.count])
        gather(pairs.right, right, into: output.columns[left.columns.count...])
        for (one, other) in zip(pairs.left, pairs.right) { output.times.append(max(left.time(one), right.time(other))) }
        let kept = try matching()
        for row in rows { matches[pairs.left[Int(row)] - left.base] = Match.found }
        if residual != nil {
            for row in pairs.left where matches[row - left.base] == Match.candidate {
                matches[row - left.base] = Match.none
            }
        }
        pairs.left.removeAll(keepingCapacity: true)
        pairs.right.removeAll(keepingCapacity: true)
        if let waiting { waiting.append(kept, partition: PartitionID(0)) } else { try emit(kept) }
    }

    /// The pairs for which the rest of ON is true; their numbers are in `rows`.
    private func matching() throws -> ColumnBatch {
        rows.removeAll(keepingCapacity: true)
        guard let residual else { return output }
        let condition = residual.evaluate(output, context, active: nil)
        if let survivors = try policy.survivors(context, count: output.count) {
            for row in survivors where condition.isTrue(Int(row)) { rows.append(row) }
        } else {
            for row in 0..<output.count where condition.isTrue(row) { rows.append(Int32(truncatingIfNeeded: row)) }
        }
        return rows.count == output.count ? output : selector.select(rows, of: output)
    }

    private func startOutput() {
        output.heap.count = 0
        output.times.removeAll(keepingCapacity: true)
        for column in output.columns { column.finish(count: 0, tagSet: []) }
    }

    private func gather(_ numbers: [Int], _ side: JoinSide, into columns: ArraySlice<Column>) {
        rows.removeAll(keepingCapacity: true)
        for number in numbers { rows.append(Int32(truncatingIfNeeded: number - side.base)) }
        rows.withUnsafeBufferPointer { rows in
            for (target, source) in zip(columns, side.columns) { target.appendCopies(of: source, rows: rows) }
        }
    }

    // MARK: Memory

    private func compact(force: Bool) {
        if let dead = left.compact(force: force) {
            ranges.removeFirst(dead)
            matches.removeFirst(dead)
        }
        _ = right.compact(force: force)
        let live = left.count + right.count
        guard interner.count > 1024, interner.count > 4 * live else { return }
        if let dead = left.compact(force: true) {
            ranges.removeFirst(dead)
            matches.removeFirst(dead)
        }
        _ = right.compact(force: true)
        let (fresh, numbers) = interner.keeping(left.keys + right.keys, partCount: plan.leftKeys.count)
        interner = fresh
        left.renumber({ numbers[Int($0)] }, keyCount: fresh.count)
        right.renumber({ numbers[Int($0)] }, keyCount: fresh.count)
    }

    override var earliestOpenEnd: Int64? {
        var found = [left.nextTime, right.nextTime, super.earliestOpenEnd].compactMap { $0 }
        if plan.isLeft {
            let open = (left.first..<left.processed).first { matches[$0 - left.base] != Match.found }
            if let open { found.append(ranges[open - left.base].to) }
            if waiting.map({ $0.count > 0 }) == true { found.append(passed) }
        }
        return found.min()
    }

    override func save(to writer: inout StateWriter) {
        compact(force: true)
        interner.save(to: &writer)
        left.save(to: &writer)
        right.save(to: &writer)
        writer.write(ranges.map(\.from))
        writer.write(ranges.map(\.to))
        writer.write(ranges.map(\.stamp))
        writer.write(matches)
        writer.write(passed)
        writer.write(told)
        waiting?.save(to: &writer)
    }

    override func restore(from reader: inout StateReader) throws {
        try interner.restore(from: &reader)
        try left.restore(from: &reader, keyCount: interner.count)
        try right.restore(from: &reader, keyCount: interner.count)
        let from = try reader.readArray(of: Int64.self)
        let to = try reader.readArray(of: Int64.self)
        let stamps = try reader.readArray(of: Int64.self)
        matches = try reader.readArray(of: UInt8.self)
        guard [from.count, to.count, stamps.count, matches.count].allSatisfy({ $0 == left.times.count }) else {
            throw StateError()
        }
        ranges = from.indices.map { PartnerRange(from: from[$0], to: to[$0], stamp: stamps[$0]) }
        passed = try reader.readInt64()
        told = try reader.readInt64()
        try waiting?.restore(from: &reader)
        firstOpen = left.base
    }
}
