import OgawaCore
import OgawaSQL

// Every row may begin a match of its partition (SKIP TO NEXT ROW). What begins with a row is a run: the ways through the pattern that are
// still possible, in order of preference. A row is offered to each of them; where one reaches the end, those less preferred are
// given up and the match is kept as candidate, which a preferred way that gets longer may replace. A run ends when no way is left or when the time
// limit is over; its candidate is a match.
//
// A match has the time of its last row, but may be known later only. So matches come out in order of (last row, first row), and no later
// than the earliest candidate allows: the order is the same whatever the batch size.

/// MATCH_RECOGNIZE.
///
/// **Memory.** Per key 4 bytes and the key itself; per run see ``MatchRun``. At most 10,000 threads a key and 256 a run.
final class MatchRecognize: Operator {
    static let threadsPerKey = 10_000
    static let threadsPerRun = 256

    private struct Match {
        var sequence: Int64
        var firstSequence: Int64
        var time: Int64
        var values: [Value]
    }

    private let plan: MatchPlan
    private let program: MatchProgram
    private let keepsLabels: Bool
    private let keys: [ExpressionNode]
    private let arguments: [ExpressionNode?]
    /// Conditions over the current row only; nil for the others, which `probe` computes.
    private let conditions: [ExpressionNode?]
    private let probe: MatchProbe
    private let values: MatchProbe
    /// Registers that some condition reads: ways that agree in them go on alike.
    private let decisive: [Int]
    private let context: EvaluationContext
    private let policy: FailurePolicy
    private let selector: RowSelector
    private let output: ColumnBatch

    private let interner = KeyInterner()
    private var ids: [UInt32] = []
    private var runs: [MatchRun?] = []
    private var free: [Int] = []
    /// The runs of each key, oldest first, and how many threads they have.
    private var active: [[Int]] = []
    private var threadCounts: [Int] = []
    /// Runs in order of their beginning, with the number of the first row, by which a reused place is told.
    private var deadlines: [(run: Int, sequence: Int64)] = []
    private var deadlineStart = 0
    private var candidates = CandidateQueue()
    private var matches: [Match] = []
    private var sequence: Int64 = 0
    private var isLimitReported = false
    private var conditionOperands: [Operand?] = []
    private var argumentOperands: [Operand?] = []
    private var probedRow = -1
    /// When a state was last reached, for patterns whose conditions read the current row only.
    private var reached: [Int]
    private var stepNumber = 0

    init(_ plan: MatchPlan, columnCount: Int, heap: TextHeap, outputHeap: TextHeap, policy: FailurePolicy) throws {
        let compiler = ExpressionCompiler(heap: heap)
        self.plan = plan
        self.policy = policy
        program = MatchProgram(plan.pattern)
        keepsLabels = plan.registers.contains { $0.function == .classifier }
        keys = try plan.partitionKeys.map(compiler.node)
        arguments = try plan.registers.map { try $0.argument.map(compiler.node) }
        conditions = try plan.variables.map { $0.readsRowOnly ? try compiler.node($0.condition) : nil }
        let nothing = Expression(.literal(.null), range: plan.range)
        probe = try MatchProbe(
            plan.variables.map { $0.readsRowOnly ? nothing : $0.condition }, columnCount: columnCount,
            registerCount: plan.registers.count)
        values = try MatchProbe(plan.values, columnCount: 0, registerCount: plan.registers.count)
        var read: Set<Int> = []
        for variable in plan.variables {
            variable.condition.forEachColumn {
                if $0 >= MatchPlan.registerBase { read.insert($0 - MatchPlan.registerBase) }
            }
        }
        decisive = read.sorted()
        reached = Array(repeating: 0, count: program.variables.count)
        context = EvaluationContext(heap: heap)
        selector = RowSelector(columnCount: columnCount, heap: heap)
        output = ColumnBatch(columns: plan.measures.map { _ in Column(heap: outputHeap) }, heap: outputHeap)
    }

    // MARK: Rows

