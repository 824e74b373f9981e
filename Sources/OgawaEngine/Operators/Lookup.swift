import OgawaCore
import OgawaJSON
import OgawaSQL

// A join with reference data: each row meets the rows of the version that is valid at its time. Equal keys are looked up in an index of the
// version; without them every row of the version is tried. It moves no time and remembers nothing of the stream.
//
// State per row of reference data: 9 bytes a column that is read and its text, and about 32 bytes and the key for the index.

/// INNER or LEFT JOIN with reference data.
final class Lookup: Operator {
    private static let pairsPerBatch = 8192
    private let plan: LookupPlan
    private let table: ReferenceTable
    private let keys: [ExpressionNode]
    private let residual: ExpressionNode?
    private let inputCount: Int
    private let context: EvaluationContext
    private let policy: FailurePolicy
    private let selector: RowSelector
    private let output: ColumnBatch
    private var versions: [LookupIndex] = []
    /// The number of the table's version behind the last that is known, gone ones included.
    private var knownCount = 0
    private var ids: [UInt32] = []
    private var pairs: (input: [Int32], reference: [Int32]) = ([], [])
    private var tried: [Int32] = []

    init(
        _ plan: LookupPlan, _ table: ReferenceTable, columnCount: Int, heap: TextHeap, policy: FailurePolicy
    ) throws {
        self.plan = plan
        self.table = table
        self.policy = policy
        inputCount = columnCount
        let compiler = ExpressionCompiler(heap: heap)
        keys = try plan.keys.map(compiler.node)
        residual = try plan.residual.map(compiler.node)
        context = EvaluationContext(heap: heap)
        let width = columnCount + plan.columnCount
        selector = RowSelector(columnCount: columnCount, heap: heap)
        output = ColumnBatch(columns: (0..<width).map { _ in Column(heap: heap) }, heap: heap)
    }

    override func process(_ batch: ColumnBatch) throws {
        try refresh(upTo: batch.times.max() ?? .min)
        var batch = batch
        var operands = keys.map { $0.evaluate(batch, context, active: nil) }
        if let survivors = try policy.survivors(context, count: batch.count) {
            batch = selector.select(survivors, of: batch)
            operands = keys.map { $0.evaluate(batch, context, active: nil) }
            _ = context.takeFailures()
        }
        var row = 0
        while row < batch.count {
            let (index, end) = version(at: row, of: batch)
            try run(row..<end, of: batch, operands, versions[index])
            row = end
        }
        // Rows come in order of time, unless they are of substreams; a version that is over is of no use any more.
        if batch.lanes.isEmpty, let last = batch.times.last {
            while versions.count > 1, versions[1].validFrom <= last { versions.removeFirst() }
        }
    }

    private func refresh(upTo time: Int64) throws {
        let (fresh, end) = try table.versions(from: knownCount, askingUpTo: time)
        knownCount = end
        for version in fresh { versions.append(try LookupIndex(version, plan, policy)) }
        if versions.isEmpty { versions.append(try LookupIndex(ReferenceVersion(json: []), plan, policy)) }
    }

    /// The version of a row, and the end of the rows behind it that read the same.
    private func version(at row: Int, of batch: ColumnBatch) -> (Int, Int) {
        func number(_ time: Int64) -> Int {
            max(0, (versions.firstIndex { $0.validFrom > time } ?? versions.count) - 1)
        }
        if versions.count == 1 { return (0, batch.count) }
        let found = number(batch.times[row])
        var end = row + 1
        while end < batch.count, number(batch.times[end]) == found { end += 1 }
        return (found, end)
    }

    private func run(_ range: Range<Int>, of batch: ColumnBatch, _ operands: [Operand], _ index: LookupIndex) throws {
        if !keys.isEmpty { index.interner.find(operands, count: batch.count, into: &ids) }
        clear()
        for row in range {
            tried.append(Int32(truncatingIfNeeded: row))
            if keys.isEmpty {
                add(row, 0..<index.rowCount, nil)
            } else if ids[row] != .max, !operands.contains(where: { $0.tag(row) == .null }) {
                let id = Int(ids[row])
                add(row, Int(index.starts[id])..<Int(index.starts[id + 1]), index.order)
            }
            if pairs.input.count >= Lookup.pairsPerBatch { try flush(batch, index) }
        }
        try flush(batch, index)
    }

    private func clear() {
        pairs.input.removeAll(keepingCapacity: true)
        pairs.reference.removeAll(keepingCapacity: true)
        tried.removeAll(keepingCapacity: true)
    }

    private func add(_ row: Int, _ range: Range<Int>, _ order: [Int32]?) {
        for place in range {
            pairs.input.append(Int32(truncatingIfNeeded: row))
            pairs.reference.append(order.map { $0[place] } ?? Int32(truncatingIfNeeded: place))
        }
    }

