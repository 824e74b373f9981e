import OgawaCore
import OgawaSQL

// Nodes with several inputs, reference data and APPLY.
extension PipelineBuilder {
    mutating func merge(_ nodes: [PlanNode]) throws -> Stage {
        let inputs = try nodes.map { try stage($0) }
        let width = inputs.first?.columnCount ?? 0
        guard inputs.allSatisfy({ $0.columnCount == width }) else {
            throw EngineError("the inputs of a UNION have different columns")
        }
        let heap = TextHeap()
        return try connect(inputs, heap: heap, columnCount: width) {
            let merge = MergeInputs(inputCount: inputs.count, columnCount: width, outputHeap: heap)
            return (inputs.indices.map(merge.input), merge)
        }
    }

    mutating func pair(
        _ left: PlanNode, _ right: PlanNode, _ plan: JoinPlan, policy: FailurePolicy
    ) throws -> Stage {
        let inputs = [try stage(left), try stage(right)]
        let sides = inputs.map { (columnCount: $0.columnCount, heap: $0.heap) }
        let heap = TextHeap()
        return try connect(inputs, heap: heap, columnCount: sides[0].columnCount + sides[1].columnCount) {
            let join = try StreamJoin(plan, left: sides[0], right: sides[1], outputHeap: heap, policy: policy)
            return ([join.leftPort, join.rightPort], join)
        }
    }

    mutating func lookup(_ input: PlanNode, _ plan: LookupPlan, policy: FailurePolicy) throws -> Stage {
        let input = try stage(input)
        guard let table = configuration.references[plan.reference] else {
            throw EngineError("the reference data '\(plan.reference)' are not loaded")
        }
        let lookup = try Lookup(plan, table, columnCount: input.columnCount, heap: input.heap, policy: policy)
        return join(input, lookup, heap: input.heap, columnCount: input.columnCount + plan.columnCount)
    }

    mutating func apply(_ input: PlanNode, _ plan: ApplyPlan, policy: FailurePolicy) throws -> Stage {
        let input = try stage(input)
        let apply = try Apply(plan, columnCount: input.columnCount, heap: input.heap, policy: policy)
        return join(input, apply, heap: input.heap, columnCount: input.columnCount + plan.columnCount)
    }

    /// Connects an operator with several inputs, once per substream where they have any.
    private mutating func connect(
        _ inputs: [Stage], heap: TextHeap, columnCount: Int,
        _ make: @escaping () throws -> (ports: [Operator], output: Operator)
    ) throws -> Stage {
        let hasLanes = inputs.contains(where: \.hasLanes)
        guard hasLanes else {
            let (ports, output) = try make()
            for (input, port) in zip(inputs, ports) { input.output.connect(port) }
            register(output)
            return Stage(output: output, heap: heap, columnCount: columnCount)
        }
        guard inputs.allSatisfy(\.hasLanes) else {
            throw EngineError("TIMESTAMP BY … OVER stands on all inputs that are joined or united, or on none")
        }
        let split = PerSubstream(inputs: inputs.map { ($0.columnCount, $0.heap) }) {
            let (ports, output) = try make()
            return PerSubstream.Instance(inputs: ports, output: output, operators: [output])
        }
        for (index, input) in inputs.enumerated() { input.output.connect(split.input(index)) }
        register(split)
        return Stage(output: split, heap: heap, columnCount: columnCount, hasLanes: true)
    }
}
