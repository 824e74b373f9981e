import OgawaCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Whole small files, such as settings and scripts.
enum FileText {
    /// The largest file read as a whole.
    static let byteLimit = 4 << 20

    /// The bytes of a file; nil where there is none or it cannot be read.
    static func read(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        while bytes.count <= byteLimit {
            guard let part = try? receiveSome(upTo: 64 << 10, descriptor, .now) else { return bytes }
            bytes += part
        }
        return nil
    }

    /// Replaces a file in one step, unless it holds the bytes already.
    static func write(_ bytes: [UInt8], to path: String) throws {
        if read(path) == bytes { return }
        let temporary = "\(path).\(getpid())"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemCallError("open \(temporary)") }
        defer { close(descriptor) }
        do { try sendAll(bytes, descriptor, .now + .seconds(60)) } catch {
            throw SystemCallError("write \(temporary)")
        }
        guard rename(temporary, path) == 0 else { throw SystemCallError("rename \(temporary)") }
    }
}
