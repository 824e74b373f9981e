import OgawaCore
import OgawaSQL

extension PipelineBuilder {
    /// MATCH_RECOGNIZE over the rows of a stage.
    mutating func match(_ input: Stage, _ plan: MatchPlan, policy: FailurePolicy) throws -> Stage {
        let heap = TextHeap()
        return try timed(input, heap: heap, columnCount: plan.measures.count) {
            try MatchRecognize(
                plan, columnCount: input.columnCount, heap: input.heap, outputHeap: heap, policy: policy)
        }
    }
}
