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
    private let references: [ReferenceTable]

    /// Compiles the text against the names of the inputs.
    ///
    /// - Throws: ``DiagnosticList`` with every error of the text.
    package init(
        _ source: SourceText, inputs: [String], references: [ReferenceTable] = [],
        policies: [String: OrderingPolicy] = [:]
    ) throws {
        let catalog = Catalog(streams: inputs, references: references.map(\.name))
        program = try compile(source, catalog: catalog).program
        self.policies = policies
        self.references = references
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

    /// Reads the inputs to their ends, always the one that is furthest behind in event time.
    ///
    /// - Parameters:
    ///   - isStrict: the first failing expression ends the run; otherwise the row is dropped and counted.
    ///   - progress: called after each batch with what was read of all inputs, from 0 to 1.
    ///   - emit: takes rows with their output's name and reads them before it returns.
    package func run(
        _ inputs: [(name: String, input: any QueryInput)], isStrict: Bool = true,
        progress: (Double) -> Void = { _ in }, emit: @escaping (String, RowBatch) throws -> Void
    ) throws -> Summary {
        let statements = program.statements
        return try run(
            inputs, isStrict: isStrict, progress: progress,
            emitStatement: { index, rows in try emit(statements[index].output, rows) })
    }

    /// Like ``run(_:isStrict:progress:emit:)``; rows come with the number of their statement.
    package func run(
        _ inputs: [(name: String, input: any QueryInput)], isStrict: Bool = true,
        progress: (Double) -> Void = { _ in }, emitStatement: @escaping (Int, RowBatch) throws -> Void
    ) throws -> Summary {
        let summary = SummaryBox()
        var configuration = Pipeline.Configuration(isStrict: isStrict, readsWholeBodies: true)
        for (name, input) in inputs {
            configuration.inputs[name] = Pipeline.Configuration.Input(
                policy: policies[name] ?? OrderingPolicy(), partitionCount: max(1, input.partitionCount))
        }
        for table in references { configuration.references[table.name] = table }
        let pipeline = try Pipeline(
            program, configuration: configuration,
            report: { finding in
                if summary.value.findings.count < 20 { summary.value.findings.append(finding) }
            },
            emit: { index, rows in
                summary.value.rowCount += rows.count
                try emitStatement(index, rows)
            })
        var open = Array(inputs.indices)
        while let next = open.first(where: { pipeline.watermark(of: inputs[$0].name) == nil })
            ?? open.min(by: { isBehind($0, $1, inputs.map(\.name), pipeline) })
        {
            let (name, input) = inputs[next]
            guard let batch = try input.next() else {
                open.removeAll { $0 == next }
                try pipeline.finish(input: name)
                continue
            }
            summary.value.eventCount += batch.count
            try pipeline.process(batch, input: name)
            progress(inputs.reduce(0) { $0 + $1.input.progress } / Double(inputs.count))
        }
        summary.value.counts = pipeline.counts
        return summary.value
    }

    private func isBehind(_ one: Int, _ other: Int, _ names: [String], _ pipeline: Pipeline) -> Bool {
        (pipeline.watermark(of: names[one]) ?? .min) < (pipeline.watermark(of: names[other]) ?? .min)
    }
}

/// Lets the pipeline's callbacks write to the summary.
private final class SummaryBox {
    var value = QueryRun.Summary()
}
