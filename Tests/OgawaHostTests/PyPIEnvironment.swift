import OgawaPlatform
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A virtual environment with awslambdaric and azure-functions, made once and kept in the build folder.
struct PyPIEnvironment {
    let python: String

    /// The environment, or why there is none.
    static let shared: Result<PyPIEnvironment, Missing> = make()
    /// For `.enabled(if:)`: makes the environment where it is absent.
    static var isThere: Bool { (try? shared.get()) != nil }
    static let reason: Comment = "pip could not install awslambdaric and azure-functions"

    struct Missing: Error, CustomStringConvertible {
        let description: String
    }

    private static func make() -> Result<PyPIEnvironment, Missing> {
        let folder = getenv("OGAWA_TEST_VENV").map { String(cString: $0) } ?? ".build/host-test-venv"
        let python = absolute("\(folder)/bin/python3")
        if !imports(python, "azure.functions, awslambdaric") {
            guard run(["python3", "-m", "venv", folder]) == 0,
                run([
                    python, "-m", "pip", "install", "-q", "--retries", "1", "--timeout", "20", "awslambdaric",
                    "azure-functions",
                ]) == 0,
                imports(python, "azure.functions, awslambdaric")
            else { return .failure(Missing(description: reason.rawValue)) }
        }
        return .success(PyPIEnvironment(python: python))
    }

    static func bareHasNoAzure() throws -> Bool { !imports("python3", "azure.functions") }

    private static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let current = getcwd(nil, 0) else { return path }
        defer { free(current) }
        return "\(String(cString: current))/\(path)"
    }

    private static func imports(_ python: String, _ names: String) -> Bool {
        run([python, "-c", "import \(names)"]) == 0
    }

    /// Runs a command to its end; -1 where it cannot be started.
    private static func run(_ words: [String]) -> Int32 {
        guard let path = words[0].hasPrefix("/") ? words[0] : HostFixture.path(of: words[0]) else { return -1 }
        let null = open("/dev/null", O_RDWR)
        defer { close(null) }
        var environment: [String: String] = [:]
        for name in ["PATH", "HOME", "HTTPS_PROXY", "https_proxy", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "SSL_CERT_FILE"]
        {
            if let value = getenv(name) { environment[name] = String(cString: value) }
        }
        let command = ChildCommand(
            path: path, arguments: words, environment: environment, directory: nil, descriptors: [null, null, null])
        guard let child = try? ChildProcess(command) else { return -1 }
        while true {
            switch child.reap() {
            case .code(let code): return code
            case .signal: return -1
            case nil: usleep(10_000)
            }
        }
    }
}
