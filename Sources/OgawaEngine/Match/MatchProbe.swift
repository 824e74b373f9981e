import OgawaCore
import OgawaSQL

/// Computes expressions for one row at a time, over values of the row and of a match's registers.
///
/// **Isolation.** Owned by one operator.
final class MatchProbe {
    let context: EvaluationContext
    private let nodes: [ExpressionNode]
    private let batch: ColumnBatch
    /// Columns of the input that are read, and registers that are read.
    private let columns: [Int]
    private let registers: [Int]
    private let registerStart: Int

    init(_ expressions: [Expression], columnCount: Int, registerCount: Int) throws {
        let heap = TextHeap()
        context = EvaluationContext(heap: heap)
        batch = ColumnBatch(
            columns: (0..<columnCount + registerCount).map { _ in Column(heap: heap) }, times: [0], heap: heap)
        var used: Set<Int> = []
        for expression in expressions { expression.forEachColumn { used.insert($0) } }
        columns = used.filter { $0 < MatchPlan.registerBase }.sorted()
        registers = used.filter { $0 >= MatchPlan.registerBase }.map { $0 - MatchPlan.registerBase }.sorted()
        registerStart = columnCount
        guard columns.allSatisfy({ $0 < columnCount }), registers.allSatisfy({ $0 < registerCount }) else {
            throw EngineError("the plan reads a column that does not exist")
        }
        let compiler = ExpressionCompiler(heap: heap)
        nodes = try expressions.map { expression in
            try compiler.node(
                expression.renumbered {
                    $0 >= MatchPlan.registerBase ? columnCount + $0 - MatchPlan.registerBase : $0
                })
        }
    }

    /// Takes over the values of a row.
    func load(_ row: Int, of source: ColumnBatch) {
        batch.heap.count = 0
        batch.times[0] = source.times[row]
        for column in columns { set(column, source.columns[column].value(at: row)) }
    }

    /// Sets the time of the row where it is of no batch.
    func load(time: Int64) {
        batch.heap.count = 0
        batch.times[0] = time
    }

    /// Takes over the values of a match.
    func load(_ memory: MatchMemory, _ plan: MatchPlan) {
        for register in registers {
            set(registerStart + register, memory.values[register] ?? plan.registers[register].empty)
        }
    }

    private func set(_ column: Int, _ value: Value) {
        batch.columns[column].finish(count: 0, tagSet: [])
        batch.columns[column].append(value)
    }

    func isTrue(_ index: Int) -> Bool { nodes[index].evaluate(batch, context, active: nil).isTrue(0) }

    func value(_ index: Int) -> Value {
        let operand = nodes[index].evaluate(batch, context, active: nil)
        return operand.column.value(at: operand.index(0))
    }
}
