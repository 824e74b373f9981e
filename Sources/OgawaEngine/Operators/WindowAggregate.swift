import OgawaCore
import OgawaSQL

/// GROUP BY keys and windows: evaluates keys, arguments and conditions of a batch and gives it to each window.
final class WindowAggregate: Operator {
    private let aggregates: [AggregateNodes]
    private let keySpaces: [KeySpace]
    private let windows: [GroupWindow]
    private let context: EvaluationContext
    private let policy: FailurePolicy
    private let selector: RowSelector
    private let output: GroupOutput
    /// What went wrong while rows were given on inside a batch.
    private var outputFailure: (any Error)?
    /// With more keys than that, those without state are looked for.
    private var keyLimit = WindowAggregate.leastKeyLimit
    private static let leastKeyLimit = 4096

    init(_ plan: AggregatePlan, columnCount: Int, heap: TextHeap, outputHeap: TextHeap, policy: FailurePolicy) throws {
        let compiler = ExpressionCompiler(heap: heap)
        aggregates = try plan.aggregates.map { try AggregateNodes($0, compiler) }
        self.policy = policy
        context = EvaluationContext(heap: heap)
        selector = RowSelector(columnCount: columnCount, heap: heap)
        output = GroupOutput(plan, heap: outputHeap)
        var maker = WindowMaker(plan: plan, compiler: compiler, output: output)
        windows = try plan.window.all.map { try maker.window($0) }
        keySpaces = maker.keySpaces
        super.init()
        if windows.count == 1 { output.onFull = { [unowned self] in giveFullOutput() } }
    }

    /// Gives rows on while a batch is not done, so that a window with many groups needs no room for all of its rows.
    private func giveFullOutput() {
        do {
            if outputFailure == nil { try emit(output.batch) }
        } catch {
            outputFailure = error
        }
        output.clear()
    }

    private func giveOutput() throws {
        if let failure = outputFailure {
            outputFailure = nil
            throw failure
        }
        try emit(output.batch)
    }

    override func process(_ batch: ColumnBatch) throws {
        var batch = batch
        var inputs = evaluate(batch)
        if let survivors = try policy.survivors(context, count: batch.count) {
            batch = selector.select(survivors, of: batch)
            inputs = evaluate(batch)
            _ = context.takeFailures()
        }
        guard let last = batch.times.last else { return }
        for space in keySpaces { space.number(batch.count) }
        output.clear()
        let input = GroupInput(batch: batch, aggregates: inputs)
        for window in windows { window.add(input) }
        mergeOutputs(before: last)
        try giveOutput()
    }

    private func evaluate(_ batch: ColumnBatch) -> [AggregateInput] {
        for space in keySpaces { space.evaluate(batch, context) }
        for window in windows { window.evaluate(batch, context) }
        return aggregates.map { $0.evaluate(batch, context) }
    }

    override func advance(to time: Int64) throws {
        output.clear()
        for window in windows { window.close(before: time) }
        mergeOutputs(before: time)
        forgetKeys()
        try giveOutput()
        try super.advance(to: time)
    }

    /// Forgets keys without state once they are the greater part, where every window can tell.
    private func forgetKeys() {
        guard keySpaces.count == 1, keySpaces[0].interner.count > keyLimit else { return }
        let interner = keySpaces[0].interner
        var isLive = Array(repeating: false, count: interner.count)
        for window in windows where !window.markKeys(&isLive) {
            keyLimit = .max
            return
        }
        let liveCount = isLive.reduce(0) { $0 + ($1 ? 1 : 0) }
        if liveCount <= interner.count / 2 {
            let numbers = interner.forget(except: isLive)
            for window in windows { window.renumberKeys(numbers) }
        }
        keyLimit = max(WindowAggregate.leastKeyLimit, 2 * liveCount)
    }

