import OgawaPlatform
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

// A worker's pipes are read by the supervisor while the function runs, and by the invoking thread once the answer is there, so
// that the lines of a call are told before the call returns. Who floods fills its own pipe: beyond the budget the pipe is
// read only at the supervisor's ticks, which slows the writer down and costs the others nothing.

/// Turns what a worker writes into entries, within a budget per invocation.
///
/// **Isolation.** Any thread. The sink is called under the lock, in the order of the lines, and must not call back.
final class LogCapture: Sendable {
    typealias Sink = @Sendable (FunctionLogEntry) -> Void

    private struct Pipe {
        var descriptor: Int32
        let origin: FunctionLogEntry.Origin
        var partial: [UInt8] = []
        /// The line is longer than is kept; the rest up to its end is skipped.
        var isSkipping = false
    }

    private struct State {
        var pipes: [Pipe]
        var function: String?
        var invocation: String?
        var remainingLines: Int
        var remainingBytes: Int
        var droppedLines = 0
        var errorTail: [UInt8] = []
    }

    private static let lineByteLimit = 8 << 10
    private static let tailByteLimit = 4 << 10
    private static let readByteCount = 64 << 10

    private let program: String
    private let lineLimit: Int
    private let byteLimit: Int
    private let sink: Sink
    private let state: Mutex<State>

    /// Takes the descriptors over; they do not block.
    init(
        program: String, pipes: [(descriptor: Int32, origin: FunctionLogEntry.Origin)], limits: FunctionLimits,
        sink: @escaping Sink
    ) {
        self.program = program
        self.sink = sink
        lineLimit = limits.logLineCount
        byteLimit = limits.logByteCount
        state = Mutex(
            State(
                pipes: pipes.map { Pipe(descriptor: $0.descriptor, origin: $0.origin) },
                remainingLines: limits.logLineCount, remainingBytes: limits.logByteCount))
    }

    deinit { close() }

    /// The descriptors that may have something to read, and whether they are to be read only at ticks.
    var descriptors: (open: [Int32], isFlooded: Bool) {
        state.withLock { ($0.pipes.map(\.descriptor).filter { $0 >= 0 }, $0.droppedLines > 0) }
    }

    /// Gives the following lines to a call, with a fresh budget.
    func begin(function: String, invocation: String) {
        state.withLock { state in
            tellDropped(&state)
            state.function = function
            state.invocation = invocation
            state.errorTail = []
        }
    }

    /// Reads what the call has written and closes its account.
    func end() {
        state.withLock { state in
            readAll(&state)
            tellDropped(&state)
            state.invocation = nil
        }
    }

    /// Reads what is there now; at most a few pipefuls.
    func read() { state.withLock { readAll(&$0) } }

    /// The last lines of standard error, for the report of an end nobody explained.
    var errorTail: String {
        state.withLock { String(decoding: $0.errorTail.suffix(LogCapture.tailByteLimit), as: UTF8.self) }
    }

    /// A line of Ogawa's own about the function.
    func note(_ level: FunctionLogEntry.Level, _ message: String, origin: FunctionLogEntry.Origin = .host) {
        state.withLock { state in
            guard state.remainingLines > 0 else {
                state.droppedLines += 1
                return
            }
            state.remainingLines -= 1
            tell(state, level, origin, String(message.prefix(LogCapture.lineByteLimit)))
        }
    }

    /// Reads the rest and closes the pipes.
    func close() {
        state.withLock { state in
            readAll(&state)
            for index in state.pipes.indices where state.pipes[index].descriptor >= 0 {
                finish(&state, index)
            }
            tellDropped(&state)
        }
    }

    private func readAll(_ state: inout State) {
        for index in state.pipes.indices {
            // A bound, so that one flood does not hold up the reading of the others.
            for _ in 0..<8 where !readOnce(&state, index) { break }
        }
    }

