import OgawaCore
import OgawaSQL

/// Appends a column per OVER call: an aggregate over the rows near each row, in row order.
final class Over: Operator {
    private struct Call {
        let plan: OverCall
        let argument: ExpressionNode?
        let condition: ExpressionNode?
        let keys: [ExpressionNode]
        let interner: Int
        let state: SlidingAggregate
        let result: Column
    }

    private let calls: [Call]
    /// Calls with the same plain key columns share an interner.
    private let interners: [(keys: [ExpressionNode], interner: KeyInterner)]
    private var ids: [[UInt32]]
    private let context: EvaluationContext
    private let policy: FailurePolicy
    private let selector: RowSelector
    private let output: ColumnBatch

    init(_ plans: [OverCall], columnCount: Int, heap: TextHeap, policy: FailurePolicy) throws {
        let compiler = ExpressionCompiler(heap: heap)
        var interners: [(keys: [ExpressionNode], interner: KeyInterner)] = []
        var shared: [[Int]: Int] = [:]
        calls = try plans.map { plan in
            let keys = try plan.partitionKeys.map(compiler.node)
            let columns = plan.partitionKeys.compactMap { key -> Int? in
                if case .column(let index) = key.kind { return index }
                return nil
            }
            let isPlain = columns.count == keys.count
            let index = (isPlain ? shared[columns] : nil) ?? interners.count
            if index == interners.count { interners.append((keys, KeyInterner())) }
            if isPlain { shared[columns] = index }
            return Call(
                plan: plan, argument: try plan.argument.map(compiler.node),
                condition: try plan.condition.map(compiler.node), keys: keys, interner: index,
                state: SlidingAggregate(plan), result: Column(heap: heap))
        }
        self.interners = interners
        ids = Array(repeating: [], count: interners.count)
        self.policy = policy
        context = EvaluationContext(heap: heap)
        selector = RowSelector(columnCount: columnCount + plans.count, heap: heap)
        output = ColumnBatch(columns: [], heap: heap)
    }

    override func process(_ batch: ColumnBatch) throws {
        for (index, shared) in interners.enumerated() {
            let keys = shared.keys.map { $0.evaluate(batch, context, active: nil) }
            shared.interner.intern(keys, count: batch.count, into: &ids[index])
        }
        output.columns = batch.columns
        output.times = batch.times
        for call in calls {
            run(call, batch)
            output.columns.append(call.result)
        }
        if let survivors = try policy.survivors(context, count: batch.count) {
            try emit(selector.select(survivors, of: output))
        } else {
            try emit(output)
        }
    }

    private func run(_ call: Call, _ batch: ColumnBatch) {
        let value = call.argument?.evaluate(batch, context, active: nil)
        let condition = call.condition?.evaluate(batch, context, active: nil)
        call.state.reserveKeys(interners[call.interner].interner.count)
        call.result.finish(count: 0, tagSet: [])
        call.result.reserve(batch.count)
        let keys = ids[call.interner]
        for row in 0..<batch.count {
            call.state.add(
                key: Int(keys[row]), time: batch.times[row], value: value, row: row,
                takesPart: condition.map { $0.isTrue(row) } ?? true, context: context, into: call.result)
        }
    }
}
