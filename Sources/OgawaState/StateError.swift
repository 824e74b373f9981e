import OgawaCore

/// A failure of the state: what, where, and what to do next.
package struct StateError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of failure, by which callers decide.
    package enum Code: String, Sendable {
        /// Stored bytes are not what was written.
        case corrupt
        /// A file was written by a newer version.
        case unsupportedVersion = "unsupported-version"
        /// Another process has the state open.
        case locked
        /// The disk did not confirm what was written; nothing is taken until the state is opened again.
        case failedSync = "failed-sync"
        /// The disk is full; the same may be tried again.
        case diskFull = "disk-full"
        /// A failed call to the system.
        case io
        case closed
        /// A newer owner works on this part of the function; the caller must stop.
        case fenced
        /// A key, a value or a commit is larger than allowed.
        case tooLarge = "too-large"
        /// The memory limit is reached.
        case outOfMemory = "out-of-memory"
        /// The key holds something else than the function's hash.
        case wrongType = "wrong-type"
        /// The Redis server cannot be reached or is not ready; the same may be tried again.
        case unavailable
        /// The Redis server refused a command.
        case refused
    }

    package var code: Code
    package var message: String
    package var hint: String?

    package init(_ code: Code, _ message: String, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }

    package var description: String { hint.map { "\(message); hint: \($0)" } ?? message }

    /// Whether trying again, a little later, can succeed.
    package var isTransient: Bool { [.unavailable, .diskFull, .outOfMemory].contains(code) }

    /// The error of a failed call on a file.
    static func of(_ error: any Error, _ context: String) -> StateError {
        if let error = error as? StateError { return error }
        guard let failure = error as? FileSystemError else { return StateError(.io, "\(context): \(error)") }
        switch failure.code {
        case .noSpace:
            return StateError(
                .diskFull, "\(context): the disk is full (\(failure))",
                hint: "free space; what waits is written as soon as there is room")
        case .locked:
            return StateError(
                .locked, "\(context) is open already (\(failure.reason))", hint: "stop the other process first")
        default: return StateError(.io, "\(context): \(failure)")
        }
    }

    static func corrupt(_ path: String, _ position: Int64, _ reason: String) -> StateError {
        StateError(
            .corrupt, "\(path): damaged at byte \(position): \(reason)",
            hint: "put the file back from a copy, or move the folder away to begin with empty state")
    }
}
