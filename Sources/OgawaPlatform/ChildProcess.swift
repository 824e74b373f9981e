import COgawaPlatform

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// How a child process ended.
package enum ChildExit: Hashable, Sendable, CustomStringConvertible {
    case code(Int32)
    case signal(Int32)

    package var description: String {
        switch self {
        case .code(let code): "exit code \(code)"
        case .signal(let number): "signal \(number)"
        }
    }
}

/// What to start: a program, its arguments, its whole environment and its first five descriptors.
///
/// **Shape.** `path` is the program's file; `arguments` holds the name as first element. Descriptors that are nil are closed in
/// the child, and so is everything else that is open.
package struct ChildCommand: Sendable {
    package static let descriptorCount = 5

    package var path: String
    package var arguments: [String]
    package var environment: [String: String]
    package var directory: String?
    package var descriptors: [Int32?]

    package init(
        path: String, arguments: [String], environment: [String: String], directory: String?, descriptors: [Int32?]
    ) {
        self.path = path
        self.arguments = arguments
        self.environment = environment
        self.directory = directory
        self.descriptors = descriptors
    }
}

/// A process that could not be started.
package struct ChildStartError: Error, Sendable, CustomStringConvertible {
    package let path: String
    package let code: Int32

    package var description: String { "\(path) cannot be started: \(String(cString: strerror(code)))" }
}

/// A running child; a plain number, so whoever starts it also takes it away with ``reap()``.
///
/// **Isolation.** Starting binds the child's life to the calling thread: on Linux it is killed when that thread ends.
package struct ChildProcess: Sendable {
    package let identifier: Int32

    /// Starts a child in a process group of its own.
    package init(_ command: ChildCommand) throws(ChildStartError) {
        let pairs = command.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        // A zero byte would cut a text short without a word.
        let texts = [command.path] + command.arguments + pairs + (command.directory.map { [$0] } ?? [])
        guard !texts.contains(where: { $0.utf8.contains(0) }) else {
            throw ChildStartError(path: command.path, code: EINVAL)
        }
        var arguments: [UnsafeMutablePointer<CChar>?] = command.arguments.map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = pairs.map { strdup($0) } + [nil]
        let path = strdup(command.path)
        let directory = command.directory.map { strdup($0) } ?? nil
        defer {
            for pointer in arguments + environment { free(pointer) }
            free(path)
            free(directory)
        }
        var identifier: Int32 = 0
        let code = arguments.withUnsafeMutableBufferPointer { arguments in
            environment.withUnsafeMutableBufferPointer { environment in
                var request = opf_spawn_request()
                request.path = UnsafePointer(path)
                request.arguments = UnsafePointer(arguments.baseAddress)
                request.environment = UnsafePointer(environment.baseAddress)
                request.directory = UnsafePointer(directory)
                let numbers = (0..<ChildCommand.descriptorCount).map { index -> Int32 in
                    index < command.descriptors.count ? command.descriptors[index] ?? -1 : -1
                }
                request.descriptors = (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4])
                return opf_spawn(&request, &identifier)
            }
        }
        guard code == 0 else { throw ChildStartError(path: command.path, code: code) }
        self.identifier = identifier
    }

    /// A descriptor that becomes readable at the child's end; nil where the system has none.
    package func openExitDescriptor() -> Int32? {
        let descriptor = opf_pidfd_open(identifier)
        return descriptor < 0 ? nil : descriptor
    }

    /// Whether the child has ended and still waits to be taken away.
    package var hasExited: Bool { opf_has_exited(identifier) }

    /// Kills the child and every process of its group; only before ``reap()`` has succeeded.
    package func killGroup() { kill(-identifier, SIGKILL) }

    /// Asks the child and every process of its group to end; only before ``reap()`` has succeeded.
    package func terminateGroup() { kill(-identifier, SIGTERM) }

    /// Takes the ended child away and tells how it ended; nil while it runs.
    package func reap() -> ChildExit? {
        var code: Int32 = -1
        var signal: Int32 = 0
        guard opf_reap(identifier, &code, &signal) else { return nil }
        return signal != 0 ? .signal(signal) : .code(code)
    }

    /// The bytes of memory in use by the child and its descendants; 0 where the system does not tell.
    package func residentByteCount() -> Int {
        #if canImport(Glibc)
            return ProcessMemory.residentByteCount(ofTree: identifier)
        #else
            return 0
        #endif
    }
}

/// A pipe that no child inherits by accident; nil where the system has no descriptors left.
package func openPipe() -> (read: Int32, write: Int32)? {
    var ends: [Int32] = [-1, -1]
    return opf_pipe(&ends) == 0 ? (ends[0], ends[1]) : nil
}
