import OgawaCore
import OgawaEngine
import OgawaPlatform

// A checkpoint is what a runner needs to go on without reading the log from its beginning: how far it has read each partition and what its
// operators remember there. docs/formats/checkpoint.md gives the bytes.

/// A runner's state at one point of its input.
package struct Checkpoint: Equatable, Sendable {
    /// Tells which plan and policies the state belongs to; another text of the function has another one.
    package var fingerprint: String
    /// When it was taken.
    package var time: Timestamp
    /// How far the input was read.
    package var progress: Progress
    /// What each statement's sink had stored by then, per part of the sink: a sink that is behind has lost rows that
    /// the state would not give again.
    package var stored: [[Progress?]]
    /// ``Pipeline/save()``.
    package var state: [UInt8]

    private static let magic: [UInt8] = Array("OGCKPT".utf8)
    private static let version: UInt8 = 1
    private static let headerByteCount = 20

    /// `| "OGCKPT" | version: u8 | 0 | body length: u64 LE | CRC-32C of the body: u32 LE | body |`.
    package var bytes: [UInt8] {
        var body = StateWriter()
        body.write(fingerprint)
        body.write(time.ticks)
        body.write(progress.bytes)
        body.write(stored.count)
        for parts in stored {
            body.write(parts.count)
            for part in parts { body.write(part?.bytes ?? []) }
        }
        body.write(state)
        var header = StateWriter()
        header.write(body.bytes.count)
        let checksum = body.bytes.withUnsafeBytes { crc32c($0) }
        let end = (0..<4).map { UInt8(truncatingIfNeeded: checksum >> (8 * $0)) }
        return Checkpoint.magic + [Checkpoint.version, 0] + header.bytes + end + body.bytes
    }

    package init(fingerprint: String, time: Timestamp, progress: Progress, stored: [[Progress?]], state: [UInt8]) {
        self.fingerprint = fingerprint
        self.time = time
        self.progress = progress
        self.stored = stored
        self.state = state
    }

    /// Reads a file's bytes.
    ///
    /// - Throws: ``CheckpointError`` that says what is wrong with them.
    package init(_ bytes: [UInt8]) throws(CheckpointError) {
        guard bytes.count >= Checkpoint.headerByteCount, bytes.starts(with: Checkpoint.magic) else {
            throw CheckpointError("it is not a checkpoint, or was cut short")
        }
        guard bytes[6] == Checkpoint.version else {
            throw CheckpointError("it has version \(bytes[6]), this program reads version \(Checkpoint.version)")
        }
        let body = Array(bytes[Checkpoint.headerByteCount...])
        let checksum = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[16 + $1]) << (8 * UInt32($1)) }
        var header = StateReader(Array(bytes[8..<16]))
        guard (try? header.readInt()) == body.count else { throw CheckpointError("it was cut short") }
        guard body.withUnsafeBytes({ crc32c($0) }) == checksum else { throw CheckpointError("its checksum is wrong") }
        do {
            try self.init(body: body)
        } catch {
            throw CheckpointError("its fields do not fit together")
        }
    }

    private init(body: [UInt8]) throws(StateError) {
        var reader = StateReader(body)
        fingerprint = try reader.readString()
        time = Timestamp(ticks: try reader.readInt64())
        guard let progress = Progress(try reader.readArray(of: UInt8.self)) else { throw StateError() }
        self.progress = progress
        stored = []
        for _ in 0..<(try reader.readCount(ofSize: 8)) {
            var parts: [Progress?] = []
            for _ in 0..<(try reader.readCount(ofSize: 8)) {
                let bytes = try reader.readArray(of: UInt8.self)
                let part = Progress(bytes, partitionCount: progress.positions.count)
                guard part != nil || bytes.isEmpty else { throw StateError() }
                parts.append(part)
            }
            stored.append(parts)
        }
        state = try reader.readArray(of: UInt8.self)
        guard reader.isAtEnd else { throw StateError() }
    }
}

/// Why a checkpoint cannot be used.
package struct CheckpointError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
