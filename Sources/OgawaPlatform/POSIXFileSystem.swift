import OgawaCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The file system of the machine.
///
/// **Shape.** Folders are made with mode 0700 and files with 0600. Interrupted calls are repeated.
/// **Errors.** ``FileSystemError`` with the system's own words.
package struct POSIXFileSystem: FileSystem {
    package init() {}

    package func createDirectory(_ path: String) throws {
        if mkdir(path, 0o700) == 0 { return }
        let failure = errno
        switch failure {
        case EEXIST:
            guard isDirectory(path) else {
                throw FileSystemError(.alreadyExists, operation: "mkdir", path: path, reason: "a file has this name")
            }
        case ENOENT:
            guard let parent = parentDirectory(of: path) else { throw systemError(failure, "mkdir", path) }
            try createDirectory(parent)
            if mkdir(path, 0o700) != 0, errno != EEXIST { throw systemError(errno, "mkdir", path) }
            try syncDirectory(parent)
        default:
            throw systemError(failure, "mkdir", path)
        }
    }

    package func listDirectory(_ path: String) throws -> [String] {
        guard let directory = opendir(path) else { throw systemError(errno, "opendir", path) }
        defer { closedir(directory) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
            errno = 0
        }
        if errno != 0 { throw systemError(errno, "readdir", path) }
        return names
    }

    package func syncDirectory(_ path: String) throws {
        let descriptor = try openDescriptor(path, O_RDONLY | O_DIRECTORY)
        defer { close(descriptor) }
        if retryingInterrupts({ fsync(descriptor) }) != 0 { throw systemError(errno, "fsync", path) }
    }

    package func open(_ path: String, _ mode: FileMode) throws -> any File {
        let flags =
            switch mode {
            case .read: O_RDONLY
            case .update: O_RDWR
            case .create: O_RDWR | O_CREAT | O_EXCL
            case .replace: O_RDWR | O_CREAT | O_TRUNC
            }
        return POSIXFile(descriptor: try openDescriptor(path, flags | O_NOFOLLOW), path: path)
    }

    package func byteCount(of path: String) throws -> Int64? {
        var status = stat()
        if lstat(path, &status) == 0 { return Int64(status.st_size) }
        if errno == ENOENT { return nil }
        throw systemError(errno, "stat", path)
    }

    package func rename(_ source: String, to target: String) throws {
        #if canImport(Glibc)
            let result = Glibc.rename(source, target)
        #else
            let result = Darwin.rename(source, target)
        #endif
        if result != 0 { throw systemError(errno, "rename", source) }
    }

    package func remove(_ path: String) throws {
        if unlink(path) != 0 { throw systemError(errno, "unlink", path) }
    }

    package func freeByteCount(at path: String) throws -> Int64 {
        var status = statvfs()
        if statvfs(path, &status) != 0 { throw systemError(errno, "statvfs", path) }
        let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return overflow ? .max : Int64(clamping: bytes)
    }

    /// Takes an advisory lock that ends with the process at the latest, and writes its holder into the file.
    package func lock(_ path: String, holder: String) throws -> any FileLock {
        let descriptor = try openDescriptor(path, O_RDWR | O_CREAT | O_NOFOLLOW)
        let file = POSIXFile(descriptor: descriptor, path: path)
        if retryingInterrupts({ flock(descriptor, LOCK_EX | LOCK_NB) }) != 0 {
            let failure = errno
            guard failure == EWOULDBLOCK else { throw systemError(failure, "flock", path) }
            let text = try file.readBytes(at: 0, count: 256).prefix { $0 != UInt8(ascii: "\n") }
            throw FileSystemError(
                .locked, operation: "flock", path: path, reason: String(decoding: text, as: UTF8.self))
        }
        try file.truncate(to: 0)
        try Array((holder + "\n").utf8).withUnsafeBytes { try file.writeAll($0, at: 0) }
        return POSIXFileLock(file: file)
    }

    private func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private func openDescriptor(_ path: String, _ flags: Int32) throws -> Int32 {
        let descriptor = retryingInterrupts { posixOpen(path, flags | O_CLOEXEC) }
        if descriptor < 0 { throw systemError(errno, "open", path) }
        return descriptor
    }
}

/// The folder that holds a path; nil where the text names none.
private func parentDirectory(of path: String) -> String? {
    var text = path[...]
    while text.count > 1, text.last == "/" { text.removeLast() }
    guard let slash = text.lastIndex(of: "/") else { return nil }
    let parent = text[..<slash]
    return parent.isEmpty ? nil : String(parent)
}

private func posixOpen(_ path: String, _ flags: Int32) -> Int32 {
    #if canImport(Glibc)
        Glibc.open(path, flags, 0o600)
    #else
        Darwin.open(path, flags, 0o600)
    #endif
}
