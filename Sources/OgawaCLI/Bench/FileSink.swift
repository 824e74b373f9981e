#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Writes a file in large blocks.
final class FileSink {
    private let path: String
    private let descriptor: Int32
    private var buffer: [UInt8] = []

    init(_ path: String) throws {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw CommandFailure("can't write \(path): \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }

    func write(_ bytes: [UInt8]) throws {
        buffer += bytes
        if buffer.count >= 1 << 20 { try finish() }
    }

    /// Writes what is left.
    func finish() throws {
        var written = 0
        while written < buffer.count {
            let count = buffer.withUnsafeBytes { systemWrite(descriptor, $0, from: written) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw CommandFailure("can't write \(path): \(String(cString: strerror(errno)))") }
            written += count
        }
        buffer.removeAll(keepingCapacity: true)
    }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
    bytes.baseAddress.map { write(descriptor, $0 + start, bytes.count - start) } ?? 0
}
