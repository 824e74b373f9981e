import OgawaCore
import OgawaSQL

/// Appends a column per call with OVER: a value for each row from the rows near it, in row order.
///
/// Rows of different substreams share nothing: the substream is one more key of every call.
final class Over: Operator {
    private struct Call {
        let arguments: [ExpressionNode]
        let order: [ExpressionNode]
        let condition: ExpressionNode?
        let readsChosenRowsOnly: Bool
        let interner: Int
        let state: OverState
    }

    private let calls: [Call]
    /// Calls with the same plain key columns share an interner.
    private let interners: [(keys: [ExpressionNode], interner: KeyInterner)]
    private var ids: [[UInt32]]
    private var chosen: [UInt8] = []
    private let lanes: Column
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
                arguments: try plan.arguments.map(compiler.node),
                order: try plan.sortExpressions.map(compiler.node),
                condition: try plan.condition.map(compiler.node), readsChosenRowsOnly: plan.readsChosenRowsOnly,
                interner: index, state: try plan.makeState(heap: heap))
        }
        self.interners = interners
        ids = Array(repeating: [], count: interners.count)
        lanes = Column(heap: heap)
        self.policy = policy
        context = EvaluationContext(heap: heap)
        selector = RowSelector(columnCount: columnCount + plans.count, heap: heap)
        output = ColumnBatch(columns: [], heap: heap)
    }

    override func process(_ batch: ColumnBatch) throws {
        internKeys(of: batch)
        output.columns = batch.columns
        output.times = batch.times
        output.lanes = batch.lanes
        for call in calls {
            run(call, batch)
            output.columns.append(call.state.result)
        }
        if let survivors = try policy.survivors(context, count: batch.count) {
            try emit(selector.select(survivors, of: output))
        } else {
            try emit(output)
        }
    }

    private func internKeys(of batch: ColumnBatch) {
        var prefix: [Operand] = []
        if !batch.lanes.isEmpty {
            lanes.reserve(batch.count)
            lanes.tags.update(repeating: ValueTag.bigint.rawValue, count: batch.count)
            for row in 0..<batch.count { lanes.values[row] = UInt64(batch.lanes[row]) }
            lanes.finish(count: batch.count, tagSet: .bigint)
            prefix = [Operand(column: lanes, isConstant: false)]
        }
        for (index, shared) in interners.enumerated() {
            let keys = prefix + shared.keys.map { $0.evaluate(batch, context, active: nil) }
            shared.interner.intern(keys, count: batch.count, into: &ids[index])
        }
    }

    private func run(_ call: Call, _ batch: ColumnBatch) {
        let condition = call.condition?.evaluate(batch, context, active: nil)
        if let condition {
            chosen.removeAll(keepingCapacity: true)
            for row in 0..<batch.count { chosen.append(condition.isTrue(row) ? 1 : 0) }
        }
        call.state.reserveKeys(interners[call.interner].interner.count)
        chosen.withUnsafeBufferPointer { chosen in
            let takesPart: ActiveRows = condition == nil ? nil : chosen.baseAddress
            let active: ActiveRows = call.readsChosenRowsOnly ? takesPart : nil
            let arguments = call.arguments.map { $0.evaluate(batch, context, active: active) }
            let order = call.order.map { $0.evaluate(batch, context, active: active) }
            batch.times.withUnsafeBufferPointer { times in
                ids[call.interner].withUnsafeBufferPointer { keys in
                    guard let times = times.baseAddress, let keys = keys.baseAddress else { return }
                    call.state.process(
                        OverRows(
                            count: batch.count, times: times, keys: keys, arguments: arguments, order: order,
                            takesPart: takesPart, context: context))
                }
            }
        }
    }

    override func save(to writer: inout StateWriter) {
        for shared in interners { shared.interner.save(to: &writer) }
        for call in calls { call.state.save(to: &writer) }
    }

    override func restore(from reader: inout StateReader) throws {
        for shared in interners { try shared.interner.restore(from: &reader) }
        for call in calls { try call.state.restore(from: &reader) }
    }
}
