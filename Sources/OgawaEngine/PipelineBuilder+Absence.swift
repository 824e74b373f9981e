import OgawaCore
import OgawaSQL

extension PipelineBuilder {
    /// ABSENCE follows time, so that each substream has its own.
    mutating func absence(_ input: PlanNode, _ plan: AbsencePlan, policy: FailurePolicy) throws -> Stage {
        let input = try stage(input)
        let heap = TextHeap()
        let width = input.columnCount + AbsencePlan.columnCount
        return try timed(input, heap: heap, columnCount: width) {
            try Absence(
                plan, columnCount: input.columnCount, heap: input.heap, outputHeap: heap, policy: policy)
        }
    }
}