    /// Whether there may be more.
    private func readOnce(_ state: inout State, _ index: Int) -> Bool {
        let descriptor = state.pipes[index].descriptor
        guard descriptor >= 0 else { return false }
        let bytes = [UInt8](unsafeUninitializedCapacity: LogCapture.readByteCount) { buffer, count in
            #if canImport(Glibc)
                let result = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            #else
                let result = Darwin.read(descriptor, buffer.baseAddress, buffer.count)
            #endif
            count = max(0, result)
            if result == 0 || (result < 0 && errno != EAGAIN && errno != EINTR) { finish(&state, index) }
        }
        take(&state, index, bytes[...])
        return bytes.count == LogCapture.readByteCount
    }

    private func finish(_ state: inout State, _ index: Int) {
        let descriptor = state.pipes[index].descriptor
        state.pipes[index].descriptor = -1
        if descriptor >= 0 { _ = closeDescriptor(descriptor) }
        let rest = state.pipes[index].partial
        state.pipes[index].partial = []
        if !rest.isEmpty { line(&state, index, rest) }
    }

    private func take(_ state: inout State, _ index: Int, _ bytes: ArraySlice<UInt8>) {
        var rest = bytes
        while let end = rest.firstIndex(of: 0x0A) {
            // A line beyond the limit has been told already.
            let isUntold = !state.pipes[index].isSkipping
            keep(&state, index, rest[..<end])
            if isUntold { line(&state, index, state.pipes[index].partial) }
            state.pipes[index].partial = []
            state.pipes[index].isSkipping = false
            rest = rest[(end + 1)...]
        }
        keep(&state, index, rest)
        // A line beyond the limit is told as soon as it is known to be too long, once.
        if state.pipes[index].isSkipping, !state.pipes[index].partial.isEmpty {
            let whole = state.pipes[index].partial
            state.pipes[index].partial = []
            line(&state, index, whole)
        }
    }

    private func keep(_ state: inout State, _ index: Int, _ bytes: ArraySlice<UInt8>) {
        guard !state.pipes[index].isSkipping, !bytes.isEmpty else { return }
        let room = LogCapture.lineByteLimit - state.pipes[index].partial.count
        state.pipes[index].partial += bytes.prefix(room)
        if bytes.count > room {
            state.pipes[index].partial += Array(" … (the line goes on)".utf8)
            state.pipes[index].isSkipping = true
        }
    }

    private func line(_ state: inout State, _ index: Int, _ bytes: [UInt8]) {
        let origin = state.pipes[index].origin
        if origin == .standardError {
            state.errorTail += bytes + [0x0A]
            if state.errorTail.count > 2 * LogCapture.tailByteLimit {
                state.errorTail = Array(state.errorTail.suffix(LogCapture.tailByteLimit))
            }
        }
        guard state.remainingLines > 0, state.remainingBytes >= bytes.count else {
            state.droppedLines += 1
            return
        }
        state.remainingLines -= 1
        state.remainingBytes -= bytes.count
        if origin == .logger, let entry = try? JSONValue(parsing: bytes), let message = entry["message"]?.text {
            let level = entry["level"]?.text.flatMap { FunctionLogEntry.Level(rawValue: $0) } ?? .info
            tell(state, level, .logger, message)
        } else {
            let level: FunctionLogEntry.Level = origin == .standardError ? .error : .info
            tell(state, level, origin, String(decoding: bytes, as: UTF8.self))
        }
    }

    private func tellDropped(_ state: inout State) {
        if state.droppedLines > 0 {
            let limits = "at most \(lineLimit) lines and \(byteLimit) bytes are kept per invocation"
            tell(state, .warning, .host, "\(state.droppedLines) lines were dropped; \(limits)")
        }
        state.droppedLines = 0
        state.remainingLines = lineLimit
        state.remainingBytes = byteLimit
    }

    private func tell(
        _ state: borrowing State, _ level: FunctionLogEntry.Level, _ origin: FunctionLogEntry.Origin,
        _ message: String
    ) {
        sink(
            FunctionLogEntry(
                program: program, function: state.function, invocation: state.invocation, level: level,
                origin: origin, message: message))
    }
}
