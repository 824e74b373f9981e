// The decisions about one batch, without a clock, a process or a disk: what to call next, with which events, and what to give
// up. Parts of the batch are worked off strictly in order, so the progress is always a prefix of the batch.

/// Decides how a batch gets through a function that may fail.
///
/// **Shape.** Ask for ``next()``; tell what came of it by ``succeeded(firstFailure:failure:)`` or ``failed(_:)``; repeat until `done`. Every
/// event is either part of one successful call or one dead letter, exactly once and in order.
package struct DeliveryPlan: Sendable {
    /// What to do now.
    package enum Step: Hashable, Sendable {
        /// Call the function with a range of the batch.
        case invoke(Range<Int>, attempt: Int, maximumAttempts: Int)
        /// Wait, then ask again.
        case pause(Duration)
        /// Keep an event as a dead letter, then ask again.
        case giveUp(index: Int, attempts: Int, failure: InvocationFailure)
        /// All events are accounted for.
        case done
    }

    private struct Part {
        var range: Range<Int>
        var attempts = 0
        var limit: Int
        /// Whether the first event is known to be the one that fails.
        var isHeadBlamed = false
        var failure: InvocationFailure?
    }

    private let policy: FailurePolicy
    private var parts: [Part]
    private var pause: Duration?
    private var givenUp: [Part] = []
    private var failuresWithoutBlame = 0
    private var random: UInt64

    /// - Parameter seed: decides about the jitter of the pauses.
    package init(count: Int, policy: FailurePolicy, seed: UInt64) {
        self.policy = policy
        random = seed
        parts = count > 0 ? [Part(range: 0..<count, limit: policy.maximumAttempts)] : []
    }

    /// The failure of the last attempt at the part that comes next.
    package var previousFailure: InvocationFailure? { parts.first?.failure }

    package mutating func next() -> Step {
        if let pause {
            self.pause = nil
            return .pause(pause)
        }
        if var part = givenUp.first, let failure = part.failure {
            let index = part.range.lowerBound
            part.range = index + 1..<part.range.upperBound
            if part.range.isEmpty { givenUp.removeFirst() } else { givenUp[0] = part }
            return .giveUp(index: index, attempts: part.attempts, failure: failure)
        }
        guard let part = parts.first else { return .done }
        return .invoke(part.range, attempt: part.attempts, maximumAttempts: part.limit)
    }

    /// The call went well, up to an event of the range if one is named.
    ///
    /// - Parameter firstFailure: relative to the range of the call.
    package mutating func succeeded(firstFailure: Int? = nil, failure: InvocationFailure? = nil) {
        guard var part = parts.first else { return }
        failuresWithoutBlame = 0
        guard let firstFailure, firstFailure < part.range.count else {
            parts.removeFirst()
            return
        }
        let failure = failure ?? InvocationFailure(.threw, "the function reported the event as failed")
        if firstFailure > 0 {
            // What comes before is done; the failing event now leads a part of its own count.
            part = Part(
                range: part.range.lowerBound + firstFailure..<part.range.upperBound, limit: policy.maximumAttempts)
        }
        part.isHeadBlamed = true
        count(failure, against: part)
    }

    /// The call failed as a whole.
    package mutating func failed(_ failure: InvocationFailure) {
        guard var part = parts.first else { return }
        guard failure.mayBeCausedByEvents else {
            // A missing runtime or broken code is no event's fault: nothing is counted, everything waits.
            failuresWithoutBlame += 1
            pause = policy.pause(afterFailures: failuresWithoutBlame, random: nextRandom())
            return
        }
        failuresWithoutBlame = 0
        part.isHeadBlamed = false
        count(failure, against: part)
    }

    private mutating func count(_ failure: InvocationFailure, against failed: Part) {
        var part = failed
        part.attempts += 1
        part.failure = failure
        parts[0] = part
        if part.attempts < part.limit {
            pause = policy.pause(afterFailures: part.attempts, random: nextRandom())
        } else if policy.splits, part.range.count > 1 {
            split(part)
        } else if policy.lastResort == .hold {
            pause = policy.pause(afterFailures: part.attempts, random: nextRandom())
        } else {
            parts.removeFirst()
            givenUp.append(part)
        }
    }

    /// Cuts behind a blamed first event, else in the middle.
    private mutating func split(_ part: Part) {
        let range = part.range
        let middle = part.isHeadBlamed ? range.lowerBound + 1 : range.lowerBound + range.count / 2
        parts.removeFirst()
        let first = range.lowerBound..<middle
        let second = middle..<range.upperBound
        guard part.isHeadBlamed else {
            parts.insert(contentsOf: [half(first, part), half(second, part)], at: 0)
            return
        }
        // The blamed event has had its attempts; the others begin afresh.
        parts.insert(Part(range: second, limit: policy.maximumAttempts), at: 0)
        var head = part
        head.range = first
        if policy.lastResort == .hold {
            parts.insert(head, at: 0)
            pause = policy.pause(afterFailures: head.attempts, random: nextRandom())
        } else {
            givenUp.append(head)
        }
    }

    /// Halves are to find the culprit, so they get one attempt each; alone, an event gets its full number.
    private func half(_ range: Range<Int>, _ whole: Part) -> Part {
        Part(range: range, limit: range.count == 1 ? policy.maximumAttempts : 1, failure: whole.failure)
    }

    /// SplitMix64: the same seed gives the same pauses.
    private mutating func nextRandom() -> UInt64 {
        random &+= 0x9E37_79B9_7F4A_7C15
        var mixed = random
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