    override func process(_ batch: ColumnBatch) throws {
        var batch = batch
        var keyOperands = evaluate(batch)
        if let survivors = try policy.survivors(context, count: batch.count) {
            batch = selector.select(survivors, of: batch)
            keyOperands = evaluate(batch)
            _ = context.takeFailures()
        }
        interner.intern(keyOperands, count: batch.count, into: &ids)
        while active.count < interner.count {
            active.append([])
            threadCounts.append(0)
        }
        isLimitReported = false
        for row in 0..<batch.count {
            probedRow = -1
            try expire(at: batch.times[row])
            try offer(row, of: batch, key: ids[row])
            sequence += 1
        }
        try emitMatches()
    }

    private func evaluate(_ batch: ColumnBatch) -> [Operand] {
        conditionOperands = conditions.map { $0?.evaluate(batch, context, active: nil) }
        argumentOperands = arguments.map { $0?.evaluate(batch, context, active: nil) }
        return keys.map { $0.evaluate(batch, context, active: nil) }
    }

    private func offer(_ row: Int, of batch: ColumnBatch, key: UInt32) throws {
        let time = batch.times[row]
        let list = active[Int(key)]
        if !list.isEmpty {
            var remaining: [Int] = []
            for index in list {
                guard var run = runs[index] else { continue }
                runs[index] = nil
                threadCounts[Int(key)] -= run.threads.count
                run.threads = try step(run.threads, &run.candidate, row, batch)
                threadCounts[Int(key)] += run.threads.count
                if run.threads.isEmpty {
                    try finish(run)
                    free.append(index)
                } else {
                    note(run, index)
                    runs[index] = run
                    remaining.append(index)
                }
            }
            active[Int(key)] = remaining
        }
        try begin(row, of: batch, key: key, time: time)
    }

    /// Begins a run with a row, where the row may begin a match.
    private func begin(_ row: Int, of batch: ColumnBatch, key: UInt32, time: Int64) throws {
        let mayBegin = program.first.contains { state in
            guard state != MatchProgram.end, let variable = program.variables[state] else {
                return state != MatchProgram.end
            }
            return conditionOperands[variable]?.isTrue(row) ?? true
        }
        guard mayBegin else { return }
        let memory = MatchMemory(values: Array(repeating: nil, count: plan.registers.count))
        let fresh = program.first.filter { $0 != MatchProgram.end }.map { MatchThread(state: $0, memory: memory) }
        var run = MatchRun(key: key, firstTime: time, sequence: sequence, threads: [], candidate: nil)
        run.threads = try step(fresh, &run.candidate, row, batch)
        guard !run.threads.isEmpty else { return try finish(run) }
        guard threadCounts[Int(key)] + run.threads.count <= MatchRecognize.threadsPerKey else {
            try reportLimit("a key has more than \(MatchRecognize.threadsPerKey) matches under way")
            return
        }
        threadCounts[Int(key)] += run.threads.count
        let index = free.popLast() ?? runs.count
        if index == runs.count { runs.append(nil) }
        note(run, index)
        runs[index] = run
        active[Int(key)].append(index)
        deadlines.append((index, sequence))
    }

    private func note(_ run: MatchRun, _ index: Int) {
        guard let candidate = run.candidate, candidate.sequence == sequence else { return }
        candidates.push(CandidateQueue.Entry(last: candidate.sequence, first: run.sequence, run: index))
    }

    /// The ways that are left after a row.
    private func step(
        _ threads: [MatchThread], _ candidate: inout MatchCandidate?, _ row: Int, _ batch: ColumnBatch
    ) throws -> [MatchThread] {
        var next: [MatchThread] = []
        stepNumber += 1
        for thread in threads {
            let variable = program.variables[thread.state]
            if let variable, let condition = conditionOperands[variable], !condition.isTrue(row) { continue }
            guard let memory = try remember(thread.memory, row, variable) else { continue }
            if let variable, conditionOperands[variable] == nil, try !holds(variable, memory, row, batch) { continue }
            for state in program.following[thread.state] {
                if state == MatchProgram.end {
                    candidate = MatchCandidate(memory: memory, time: batch.times[row], sequence: sequence)
                    return next
                }
                if isReached(state, memory, next) { continue }
                guard next.count < MatchRecognize.threadsPerRun else {
                    try reportLimit("one row begins more than \(MatchRecognize.threadsPerRun) different matches")
                    continue
                }
                next.append(MatchThread(state: state, memory: memory))
            }
        }
        return next
    }

