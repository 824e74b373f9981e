import OgawaCore
import Synchronization

/// One file of record batches with what is known of it.
///
/// **Isolation.** Any thread. The writer of the partition is the only one who adds to it; readers see what was added.
final class Segment: Sendable {
    let base: Offset
    let path: String
    let indexPath: String
    private let fileSystem: any FileSystem
    private let state: Mutex<State>

    private struct State {
        var index: SegmentIndex
        /// Opened when first read, so that a long log does not hold a descriptor for each of its files.
        var file: (any File)?
    }

    init(index: SegmentIndex, directory: String, fileSystem: any FileSystem, file: (any File)? = nil) {
        base = index.base
        path = directory + "/" + SegmentName.segment(index.base)
        indexPath = directory + "/" + SegmentName.index(index.base)
        self.fileSystem = fileSystem
        state = Mutex(State(index: index, file: file))
    }

    /// The name without the folder, for messages.
    var name: String { SegmentName.segment(base) }

    /// The end of what readers may see.
    var byteCount: Int64 { state.withLock { $0.index.byteCount } }
    var nextOffset: Offset { state.withLock { $0.index.nextOffset } }
    var firstTime: Int64? { state.withLock { $0.index.firstTime } }
    var lastTime: Int64 { state.withLock { $0.index.lastTime } }
    /// A copy of the index as it is now.
    var index: SegmentIndex { state.withLock { $0.index } }

    /// Shows readers more batches.
    func add(_ batches: some Sequence<(header: BatchHeader, position: Int64)>) {
        state.withLock { state in
            for batch in batches { state.index.add(batch.header, at: batch.position) }
        }
    }

    /// See ``SegmentIndex/place(of:)``.
    func place(of position: LogPosition) -> BatchPlace { state.withLock { $0.index.place(of: position) } }

    /// See ``SegmentIndex/place(since:)``.
    func place(since time: Int64) -> BatchPlace { state.withLock { $0.index.place(since: time) } }

    /// The file, opened for reading if it was not open.
    func file() throws -> any File {
        if let file = state.withLock({ $0.file }) { return file }
        let opened = try fileSystem.open(path, .read)
        return state.withLock { state in
            if let file = state.file { return file }
            state.file = opened
            return opened
        }
    }

    /// Gives the descriptor back as soon as nobody reads any more.
    func closeFile() { state.withLock { $0.file = nil } }

    /// Removes the files of the segment; the index first, since it is worth nothing alone.
    func remove() throws {
        if try fileSystem.byteCount(of: indexPath) != nil { try fileSystem.remove(indexPath) }
        try fileSystem.remove(path)
    }

    /// Writes the index beside a segment that gets no more batches; it need not be durable, as it can be made again.
    func saveIndex() throws {
        let file = try fileSystem.open(indexPath, .replace)
        try index.encoded().withUnsafeBytes { try file.writeAll($0, at: 0) }
    }
}
