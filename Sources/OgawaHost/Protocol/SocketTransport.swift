import OgawaCore

/// How a host talks with one worker.
///
/// **Isolation.** One call at a time, on the thread that invokes; calls block up to their deadline.
protocol WorkerTransport: Sendable {
    /// Waits until the worker is ready; what it tells about itself.
    func start(deadline: ContinuousClock.Instant) throws -> JSONValue

    /// Runs one call.
    ///
    /// **Errors.** ``InvocationFailure`` where the worker is well and the function failed; ``ChannelError`` where the worker is of no
    /// more use.
    func invoke(_ invocation: FunctionInvocation, timeout: Duration) throws -> InvocationResult
}

/// Talks Ogawa's own protocol over a socket.
struct SocketTransport: WorkerTransport {
    let process: SupervisedProcess
    let channel: FrameChannel
    let program: FunctionProgram

    init(process: SupervisedProcess, program: FunctionProgram) {
        self.process = process
        channel = FrameChannel(descriptor: process.channel, payloadLimit: program.limits.responseByteCount)
        self.program = program
    }

    func start(deadline: ContinuousClock.Instant) throws -> JSONValue {
        let message: JSONValue = [
            "type": "init", "protocol": 1, "program": .text(program.name), "model": .text(program.model.rawValue),
            "directory": .text(program.directory), "file": .text(program.file), "handler": .text(program.handler),
            "configuration": program.configuration,
            "memoryMiB": .integer(Int64(program.limits.memoryByteCount >> 20)),
            "timeoutMs": .integer(program.limits.timeout.ticks / Timestamp.ticksPerMillisecond),
        ]
        try channel.send(header: Array(message.jsonText.utf8), payload: [], deadline: deadline)
        let frame = try channel.receive(deadline: deadline)
        switch frame.header["type"]?.text {
        case "ready": return frame.header
        case "initError": throw ResultDecoder(frame).failure(.initialization)
        default: throw ChannelError.malformed("expected `ready` or `initError`, found \(kind(of: frame))")
        }
    }

    func invoke(_ invocation: FunctionInvocation, timeout: Duration) throws -> InvocationResult {
        let deadline = ContinuousClock.now + timeout
        let (header, payload) = InvocationEncoder.encode(invocation, timeout: timeout)
        try channel.send(header: header, payload: payload, deadline: deadline)
        while true {
            let frame = try channel.receive(deadline: deadline)
            switch frame.header["type"]?.text {
            case "result":
                try checkIdentity(frame, invocation)
                var decoder = ResultDecoder(frame)
                return try decoder.result(eventCount: invocation.eventCount)
            case "error":
                try checkIdentity(frame, invocation)
                let failure = ResultDecoder(frame).failure(.threw)
                // The next call must not be given to a process that is on its way out.
                if frame.header["leaving"]?.bool == true { process.kill(failure) }
                throw failure
            case "stateGet": try answerState(frame, invocation, deadline)
            default: throw ChannelError.malformed("expected `result`, `error` or `stateGet`, found \(kind(of: frame))")
            }
        }
    }

    private func checkIdentity(_ frame: Frame, _ invocation: FunctionInvocation) throws {
        guard frame.header["id"]?.text == invocation.id else {
            throw ChannelError.malformed("an answer to another invocation")
        }
    }

    private func answerState(
        _ frame: Frame, _ invocation: FunctionInvocation, _ deadline: ContinuousClock.Instant
    ) throws {
        let keys = (frame.header["keys"]?.elements ?? []).compactMap(\.text)
        let found = try invocation.loadState?(keys) ?? [:]
        var payload: [UInt8] = []
        var writer = JSONTextWriter()
        writer.object { writer in
            writer.member("type", "state")
            writer.name("state")
            writer.array { writer in
                for key in keys {
                    guard let value = found[key] else { continue }
                    writer.array { pair in
                        pair.text(key)
                        pair.number(value.count)
                    }
                    payload += value
                }
            }
        }
        try channel.send(header: writer.bytes, payload: payload, deadline: deadline)
    }

    private func kind(of frame: Frame) -> String {
        frame.header["type"]?.text.map { "`\($0.prefix(40))`" } ?? "a message without `type`"
    }
}

extension FunctionInvocation {
    /// The number of events in the batch; 0 for timers and requests.
    package var eventCount: Int {
        if case .events(let input) = trigger { input.batch.count } else { 0 }
    }
}
