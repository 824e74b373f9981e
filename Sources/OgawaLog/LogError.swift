import OgawaCore

/// A failure of the log: what, where, and what to do next.
package struct LogError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of failure, by which callers decide.
    package enum Code: String, Sendable {
        /// Stored bytes are not what was written; ``LogError/resumeOffset`` tells where reading can go on.
        case corrupt
        /// The log was closed.
        case closed
        /// A disk did not confirm what was written; the partition takes nothing until the log is opened again.
        case failedSync = "failed-sync"
        /// The disk is full; the append was undone and may be tried again.
        case diskFull = "disk-full"
        /// Too much waits to be written; try again a little later.
        case busy
        case unknownStream = "unknown-stream"
        /// The append is larger than the partition ever takes at once.
        case tooLarge = "too-large"
        /// Another process has the log open.
        case locked
        /// A file was written by a newer version.
        case unsupportedVersion = "unsupported-version"
        /// The folder does not fit what was asked for, such as another number of partitions.
        case badLayout = "bad-layout"
        /// Another failed call to the system.
        case io
    }

    package var code: Code
    package var message: String
    package var hint: String?
    /// For ``Code/corrupt``: the first offset behind the damage that can be read; nil where there is none.
    package var resumeOffset: Offset?

    package init(_ code: Code, _ message: String, hint: String? = nil, resumeOffset: Offset? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
        self.resumeOffset = resumeOffset
    }

    package var description: String { hint.map { "\(message); hint: \($0)" } ?? message }

    /// The error of a failed call on a file or folder of the log.
    static func of(_ error: any Error, _ context: String) -> LogError {
        if let error = error as? LogError { return error }
        if let error = error as? FileSystemError, error.code == .noSpace {
            return LogError(
                .diskFull, "\(context): the disk is full (\(error))",
                hint: "free space or shorten the retention; events are taken again as soon as there is room")
        }
        return LogError(.io, "\(context): \(error)")
    }
}
