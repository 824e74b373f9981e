import OgawaCore
import OgawaHost
import OgawaPlatform
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The decisions about failing batches, without any process.
struct DeliveryPlanTests {
    private static let threw = InvocationFailure(.threw, "no")

    /// What happened to each event, and how many calls and pauses it took.
    private struct Outcome {
        var done: [Int] = []
        var dead: [Int] = []
        var calls = 0
        var pauses: [Duration] = []
        var order: [Int] = []
    }

    /// Plays a plan against a function that fails for some events; `isBlaming` names the first of them.
    private func play(
        count: Int, policy: FailurePolicy, seed: UInt64 = 1, isBlaming: Bool = false,
        fails: (Int, Int) -> Bool
    ) -> Outcome {
        var plan = DeliveryPlan(count: count, policy: policy, seed: seed)
        var outcome = Outcome()
        for _ in 0..<100_000 {
            switch plan.next() {
            case .done: return outcome
            case .pause(let duration): outcome.pauses.append(duration)
            case .giveUp(let index, _, _):
                outcome.dead.append(index)
                outcome.order.append(index)
            case .invoke(let range, _, _):
                outcome.calls += 1
                let bad = range.first { fails($0, outcome.calls) }
                guard let bad else {
                    outcome.done += range
                    outcome.order += range
                    plan.succeeded()
                    continue
                }
                if isBlaming {
                    outcome.done += range.lowerBound..<bad
                    outcome.order += range.lowerBound..<bad
                    plan.succeeded(firstFailure: bad - range.lowerBound, failure: Self.threw)
                } else {
                    plan.failed(Self.threw)
                }
            }
        }
        Issue.record("the plan does not end")
        return outcome
    }

    @Test func `a batch that goes well takes one call`() {
        let outcome = play(count: 100, policy: FailurePolicy()) { _, _ in false }
        #expect(outcome.calls == 1 && outcome.pauses.isEmpty && outcome.done == Array(0..<100))
        #expect(play(count: 0, policy: FailurePolicy()) { _, _ in false }.calls == 0)
    }

    @Test func `a short trouble costs a retry and no event`() {
        let outcome = play(count: 10, policy: FailurePolicy()) { _, call in call <= 2 }
        #expect(outcome.calls == 3 && outcome.pauses.count == 2 && outcome.dead.isEmpty)
    }

    @Test(arguments: [false, true])
    func `one poisonous event of a hundred is found, the others go through`(isBlaming: Bool) {
        for poison in [0, 1, 37, 99] {
            let outcome = play(count: 100, policy: FailurePolicy(), isBlaming: isBlaming) { index, _ in index == poison
            }
            #expect(outcome.dead == [poison])
            #expect(outcome.order == Array(0..<100))
            #expect(outcome.calls <= (isBlaming ? 5 : 3 + 2 * 7 + 3), "\(outcome.calls)")
        }
    }

