import OgawaCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

// The Lambda Runtime API for one process on a port of its own. No thread serves it: the program asks for the next invocation
// and waits, and only while a call runs has it anything to say. So the thread that makes the call also answers the requests.

/// Runs calls on a program that asks the Lambda Runtime API (`2018-06-01`) for them.
final class LambdaTransport: WorkerTransport {
    private struct Connection {
        let descriptor: Int32
        var reader: HTTPReader
    }

    private struct Request {
        let connection: Int32
        let message: HTTPMessage
    }

    private static let base = "/2018-06-01/runtime"

    private let listener: Int32
    private let process: SupervisedProcess
    private let program: FunctionProgram
    private let region: String
    // SAFETY: the pool gives a worker to one thread at a time, and hands it over under its lock.
    private nonisolated(unsafe) var connections: [Connection] = []
    // SAFETY: as above.
    private nonisolated(unsafe) var waiting: Int32?

    /// Takes the listening socket over.
    init(listener: Int32, process: SupervisedProcess, program: FunctionProgram) {
        self.listener = listener
        self.process = process
        self.program = program
        region = program.environment["AWS_REGION"] ?? "us-east-1"
    }

    deinit {
        closeDescriptor(listener)
        for connection in connections { closeDescriptor(connection.descriptor) }
    }

    func start(deadline: ContinuousClock.Instant) throws -> JSONValue {
        try awaitNext(deadline)
        return ["type": "ready", "runtime": "lambda runtime api"]
    }

