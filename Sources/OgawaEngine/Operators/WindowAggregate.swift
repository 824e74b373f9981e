import OgawaCore
import OgawaSQL

// Tumbling and hopping windows, (start, end], aligned to 0001-01-01T00:00:00Z plus the offset.
//
// Rows arrive in order of time, so they fill one pane after another. A pane spans the greatest common divisor of size and hop; each
// row is added to one pane only, and a window's result is the sum of its panes: work per row does not grow with size / hop.
// A window closes when a row or the watermark is past its end; a row exactly at the end still belongs to it.
// Windows without rows give nothing. Groups come out in order of first appearance.

/// GROUP BY keys and a tumbling or hopping window.
final class WindowAggregate: Operator {
    private let keys: [ExpressionNode]
    private let arguments: [ExpressionNode?]
    private let aggregates: [AggregateCall]
    private let window: (size: Int64, hop: Int64, pane: Int64, origin: Int64)
    private let context: EvaluationContext
    private let policy: FailurePolicy
    private let selector: RowSelector
    private let interner = KeyInterner()
    private let output: ColumnBatch
    private var ids: [UInt32] = []
    private var panes: [Pane] = []
    private var spare: [Pane] = []
    /// The end of the last window emitted; later ends are greater.
    private var lastEnd = Int64.min

    init(_ plan: AggregatePlan, columnCount: Int, heap: TextHeap, outputHeap: TextHeap, policy: FailurePolicy) throws {
        let compiler = ExpressionCompiler(heap: heap)
        keys = try plan.keys.map(compiler.node)
        arguments = try plan.aggregates.map { try $0.argument.map(compiler.node) }
        aggregates = plan.aggregates
        switch plan.window {
        case .hopping(let size, let hop, let offset):
            guard size > 0, hop > 0 else { throw EngineError("a window's size and hop must be positive") }
            let pane = greatestCommonDivisor(size, hop)
            window = (size, hop, pane, Timestamp.min.ticks + offset % hop)
        }
        self.policy = policy
        context = EvaluationContext(heap: heap)
        selector = RowSelector(columnCount: columnCount, heap: heap)
        let width = plan.keys.count + plan.aggregates.count + 2
        output = ColumnBatch(columns: (0..<width).map { _ in Column(heap: outputHeap) }, heap: outputHeap)
    }

    override func process(_ batch: ColumnBatch) throws {
        var batch = batch
        var (keyOperands, argumentOperands) = evaluate(batch)
        if let survivors = try policy.survivors(context, count: batch.count) {
            batch = selector.select(survivors, of: batch)
            (keyOperands, argumentOperands) = evaluate(batch)
            _ = context.takeFailures()
        }
        interner.intern(keyOperands, count: batch.count, into: &ids)
        startOutput()
        var row = 0
        while row < batch.count {
            let end = paneEnd(batch.times[row])
            closeWindows(before: batch.times[row])
            var next = row + 1
            while next < batch.count, batch.times[next] <= end { next += 1 }
            if isHeld(end) {
                let pane = pane(ending: end)
                pane.add(row..<next, ids: ids, arguments: argumentOperands)
                try check(pane)
            }
            row = next
        }
        try emit(output)
    }

    override func advance(to time: Int64) throws {
        startOutput()
        closeWindows(before: time)
        try emit(output)
        try super.advance(to: time)
    }

    override var earliestOpenEnd: Int64? {
        let own = panes.first.map { firstWindowEnd(for: $0) }
        return [own, super.earliestOpenEnd].compactMap { $0 }.min()
    }

    private func evaluate(_ batch: ColumnBatch) -> ([Operand], [Operand?]) {
        (
            keys.map { $0.evaluate(batch, context, active: nil) },
            arguments.map { $0?.evaluate(batch, context, active: nil) }
        )
    }

    private func check(_ pane: Pane) throws {
        guard let failure = pane.takeFailure() else { return }
        let error = EngineError(failure.message, range: aggregates[failure.aggregate].range)
        if policy.isStrict { throw error }
        policy.report(error)
    }

    private func startOutput() {
        output.heap.count = 0
        output.times.removeAll(keepingCapacity: true)
        for column in output.columns { column.finish(count: 0, tagSet: []) }
    }

    private func pane(ending end: Int64) -> Pane {
        if let last = panes.last, last.end == end { return last }
        let pane = spare.popLast() ?? Pane(aggregates: aggregates)
        pane.reset(end: end)
        panes.append(pane)
        return pane
    }

    /// The end of the pane that holds a time: the smallest pane boundary at or after it.
    private func paneEnd(_ time: Int64) -> Int64 {
        let distance = time &- window.origin
        let floor = floorDivide(distance, window.pane) * window.pane
        return window.origin &+ floor &+ (floor == distance ? 0 : window.pane)
    }

    /// The smallest window end at or after a pane's end.
    private func windowEnd(_ paneEnd: Int64) -> Int64 {
        let distance = paneEnd &- window.origin
        let floor = floorDivide(distance, window.hop) * window.hop
        return window.origin &+ floor &+ (floor == distance ? 0 : window.hop)
    }

    /// Whether any window holds the pane; with a hop above the size some lie between windows.
    private func isHeld(_ paneEnd: Int64) -> Bool { windowEnd(paneEnd) &- window.size < paneEnd }

    /// The first window end, later than the last one emitted, of a window that holds the pane.
    private func firstWindowEnd(for pane: Pane) -> Int64 {
        let end = windowEnd(pane.end)
        return lastEnd == .min ? end : max(end, lastEnd &+ window.hop)
    }

    /// Emits every window whose end is before `time` and drops panes that no later window holds.
    private func closeWindows(before time: Int64) {
        while let oldest = panes.first {
            let end = firstWindowEnd(for: oldest)
            guard end < time else { return }
            let start = end &- window.size
            let held = panes.prefix { $0.end <= end }
            emitWindow(start: start, end: end, Array(held))
            lastEnd = end
            let nextStart = end &+ window.hop &- window.size
            while let pane = panes.first, pane.end <= nextStart {
                spare.append(panes.removeFirst())
            }
        }
    }

    private func emitWindow(start: Int64, end: Int64, _ held: [Pane]) {
        let merged: Pane
        if held.count == 1 {
            merged = held[0]
        } else {
            merged = spare.popLast() ?? Pane(aggregates: aggregates)
            merged.reset(end: end)
            for pane in held { merged.merge(pane) }
        }
        let columns = output.columns
        for slot in 0..<merged.count {
            interner.decode(merged.keys[slot], into: columns[..<keys.count])
            for index in aggregates.indices { merged.write(index, slot: slot, into: columns[keys.count + index]) }
            columns[columns.count - 2].append(.datetime, UInt64(bitPattern: start))
            columns[columns.count - 1].append(.datetime, UInt64(bitPattern: end))
            output.times.append(end)
        }
        if held.count != 1 { spare.append(merged) }
    }
}

private func greatestCommonDivisor(_ a: Int64, _ b: Int64) -> Int64 {
    var (a, b) = (a, b)
    while b != 0 { (a, b) = (b, a % b) }
    return a
}
