import OgawaCore
import OgawaHost
import OgawaJSON
import OgawaLog
import OgawaPlatform
import OgawaServer
import OgawaState
import Synchronization

/// What the calls of one function on one part of its input are committed to: state and progress first, then the outputs.
///
/// SAFETY: used by the runner's thread alone; loading state runs on the thread that invokes, which is the same.
final class HostedTarget: DeliveryTarget, @unchecked Sendable {
    private let context: HostedContext
    private let part: String
    private let lease: StateLease
    private let isStopping: @Sendable (Duration) -> Bool
    private var sinks: [String: (sink: any OutputSink, stored: [Progress?])] = [:]
    /// Behind the last event that is accounted for; nil where nothing was committed yet.
    private(set) var next: Int64?
    private(set) var rowsOut = 0
    private(set) var lastFailure: String?

    /// Takes the part over, and gives its outputs the rows of the last call again, which they may lack.
    ///
    /// - Parameter pause: sleeps; false where the runner is to stop.
    init(_ context: HostedContext, part: String, pause: @escaping @Sendable (Duration) -> Bool) throws {
        self.context = context
        self.part = part
        isStopping = pause
        lease = try context.state.acquire(function: context.function, part: part)
        guard let stored = lease.progress else { return }
        let progress = try HostedProgress(stored)
        next = progress.next
        try give(progress)
    }

    func loadState(_ keys: [String]) throws -> [String: [UInt8]] {
        let values = try context.state.load(function: context.function, keys: keys, now: context.clock.now())
        var found: [String: [UInt8]] = [:]
        for (key, value) in zip(keys, values) { if let value { found[key] = value } }
        return found
    }

    func commit(_ result: InvocationResult, next: Offset) throws {
        try commit(HostedProgress(next: next.rawValue, outputs: result.outputs), changes: result.stateChanges)
        lastFailure = nil
    }

    func commit(_ letter: DeadLetter, next: Offset) throws {
        var output = OutputRows(output: HostedContext.deadLetters)
        output.append(letter.json)
        output.keys.append(context.function)
        try commit(HostedProgress(next: next.rawValue, outputs: [output]), changes: [])
        context.report(
            "gave up on an event of \(letter.key) after \(letter.attempts) attempts: \(letter.failure)",
            device: letter.key)
    }

    func noteFailure(_ failure: InvocationFailure, attempt: Int, eventCount: Int) {
        lastFailure = failure.description
        context.report("attempt \(attempt + 1) with \(eventCount) events: \(failure)")
    }

    func pause(_ duration: Duration) -> Bool { isStopping(duration) }

    /// Commits a call that is not about events, such as a timer's.
    func commit(_ progress: HostedProgress, changes: [OgawaHost.StateChange]) throws {
        let now = context.clock.now()
        let stored = changes.map { change in
            OgawaState.StateChange(
                key: change.key, value: change.value, expiry: change.timeToLive.map { now.advanced(by: $0) })
        }
        try context.state.commit(
            StateCommit(
                function: context.function, part: part, changes: stored, progress: progress.bytes, epoch: lease.epoch,
                now: now))
        try flush()
        next = progress.next
        try give(progress)
    }

    private func flush() throws {
        let bell = Bell()
        let box = FlushBox(bell: bell)
        context.state.flush { box.end($0) }
        while true {
            if let result = box.take() { return try result.get() }
            bell.wait()
        }
    }

    /// Writes the rows of a call to those outputs that do not have them yet.
    private func give(_ progress: HostedProgress) throws {
        let place = Progress([LogPosition(offset: Offset(rawValue: progress.next), enqueuedTime: .min)])
        var merged: [String: OutputRows] = [:]
        var order: [String] = []
        for rows in progress.outputs where rows.count > 0 {
            guard let name = context.output(named: rows.output) else {
                context.report(
                    "gave \(rows.count) rows to \(rows.output == "$return" ? "its return value" : "'\(rows.output)'"), "
                        + "which is no output of the project")
                continue
            }
            if merged[name] == nil {
                order.append(name)
                merged[name] = rows
            } else {
                merged[name]?.add(rows)
            }
        }
        for name in order { if let rows = merged[name] { try give(rows, to: name, place) } }
    }

    private func give(_ rows: OutputRows, to name: String, _ place: Progress) throws {
        guard var entry = try sink(name) else { return }
        let isSuppressed = entry.stored.map { $0?.hasReached(place) ?? false }
        guard isSuppressed.contains(false) else { return }
        let written = try entry.sink.write(rows, progress: place, isSuppressed: isSuppressed)
        for index in written.indices where written[index] { entry.stored[index] = place }
        sinks[name] = entry
        rowsOut += rows.count
        context.outputs.count(rows.count, for: name)
        context.publish(rows, to: name)
    }

    private func sink(_ name: String) throws -> (sink: any OutputSink, stored: [Progress?])? {
        if let known = sinks[name] { return known }
        guard let output = context.outputs.output(name) else { return nil }
        let sink = output.makeSink(producer: "\(context.function)/\(part)/\(name)") { [context] in context.report($0) }
        let made = (sink: sink, stored: try sink.storedProgress(partitionCount: 1))
        sinks[name] = made
        return made
    }
}

/// The result of a flush on its way to the thread that waits for it.
private final class FlushBox: Sendable {
    private let result = Mutex<Result<Void, StateError>?>(nil)
    private let bell: Bell

    init(bell: Bell) { self.bell = bell }

    func end(_ outcome: Result<Void, StateError>) {
        result.withLock { $0 = outcome }
        bell.ring()
    }

    func take() -> Result<Void, StateError>? { result.withLock { $0 } }
}

extension OutputRows {
    /// Adds the rows of another output behind these.
    mutating func add(_ other: OutputRows) {
        for (index, row) in other.rows.enumerated() {
            while keys.count < count { keys.append(nil) }
            while properties.count < count { properties.append(nil) }
            append(other.bytes[row.range])
            keys.append(index < other.keys.count ? other.keys[index] : nil)
            properties.append(index < other.properties.count ? other.properties[index] : nil)
        }
    }
}