    @Test func `every event has exactly one fate, in order, whatever fails`() {
        var random = SplitMix(seed: 20_261_122)
        for round in 0..<300 {
            let count = Int(random.next() % 60) + 1
            let bad = Set((0..<count).filter { _ in random.next() % 5 == 0 })
            let policy = FailurePolicy(maximumAttempts: Int(random.next() % 4) + 1, splits: random.next() % 4 != 0)
            let flaky = random.next() % 3
            let outcome = play(count: count, policy: policy, seed: random.next(), isBlaming: round % 2 == 0) {
                index, call in
                bad.contains(index) || UInt64(call) % 7 < flaky && flaky > 0 && index % 3 == 0
            }
            #expect(outcome.order == Array(0..<count), "round \(round)")
            #expect(Set(outcome.dead).union(outcome.done) == Set(0..<count))
            if policy.splits { #expect(bad.isSubset(of: outcome.dead), "round \(round)") }
        }
    }

    @Test func `without splitting the batch shares one fate`() {
        let outcome = play(count: 5, policy: FailurePolicy(maximumAttempts: 2, splits: false)) { index, _ in index == 3
        }
        #expect(outcome.dead == [0, 1, 2, 3, 4] && outcome.calls == 2)
    }

    @Test func `broken code is no event's fault`() {
        var plan = DeliveryPlan(count: 3, policy: FailurePolicy(maximumAttempts: 1), seed: 1)
        var last = Duration.zero
        for _ in 0..<20 {
            #expect(plan.next() == .invoke(0..<3, attempt: 0, maximumAttempts: 1))
            plan.failed(InvocationFailure(.initialization, "SyntaxError"))
            guard case .pause(let pause) = plan.next() else {
                Issue.record("no pause")
                return
            }
            last = pause
        }
        #expect(last >= .seconds(15) && last <= .seconds(30))
        plan.succeeded()
        #expect(plan.next() == .done)
    }

    @Test func `with hold an event is tried until it goes through`() {
        let policy = FailurePolicy(maximumAttempts: 2, lastResort: .hold)
        for isBlaming in [false, true] {
            let outcome = play(count: 4, policy: policy, isBlaming: isBlaming) { index, call in index == 2 && call < 40
            }
            #expect(outcome.dead.isEmpty && outcome.order == [0, 1, 2, 3])
        }
    }

    @Test func `pauses double up to a limit, with jitter that a seed fixes`() {
        let policy = FailurePolicy(
            maximumAttempts: 8, firstPause: .milliseconds(100), longestPause: .seconds(1), splits: false)
        let first = play(count: 1, policy: policy, seed: 5) { _, _ in true }.pauses
        #expect(first == play(count: 1, policy: policy, seed: 5) { _, _ in true }.pauses)
        #expect(first != play(count: 1, policy: policy, seed: 6) { _, _ in true }.pauses)
        for (index, pause) in first.enumerated() {
            let whole = min(Duration.milliseconds(100) * (1 << index), .seconds(1))
            #expect(pause >= whole / 2 && pause <= whole)
        }
    }

    private struct SplitMix {
        private var state: UInt64
        init(seed: UInt64) { state = seed }
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
    }
}

/// Batches through a real function to a target in memory.
@Suite(.enabled(if: HostFixture.has("node"), "node is not installed"))
struct FunctionDeliveryTests {
    /// Keeps what is committed, as one transaction each.
    private final class Target: DeliveryTarget, Sendable {
        let rows = Shared<[String]>([])
        let letters = Shared<[DeadLetter]>([])
        let progress = Shared<[Int64]>([])
        let state = Shared<[String: [UInt8]]>([:])
        let failures = Shared<[InvocationFailure]>([])

        func loadState(_ keys: [String]) throws -> [String: [UInt8]] {
            state.value.filter { keys.contains($0.key) }
        }

        func commit(_ result: InvocationResult, next: Offset) throws {
            rows.change { $0 += result.rows(of: "$return") }
            state.change { for change in result.stateChanges { $0[change.key] = change.value } }
            progress.change { $0.append(next.rawValue) }
        }

        func commit(_ letter: DeadLetter, next: Offset) throws {
            letters.change { $0.append(letter) }
            progress.change { $0.append(next.rawValue) }
        }

        func noteFailure(_ failure: InvocationFailure, attempt: Int, eventCount: Int) {
            failures.change { $0.append(failure) }
        }

        func pause(_ duration: Duration) -> Bool { true }
    }

    private func delivery(_ fixture: HostFixture, attempts: Int = 2) -> FunctionDelivery {
        let policy = FailurePolicy(maximumAttempts: attempts, firstPause: .milliseconds(1))
        return FunctionDelivery(host: fixture.host, program: "f", function: "f", policy: policy, hasState: true)
    }

