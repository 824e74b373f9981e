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
        /// How one input is read.
        package struct Input {
            package var policy: OrderingPolicy
            /// Partitions that are merged; 1 for a pipeline of its own per partition.
            package var partitionCount: Int

            package init(policy: OrderingPolicy = OrderingPolicy(), partitionCount: Int = 1) {
                self.policy = policy
                self.partitionCount = partitionCount
            }
        }

        /// Inputs by name.
        package var inputs: [String: Input]
        /// For inputs that are not among ``inputs``.
        package var standard: Input
        /// True where the first failing expression ends the run; false drops the row and reports it.
        package var isStrict: Bool
        /// True for bodies that nobody has checked (files): damage behind the last wanted field is found, too.
        package var readsWholeBodies: Bool
        /// Reference data by the names that the program has for them.
        package var references: [String: ReferenceTable] = [:]

        package init(
            policy: OrderingPolicy = OrderingPolicy(), isStrict: Bool = false, readsWholeBodies: Bool = false,
            partitionCount: Int = 1, inputs: [String: Input] = [:]
        ) {
            standard = Input(policy: policy, partitionCount: partitionCount)
            self.inputs = inputs
            self.isStrict = isStrict
            self.readsWholeBodies = readsWholeBodies
        }

        func input(_ name: String) -> Input { inputs[name] ?? standard }
    }

    /// In place of an enqueued time: the event arrived exactly at its own event time (file input).
    package static let arrivesAtOwnTime = EventSource.arrivesAtOwnTime

    private let sources: [(input: String, source: EventSource)]
    /// Everything that remembers something, in the order in which it was built.
    private let operators: [Operator]
    private let findings: FindingCollector

    /// Builds the operators of the statements that read some of `inputs`, or of all statements where it is nil.
    ///
    /// - Parameters:
    ///   - emit: takes the rows of a statement (index into `program.statements`) and reads them before it returns.
    ///   - report: takes examples of events and rows that did not go the usual way.
    /// - Throws: ``EngineError`` where the program needs what this engine does not have.
    package init(
        _ program: Program, inputs: Set<String>? = nil, configuration: Configuration,
        report: @escaping (Finding) -> Void = { _ in }, emit: @escaping (Int, RowBatch) throws -> Void
    ) throws {
        findings = FindingCollector(report: report)
        var builder = PipelineBuilder(program: program, configuration: configuration, findings: findings)
        for (index, statement) in program.statements.enumerated() {
            if let inputs, program.inputs(of: statement.plan).isDisjoint(with: inputs) { continue }
            try builder.connect(statement, to: StatementSink(index: index, plan: statement.plan, emit: emit))
        }
        operators = builder.operators
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

    /// Ends one input; the others go on without waiting for it.
    package func finish(input: String) throws {
        findings.startBatch()
        for source in sources where source.input == input { try source.source.finish() }
    }

    /// The event time up to which one input is complete; nil before its first event.
    package func watermark(of input: String) -> Timestamp? {
        let least = sources.filter { $0.input == input }.map(\.source.watermark).min() ?? .min
        return least == .min ? nil : Timestamp(ticks: least)
    }

    /// What the operators remember, for ``restore(_:)`` of a pipeline of the same program and configuration.
    package func save() -> [UInt8] {
        var writer = StateWriter()
        writer.write(operators.count)
        for each in operators { each.save(to: &writer) }
        return writer.bytes
    }

    /// Takes saved state before the first event: the pipeline goes on as the saved one would have.
    ///
    /// - Throws: ``StateError`` where the bytes are damaged or of another program; the pipeline is of no use then.
    package func restore(_ bytes: [UInt8]) throws {
        var reader = StateReader(bytes)
        guard try reader.readInt() == operators.count else { throw StateError() }
        for each in operators { try each.restore(from: &reader) }
        guard reader.isAtEnd else { throw StateError() }
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

/// Gives a statement's rows to the pipeline's owner.
private final class StatementSink: Operator {
    private let index: Int
    private let items: [RowBatch.Item]
    private let emitRows: (Int, RowBatch) throws -> Void

    init(index: Int, plan: PlanNode, emit: @escaping (Int, RowBatch) throws -> Void) {
        self.index = index
        emitRows = emit
        items = plan.outputItems.map { kind in
            switch kind {
            case .named(let name): .named(name)
            case .spread(let excluded): .spread(excluding: excluded)
            }
        }
    }

    override func process(_ batch: ColumnBatch) throws {
        try emitRows(index, RowBatch(items: items, columns: batch.columns, times: batch.times))
    }
}
