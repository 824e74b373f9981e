import OgawaCore

/// Where the results of a function go; the seam to streams, tables, state and progress.
///
/// **Isolation.** Called on the delivering thread, in order.
package protocol DeliveryTarget {
    /// The state of keys, as JSON; keys without state are absent.
    func loadState(_ keys: [String]) throws -> [String: [UInt8]]

    /// Stores rows, state changes and the progress in one transaction.
    ///
    /// - Parameter next: the offset behind the last event that is accounted for.
    func commit(_ result: InvocationResult, next: Offset) throws

    /// Stores a dead letter and the progress in one transaction.
    func commit(_ letter: DeadLetter, next: Offset) throws

    /// A call failed; for metrics and logs.
    func noteFailure(_ failure: InvocationFailure, attempt: Int, eventCount: Int)

    /// Sleeps; false where the runner is to stop.
    func pause(_ duration: Duration) -> Bool
}

/// Brings batches through a function and their results to the target.
package struct FunctionDelivery {
    package let host: FunctionHost
    package let program: String
    package let function: String
    package let policy: FailurePolicy
    /// Whether the state of the batch's keys is loaded with the batch.
    package let hasState: Bool

    package init(host: FunctionHost, program: String, function: String, policy: FailurePolicy, hasState: Bool) {
        self.host = host
        self.program = program
        self.function = function
        self.policy = policy
        self.hasState = hasState
    }

    /// Works a batch off, as a whole or in parts; false where the target asked to stop before the end.
    ///
    /// **Errors.** What the target throws; progress is what it has committed.
    package func deliver(_ input: EventInput, to target: some DeliveryTarget & Sendable) throws -> Bool {
        let seed =
            UInt64(bitPattern: input.batch.firstOffset.rawValue) ^ UInt64(truncatingIfNeeded: function.utf8.count)
        var plan = DeliveryPlan(count: input.batch.count, policy: policy, seed: seed)
        while true {
            switch plan.next() {
            case .done: return true
            case .pause(let duration): guard target.pause(duration) else { return false }
            case .giveUp(let index, let attempts, let failure):
                let letter = DeadLetter(
                    function: function, input: input, index: index, attempts: attempts, failure: failure)
                try target.commit(letter, next: letter.offset.advanced(by: 1))
            case .invoke(let range, let attempt, let maximum):
                var part = input
                part.batch = range.count == input.batch.count ? input.batch : input.batch.slice(range)
                var invocation = FunctionInvocation(function: function, input: part)
                invocation.attempt = attempt
                invocation.maximumAttempts = maximum
                invocation.previousFailure = plan.previousFailure?.message
                if hasState {
                    invocation.state = try target.loadState(FunctionDelivery.keys(of: part.batch))
                    invocation.loadState = { try target.loadState($0) }
                }
                do {
                    let result = try host.invoke(invocation, in: program)
                    let doneCount = min(result.firstFailure ?? range.count, range.count)
                    // Where nothing got through, what came back belongs to no event.
                    if doneCount > 0 { try target.commit(result, next: part.batch.firstOffset.advanced(by: doneCount)) }
                    if doneCount < range.count, let failure = result.failure {
                        target.noteFailure(failure, attempt: attempt, eventCount: range.count)
                    }
                    plan.succeeded(firstFailure: result.firstFailure, failure: result.failure)
                } catch let failure as InvocationFailure {
                    target.noteFailure(failure, attempt: attempt, eventCount: range.count)
                    if failure.kind == .stopped { return false }
                    plan.failed(failure)
                }
            }
        }
    }

    /// The keys of a batch, each once, in the order of their first event.
    private static func keys(of batch: EventBatch) -> [String] {
        var seen: Set<String> = []
        return (0..<batch.count).map { batch.key(at: $0) }.filter { seen.insert($0).inserted }
    }
}
