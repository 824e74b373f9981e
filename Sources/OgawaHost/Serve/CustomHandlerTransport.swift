import OgawaCore
import OgawaPlatform

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Runs calls on a web server that keeps the contract of Azure's custom handlers.
struct CustomHandlerTransport: WorkerTransport {
    let port: UInt16
    let process: SupervisedProcess
    let program: FunctionProgram

    /// What Azure sets for custom handlers, under the new and the old names.
    static func environment(_ program: FunctionProgram, port: UInt16) -> [String: String] {
        let identifier = FunctionInvocation.identifier(of: "\(program.name)/\(port)")
        return [
            "FUNCTIONS_CUSTOMHANDLER_PORT": String(port), "FUNCTIONS_CUSTOMHANDLER_WORKER_ID": identifier,
            "FUNCTIONS_HTTPWORKER_PORT": String(port), "FUNCTIONS_HTTPWORKER_ID": identifier,
            "FUNCTIONS_APP_ROOT_PATH": program.directory,
        ]
    }

    /// Any answer to `GET /` means that the server is there.
    func start(deadline: ContinuousClock.Instant) throws -> JSONValue {
        let bell = Bell()
        while true {
            let request = httpBytes("GET / HTTP/1.1", [HTTPField("Host", "127.0.0.1:\(port)")], [])
            if let descriptor = LoopbackSocket.connect(port: port) {
                defer { closeDescriptor(descriptor) }
                if (try? exchange(descriptor, request, min(deadline, .now + .seconds(5)))) != nil {
                    return ["type": "ready", "runtime": "custom handler"]
                }
            }
            if process.exit != nil { throw ChannelError.closed }
            if ContinuousClock.now >= deadline { throw ChannelError.timedOut }
            bell.wait(timeout: .milliseconds(20))
        }
    }

    func invoke(_ invocation: FunctionInvocation, timeout: Duration) throws -> InvocationResult {
        let deadline = ContinuousClock.now + timeout
        let bindings = bindings(of: invocation.function)
        if case .web(let request) = invocation.trigger, isProxying {
            return try forward(request, invocation, deadline)
        }
        guard case .events(let input) = invocation.trigger, !isMany(bindings) else {
            return try call(CustomHandlerMessage(invocation, bindings), deadline)
        }
        // Cardinality one: an event after the other, each an invocation of its own.
        var result = InvocationResult()
        for index in 0..<input.batch.count {
            var single = invocation
            single.trigger = .events(
                EventInput(stream: input.stream, consumer: input.consumer, batch: input.batch.slice(index..<index + 1)))
            if index > 0 { single.id = FunctionInvocation.identifier(of: "\(invocation.id)/\(index)") }
            do {
                result.outputs += try call(CustomHandlerMessage(single, bindings, isSingle: true), deadline).outputs
            } catch let failure as InvocationFailure where index > 0 && failure.kind == .threw {
                result.firstFailure = index
                result.failure = failure
                return result
            }
        }
        return result
    }

    private var isProxying: Bool {
        ["enableProxyingHttpRequest", "enableForwardingHttpRequest"].contains {
            program.configuration[$0]?.bool == true
        }
    }

    private func bindings(of function: String) -> [JSONValue] {
        let functions = program.configuration["functions"]?.elements ?? []
        return functions.first { $0["name"]?.text == function }?["bindings"]?.elements ?? []
    }

    private func isMany(_ bindings: [JSONValue]) -> Bool {
        bindings.contains { $0["cardinality"]?.text?.lowercased() == "many" }
    }

    private func call(_ message: CustomHandlerMessage, _ deadline: ContinuousClock.Instant) throws -> InvocationResult {
        let request = httpBytes("POST /\(message.function) HTTP/1.1", message.headers(port: port), message.body)
        let response = try ask(request, deadline)
        let status = response.words.dropFirst().first.flatMap { Int($0) } ?? 0
        guard (200..<300).contains(status) else {
            let text = String(decoding: response.body.prefix(8_192), as: UTF8.self)
            throw InvocationFailure(.threw, "the handler answered \(status)\(text.isEmpty ? "" : ": \(text)")")
        }
        guard let value = try? JSONValue(parsing: response.body), value.members != nil else {
            throw InvocationFailure(.threw, "the handler's answer is no JSON object (Outputs, Logs, ReturnValue)")
        }
        for line in value["Logs"]?.elements ?? [] {
            process.logs.note(.info, line.text ?? line.jsonText, origin: .logger)
        }
        return message.result(of: value)
    }

    /// Passes a web request on as it is.
    private func forward(
        _ request: WebRequest, _ invocation: FunctionInvocation, _ deadline: ContinuousClock.Instant
    ) throws -> InvocationResult {
        let own: Set = ["content-length", "transfer-encoding", "connection"]
        var headers = request.headers.filter { !own.contains($0.name.lowercased()) }
        headers.append(HTTPField("X-Azure-Functions-InvocationId", invocation.id))
        headers.append(HTTPField("Connection", "close"))
        let target = request.target.filter { $0.isASCII && !$0.isWhitespace }
        let message = try ask(httpBytes("\(request.method) \(target) HTTP/1.1", headers, request.body), deadline)
        let status = message.words.dropFirst().first.flatMap { Int($0) } ?? 502
        var result = InvocationResult()
        result.response = WebResponse(
            status: status, headers: message.headers.filter { !own.contains($0.name.lowercased()) }, body: message.body)
        return result
    }

    private func ask(_ request: [UInt8], _ deadline: ContinuousClock.Instant) throws -> HTTPMessage {
        guard let descriptor = LoopbackSocket.connect(port: port) else { throw ChannelError.closed }
        defer { closeDescriptor(descriptor) }
        return try exchange(descriptor, request, deadline)
    }

    private func exchange(
        _ descriptor: Int32, _ request: [UInt8], _ deadline: ContinuousClock.Instant
    ) throws(ChannelError) -> HTTPMessage {
        try sendAll(request, descriptor, deadline)
        var reader = HTTPReader(bodyLimit: program.limits.responseByteCount, isClient: true)
        while true {
            var isAtEnd = false
            do {
                reader.append(try receiveSome(upTo: 64 << 10, descriptor, deadline))
            } catch .closed {
                isAtEnd = true
            }
            if let message = try reader.next(atEnd: isAtEnd) {
                // An interim answer is followed by the real one.
                if message.words.dropFirst().first?.hasPrefix("1") == true { continue }
                return message
            }
            if isAtEnd { throw .closed }
        }
    }
}
