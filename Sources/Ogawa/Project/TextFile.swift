// Whole text files of a project: small, read and written by people, so with ordinary permissions.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Reads and writes whole files and lists folders.
///
/// **Isolation.** Any thread; blocks on the disk.
/// **Errors.** ``ProjectError`` with codes `not-found`, `unreadable`, `unwritable`, `too-large` and `not-utf8`.
package enum TextFile {
    /// No text of a project is larger than this.
    package static let maximumByteCount = 64 << 20

    /// The bytes of a file.
    package static func readBytes(_ path: String) throws(ProjectError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("read", path, errno) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = systemRead(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                throw failure("read", path, errno)
            }
            bytes.append(contentsOf: chunk[..<count])
            guard bytes.count <= maximumByteCount else {
                throw ProjectError(
                    code: "too-large", message: "\(path) is larger than \(maximumByteCount >> 20) MiB",
                    hint: "texts of a project are small; give data by `ogawa send --file` or `ogawa query --input`")
            }
        }
    }

    /// The text of a UTF-8 file, without a byte order mark.
    package static func read(_ path: String) throws(ProjectError) -> String {
        var bytes = try readBytes(path)
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { bytes.removeFirst(3) }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ProjectError(
                code: "not-utf8", message: "\(path) is not UTF-8 text", hint: "save the file with the encoding UTF-8")
        }
        return text
    }

    /// Replaces a file's text in one step, so that a reader sees the old text or the new one.
    package static func write(_ path: String, _ text: String) throws(ProjectError) {
        let temporary = path + ".new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure("write", path, errno) }
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                guard let base = buffer.baseAddress else { return 0 }
                return systemWrite(descriptor, base + written, bytes.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let reason = errno
                close(descriptor)
                unlink(temporary)
                throw failure("write", path, reason)
            }
            written += count
        }
        close(descriptor)
        guard rename(temporary, path) == 0 else { throw failure("write", path, errno) }
    }

    /// Makes a folder and its missing parents.
    package static func createDirectory(_ path: String) throws(ProjectError) {
        if isDirectory(path) || mkdir(path, 0o755) == 0 { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            throw failure("create", path, errno)
        }
        try createDirectory(String(path[..<slash]))
        guard mkdir(path, 0o755) == 0 || isDirectory(path) else { throw failure("create", path, errno) }
    }

    /// The names in a folder in byte order, without `.` and `..`.
    package static func list(_ path: String) throws(ProjectError) -> [String] {
        guard let directory = opendir(path) else { throw failure("read", path, errno) }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
    }

    /// Whether a name exists and is a folder.
    package static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Whether a name exists.
    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The absolute path without links; the path itself where it does not exist.
    package static func absolute(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Two parts of a path with one slash between; an absolute second part stands alone.
    package static func join(_ directory: String, _ name: String) -> String {
        if name.hasPrefix("/") || directory.isEmpty || directory == "." { return name }
        return directory.hasSuffix("/") ? directory + name : "\(directory)/\(name)"
    }

    private static func failure(_ verb: String, _ path: String, _ reason: Int32) -> ProjectError {
        let words = String(cString: strerror(reason))
        let code = reason == ENOENT ? "not-found" : verb == "read" ? "unreadable" : "unwritable"
        return ProjectError(code: code, message: "can't \(verb) \(path): \(words)")
    }
}

// The system's calls under names that the methods above do not hide.
private func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawPointer, _ count: Int) -> Int {
    read(descriptor, buffer, count)
}

private func systemWrite(_ descriptor: Int32, _ buffer: UnsafeRawPointer, _ count: Int) -> Int {
    write(descriptor, buffer, count)
}
