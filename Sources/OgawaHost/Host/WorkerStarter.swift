import OgawaCore
import OgawaPlatform

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Turns a program into a command line, an environment and a way to talk.
struct WorkerStarter {
    let configuration: FunctionHostConfiguration
    let supervisor: ProcessSupervisor

    func start(_ program: FunctionProgram) throws(InvocationFailure) -> Worker {
        switch program.model {
        case .plain, .azureFolder, .azureRegistered, .lambdaHandler:
            let process = try launch(program, channel: .socket)
            let transport = SocketTransport(process: process, program: program)
            return try Worker(starting: process, transport: transport, limits: program.limits)
        case .jsonLines:
            let process = try launch(program, channel: .standardStreams)
            let transport = JSONLinesTransport(process: process, program: program)
            return try Worker(starting: process, transport: transport, limits: program.limits)
        case .lambdaRuntime: return try startLambda(program)
        case .customHandler: return try startCustomHandler(program)
        }
    }

    private func startLambda(_ program: FunctionProgram) throws(InvocationFailure) -> Worker {
        let (listener, port) = try listen()
        let process: SupervisedProcess
        do {
            let environment = LambdaTransport.environment(program, port: port)
            process = try launch(program, channel: .none, environment: environment)
        } catch {
            closeDescriptor(listener)
            throw error
        }
        let transport = LambdaTransport(listener: listener, process: process, program: program)
        return try Worker(starting: process, transport: transport, limits: program.limits)
    }

    private func startCustomHandler(_ program: FunctionProgram) throws(InvocationFailure) -> Worker {
        // The port is free now; should somebody else take it before the handler does, the start fails and is repeated.
        let (listener, port) = try listen()
        closeDescriptor(listener)
        let environment = CustomHandlerTransport.environment(program, port: port)
        let process = try launch(program, channel: .none, environment: environment)
        let transport = CustomHandlerTransport(port: port, process: process, program: program)
        return try Worker(starting: process, transport: transport, limits: program.limits)
    }

    private func listen() throws(InvocationFailure) -> (descriptor: Int32, port: UInt16) {
        do { return try LoopbackSocket.listen() } catch {
            throw InvocationFailure(.unavailable, "no port on 127.0.0.1: \(error)")
        }
    }

    func launch(
        _ program: FunctionProgram, channel: Launch.Channel, environment extra: [String: String] = [:]
    ) throws(InvocationFailure) -> SupervisedProcess {
        let command = try commandLine(program)
        var environment = baseEnvironment(program)
        environment.merge(program.environment) { _, configured in configured }
        environment.merge(extra) { _, added in added }
        if case .socket = channel {
            environment["OGAWA_SOCKET"] = "3"
            environment["OGAWA_LOG"] = "4"
        }
        let launch = Launch(
            program: program.name, path: try find(command[0], for: program), arguments: command,
            environment: environment, directory: program.directory, channel: channel, limits: program.limits)
        do {
            return try supervisor.start(launch)
        } catch let failure as InvocationFailure {
            throw failure
        } catch {
            throw InvocationFailure(.unavailable, "\(error)")
        }
    }

    /// The few words that programs cannot do without; nothing of Ogawa's own environment is passed on.
    private func baseEnvironment(_ program: FunctionProgram) -> [String: String] {
        var environment = [
            "PATH": configuration.searchPath, "LANG": "C.UTF-8", "TZ": "UTC", "HOME": program.directory,
            "OGAWA_FUNCTION": program.name,
        ]
        if let temporary = getenv("TMPDIR") { environment["TMPDIR"] = String(cString: temporary) }
        if program.runtime == .python { environment["PYTHONUNBUFFERED"] = "1" }
        return environment
    }

    private func commandLine(_ program: FunctionProgram) throws(InvocationFailure) -> [String] {
        switch program.runtime {
        case .node:
            // Three quarters for JavaScript's objects; the rest is for buffers and node itself.
            let heap = max(16, (program.limits.memoryByteCount >> 20) * 3 / 4)
            let bootstrap = Bootstrap.path(.node, in: configuration.workDirectory)
            return [configuration.nodePath ?? "node", "--max-old-space-size=\(heap)", bootstrap]
        case .python where program.model == .lambdaRuntime:
            return [python(for: program), "-m", "awslambdaric", program.handler]
        case .python:
            let bootstrap = Bootstrap.path(.python, in: configuration.workDirectory)
            return [python(for: program), bootstrap]
        case .command(let words):
            guard let first = words.first, !first.isEmpty else {
                throw InvocationFailure(.unavailable, "\(program.name): `command` is empty")
            }
            return words
        }
    }

    /// The program's own virtual environment comes first, as its packages are there.
    private func python(for program: FunctionProgram) -> String {
        let own = [".venv", "venv", "antenv"].map { "\(program.directory)/\($0)/bin/python3" }
        return own.first { access($0, X_OK) == 0 } ?? configuration.pythonPath ?? "python3"
    }

    private func find(_ name: String, for program: FunctionProgram) throws(InvocationFailure) -> String {
        if name.contains("/") {
            let path = name.hasPrefix("/") ? name : "\(program.directory)/\(name)"
            if access(path, X_OK) == 0 { return path }
            let reason = access(path, F_OK) == 0 ? "is not executable; run chmod +x" : "does not exist"
            throw InvocationFailure(.unavailable, "\(path) \(reason)")
        }
        for folder in configuration.searchPath.split(separator: ":") where access("\(folder)/\(name)", X_OK) == 0 {
            return "\(folder)/\(name)"
        }
        throw InvocationFailure(
            .unavailable, "\(name) is not installed (looked on the PATH); \(program.name) waits for it")
    }
}
