import OgawaCore

/// What the expressions of one operator share while they evaluate one batch.
///
/// **Isolation.** Owned by one pipeline.
final class EvaluationContext {
    let heap: TextHeap
    /// The first failures of the batch, at most one per row, and how many rows failed.
    private(set) var failures: [(row: Int, error: EngineError)] = []

    init(heap: TextHeap) { self.heap = heap }

    /// Notes that a row has no value; the operator decides whether the function fails or the row is dropped.
    func fail(row: Int, _ message: String, _ range: SourceRange) {
        if let last = failures.last, last.row == row { return }
        failures.append((row, EngineError(message, range: range)))
    }

    /// Takes the failures, in order of rows, and forgets them.
    func takeFailures() -> [(row: Int, error: EngineError)] {
        if failures.isEmpty { return [] }
        defer { failures.removeAll(keepingCapacity: true) }
        return failures.sorted { $0.row < $1.row }
    }
}

/// A column, or one value that stands for every row.
struct Operand {
    let column: Column
    let isConstant: Bool

    @inline(__always)
    func index(_ row: Int) -> Int { isConstant ? 0 : row }

    @inline(__always)
    func tag(_ row: Int) -> ValueTag { column.tag(at: index(row)) }

    @inline(__always)
    func bits(_ row: Int) -> UInt64 { column.values[index(row)] }
}

/// The rows for which an expression is wanted, outside which it must not fail; nil means all.
typealias ActiveRows = UnsafePointer<UInt8>?

@inline(__always)
func isActive(_ active: ActiveRows, _ row: Int) -> Bool {
    guard let active else { return true }
    return active[row] != 0
}

/// A bound expression ready to run over batches; owns the column of its result.
class ExpressionNode {
    let range: SourceRange

    init(range: SourceRange) { self.range = range }

    /// One value per row of the batch, valid until the next call.
    func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        // SAFETY: only subclasses are made, and each of them overrides this.
        preconditionFailure("ExpressionNode: a subclass evaluates")
    }
}
