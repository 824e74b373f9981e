import OgawaCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file descriptor that is closed with its last reference.
final class POSIXFile: File {
    let descriptor: Int32
    let path: String

    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit { close(descriptor) }

    func byteCount() throws -> Int64 {
        var status = stat()
        if fstat(descriptor, &status) != 0 { throw systemError(errno, "fstat", path) }
        return Int64(status.st_size)
    }

    func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws -> Int {
        guard bytes.count > 0 else { return 0 }
        let count = retryingInterrupts { pwrite(descriptor, bytes.baseAddress, bytes.count, off_t(position)) }
        if count < 0 { throw systemError(errno, "write", path) }
        // A disk that takes nothing and reports nothing would make the caller write for ever.
        if count == 0 { throw systemError(ENOSPC, "write", path) }
        return count
    }

    func read(into target: UnsafeMutableRawBufferPointer, at position: Int64) throws -> Int {
        var total = 0
        while total < target.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: target[total...])
            let count = retryingInterrupts {
                pread(descriptor, rest.baseAddress, rest.count, off_t(position) + off_t(total))
            }
            if count < 0 { throw systemError(errno, "read", path) }
            if count == 0 { break }
            total += count
        }
        return total
    }

    func sync() throws {
        #if canImport(Glibc)
            let result = retryingInterrupts { fdatasync(descriptor) }
        #else
            let result = retryingInterrupts { fcntl(descriptor, F_FULLFSYNC) }
        #endif
        if result != 0 { throw systemError(errno, "fdatasync", path) }
    }

    func truncate(to byteCount: Int64) throws {
        if retryingInterrupts({ ftruncate(descriptor, off_t(byteCount)) }) != 0 {
            throw systemError(errno, "ftruncate", path)
        }
    }
}

/// An advisory lock on a file; the file stays, since removing it would race with the next holder.
final class POSIXFileLock: FileLock {
    private let file: POSIXFile

    init(file: POSIXFile) { self.file = file }

    func unlock() { flock(file.descriptor, LOCK_UN) }
}

/// The error of a call that just failed.
func systemError(_ number: Int32, _ operation: String, _ path: String) -> FileSystemError {
    let code: FileSystemError.Code =
        switch number {
        case ENOENT: .notFound
        case EEXIST: .alreadyExists
        case ENOSPC, EDQUOT: .noSpace
        case EACCES, EPERM, EROFS: .permissionDenied
        default: .other
        }
    return FileSystemError(code, operation: operation, path: path, reason: String(cString: strerror(number)))
}

/// Repeats a call that a signal interrupted.
func retryingInterrupts<Result: FixedWidthInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}