    /// Whether a preferred way goes on just alike.
    private func isReached(_ state: Int, _ memory: MatchMemory, _ threads: [MatchThread]) -> Bool {
        guard decisive.isEmpty else {
            return threads.contains { $0.state == state && agrees($0.memory, memory) }
        }
        defer { reached[state] = stepNumber }
        return reached[state] == stepNumber
    }

    private func agrees(_ one: MatchMemory, _ other: MatchMemory) -> Bool {
        decisive.allSatisfy { one.values[$0] == other.values[$0] }
    }

    /// What is kept after a row; nil where the row cannot be taken because a value fails.
    private func remember(_ memory: MatchMemory, _ row: Int, _ variable: Int?) throws -> MatchMemory? {
        var memory = memory
        for (index, register) in plan.registers.enumerated()
        where register.variable == nil || register.variable == variable {
            let value = argumentOperands[index].map { $0.column.value(at: $0.index(row)) } ?? .null
            do {
                memory.values[index] = try register.updated(memory.values[index], with: value)
            } catch {
                let message = (error as? ScalarFailure)?.message ?? String(describing: error)
                try fail(EngineError(message, range: register.argument?.range ?? plan.range))
                return nil
            }
        }
        if keepsLabels { memory.labels.append(variable.map { UInt16(truncatingIfNeeded: $0 + 1) } ?? 0) }
        return memory
    }

    private func holds(_ variable: Int, _ memory: MatchMemory, _ row: Int, _ batch: ColumnBatch) throws -> Bool {
        if probedRow != row {
            probe.load(row, of: batch)
            probedRow = row
        }
        probe.load(memory, plan)
        let isTrue = probe.isTrue(variable)
        guard let failure = probe.context.takeFailures().first else { return isTrue }
        try fail(failure.error)
        return false
    }

    private func fail(_ error: EngineError) throws {
        if policy.isStrict { throw error }
        policy.report(error)
    }

    private func reportLimit(_ what: String) throws {
        if isLimitReported, !policy.isStrict { return }
        isLimitReported = true
        try fail(
            EngineError(
                "MATCH_RECOGNIZE: \(what); further ones are not followed. Shorten LIMIT DURATION, or make the first "
                    + "variable's condition stricter", range: plan.range))
    }

    // MARK: Ends

    /// Ends the runs whose time is over at a row or a watermark of this time.
    private func expire(at time: Int64) throws {
        while deadlineStart < deadlines.count {
            let (index, sequence) = deadlines[deadlineStart]
            if let run = runs[index], run.sequence == sequence {
                // The difference, because a sum could be beyond 64 bits.
                let (age, overflow) = time.subtractingReportingOverflow(run.firstTime)
                guard overflow || age >= plan.limit else { break }
                runs[index] = nil
                free.append(index)
                threadCounts[Int(run.key)] -= run.threads.count
                active[Int(run.key)].removeAll { $0 == index }
                try finish(run)
            }
            deadlineStart += 1
        }
        guard deadlineStart > 64, deadlineStart * 2 > deadlines.count else { return }
        deadlines.removeFirst(deadlineStart)
        deadlineStart = 0
    }

    private func finish(_ run: MatchRun) throws {
        guard let candidate = run.candidate else { return }
        var memory = candidate.memory
        for (index, register) in plan.registers.enumerated() where register.function == .classifier {
            memory.values[index] = .array(labels(memory.labels))
        }
        values.load(time: candidate.time)
        values.load(memory, plan)
        let columns = plan.measures.indices.map { values.value($0) }
        if let failure = values.context.takeFailures().first { return try fail(failure.error) }
        matches.append(
            Match(
                sequence: candidate.sequence, firstSequence: run.sequence, time: candidate.time, values: columns))
    }

