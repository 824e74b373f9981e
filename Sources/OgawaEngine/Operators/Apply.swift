import OgawaCore
import OgawaJSON
import OgawaSQL

// CROSS and OUTER APPLY: one row per element of an array or member of a record, at the time of its row. The elements of a batch are
// decoded in one call, each as the member of a small object, so that their values get the types that fields of events get.

/// Unfolds arrays and records.
final class Apply: Operator {
    private let plan: ApplyPlan
    private let argument: ExpressionNode
    private let context: EvaluationContext
    private let policy: FailurePolicy
    private let inputCount: Int
    private let decoder: BodyDecoder
    private let output: ColumnBatch
    /// Name, value and record of each element; decoded as far as the plan wants them.
    private var parts: [ApplyPlan.Column: Column] = [:]
    private var rows: [Int32] = []
    /// The element of each row given out, -1 for the row of NULLs.
    private var elements: [Int32] = []
    private var bytes: [UInt8] = []
    private var bodies: [ByteSlice] = []
    private var problems: [UInt8] = []

    init(_ plan: ApplyPlan, columnCount: Int, heap: TextHeap, policy: FailurePolicy) throws {
        self.plan = plan
        self.policy = policy
        argument = try ExpressionCompiler(heap: heap).node(plan.argument)
        context = EvaluationContext(heap: heap)
        inputCount = columnCount
        decoder = BodyDecoder(paths: plan.decodedPaths, readsAll: false)
        let width = columnCount + plan.columnCount
        output = ColumnBatch(columns: (0..<width).map { _ in Column(heap: heap) }, heap: heap)
        for column in ApplyPlan.Column.allCases { parts[column] = Column(heap: heap) }
    }

    override func process(_ batch: ColumnBatch) throws {
        let operand = argument.evaluate(batch, context, active: nil)
        let wanted: ValueTag = plan.function == .arrayElements ? .array : .record
        for row in 0..<batch.count where operand.tag(row) != .null && operand.tag(row) != wanted {
            context.fail(
                row: row,
                "\(plan.function.rawValue) takes \(wanted == .array ? "an array" : "a record"), found \(operand.describe(row))",
                plan.argument.range)
        }
        let survivors =
            try policy.survivors(context, count: batch.count)
            ?? (0..<batch.count).map { Int32(truncatingIfNeeded: $0) }
        clear()
        for row in survivors {
            let before = rows.count
            if operand.tag(Int(row)) == wanted { unfold(batch.heap.bytes(operand.bits(Int(row))), of: row) }
            if rows.count == before, plan.isOuter {
                rows.append(row)
                elements.append(-1)
            }
        }
        decode(batch.heap)
        gather(batch)
        try emit(output)
    }

    private func clear() {
        rows.removeAll(keepingCapacity: true)
        elements.removeAll(keepingCapacity: true)
        bytes.removeAll(keepingCapacity: true)
        bodies.removeAll(keepingCapacity: true)
    }

    /// Writes each element as `{"k":name,"v":value}`, or with the names of the result record where that is wanted.
    private func unfold(_ text: UnsafeBufferPointer<UInt8>, of row: Int32) {
        let found = JSONParts(text)
        for (index, value) in found.values.enumerated() {
            rows.append(row)
            elements.append(Int32(truncatingIfNeeded: bodies.count))
            let start = bytes.count
            bytes.append(UInt8(ascii: "{"))
            put(plan.function.fieldNames[0])
            if found.names.isEmpty {
                bytes.append(contentsOf: String(index).utf8)
            } else {
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[found.names[index]]))
            }
            bytes.append(UInt8(ascii: ","))
            put(plan.function.fieldNames[1])
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[value]))
            bytes.append(UInt8(ascii: "}"))
            bodies.append(ByteSlice(start: start, count: bytes.count - start))
        }
    }

    private func put(_ name: String) {
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: name.utf8)
        bytes.append(contentsOf: "\":".utf8)
    }

    private func decode(_ heap: TextHeap) {
        guard !bodies.isEmpty, !plan.columns.isEmpty else { return }
        bytes.append(contentsOf: repeatElement(0, count: EventBatch.paddingByteCount))
        let targets = plan.columns.compactMap { parts[$0] }
        bytes.withUnsafeBufferPointer { bytes in
            bodies.withUnsafeBufferPointer { bodies in
                _ = decoder.decode(bytes: bytes, bodies: bodies, into: targets, heap: heap, problems: &problems)
            }
        }
    }

    private func gather(_ batch: ColumnBatch) {
        rows.withUnsafeBufferPointer { rows in
            for (target, source) in zip(output.columns, batch.columns) { target.gather(from: source, rows: rows) }
        }
        output.times.removeAll(keepingCapacity: true)
        output.lanes.removeAll(keepingCapacity: true)
        for row in rows {
            output.times.append(batch.times[Int(row)])
            if !batch.lanes.isEmpty { output.lanes.append(batch.lanes[Int(row)]) }
        }
        for (index, kind) in plan.columns.enumerated() {
            guard let source = parts[kind] else { continue }
            let target = output.columns[inputCount + index]
            target.finish(count: 0, tagSet: [])
            target.reserve(elements.count)
            for (row, element) in elements.enumerated() {
                let isNull = element < 0
                target.tags[row] = isNull ? ValueTag.null.rawValue : source.tags[Int(element)]
                target.values[row] = isNull ? 0 : source.values[Int(element)]
            }
            target.finish(count: elements.count, tagSet: bodies.isEmpty ? .null : source.tagSet.union(.null))
        }
    }
}

extension ApplyPlan {
    /// What is read of each element's object.
    fileprivate var decodedPaths: [[String]] {
        columns.map { column in
            switch column {
            case .key: [function.fieldNames[0]]
            case .value: [function.fieldNames[1]]
            case .record: []
            }
        }
    }
}
