import OgawaCore
import OgawaPlatform

/// Reads a file block by block, through gzip where its name ends in `.gz`.
///
/// **Isolation.** One thread; blocks on the disk.
final class FileBlocks {
    let path: String
    /// The bytes of the file itself, for progress.
    let byteCount: Int64
    /// How many bytes of the file were read.
    private(set) var readByteCount: Int64 = 0
    private let file: any File
    private var reader: GzipReader?

    init(path: String, fileSystem: any FileSystem = POSIXFileSystem()) throws {
        self.path = path
        let file = try fileSystem.open(path, .read)
        self.file = file
        byteCount = try file.byteCount()
        guard path.hasSuffix(".gz") else { return }
        reader = try GzipReader { [weak self] count in try self?.next(count) ?? [] }
    }

    /// The next bytes, about as many as given; none at the end.
    func read(_ count: Int) throws -> [UInt8] {
        guard let reader else { return try next(count) }
        return try reader.read(maxByteCount: count)
    }

    /// Reads about as many bytes as the target has room for; returns their number, 0 at the end.
    func read(into target: UnsafeMutableRawBufferPointer) throws -> Int {
        guard let reader else {
            let count = try file.read(into: target, at: readByteCount)
            readByteCount += Int64(count)
            return count
        }
        let bytes = try reader.read(maxByteCount: target.count)
        target.copyBytes(from: bytes)
        return bytes.count
    }

    /// The rest of the file.
    func readAll() throws -> [UInt8] {
        var all: [UInt8] = []
        while case let block = try read(1 << 20), !block.isEmpty { all += block }
        return all
    }

    private func next(_ count: Int) throws -> [UInt8] {
        let bytes = try file.readBytes(at: readByteCount, count: count)
        readByteCount += Int64(bytes.count)
        return bytes
    }
}