    /// Puts the rows of several windows in order of (end, window); rows of one window are in order.
    private func mergeOutputs(before time: Int64) {
        guard windows.count > 1 else { return }
        var taken = Array(repeating: 0, count: windows.count)
        while true {
            var best: Int?
            var end = time
            for (index, window) in windows.enumerated() where taken[index] < window.parts.output.count {
                let candidate = window.parts.output.batch.times[taken[index]]
                if candidate < end { (best, end) = (index, candidate) }
            }
            guard let best else { break }
            windows[best].parts.output.copyRow(taken[best], to: output)
            taken[best] += 1
        }
        for (index, window) in windows.enumerated() { window.parts.output.dropRows(taken[index]) }
    }

    override var earliestOpenEnd: Int64? {
        var ends = windows.compactMap(\.earliestEnd)
        if windows.count > 1 { ends += windows.compactMap(\.parts.output.batch.times.first) }
        if let end = super.earliestOpenEnd { ends.append(end) }
        return ends.min()
    }

    override func save(to writer: inout StateWriter) {
        for space in keySpaces { space.interner.save(to: &writer) }
        for window in windows {
            window.save(to: &writer)
            if windows.count > 1 { window.parts.output.save(to: &writer) }
        }
    }

    override func restore(from reader: inout StateReader) throws {
        for space in keySpaces { try space.interner.restore(from: &reader) }
        for window in windows {
            try window.restore(from: &reader)
            if windows.count > 1 { try window.parts.output.restore(from: &reader) }
        }
    }
}

/// Makes the windows of a plan; windows with the same keys share a key space.
private struct WindowMaker {
    let plan: AggregatePlan
    let compiler: ExpressionCompiler
    let output: GroupOutput
    private(set) var keySpaces: [KeySpace] = []
    private var known: [String: KeySpace] = [:]

    init(plan: AggregatePlan, compiler: ExpressionCompiler, output: GroupOutput) {
        self.plan = plan
        self.compiler = compiler
        self.output = output
    }

    private mutating func keySpace(_ keys: [Expression]) throws -> KeySpace {
        let text = keys.map { $0.shown([]) }.joined(separator: "\u{0}")
        if let space = known[text] { return space }
        let space = try KeySpace(keys, compiler)
        known[text] = space
        keySpaces.append(space)
        return space
    }

    mutating func window(_ item: WindowPlan.IdentifiedWindow) throws -> GroupWindow {
        let partitionKeys = item.window.partitionKeys ?? []
        // Groups of different partitions must differ: what the GROUP BY keys do not tell apart is added to them.
        let shown = Set(plan.keys.map { $0.shown([]) })
        let groups = try keySpace(plan.keys + partitionKeys.filter { !shown.contains($0.shown([])) })
        let conditions: [Expression] =
            switch item.window {
            case .state(let open, let close): [open] + (close.map { [$0] } ?? [])
            case .triggered(_, _, _, let condition): [condition]
            default: []
            }
        let isAlone = plan.window.all.count == 1
        let parts = GroupWindow.Parts(
            aggregates: plan.aggregates, id: item.id,
            output: isAlone ? output : GroupOutput(plan, heap: TextHeap()), groups: groups,
            partitions: item.window.partitionKeys == nil ? groups : try keySpace(partitionKeys),
            conditions: try conditions.map(compiler.node))
        switch item.window {
        case .hopping(let size, let hop, let offset):
            return try HoppingWindow(size: size, hop: hop, offset: offset, parts)
        case .cumulating(let size, let step, let offset):
            return try CumulatingWindow(size: size, step: step, offset: offset, parts)
        case .snapshot: return SnapshotWindow(parts)
        case .sliding(let size): return SlidingWindow(size: size, parts)
        case .triggered(let before, let after, _, _): return TriggeredWindow(before: before, after: after, parts)
        case .session(let timeout, let maximum, _):
            return try SessionWindow(timeout: timeout, maximum: maximum, parts)
        case .count(let size, let step): return CountWindow(size: size, step: step, parts)
        case .state(_, let close): return StateWindow(hasClose: close != nil, parts)
        case .several: throw EngineError("windows do not stand inside Windows twice")
        }
    }
}
