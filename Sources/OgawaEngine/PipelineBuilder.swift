import OgawaCore
import OgawaSQL

/// Makes one operator per plan node, shared steps and sources once.
struct PipelineBuilder {
    /// An operator with the heap and the number of the columns that it gives.
    struct Stage {
        let output: Operator
        let heap: TextHeap
        let columnCount: Int
        /// Whether rows carry the number of a substream.
        var hasLanes = false
    }

    let program: Program
    let configuration: Pipeline.Configuration
    let findings: FindingCollector
    private(set) var sources: [Int: EventSource] = [:]
    /// Every operator but the sinks, in the order in which they were made.
    private(set) var operators: [Operator] = []
    /// The numbers of substreams, shared by all sources.
    private let lanes = KeyInterner()
    private var steps: [Int: Stage] = [:]

    init(program: Program, configuration: Pipeline.Configuration, findings: FindingCollector) {
        self.program = program
        self.configuration = configuration
        self.findings = findings
    }

    mutating func connect(_ statement: Statement, to sink: Operator) throws {
        try stage(statement.plan).output.connect(sink)
    }

    mutating func stage(_ node: PlanNode) throws -> Stage {
        let policy = FailurePolicy(isStrict: configuration.isStrict) { [findings] in findings.fail($0) }
        switch node {
        case .source(let index): return try source(index)
        case .late(let index):
            _ = try source(index)
            guard let late = sources[index]?.late else { throw EngineError("the source has no late events") }
            operators.append(late)
            return Stage(output: late, heap: late.heap, columnCount: LateOutlet.columnCount)
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
            let width = plan.columnCount
            return try timed(input, heap: heap, columnCount: width) {
                try WindowAggregate(
                    plan, columnCount: input.columnCount, heap: input.heap, outputHeap: heap, policy: policy)
            }
        case .union(let inputs): return try merge(inputs)
        case .join(let left, let right, let plan): return try pair(left, right, plan, policy: policy)
        case .lookup(let input, let plan): return try lookup(input, plan, policy: policy)
        case .apply(let input, let plan): return try apply(input, plan, policy: policy)
        case .absence(let input, let plan): return try absence(input, plan, policy: policy)
        case .match(let input, let plan): return try match(try stage(input), plan, policy: policy)
        }
    }

    private mutating func source(_ index: Int) throws -> Stage {
        let plan = program.sources[index]
        if let made = sources[index] { return stage(of: made, plan) }
        let source = try EventSource(
            plan, input: configuration.input(plan.input), readsWholeBodies: configuration.readsWholeBodies,
            findings: findings, lanes: lanes)
        sources[index] = source
        operators.append(source)
        return stage(of: source, plan)
    }

    private func stage(of source: EventSource, _ plan: SourcePlan) -> Stage {
        Stage(
            output: source, heap: source.heap, columnCount: plan.fields.count, hasLanes: !plan.substreamKeys.isEmpty)
    }

    /// Notes an operator that has several inputs, which the caller connects.
    mutating func register(_ next: Operator) { operators.append(next) }

    /// Connects an operator that does not follow time.
    mutating func join(_ input: Stage, _ next: Operator, heap: TextHeap, columnCount: Int) -> Stage {
        operators.append(next)
        input.output.connect(next)
        return Stage(output: next, heap: heap, columnCount: columnCount, hasLanes: input.hasLanes)
    }

    /// Connects an operator that follows time, once per substream where the input has any.
    mutating func timed(
        _ input: Stage, heap: TextHeap, columnCount: Int, _ make: @escaping () throws -> Operator
    ) throws -> Stage {
        guard input.hasLanes else { return join(input, try make(), heap: heap, columnCount: columnCount) }
        let split = PerSubstream(inputs: [(input.columnCount, input.heap)]) {
            let made = try make()
            return PerSubstream.Instance(inputs: [made], output: made, operators: [made])
        }
        return join(input, split, heap: heap, columnCount: columnCount)
    }
}
