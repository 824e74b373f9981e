// What journals and snapshots are made of: frames of effects, each with checksums of its header and of its effects.

import OgawaCore
import OgawaPlatform

/// The head of a frame; `docs/formats/state.md` draws it.
struct FrameHeader {
    enum Kind: UInt8 {
        case journal = 0
        case snapshot = 1
    }

    static let byteCount = 56
    static let magic: UInt32 = 0x4653_474f  // "OGSF"
    static let version: UInt8 = 1

    var kind: Kind
    var payloadByteCount: Int
    /// The number of the first effect; in a snapshot counted from its beginning.
    var firstSequence: UInt64
    /// Effects below this were on the disk when the frame was written.
    var durableSequence: UInt64
    var effectCount: Int
    var payloadChecksum: UInt32
    /// The seed of the hashes, by which a snapshot's ranges are counted.
    var seed: UInt64

    enum Parsed {
        case header(FrameHeader)
        case newerVersion(UInt8)
        case bad
    }

    func write(to target: UnsafeMutableRawPointer) {
        target.storeBytes(of: FrameHeader.magic.littleEndian, as: UInt32.self)
        target.storeBytes(
            of: UInt32(FrameHeader.version) | UInt32(kind.rawValue) << 8, toByteOffset: 8, as: UInt32.self)
        target.storeBytes(of: UInt32(payloadByteCount).littleEndian, toByteOffset: 12, as: UInt32.self)
        target.storeBytes(of: firstSequence.littleEndian, toByteOffset: 16, as: UInt64.self)
        target.storeBytes(of: durableSequence.littleEndian, toByteOffset: 24, as: UInt64.self)
        target.storeBytes(of: UInt32(effectCount).littleEndian, toByteOffset: 32, as: UInt32.self)
        target.storeBytes(of: payloadChecksum.littleEndian, toByteOffset: 36, as: UInt32.self)
        target.storeBytes(of: seed.littleEndian, toByteOffset: 40, as: UInt64.self)
        target.storeBytes(of: 0, toByteOffset: 48, as: UInt64.self)
        let rest = UnsafeRawBufferPointer(start: target + 8, count: FrameHeader.byteCount - 8)
        target.storeBytes(of: crc32c(rest).littleEndian, toByteOffset: 4, as: UInt32.self)
    }

    static func parse(_ bytes: UnsafeRawBufferPointer) -> Parsed {
        guard bytes.count >= byteCount, let base = bytes.baseAddress else { return .bad }
        func word(_ offset: Int) -> UInt32 {
            UInt32(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        }
        func long(_ offset: Int) -> UInt64 {
            UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        guard word(0) == magic,
            word(4) == crc32c(UnsafeRawBufferPointer(rebasing: bytes[8..<byteCount]))
        else { return .bad }
        let versionFound = bytes[8]
        guard versionFound == version else { return versionFound > version ? .newerVersion(versionFound) : .bad }
        guard let kind = Kind(rawValue: bytes[9]) else { return .bad }
        return .header(
            FrameHeader(
                kind: kind, payloadByteCount: Int(word(12)), firstSequence: long(16), durableSequence: long(24),
                effectCount: Int(word(32)), payloadChecksum: word(36), seed: long(40)))
    }
}

/// Reads the frames of a file one behind the other.
struct FrameReader {
    enum Next {
        case frame(FrameHeader)
        case end
        /// No good frame here, with the reason.
        case bad(String)
    }

    let file: any File
    let path: String
    let byteCount: Int64
    private(set) var position: Int64 = 0
    /// The effects of the last frame.
    private(set) var payload: [UInt8] = []

    init(file: any File, path: String) throws {
        self.file = file
        self.path = path
        byteCount = try file.byteCount()
    }

    mutating func next() throws -> Next {
        guard position < byteCount else { return .end }
        let head = try file.readBytes(at: position, count: FrameHeader.byteCount)
        switch head.withUnsafeBytes({ FrameHeader.parse($0) }) {
        case .bad: return .bad(head.count < FrameHeader.byteCount ? "a piece of a frame" : "no frame begins here")
        case .newerVersion(let version):
            throw StateError(
                .unsupportedVersion, "\(path): byte \(position) was written by a newer version (\(version))",
                hint: "use the newer ogawa")
        case .header(let header):
            let start = position + Int64(FrameHeader.byteCount)
            guard Int64(header.payloadByteCount) <= byteCount - start else {
                return .bad("a frame ends behind the file")
            }
            payload = try file.readBytes(at: start, count: header.payloadByteCount)
            guard payload.count == header.payloadByteCount,
                payload.withUnsafeBytes({ crc32c($0) }) == header.payloadChecksum
            else { return .bad("the effects do not fit their checksum") }
            position = start + Int64(header.payloadByteCount)
            return .frame(header)
        }
    }

    /// Whether behind the bad bytes a frame stands that was written when those had been confirmed by the disk.
    func hasLaterFrame(confirming sequence: UInt64) throws -> Bool {
        let blockByteCount = 1 << 20
        var start = position
        while start < byteCount {
            let block = try file.readBytes(at: start, count: blockByteCount + FrameHeader.byteCount)
            let isFound = block.withUnsafeBytes { bytes in
                var index = 0
                while index + FrameHeader.byteCount <= bytes.count {
                    if bytes[index] == UInt8(ascii: "O"),
                        case .header(let header) = FrameHeader.parse(UnsafeRawBufferPointer(rebasing: bytes[index...])),
                        header.durableSequence > sequence
                    {
                        return true
                    }
                    index += 1
                }
                return false
            }
            if isFound { return true }
            start += Int64(blockByteCount)
        }
        return false
    }
}

/// The names of a state's files.
enum StateFileName {
    static let lock = ".lock"
    static let temporary = "snapshot.temporary"
    static let journal = ".journal"
    static let snapshot = ".snapshot"

    static func make(_ sequence: UInt64, _ ending: String) -> String {
        let digits = String(sequence)
        return String(repeating: "0", count: max(0, 20 - digits.count)) + digits + ending
    }

    /// The sequences of the files with an ending, upwards.
    static func sequences(_ names: [String], _ ending: String) -> [UInt64] {
        names.compactMap { name in
            guard name.hasSuffix(ending), name.utf8.count == 20 + ending.utf8.count else { return nil }
            return UInt64(name.dropLast(ending.count))
        }.sorted()
    }
}