    private func labels(_ labels: [UInt16]) -> String {
        let names = labels.map { label in
            let name = label == 0 ? "." : plan.variables[Int(label) - 1].name
            return "\"" + name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
        }
        return "[" + names.joined(separator: ",") + "]"
    }

    /// The earliest candidate of a run that is still open.
    private func earliestCandidate() -> MatchRun? {
        while let top = candidates.top {
            if let run = runs[top.run], run.sequence == top.first, run.candidate?.sequence == top.last { return run }
            candidates.pop()
        }
        return nil
    }

    private func emitMatches() throws {
        guard !matches.isEmpty else { return }
        let open = earliestCandidate()
        let limit = (open?.candidate?.sequence ?? .max, open?.sequence ?? .max)
        matches.sort { ($0.sequence, $0.firstSequence) < ($1.sequence, $1.firstSequence) }
        let ready = matches.prefix { ($0.sequence, $0.firstSequence) < limit }
        guard !ready.isEmpty else { return }
        output.heap.count = 0
        output.times.removeAll(keepingCapacity: true)
        for column in output.columns { column.finish(count: 0, tagSet: []) }
        for match in ready {
            output.times.append(match.time)
            for (column, value) in zip(output.columns, match.values) { column.append(value) }
        }
        matches.removeFirst(ready.count)
        try emit(output)
    }

    override func advance(to time: Int64) throws {
        try expire(at: time)
        try emitMatches()
        try super.advance(to: min(time, earliestCandidate()?.candidate?.time ?? .max))
    }

    override var earliestOpenEnd: Int64? {
        let waiting = deadlines[deadlineStart...].first { runs[$0.run]?.candidate != nil }
        let own = waiting.flatMap { runs[$0.run] }.map { run -> Int64 in
            let (end, overflow) = run.firstTime.addingReportingOverflow(plan.limit)
            return overflow ? .max : end
        }
        return [own, super.earliestOpenEnd].compactMap { $0 }.min()
    }

    // MARK: State

    override func save(to writer: inout StateWriter) {
        interner.save(to: &writer)
        writer.write(sequence)
        let open = deadlines[deadlineStart...].compactMap { entry in
            runs[entry.run].flatMap { $0.sequence == entry.sequence ? $0 : nil }
        }
        writer.write(open.count)
        for run in open { run.save(to: &writer) }
        writer.write(matches.count)
        for match in matches {
            writer.write(match.sequence)
            writer.write(match.firstSequence)
            writer.write(match.time)
            for value in match.values { writer.write(value) }
        }
    }

    override func restore(from reader: inout StateReader) throws {
        try interner.restore(from: &reader)
        sequence = try reader.readInt64()
        active = Array(repeating: [], count: interner.count)
        threadCounts = Array(repeating: 0, count: interner.count)
        for _ in 0..<(try reader.readCount(ofSize: 28)) {
            let run = try MatchRun(
                from: &reader, stateCount: program.variables.count, registerCount: plan.registers.count,
                variableCount: plan.variables.count)
            guard Int(run.key) < active.count, run.sequence >= deadlines.last?.sequence ?? 0 else { throw StateError() }
            active[Int(run.key)].append(runs.count)
            threadCounts[Int(run.key)] += run.threads.count
            deadlines.append((runs.count, run.sequence))
            if let candidate = run.candidate {
                candidates.push(
                    CandidateQueue.Entry(last: candidate.sequence, first: run.sequence, run: runs.count))
            }
            runs.append(run)
        }
        for _ in 0..<(try reader.readCount(ofSize: 24)) {
            let (last, first) = (try reader.readInt64(), try reader.readInt64())
            let time = try reader.readInt64()
            matches.append(
                Match(
                    sequence: last, firstSequence: first, time: time,
                    values: try plan.measures.map { _ in try reader.readValue() }))
        }
    }
}
