import OgawaCore

/// Reads a file forward through one buffer, so that hopping from header to header costs few calls.
final class BlockReader {
    private static let blockByteCount = 256 << 10

    let file: any File
    /// Nothing from here on is read.
    let end: Int64
    private var buffer: UnsafeMutableRawBufferPointer
    private var start: Int64 = 0
    private var count = 0

    init(file: any File, end: Int64) {
        self.file = file
        self.end = end
        buffer = .allocate(byteCount: BlockReader.blockByteCount, alignment: 16)
    }

    deinit { buffer.deallocate() }

    /// The bytes of a range, fewer at the end of the file; valid until the next call.
    func bytes(at position: Int64, count wanted: Int) throws -> UnsafeRawBufferPointer {
        let available = Int(clamping: max(0, end - position))
        let wanted = min(wanted, available)
        if position < start || position + Int64(wanted) > start + Int64(count) {
            if buffer.count < wanted {
                buffer.deallocate()
                buffer = .allocate(byteCount: wanted, alignment: 16)
            }
            start = position
            count = 0
            let target = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, available)])
            count = try file.read(into: target, at: position)
        }
        let low = Int(position - start)
        return UnsafeRawBufferPointer(rebasing: buffer[low..<max(low, min(count, low + wanted))])
    }
}
