// Gzip in: whole bodies under a cap for the gateway, and a pulling reader for files of any size. Both refuse a text that
// grows more than a thousand bytes sent could honestly become, so that a small bomb costs little work.

import COgawaPlatform
import OgawaCore

/// Why a gzip text could not be decompressed.
package enum GzipError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The bytes are not gzip, or their checksum is wrong.
    case damaged(String)
    /// The text ends before its member does.
    case truncated
    /// The text is longer than the caller allows.
    case tooLarge(limit: Int)
    /// The text grows by more than the ratio allows.
    case suspiciousRatio(limit: Int)
    /// There was no memory for the decompressor.
    case outOfMemory

    package var description: String {
        switch self {
        case .damaged(let reason): "gzip: damaged data: \(reason)"
        case .truncated: "gzip: the data ends too early"
        case .tooLarge(let limit): "gzip: more than \(limit) bytes after decompression"
        case .suspiciousRatio(let limit): "gzip: grows to more than \(limit) times its size"
        case .outOfMemory: "gzip: no memory for decompression"
        }
    }
}

/// The text of a whole gzip body.
///
/// **Errors.** ``GzipError``; `tooLarge` as soon as the output passes `maxByteCount`, `suspiciousRatio` when it passes 1 MiB
/// and `maxRatio` times the input. Empty input is `truncated`.
package func gunzip(_ bytes: [UInt8], maxByteCount: Int, maxRatio: Int = 400) throws -> [UInt8] {
    var isGiven = false
    let reader = try GzipReader(maxRatio: maxRatio) { _ in
        defer { isGiven = true }
        return isGiven ? [] : bytes
    }
    var text: [UInt8] = []
    while true {
        let room = max(0, maxByteCount - text.count)
        let part = try reader.read(maxByteCount: min(1 << 16, room + 1))
        if part.isEmpty { return text }
        text += part
        if text.count > maxByteCount { throw GzipError.tooLarge(limit: maxByteCount) }
    }
}

/// Bytes as one gzip member; for fixtures and small files.
package func gzip(_ bytes: [UInt8]) -> [UInt8] {
    let bound = opf_gzip_bound(bytes.count)
    return [UInt8](unsafeUninitializedCapacity: bound) { buffer, initialized in
        initialized = opf_gzip(bytes, bytes.count, buffer.baseAddress, bound)
    }
}

/// Decompresses gzip piece by piece, as much at a time as the caller asks for.
///
/// **Shape.** Members that follow one another read as one text.
/// **Isolation.** One thread at a time; reading may block on the source.
package final class GzipReader {
    /// Output below this is never suspicious: short texts of one character do compress a thousandfold.
    private static let harmlessByteCount = 1 << 20
    private static let inputByteCount = 1 << 16

    private let stream: OpaquePointer
    private let source: (Int) throws -> [UInt8]
    private let maxRatio: Int
    private var input: [UInt8] = []
    private var inputIndex = 0
    private var isSourceAtEnd = false
    private var isBetweenMembers = false
    private var inputTotal = 0
    private var outputTotal = 0

    /// Makes a reader over anything that gives bytes.
    ///
    /// - Parameters:
    ///   - maxRatio: how many times its size the text may grow to.
    ///   - source: gives about as many bytes as asked for, and none at the end.
    package init(maxRatio: Int = 1100, source: @escaping (Int) throws -> [UInt8]) throws {
        guard let stream = opf_inflate_create() else { throw GzipError.outOfMemory }
        self.stream = stream
        self.source = source
        self.maxRatio = maxRatio
    }

    /// Makes a reader over a file.
    package convenience init(path: String, fileSystem: any FileSystem = POSIXFileSystem()) throws {
        let file = try fileSystem.open(path, .read)
        var position: Int64 = 0
        try self.init { count in
            let bytes = try file.readBytes(at: position, count: count)
            position += Int64(bytes.count)
            return bytes
        }
    }

    deinit { opf_inflate_destroy(stream) }

    /// The next bytes of the text, at most as many as given; none at its end.
    package func read(maxByteCount: Int) throws -> [UInt8] {
        guard maxByteCount > 0 else { return [] }
        while true {
            try fill()
            if inputIndex == input.count, isSourceAtEnd {
                if isBetweenMembers { return [] }
                throw GzipError.truncated
            }
            if isBetweenMembers {
                guard opf_inflate_reset(stream) else { throw GzipError.outOfMemory }
                isBetweenMembers = false
            }
            let part = try inflate(maxByteCount: maxByteCount)
            if !part.isEmpty { return part }
        }
    }

    /// Gets more input when none is left.
    private func fill() throws {
        guard inputIndex == input.count, !isSourceAtEnd else { return }
        input = try source(GzipReader.inputByteCount)
        inputIndex = 0
        isSourceAtEnd = input.isEmpty
    }

    private func inflate(maxByteCount: Int) throws -> [UInt8] {
        var result = OPF_INFLATE_MORE
        var taken = 0
        let part = [UInt8](unsafeUninitializedCapacity: maxByteCount) { target, given in
            input.withUnsafeBufferPointer { source in
                let rest = UnsafeBufferPointer(rebasing: source[inputIndex...])
                result = opf_inflate_run(
                    stream, rest.baseAddress, rest.count, target.baseAddress, maxByteCount, &taken, &given)
            }
        }
        inputIndex += taken
        inputTotal += taken
        outputTotal += part.count
        switch result {
        case OPF_INFLATE_BAD: throw GzipError.damaged(String(cString: opf_inflate_message(stream)))
        case OPF_INFLATE_MEMORY: throw GzipError.outOfMemory
        case OPF_INFLATE_MEMBER_END: isBetweenMembers = true
        default: break
        }
        if outputTotal > GzipReader.harmlessByteCount, outputTotal / maxRatio > inputTotal {
            throw GzipError.suspiciousRatio(limit: maxRatio)
        }
        return part
    }
}