    @Test func `a poisonous event becomes a dead letter and the rest is computed once`() throws {
        let fixture = try HostFixture()
        try fixture.add(
            """
            module.exports = async (events, context) => {
                const out = [];
                for (const event of events) {
                    if (event.body.bad) throw new RangeError('bad ' + event.offset);
                    const n = (await context.state.get(event.key) ?? 0) + 1;
                    await context.state.set(event.key, n);
                    out.push([event.key, n]);
                }
                return out;
            };
            """)
        let target = Target()
        let bodies = (0..<20).map { $0 == 13 ? #"{"bad":1}"# : "{}" }
        let batch = EventBatch.of(bodies, keys: (0..<20).map { "d\($0 % 3)" }, offset: 100)
        #expect(try delivery(fixture).deliver(EventInput(stream: "s", batch: batch), to: target))
        #expect(target.rows.value.count == 19)
        // d1 holds the poisonous event: 7 events of it less one.
        #expect(
            target.state.value.mapValues { String(decoding: $0, as: UTF8.self) } == ["d0": "7", "d1": "6", "d2": "6"])
        let letter = try #require(target.letters.value.first)
        #expect(target.letters.value.count == 1 && letter.offset.rawValue == 113 && letter.attempts == 2)
        let json = try JSONValue(parsing: letter.json)
        #expect(json["reason"] == "bad 113" && json["type"] == "RangeError" && json["body"] == ["bad": 1])
        #expect(json["stack"]?.text?.contains("f.js") == true && json["attempts"] == 2)
        #expect(target.progress.value == target.progress.value.sorted() && target.progress.value.last == 120)
    }

    @Test func `a worker killed during a call changes nothing in the results`() throws {
        let fixture = try HostFixture()
        try fixture.add(
            """
            const fs = require('fs');
            module.exports = async (events, context) => {
                fs.writeFileSync('pid', String(process.pid));
                await new Promise((go) => setTimeout(go, 150));
                const out = [];
                for (const event of events) {
                    const n = (await context.state.get(event.key) ?? 0) + 1;
                    await context.state.set(event.key, n);
                    out.push(event.offset + ':' + n);
                }
                return out;
            };
            """)
        let target = Target()
        let isDone = Shared(false)
        let kills = Shared(0)
        let pidFile = "\(fixture.folder)/pid"
        let killer = DedicatedThread(name: "killer") {
            while !isDone.value, kills.value < 3 {
                usleep(20_000)
                guard let file = fopen(pidFile, "r") else { continue }
                var process: Int32 = 0
                withUnsafeMutablePointer(to: &process) { pointer in
                    _ = withVaList([pointer]) { vfscanf(file, "%d", $0) }
                }
                fclose(file)
                if process > 1, kill(process, SIGKILL) == 0 {
                    kills.change { $0 += 1 }
                    unlink(pidFile)
                }
            }
        }
        for start in stride(from: Int64(0), to: 12, by: 4) {
            let batch = EventBatch.of(["1", "1", "1", "1"], keys: ["a", "a", "a", "a"], offset: start)
            #expect(try delivery(fixture, attempts: 20).deliver(EventInput(stream: "s", batch: batch), to: target))
        }
        isDone.change { $0 = true }
        killer.join()
        #expect(kills.value == 3)
        #expect(target.failures.value.count == 3 && target.failures.value.allSatisfy { $0.kind == .exited })
        #expect(target.rows.value == (0..<12).map { "\($0):\($0 + 1)" })
        #expect(target.letters.value.isEmpty)
    }

    @Test func `what a function got through before a reported failure is committed once`() throws {
        let fixture = try HostFixture()
        try fixture.add(
            """
            module.exports = (events, context) => {
                const bad = events.findIndex((event) => event.body === 'bad');
                const good = bad < 0 ? events : events.slice(0, bad);
                for (const event of good) context.emit('$return', String(event.offset));
                if (bad >= 0) return { batchItemFailures: [{ itemIdentifier: events[bad].offset }] };
            };
            """)
        let target = Target()
        let batch = EventBatch.of(["1", "2", "bad", "4", "bad"])
        #expect(try delivery(fixture).deliver(EventInput(stream: "s", batch: batch), to: target))
        #expect(target.rows.value == ["0", "1", "3"])
        #expect(target.letters.value.map(\.offset.rawValue) == [2, 4])
        #expect(target.progress.value.last == 5)
    }
}
