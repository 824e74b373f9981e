import OgawaCore
import OgawaSQL

/// Finds the key of each row of one side of a join.
final class KeyReader {
    private let nodes: [ExpressionNode]
    private let context: EvaluationContext
    private let policy: FailurePolicy
    private let selector: RowSelector
    /// The keys' numbers of the batch read last; ``JoinSide/noKey`` where a part is NULL.
    private(set) var ids: [UInt32] = []

    init(_ keys: [Expression], columnCount: Int, heap: TextHeap, policy: FailurePolicy) throws {
        nodes = try keys.map(ExpressionCompiler(heap: heap).node)
        context = EvaluationContext(heap: heap)
        selector = RowSelector(columnCount: columnCount, heap: heap)
        self.policy = policy
    }

    /// Fills ``ids`` for the rows that it gives back: all but those whose keys could not be computed.
    func read(_ batch: ColumnBatch, _ interner: KeyInterner) throws -> ColumnBatch {
        var batch = batch
        var operands = nodes.map { $0.evaluate(batch, context, active: nil) }
        if let survivors = try policy.survivors(context, count: batch.count) {
            batch = selector.select(survivors, of: batch)
            operands = nodes.map { $0.evaluate(batch, context, active: nil) }
            _ = context.takeFailures()
        }
        interner.intern(operands, count: batch.count, into: &ids)
        for operand in operands where operand.column.tagSet.contains(.null) {
            for row in 0..<batch.count where operand.tag(row) == .null { ids[row] = JoinSide.noKey }
        }
        return batch
    }
}

extension KeyInterner {
    /// An interner with only the keys given, and the new number of each old one.
    func keeping(_ ids: [UInt32], partCount: Int) -> (KeyInterner, [UInt32]) {
        let fresh = KeyInterner()
        var numbers = Array(repeating: UInt32.max, count: count)
        let heap = TextHeap()
        let columns = (0..<partCount).map { _ in Column(heap: heap) }
        var kept: [UInt32] = []
        for id in ids where id != JoinSide.noKey && numbers[Int(id)] == .max {
            numbers[Int(id)] = UInt32(truncatingIfNeeded: kept.count)
            kept.append(id)
            decode(id, into: columns[...])
        }
        var found: [UInt32] = []
        fresh.intern(columns.map { Operand(column: $0, isConstant: false) }, count: kept.count, into: &found)
        return (fresh, numbers)
    }
}