    /// Gives out the pairs so far, and with LEFT the rows among `tried` that have none.
    private func flush(_ batch: ColumnBatch, _ index: LookupIndex) throws {
        guard !tried.isEmpty else { return }
        if let residual, !pairs.input.isEmpty {
            gather(batch, index)
            let condition = residual.evaluate(output, context, active: nil)
            let survivors = try policy.survivors(context, count: output.count)
            let kept = (survivors ?? output.times.indices.map { Int32(truncatingIfNeeded: $0) })
                .filter { condition.isTrue(Int($0)) }
            pairs = (kept.map { pairs.input[Int($0)] }, kept.map { pairs.reference[Int($0)] })
        }
        if plan.isLeft { addLonely() }
        gather(batch, index)
        clear()
        try emit(output)
    }

    private func addLonely() {
        var all: (input: [Int32], reference: [Int32]) = ([], [])
        var next = 0
        for row in tried {
            let start = next
            while next < pairs.input.count, pairs.input[next] == row { next += 1 }
            if start == next {
                all.input.append(row)
                all.reference.append(-1)
            } else {
                all.input.append(contentsOf: pairs.input[start..<next])
                all.reference.append(contentsOf: pairs.reference[start..<next])
            }
        }
        pairs = all
    }

    private func gather(_ batch: ColumnBatch, _ index: LookupIndex) {
        pairs.input.withUnsafeBufferPointer { rows in
            for (target, source) in zip(output.columns, batch.columns) { target.gather(from: source, rows: rows) }
        }
        output.times.removeAll(keepingCapacity: true)
        output.lanes.removeAll(keepingCapacity: true)
        for row in pairs.input {
            output.times.append(batch.times[Int(row)])
            if !batch.lanes.isEmpty { output.lanes.append(batch.lanes[Int(row)]) }
        }
        let hasLonely = pairs.reference.contains(-1)
        for (target, source) in zip(output.columns[inputCount...], index.columns) {
            target.finish(count: 0, tagSet: [])
            if hasLonely {
                for row in pairs.reference { target.appendCopy(of: source, row: row) }
            } else {
                pairs.reference.withUnsafeBufferPointer { target.appendCopies(of: source, rows: $0) }
            }
        }
    }
}

/// A version of reference data, decoded and indexed for one lookup.
final class LookupIndex {
    let validFrom: Int64
    let columns: [Column]
    let rowCount: Int
    let interner = KeyInterner()
    /// The rows of key k are `order[starts[k]..<starts[k + 1]]`, in the order of the data.
    private(set) var starts: [Int32] = [0]
    private(set) var order: [Int32] = []

    init(_ version: ReferenceVersion, _ plan: LookupPlan, _ policy: FailurePolicy) throws {
        validFrom = version.validFrom.ticks
        let heap = TextHeap()
        var columns = plan.fields.map { _ in Column(heap: heap) }
        let decoder = BodyDecoder(paths: plan.fields, readsAll: false)
        var problems: [UInt8] = []
        version.bytes.withUnsafeBufferPointer { bytes in
            version.rows.withUnsafeBufferPointer { rows in
                _ = decoder.decode(bytes: bytes, bodies: rows, into: columns, heap: heap, problems: &problems)
            }
        }
        let batch = ColumnBatch(columns: columns, times: Array(repeating: 0, count: version.rows.count), heap: heap)
        let context = EvaluationContext(heap: heap)
        let nodes = try plan.referenceKeys.map(ExpressionCompiler(heap: heap).node)
        var operands = nodes.map { $0.evaluate(batch, context, active: nil) }
        var rowCount = version.rows.count
        if let survivors = try policy.survivors(context, count: rowCount) {
            let selected = RowSelector(columnCount: columns.count, heap: heap).select(survivors, of: batch)
            columns = selected.columns
            rowCount = survivors.count
            operands = nodes.map { $0.evaluate(selected, context, active: nil) }
            _ = context.takeFailures()
        }
        self.columns = columns
        self.rowCount = rowCount
        if !operands.isEmpty { makeIndex(operands) }
    }

    private func makeIndex(_ operands: [Operand]) {
        var ids: [UInt32] = []
        interner.intern(operands, count: rowCount, into: &ids)
        var counts = Array(repeating: Int32(0), count: interner.count + 1)
        for id in ids { counts[Int(id) + 1] += 1 }
        for key in 1..<max(1, counts.count) { counts[key] += counts[key - 1] }
        starts = counts
        order = Array(repeating: 0, count: rowCount)
        for (row, id) in ids.enumerated() {
            order[Int(counts[Int(id)])] = Int32(truncatingIfNeeded: row)
            counts[Int(id)] += 1
        }
    }
}

extension Column {
    /// Adds one row of a column on another heap, or NULL for a negative row.
    fileprivate func appendCopy(of source: Column, row: Int32) {
        guard row >= 0 else { return append(.null, 0) }
        let tag = source.tag(at: Int(row))
        var value = source.values[Int(row)]
        if TagSet.heaped.contains(tag.set) {
            let bytes = source.heap.bytes(value)
            value = bytes.baseAddress.map { heap.append($0, count: bytes.count) } ?? 0
        }
        append(tag, value)
    }
}
