import OgawaCore
import OgawaSQL

/// A running program: events in, rows of its statements out, in a deterministic order.
///
/// One pipeline serves one partition, or several partitions merged in order of (time, partition, offset). The rows depend on the
/// events and their enqueued times only: not on batch sizes, nor on how the batches of several partitions interleave.
///
/// **Isolation.** Owned by one runner, which alone may call it; everything is synchronous.
package final class Pipeline {
    /// How a program runs.
    package struct Configuration {
        package var policy: OrderingPolicy
        /// True where the first failing expression ends the run; false drops the row and reports it.
        package var isStrict: Bool
        /// True for bodies that nobody has checked (files): damage behind the last wanted field is found, too.
        package var readsWholeBodies: Bool
        /// Partitions that are merged; 1 for a pipeline of its own per partition.
        package var partitionCount: Int

        package init(
            policy: OrderingPolicy = OrderingPolicy(), isStrict: Bool = false, readsWholeBodies: Bool = false,
            partitionCount: Int = 1
        ) {
            self.policy = policy
            self.isStrict = isStrict
            self.readsWholeBodies = readsWholeBodies
            self.partitionCount = partitionCount
        }
    }

    /// In place of an enqueued time: the event arrived exactly at its own event time (file input).
    package static let arrivesAtOwnTime = EventSource.arrivesAtOwnTime

    private let sources: [(input: String, source: EventSource)]
    private let findings: FindingCollector

    /// Builds the operators of the statements that read `input`, or of all statements where it is nil.
    ///
    /// - Parameters:
    ///   - emit: takes the rows of a statement (index into `program.statements`) and reads them before it returns.
    ///   - report: takes examples of events and rows that did not go the usual way.
    /// - Throws: ``EngineError`` where the program needs what this engine does not have.
    package init(
        _ program: Program, input: String? = nil, configuration: Configuration,
        report: @escaping (Finding) -> Void = { _ in }, emit: @escaping (Int, RowBatch) throws -> Void
    ) throws {
        findings = FindingCollector(report: report)
        var builder = PipelineBuilder(program: program, configuration: configuration, findings: findings)
        for (index, statement) in program.statements.enumerated() {
            if let input, !program.inputs(of: statement.plan).contains(input) { continue }
            try builder.connect(statement, to: StatementSink(index: index, plan: statement.plan, emit: emit))
        }
        sources = builder.sources.sorted { $0.key < $1.key }.map { (program.sources[$0.key].input, $0.value) }
    }

    /// Runs a batch of one input through the operators.
    package func process(_ events: EventBatch, input: String) throws {
        findings.startBatch()
        for source in sources where source.input == input { try source.source.process(events: events) }
    }

    /// Ends the input: what waits goes out, every window closes, and the pipeline takes nothing more.
    package func finish() throws {
        findings.startBatch()
        for source in sources { try source.source.finish() }
    }

    /// How many events and rows took an unusual way.
    package var counts: FindingCounts { findings.counts }

    /// The event time up to which the input is complete; nil before the first event.
    package var watermark: Timestamp? {
        let least = sources.map(\.source.watermark).min() ?? .min
        return least == .min ? nil : Timestamp(ticks: least)
    }

    /// The watermark that must be passed for what waits now (open windows, rows to be sorted); nil where nothing waits.
    package var awaitedTime: Timestamp? {
        sources.compactMap(\.source.earliestOpenEnd).min().map { Timestamp(ticks: $0) }
    }
}

extension Program {
    /// The names of the inputs that a plan reads.
    package func inputs(of node: PlanNode) -> Set<String> {
        switch node {
        case .source(let index): [sources[index].input]
        case .step(let index): inputs(of: steps[index])
        case .filter(let input, _), .project(let input, _), .over(let input, _), .aggregate(let input, _):
            inputs(of: input)
        }
    }
}

/// Gives a statement's rows to the pipeline's owner.
private final class StatementSink: Operator {
    private let index: Int
    private let items: [RowBatch.Item]
    private let emitRows: (Int, RowBatch) throws -> Void

    init(index: Int, plan: PlanNode, emit: @escaping (Int, RowBatch) throws -> Void) {
        self.index = index
        emitRows = emit
        if case .project(_, let projected) = plan {
            items = projected.map { item in
                switch item.kind {
                case .named(let name): .named(name)
                case .spread(let excluded): .spread(excluding: excluded)
                }
            }
        } else {
            items = []
        }
    }

    override func process(_ batch: ColumnBatch) throws {
        try emitRows(index, RowBatch(items: items, columns: batch.columns, times: batch.times))
    }
}

/// Makes one operator per plan node, shared steps and sources once.
private struct PipelineBuilder {
    /// An operator with the heap and the number of the columns that it gives.
    struct Stage {
        let output: Operator
        let heap: TextHeap
        let columnCount: Int
    }

    let program: Program
    let configuration: Pipeline.Configuration
    let findings: FindingCollector
    private(set) var sources: [Int: EventSource] = [:]
    private var steps: [Int: Stage] = [:]

    init(program: Program, configuration: Pipeline.Configuration, findings: FindingCollector) {
        self.program = program
        self.configuration = configuration
        self.findings = findings
    }

    mutating func connect(_ statement: Statement, to sink: Operator) throws {
        try stage(statement.plan).output.connect(sink)
    }

    private mutating func stage(_ node: PlanNode) throws -> Stage {
        let policy = FailurePolicy(isStrict: configuration.isStrict) { [findings] in findings.fail($0) }
        switch node {
        case .source(let index): return try source(index)
        case .step(let index):
            if let made = steps[index] { return made }
            let made = try stage(program.steps[index])
            steps[index] = made
            return made
        case .filter(let input, let predicate):
            let input = try stage(input)
            let node = try ExpressionCompiler(heap: input.heap).node(predicate)
            let filter = Filter(node, columnCount: input.columnCount, heap: input.heap, policy: policy)
            return join(input, filter, heap: input.heap, columnCount: input.columnCount)
        case .project(let input, let items):
            let input = try stage(input)
            let compiler = ExpressionCompiler(heap: input.heap)
            let nodes = try items.map { try compiler.node($0.expression) }
            let projection = Projection(nodes, heap: input.heap, policy: policy)
            return join(input, projection, heap: input.heap, columnCount: items.count)
        case .over(let input, let calls):
            let input = try stage(input)
            let over = try Over(calls, columnCount: input.columnCount, heap: input.heap, policy: policy)
            return join(input, over, heap: input.heap, columnCount: input.columnCount + calls.count)
        case .aggregate(let input, let plan):
            let input = try stage(input)
            let heap = TextHeap()
            let aggregate = try WindowAggregate(
                plan, columnCount: input.columnCount, heap: input.heap, outputHeap: heap, policy: policy)
            let width = plan.keys.count + plan.aggregates.count + 2
            return join(input, aggregate, heap: heap, columnCount: width)
        }
    }

    private mutating func source(_ index: Int) throws -> Stage {
        let plan = program.sources[index]
        let source =
            try sources[index]
            ?? EventSource(
                plan, partitionCount: configuration.partitionCount, configuration: configuration, findings: findings)
        sources[index] = source
        return Stage(output: source, heap: source.heap, columnCount: plan.fields.count)
    }

    private func join(_ input: Stage, _ next: Operator, heap: TextHeap, columnCount: Int) -> Stage {
        input.output.connect(next)
        return Stage(output: next, heap: heap, columnCount: columnCount)
    }
}
