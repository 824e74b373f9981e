// The file-system seam: what the log needs of a disk, small enough that a faulty disk can stand in for a real one.
//
// Two promises differ from what a careless reader expects of files. Bytes written are durable only after ``File/sync()``,
// and a created, renamed or removed name only after ``FileSystem/syncDirectory(_:)`` of its folder.

/// A failed call to a file system, with the call, the path and the system's reason.
package struct FileSystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kinds of failure that callers tell apart.
    package enum Code: Hashable, Sendable {
        case notFound
        case alreadyExists
        case noSpace
        case permissionDenied
        case locked
        case closed
        case other
    }

    package var code: Code
    /// The call that failed, such as `write`.
    package var operation: String
    package var path: String
    /// The system's words, or for a lock the text that its holder left.
    package var reason: String

    package init(_ code: Code, operation: String, path: String, reason: String) {
        self.code = code
        self.operation = operation
        self.path = path
        self.reason = reason
    }

    package var description: String { "\(operation) \(path): \(reason)" }
}

/// How a file is opened.
package enum FileMode: Hashable, Sendable {
    /// For reading; the file must exist.
    case read
    /// For reading and writing; the file must exist.
    case update
    /// For reading and writing; the file must not exist yet.
    case create
    /// For reading and writing, empty, whether it existed or not.
    case replace
}

/// An open file with positioned reads and writes; closed when the last reference goes.
///
/// **Isolation.** Any thread may call, and calls may overlap; every call may block on the disk.
package protocol File: AnyObject, Sendable {
    /// The present size.
    func byteCount() throws -> Int64
    /// Writes a prefix of the bytes at a position and returns its length, at least 1 unless `bytes` is empty.
    func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws -> Int
    /// Reads from a position; fewer bytes than asked for only at the end of the file.
    func read(into target: UnsafeMutableRawBufferPointer, at position: Int64) throws -> Int
    /// Returns when the bytes and the size are on the disk; after an error nothing may be assumed about earlier writes.
    func sync() throws
    /// Cuts or extends the file; what is added reads as zeros.
    func truncate(to byteCount: Int64) throws
}

extension File {
    /// Writes all bytes, however many calls it takes.
    package func writeAll(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws {
        var written = 0
        while written < bytes.count {
            written += try write(UnsafeRawBufferPointer(rebasing: bytes[written...]), at: position + Int64(written))
        }
    }

    /// The bytes of a range of the file; fewer at its end.
    package func readBytes(at position: Int64, count: Int) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = try read(into: UnsafeMutableRawBufferPointer(buffer), at: position)
        }
    }
}

/// A lock that is held until the reference goes or ``unlock()`` is called.
package protocol FileLock: AnyObject, Sendable {
    /// Gives the lock up; more calls do nothing.
    func unlock()
}

/// Names, folders and files.
///
/// **Isolation.** Any thread may call; every call may block on the disk.
/// **Errors.** ``FileSystemError``.
package protocol FileSystem: Sendable {
    /// Makes a folder, readable by the owner only, and its parents as far as they are missing.
    func createDirectory(_ path: String) throws
    /// Names in a folder without `.` and `..`, in no order.
    func listDirectory(_ path: String) throws -> [String]
    /// Returns when the names in the folder are on the disk as they are now.
    func syncDirectory(_ path: String) throws
    /// Opens or creates a file, readable and writable by the owner only.
    func open(_ path: String, _ mode: FileMode) throws -> any File
    /// The size of a file; nil where there is none.
    func byteCount(of path: String) throws -> Int64?
    /// Gives a file another name, replacing what had it, in one step.
    func rename(_ source: String, to target: String) throws
    /// Removes a file's name; open files stay readable.
    func remove(_ path: String) throws
    /// Bytes that may still be written to the disk that holds the path.
    func freeByteCount(at path: String) throws -> Int64
    /// Takes a lock by way of a file that names its holder; ``FileSystemError/Code/locked`` with the holder's text where it is held.
    func lock(_ path: String, holder: String) throws -> any FileLock
}
