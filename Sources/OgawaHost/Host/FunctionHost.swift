import OgawaCore
import OgawaPlatform
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where a host finds what it needs.
package struct FunctionHostConfiguration: Sendable {
    /// A folder of the host's own, for the bootstraps of the runtimes.
    package var workDirectory: String
    /// The program for `node`; nil looks on the PATH.
    package var nodePath: String?
    /// The program for `python3`; nil looks on the PATH.
    package var pythonPath: String?
    /// Where commands are looked for.
    package var searchPath: String

    package init(workDirectory: String, nodePath: String? = nil, pythonPath: String? = nil, searchPath: String? = nil) {
        self.workDirectory = workDirectory
        self.nodePath = nodePath
        self.pythonPath = pythonPath
        self.searchPath = searchPath ?? getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
    }
}

/// Runs functions in worker processes.
///
/// **Shape.** Programs are added once; calls name their program. A call returns when its result is there, so callers have
/// threads of their own, and the order of a partition's calls is the order in which its thread makes them.
/// **Isolation.** Any dedicated thread, never the cooperative pool: ``invoke(_:in:)`` blocks.
package final class FunctionHost: Sendable {
    private let configuration: FunctionHostConfiguration
    private let supervisor: ProcessSupervisor
    private let pools = Mutex<[String: WorkerPool]>([:])

    /// Starts the host; workers start with their first call.
    ///
    /// - Parameter log: takes the lines of the functions; it must not call back.
    package init(
        _ configuration: FunctionHostConfiguration, log: @escaping @Sendable (FunctionLogEntry) -> Void
    ) throws {
        self.configuration = configuration
        // Whoever writes to a worker that has just ended gets an error instead of a signal.
        signal(SIGPIPE, SIG_IGN)
        try Bootstrap.install(in: configuration.workDirectory)
        supervisor = try ProcessSupervisor(sink: log)
    }

    /// Makes a program known, or replaces it: its old workers finish their calls and end.
    package func add(_ program: FunctionProgram) {
        let configuration = configuration
        let supervisor = supervisor
        let pool = WorkerPool(program: program) { program throws(InvocationFailure) in
            try WorkerStarter(configuration: configuration, supervisor: supervisor).start(program)
        }
        let old = pools.withLock { pools in
            defer { pools[program.name] = pool }
            return pools[program.name]
        }
        old?.stop()
    }

    /// Forgets a program; its workers finish their calls and end.
    package func remove(program name: String) {
        let old = pools.withLock { $0.removeValue(forKey: name) }
        old?.stop()
    }

    /// Runs one call to its end.
    ///
    /// **Errors.** ``InvocationFailure``: nothing of the call counts then.
    package func invoke(
        _ invocation: FunctionInvocation, in program: String
    ) throws(InvocationFailure) -> InvocationResult {
        supervisor.noteActivity()
        return try pool(program).invoke(invocation)
    }

    /// What the program tells of itself once it is loaded: `functions` holds those that registered themselves.
    package func describe(program: String) throws(InvocationFailure) -> JSONValue { try pool(program).greeting() }

    /// How often workers of a program were started, and how many there are.
    package func workers(of program: String) -> (starts: Int, alive: Int, lastStartDuration: Duration) {
        let figures = pools.withLock { $0[program] }?.figures ?? WorkerPool.Figures()
        return (figures.starts, figures.alive, figures.lastStartDuration)
    }

    /// Ends all workers; calls under way fail with `stopped`.
    package func stop() {
        let all = pools.withLock { pools in
            defer { pools = [:] }
            return Array(pools.values)
        }
        for pool in all { pool.stop() }
        supervisor.stop()
    }

    private func pool(_ name: String) throws(InvocationFailure) -> WorkerPool {
        guard let pool = pools.withLock({ $0[name] }) else {
            throw InvocationFailure(.unavailable, "no program named \(name)")
        }
        return pool
    }
}
