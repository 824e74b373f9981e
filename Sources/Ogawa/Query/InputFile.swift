import OgawaCore
import OgawaJSON

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Events from a file, in the order of the file, until its end.
///
/// **Shape.** By the file's name (before `.gz`): `.csv` with a header line, `.json` with an object, an array or objects one after another, anything
/// else one JSON object a line. An event's arrival is its own event time, as for every file; without TIMESTAMP BY it is
/// the time when the file was last changed.
package final class InputFile {
    private enum Form {
        case lines
        case csv(CSVReader)
        case document
    }

    private static let blockByteCount = 1 << 18
    private let blocks: FileBlocks
    private let arrival: Int64
    private let form: Form
    private var lines = EventBatch()
    /// Where the unfinished last line of ``lines`` lies.
    private var restStart = 0
    private var restCount = 0
    private var offset = Offset.zero
    private var isAtEnd = false

    /// Opens a file.
    ///
    /// - Parameter hasOwnTime: whether the query says TIMESTAMP BY for this input.
    package init(path: String, hasOwnTime: Bool) throws {
        guard access(path, R_OK) == 0 else {
            let reason = String(cString: strerror(errno)).lowercased()
            throw ProjectError(
                code: "unreadable-input", message: "the input file \(path) cannot be read: \(reason)",
                hint: "give an existing file as --input NAME=FILE")
        }
        blocks = try FileBlocks(path: path)
        arrival = hasOwnTime ? Int64.min : InputFile.modificationTime(path).ticks
        let name = path.hasSuffix(".gz") ? String(path.dropLast(3)) : path
        form = name.hasSuffix(".csv") ? .csv(CSVReader(path: path)) : name.hasSuffix(".json") ? .document : .lines
    }

    /// Whether a path names a file that can be read from its start more than once, not a pipe.
    package static func canBeReadAgain(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    /// How much of the file was read, from 0 to 1.
    package var progress: Double {
        blocks.byteCount > 0 ? Double(blocks.readByteCount) / Double(blocks.byteCount) : 1
    }

    /// The next events; nil at the end.
    package func next() throws -> EventBatch? {
        while !isAtEnd {
            let batch: EventBatch
            switch form {
            case .lines: batch = try nextLines()
            case .csv(let reader): batch = try nextRecords(reader)
            case .document: batch = try document()
            }
            if batch.count > 0 {
                offset = batch.nextOffset
                return batch
            }
        }
        return nil
    }

    /// The whole lines of the next block.
    ///
    /// The storage is used again as soon as nobody else holds the last batch.
    private func nextLines() throws -> EventBatch {
        let size = restCount + InputFile.blockByteCount
        let capacity = size + EventBatch.paddingByteCount
        if lines.bytes.count < capacity {
            lines.bytes.append(contentsOf: repeatElement(0, count: capacity - lines.bytes.count))
        }
        lines.firstOffset = offset
        lines.bodies.removeAll(keepingCapacity: true)
        let blocks = blocks
        let (restStart, restCount) = (restStart, restCount)
        let (used, end): (Int, Int) = try lines.bytes.withUnsafeMutableBytes { bytes in
            // SAFETY: the storage is not empty, so it has an address.
            let base = bytes.baseAddress.unsafelyUnwrapped
            memmove(base, base + restStart, restCount)
            let count = try blocks.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[restCount..<size]))
            let end = restCount + count
            if count == 0 { return (end, end) }
            var used = end
            while used > restCount, bytes[used - 1] != 0x0a { used -= 1 }
            return (used > restCount ? used : 0, end)
        }
        isAtEnd = used == end && end == restCount
        (self.restStart, self.restCount) = (used, end - used)
        // The rest lies behind the lines, so that at the end of the file only the bytes there are padding.
        if isAtEnd {
            for index in end..<end + EventBatch.paddingByteCount { lines.bytes[index] = 0 }
        }
        lines.bytes.withUnsafeBufferPointer {
            InputFile.findLines(UnsafeBufferPointer(rebasing: $0[..<used]), into: &lines.bodies)
        }
        sealLines()
        return lines
    }

    /// Gives every event an empty key, no properties and the same arrival.
    private func sealLines() {
        let count = lines.bodies.count
        let none = ByteSlice(start: 0, count: 0)
        let surplus = lines.keys.count - count
        if surplus > 0 {
            lines.keys.removeLast(surplus)
            lines.properties.removeLast(surplus)
            lines.enqueuedTimes.removeLast(surplus)
        } else {
            lines.keys.append(contentsOf: repeatElement(none, count: -surplus))
            lines.properties.append(contentsOf: repeatElement(none, count: -surplus))
            lines.enqueuedTimes.append(contentsOf: repeatElement(arrival, count: -surplus))
        }
        lines.lastEnqueuedTime = Timestamp(ticks: arrival)
    }

    /// Lines that are not blank, without their ends.
    private static func findLines(_ bytes: UnsafeBufferPointer<UInt8>, into bodies: inout [ByteSlice]) {
        guard let base = bytes.baseAddress else { return }
        var start = 0
        while start < bytes.count {
            let found = memchr(base + start, 0x0a, bytes.count - start)
            let end = found.map { UnsafeRawPointer(base).distance(to: UnsafeRawPointer($0)) } ?? bytes.count
            var stop = end
            while stop > start, base[stop &- 1] <= 0x20 { stop &-= 1 }
            if stop > start { bodies.append(ByteSlice(start: start, count: stop &- start)) }
            start = end &+ 1
        }
    }

    private func nextRecords(_ reader: CSVReader) throws -> EventBatch {
        var batch = EventBatch(firstOffset: offset)
        let block = try blocks.read(InputFile.blockByteCount)
        isAtEnd = block.isEmpty
        var bytes: [UInt8] = []
        try reader.read(block, isLast: isAtEnd, into: &bytes, bodies: &batch.bodies)
        seal(&batch, bytes)
        return batch
    }

    private func document() throws -> EventBatch {
        isAtEnd = true
        var batch = EventBatch(firstOffset: offset)
        let bytes = try blocks.readAll()
        if bytes.allSatisfy({ $0 <= 0x20 }) { return batch }
        let splitter = EventSplitter()
        let split: Result<SplitBody, SplitError> = bytes.withUnsafeBytes { bytes in
            Result { () throws(SplitError) in
                try splitter.split(
                    bytes, keyField: "", maxElements: Int(UInt32.max), maxElementByteCount: Int(UInt32.max))
            }
        }
        switch split {
        case .success(let split): batch.bodies = split.elements.filter { !$0.isEmpty }.map(\.body)
        case .failure(let error):
            let place = "\(blocks.path): element \(error.element), byte \(error.position)"
            throw ProjectError(
                code: "malformed-input", message: "\(place): expected \(error.expected), found \(error.found)")
        }
        seal(&batch, bytes)
        return batch
    }

    private func seal(_ batch: inout EventBatch, _ bytes: [UInt8]) {
        batch.bytes = bytes
        batch.bytes.append(contentsOf: repeatElement(0, count: EventBatch.paddingByteCount))
        let none = ByteSlice(start: 0, count: 0)
        batch.keys = Array(repeating: none, count: batch.bodies.count)
        batch.properties = batch.keys
        batch.enqueuedTimes = Array(repeating: arrival, count: batch.bodies.count)
        batch.lastEnqueuedTime = Timestamp(ticks: arrival)
    }

    private static func modificationTime(_ path: String) -> Timestamp {
        var status = stat()
        guard stat(path, &status) == 0 else { return Timestamp(ticks: 0) }
        #if canImport(Glibc)
            let time = status.st_mtim
        #else
            let time = status.st_mtimespec
        #endif
        return Timestamp(ticks: Int64(time.tv_sec) * Timestamp.ticksPerSecond + Int64(time.tv_nsec) / 100)
    }
}
