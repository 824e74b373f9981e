import OgawaCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

// The simplest contract: a filter. By default a process per batch: events in as lines, end of input, rows out as lines, exit
// code 0. Every filter works like that, `jq` and `grep` too. With `warm: true` the process stays, and answers exactly one line
// per line (an empty one or `null` for no row), which it must not hold back in a buffer.

/// Runs calls on a program that reads JSON lines and writes JSON lines.
struct JSONLinesTransport: WorkerTransport {
    let process: SupervisedProcess
    let program: FunctionProgram

    private var isWarm: Bool { program.configuration["warm"]?.bool == true }

    func start(deadline: ContinuousClock.Instant) throws -> JSONValue {
        ["type": "ready", "runtime": .text(process.launch.path)]
    }

    func invoke(_ invocation: FunctionInvocation, timeout: Duration) throws -> InvocationResult {
        let deadline = ContinuousClock.now + timeout
        let input = JSONLinesTransport.lines(of: invocation)
        let output = try exchange(input, lineCount: isWarm ? invocation.lineCount : nil, deadline)
        if !isWarm { try checkExit(deadline) }
        return try result(output, invocation)
    }

    /// A filter that fails with some rows written has failed: none of them count.
    private func checkExit(_ deadline: ContinuousClock.Instant) throws {
        let left = max(.zero, ContinuousClock.now.duration(to: deadline))
        guard let exit = process.waitForExit(timeout: left) else { throw ChannelError.timedOut }
        guard exit != .code(0) || process.killReason != nil else { return }
        if let reason = process.killReason { throw reason }
        let tail = process.logs.errorTail
        throw InvocationFailure(.exited, "the program ended with \(exit)", stack: tail.isEmpty ? nil : tail)
    }

    private func result(_ output: [UInt8], _ invocation: FunctionInvocation) throws -> InvocationResult {
        var result = InvocationResult()
        var rows = OutputRows(output: "$return")
        for line in output.split(separator: 0x0A) {
            let text = line.last == 0x0D ? line.dropLast() : line
            if !text.isEmpty, !text.elementsEqual("null".utf8) { rows.append(text) }
        }
        if case .web = invocation.trigger {
            let body = rows.count == 0 ? [] : Array(rows.text(at: 0).utf8)
            result.response = WebResponse(
                status: body.isEmpty ? 204 : 200, headers: [HTTPField("Content-Type", "application/json")], body: body)
        } else if rows.count > 0 {
            result.outputs = [rows]
        }
        return result
    }

    /// Writes and reads at the same time, since either side may wait for the other.
    private func exchange(
        _ input: [UInt8], lineCount: Int?, _ deadline: ContinuousClock.Instant
    ) throws(ChannelError) -> [UInt8] {
        var sent = 0
        var received: [UInt8] = []
        var lines = 0
        var isWriting = true
        while true {
            if isWriting, sent == input.count {
                isWriting = false
                if lineCount == nil { process.closeChannel() }
            }
            if let lineCount, !isWriting, lines >= lineCount { return received }
            var entries = [pollfd(fd: process.answers, events: Int16(POLLIN), revents: 0)]
            if isWriting { entries.append(pollfd(fd: process.channel, events: Int16(POLLOUT), revents: 0)) }
            let ready = poll(&entries, nfds_t(entries.count), pollMilliseconds(until: deadline))
            if ready == 0, ContinuousClock.now >= deadline { throw .timedOut }
            if isWriting, entries[1].revents != 0 {
                let count = input[sent...].withUnsafeBytes {
                    write(process.channel, $0.baseAddress, min($0.count, 65536))
                }
                // A filter may stop reading early, as `head` does.
                if count > 0 { sent += count } else if errno != EAGAIN, errno != EINTR { sent = input.count }
            }
            if entries[0].revents != 0 {
                do {
                    let part = try receiveSome(upTo: 64 << 10, process.answers, .now)
                    lines += part.count { $0 == 0x0A }
                    received += part
                } catch .closed {
                    if lineCount == nil { return received }
                    throw .closed
                } catch .timedOut {
                    continue
                }
            }
            guard received.count <= program.limits.responseByteCount else { throw .tooLarge(received.count) }
        }
    }

    /// A line per event; a timer is a line with its time, a request one with its body.
    private static func lines(of invocation: FunctionInvocation) -> [UInt8] {
        var bytes: [UInt8] = []
        switch invocation.trigger {
        case .events(let input):
            for body in input.batch.bodies { append(input.batch.bytes[body.range], to: &bytes) }
        case .timer(let timer): append(Array(#"{"time":"\#(timer.scheduled)"}"#.utf8)[...], to: &bytes)
        case .web(let request): append(request.body[...], to: &bytes)
        }
        return bytes
    }

    /// A body that holds line ends would be several lines: JSON is written anew, other text becomes a JSON string.
    private static func append(_ body: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
        if !body.contains(where: { $0 == 0x0A || $0 == 0x0D }) {
            bytes += body
        } else if let value = try? JSONValue(parsing: body) {
            bytes += Array(value.jsonText.utf8)
        } else {
            bytes += Array(JSONValue.text(String(decoding: body, as: UTF8.self)).jsonText.utf8)
        }
        bytes.append(0x0A)
    }
}

extension FunctionInvocation {
    /// The lines that a call gives to a filter.
    var lineCount: Int {
        if case .events(let input) = trigger { input.batch.count } else { 1 }
    }
}