    func invoke(_ invocation: FunctionInvocation, timeout: Duration) throws -> InvocationResult {
        let deadline = ContinuousClock.now + timeout
        try awaitNext(deadline)
        guard let next = waiting else { throw ChannelError.closed }
        waiting = nil
        try answer(
            next, "200 OK", headers(of: invocation, timeout: timeout),
            LambdaEvents.event(of: invocation, region: region), deadline)
        while true {
            let request = try nextRequest(deadline)
            let path = request.message.words.dropFirst().first ?? ""
            switch path {
            case "\(LambdaTransport.base)/invocation/\(invocation.id)/response":
                try answer(request.connection, "202 Accepted", [], Array(#"{"status":"OK"}"#.utf8), deadline)
                try checkStreamed(request.message)
                return try LambdaEvents.result(of: request.message.body, for: invocation)
            case "\(LambdaTransport.base)/invocation/\(invocation.id)/error":
                try answer(request.connection, "202 Accepted", [], Array(#"{"status":"OK"}"#.utf8), deadline)
                throw failure(.threw, request.message)
            case "\(LambdaTransport.base)/invocation/next": waiting = request.connection
            case "\(LambdaTransport.base)/init/error": throw failure(.initialization, request.message)
            default: try refuse(request, deadline)
            }
        }
    }

    /// Waits until the program asks for a call.
    private func awaitNext(_ deadline: ContinuousClock.Instant) throws {
        while waiting == nil {
            let request = try nextRequest(deadline)
            switch request.message.words.dropFirst().first ?? "" {
            case "\(LambdaTransport.base)/invocation/next": waiting = request.connection
            case "\(LambdaTransport.base)/init/error":
                try answer(request.connection, "202 Accepted", [], Array(#"{"status":"OK"}"#.utf8), deadline)
                throw failure(.initialization, request.message)
            default: try refuse(request, deadline)
            }
        }
    }

    private func headers(of invocation: FunctionInvocation, timeout: Duration) -> [HTTPField] {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let milliseconds = Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
        let digits = invocation.id.filter { $0.isHexDigit }.lowercased()
        let trace = (digits + String(repeating: "0", count: 48)).prefix(48)
        let root = "1-\(trace.prefix(8))-\(trace.dropFirst(8).prefix(24))"
        let name = invocation.function
        return [
            HTTPField("Content-Type", "application/json"),
            HTTPField("Lambda-Runtime-Aws-Request-Id", invocation.id),
            HTTPField("Lambda-Runtime-Invocation-Id", invocation.id),
            HTTPField(
                "Lambda-Runtime-Deadline-Ms", String(milliseconds + timeout.ticks / Timestamp.ticksPerMillisecond)),
            HTTPField(
                "Lambda-Runtime-Invoked-Function-Arn",
                "arn:aws:lambda:\(region):\(LambdaEvents.account):function:\(name)"),
            HTTPField("Lambda-Runtime-Trace-Id", "Root=\(root);Parent=\(trace.suffix(16));Sampled=0"),
        ]
    }

    /// A streamed answer may end with the report of an error.
    private func checkStreamed(_ message: HTTPMessage) throws(InvocationFailure) {
        let type = message.trailers.first { $0.name.lowercased() == "lambda-runtime-function-error-type" }
        guard let type else { return }
        let body = message.trailers.first { $0.name.lowercased() == "lambda-runtime-function-error-body" }?.value ?? ""
        let text = Base64.decode(Array(body.utf8)).map { String(decoding: $0, as: UTF8.self) } ?? body
        throw InvocationFailure(.threw, String(text.prefix(8_192)), type: type.value)
    }

    private func failure(_ kind: InvocationFailure.Kind, _ message: HTTPMessage) -> InvocationFailure {
        let body = (try? JSONValue(parsing: message.body)) ?? .null
        let text = body["errorMessage"]?.text ?? String(decoding: message.body.prefix(8_192), as: UTF8.self)
        let type = body["errorType"]?.text ?? message.header("Lambda-Runtime-Function-Error-Type")
        let frames = body["stackTrace"]?.elements ?? body["trace"]?.elements ?? []
        let lines = frames.map { frame in frame.text.map { String($0.trimmed) } ?? frame.jsonText }
        let stack = lines.isEmpty ? nil : String(lines.joined(separator: "\n").prefix(16_384))
        return InvocationFailure(kind, String(text.prefix(8_192)), type: type, stack: stack)
    }

    private func refuse(_ request: Request, _ deadline: ContinuousClock.Instant) throws {
        let body = #"{"errorMessage":"no such call is under way","errorType":"InvalidRequestID"}"#
        try answer(request.connection, "404 Not Found", [], Array(body.utf8), deadline)
    }

    private func answer(
        _ connection: Int32, _ status: String, _ headers: [HTTPField], _ body: [UInt8],
        _ deadline: ContinuousClock.Instant
    ) throws(ChannelError) {
        let isTyped = headers.contains { $0.name == "Content-Type" }
        let all = headers + (isTyped ? [] : [HTTPField("Content-Type", "application/json")])
        do { try sendAll(httpBytes("HTTP/1.1 \(status)", all, body), connection, deadline) } catch ChannelError.closed {
            drop(connection)
        }
    }

    private func drop(_ descriptor: Int32) {
        guard let index = connections.firstIndex(where: { $0.descriptor == descriptor }) else { return }
        connections.remove(at: index)
        closeDescriptor(descriptor)
        if waiting == descriptor { waiting = nil }
    }

    private func nextRequest(_ deadline: ContinuousClock.Instant) throws(ChannelError) -> Request {
        while true {
            for index in connections.indices {
                if let message = try connections[index].reader.next() {
                    return Request(connection: connections[index].descriptor, message: message)
                }
            }
            try waitForBytes(deadline)
        }
    }

    private func waitForBytes(_ deadline: ContinuousClock.Instant) throws(ChannelError) {
        var polled = [listener] + connections.map(\.descriptor)
        if let exit = process.exitDescriptor { polled.append(exit) }
        var entries = polled.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        // In steps, for systems that cannot wait for a process.
        let step = min(deadline, .now + .milliseconds(200))
        let ready = poll(&entries, nfds_t(entries.count), pollMilliseconds(until: step))
        if ready == 0 {
            if process.exit != nil { throw .closed }
            if ContinuousClock.now >= deadline { throw .timedOut }
            return
        }
        for entry in entries where entry.revents != 0 {
            if entry.fd == listener {
                guard let descriptor = LoopbackSocket.accept(listener) else { continue }
                let reader = HTTPReader(bodyLimit: program.limits.responseByteCount, isClient: false)
                connections.append(Connection(descriptor: descriptor, reader: reader))
            } else if let index = connections.firstIndex(where: { $0.descriptor == entry.fd }) {
                do {
                    connections[index].reader.append(try receiveSome(upTo: 64 << 10, entry.fd, .now))
                } catch .timedOut {
                    continue
                } catch {
                    drop(entry.fd)
                }
            } else {
                throw .closed
            }
        }
    }

    /// What Lambda sets for its programs.
    static func environment(_ program: FunctionProgram, port: UInt16) -> [String: String] {
        let region = program.environment["AWS_REGION"] ?? "us-east-1"
        let defaults = [
            "_HANDLER": program.handler, "LAMBDA_TASK_ROOT": program.directory,
            "LAMBDA_RUNTIME_DIR": program.directory, "AWS_LAMBDA_FUNCTION_NAME": program.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": String(program.limits.memoryByteCount >> 20),
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/\(program.name)", "AWS_LAMBDA_LOG_STREAM_NAME": "ogawa",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand", "AWS_REGION": region, "AWS_DEFAULT_REGION": region,
            "AWS_ACCESS_KEY_ID": "ogawa", "AWS_SECRET_ACCESS_KEY": "ogawa", "AWS_SESSION_TOKEN": "ogawa", "TZ": ":UTC",
        ]
        return defaults.merging(program.environment) { _, configured in configured }
            .merging(["AWS_LAMBDA_RUNTIME_API": "127.0.0.1:\(port)"]) { _, own in own }
    }
}
