import OgawaCore
import OgawaEngine
import OgawaSQL

/// A source of events for a query, read to its end.
package protocol QueryInput: AnyObject {
    /// The next events; nil at the end.
    func next() throws -> EventBatch?
    /// How much was read, from 0 to 1.
    var progress: Double { get }
    /// The partitions that the batches come from; each has its own timeline.
    var partitionCount: Int { get }
}

extension QueryInput {
    package var partitionCount: Int { 1 }
}

extension InputFile: QueryInput {}

/// Runs stream SQL over inputs that end: `ogawa query`, and the cases of `ogawa test`.
///
/// **Isolation.** One thread.
package final class QueryRun {
    /// What a finished run has to tell.
    package struct Summary: Sendable {
        package var eventCount = 0
        package var rowCount = 0
        /// Events that took an unusual way, by kind.
        package var counts = FindingCounts()
        /// The first examples of them.
        package var findings: [Finding] = []
    }

    package let program: Program
    private let policies: [String: OrderingPolicy]

    /// Compiles the text against the names of the inputs.
    ///
    /// - Throws: ``DiagnosticList`` with every error of the text.
    package init(_ source: SourceText, inputs: [String], policies: [String: OrderingPolicy] = [:]) throws {
        program = try compile(source, catalog: Catalog(streams: inputs)).program
        self.policies = policies
    }

    /// The outputs' names, in order of the statements that write them.
    package var outputs: [String] {
        var names: [String] = []
        for statement in program.statements {
            let isKnown = names.contains { $0.lowercased() == statement.output.lowercased() }
            if !isKnown { names.append(statement.output) }
        }
        return names
    }

    /// Whether the text gives an input's events a time of their own.
    package func hasOwnTime(_ input: String) -> Bool {
        program.sources.filter { $0.input == input }.allSatisfy { $0.timestamp != nil }
    }

    /// Reads the inputs one after another to their ends.
    ///
    /// - Parameters:
    ///   - isStrict: the first failing expression ends the run; otherwise the row is dropped and counted.
    ///   - progress: called after each batch with what was read of all inputs, from 0 to 1.
    ///   - emit: takes rows with their output's name and reads them before it returns.
    package func run(
        _ inputs: [(name: String, input: any QueryInput)], isStrict: Bool = true,
        progress: (Double) -> Void = { _ in }, emit: @escaping (String, RowBatch) throws -> Void
    ) throws -> Summary {
        let summary = SummaryBox()
        for (index, (name, input)) in inputs.enumerated() {
            let configuration = Pipeline.Configuration(
                policy: policies[name] ?? OrderingPolicy(), isStrict: isStrict, readsWholeBodies: true,
                partitionCount: max(1, input.partitionCount))
            let statements = program.statements
            let pipeline = try Pipeline(
                program, input: name, configuration: configuration,
                report: { finding in
                    if summary.value.findings.count < 20 { summary.value.findings.append(finding) }
                },
                emit: { index, rows in
                    summary.value.rowCount += rows.count
                    try emit(statements[index].output, rows)
                })
            while let batch = try input.next() {
                summary.value.eventCount += batch.count
                try pipeline.process(batch, input: name)
                progress((Double(index) + input.progress) / Double(inputs.count))
            }
            try pipeline.finish()
            summary.value.counts.add(pipeline.counts)
        }
        return summary.value
    }
}

/// Lets the pipeline's callbacks write to the summary.
private final class SummaryBox {
    var value = QueryRun.Summary()
}

extension FindingCounts {
    /// Adds another pipeline's counts.
    mutating func add(_ other: FindingCounts) {
        late += other.late
        early += other.early
        outOfOrder += other.outOfOrder
        undecodable += other.undecodable
        errors += other.errors
        dropped += other.dropped
    }
}
