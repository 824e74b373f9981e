// The journal: effects that wait become one frame, one write and, when asked for, one sync. Who waits for the disk while another
// sync runs is served by the next one together with all others.
//
// What can go wrong, and what is done about it:
// - The disk is full: the half-written frame is cut off; the effects stay in memory and are written as soon as there is room, and
//   commands that change something are refused until then.
// - A sync fails, or a write for another reason: what reached the disk is unknown. Changes are refused until the state is opened
//   again and read from the disk.

import OgawaCore
import OgawaPlatform
import Synchronization

/// Writes effects of a key space to files.
///
/// **Isolation.** Any thread; writers queue. The order of locks is the journal's, then the store's.
final class Journal: Sendable {
    private struct Output {
        var file: any File
        var name: String
        /// The end of what was written whole.
        var end: Int64 = 0
        var writtenSequence: UInt64
        var durableSequence: UInt64
        /// The effects that are being written, with room for the frame's head before them.
        var buffer: GrowingBytes
        /// The buffer holds effects that could not be written yet, beginning with `writtenSequence`.
        var bufferedSequence: UInt64
        var failure: StateError?
        /// Bytes written since the last snapshot began.
        var byteCount: Int64
    }

    private let directory: String
    private let fileSystem: any FileSystem
    /// The store owns its journal.
    private unowned let store: StateStore
    private let output: Mutex<Output>
    /// Changes below this are on the disk.
    let durableSequence: Atomic<UInt64>

    init(
        store: StateStore, directory: String, fileSystem: any FileSystem, file: any File, name: String,
        sequence: UInt64,
        byteCount: Int64
    ) {
        self.store = store
        self.directory = directory
        self.fileSystem = fileSystem
        output = Mutex(
            Output(
                file: file, name: name, writtenSequence: sequence, durableSequence: sequence,
                buffer: EffectLog.makeBuffer(), bufferedSequence: sequence, byteCount: byteCount))
        durableSequence = Atomic(sequence)
    }

    deinit { output.withLock { $0.buffer.free() } }

    /// Bytes written since the last snapshot began.
    var byteCount: Int64 { output.withLock { $0.byteCount } }

    var failure: StateError? { output.withLock { $0.failure } }

    /// Writes what waits, and waits for the disk if asked to.
    func write(sync: Bool) throws {
        try output.withLock { output in try write(&output, sync: sync) }
    }

    /// Returns when all changes below a sequence are on the disk.
    func makeDurable(below sequence: UInt64) throws {
        if durableSequence.load(ordering: .acquiring) >= sequence { return }
        try output.withLock { output in
            if output.durableSequence < sequence { try write(&output, sync: true) }
        }
    }

    /// Ends the file and begins the next one; returns the sequence that it begins with.
    func roll() throws -> UInt64 {
        try output.withLock { output in
            try write(&output, sync: true)
            let sequence = output.writtenSequence
            let name = StateFileName.make(sequence, StateFileName.journal)
            // Nothing was written since the last time.
            if name == output.name { return sequence }
            do {
                output.file = try fileSystem.open(directory + "/" + name, .create)
                try fileSystem.syncDirectory(directory)
            } catch {
                throw fail(&output, StateError.of(error, "state journal \(name)"))
            }
            output.name = name
            output.end = 0
            output.byteCount = 0
            return sequence
        }
    }

    /// Writes what waits for the last time.
    func close() throws {
        try output.withLock { output in
            defer { output.failure = output.failure ?? StateError(.closed, "the state was closed") }
            if output.failure?.code == .closed { return }
            try write(&output, sync: true)
        }
    }

    private func write(_ output: inout Output, sync: Bool) throws {
        if let failure = output.failure, failure.code != .diskFull { throw failure }
        do {
            // What a full disk left waiting comes first, in a frame of its own.
            if output.bufferedSequence > output.writtenSequence { try writeBuffer(&output) }
            takeEffects(&output)
            if output.bufferedSequence > output.writtenSequence { try writeBuffer(&output) }
            if output.failure != nil {
                output.failure = nil
                store.setRefusal(nil)
            }
        } catch {
            throw fail(&output, StateError.of(error, "state journal \(output.name)"))
        }
        guard sync, output.durableSequence < output.writtenSequence else { return }
        do {
            try output.file.sync()
        } catch {
            throw fail(
                &output,
                StateError(
                    .failedSync, "state journal \(output.name): the disk did not confirm what was written: \(error)",
                    hint: "check the disk, then restart; the state is read from the disk again"))
        }
        output.durableSequence = output.writtenSequence
        durableSequence.store(output.durableSequence, ordering: .releasing)
    }

    /// Exchanges the effects that wait for an empty buffer.
    private func takeEffects(_ output: inout Output) {
        output.buffer.removeAll()
        output.buffer.advance(FrameHeader.byteCount)
        output.buffer.shrink(to: 1 << 20)
        output.bufferedSequence = store.lock.withLock { _ in
            let effects = store.space.effects
            swap(&effects.pointee.bytes, &output.buffer)
            return effects.pointee.nextSequence
        }
    }

    private func writeBuffer(_ output: inout Output) throws {
        let bytes = output.buffer.raw
        let payload = UnsafeRawBufferPointer(rebasing: bytes[FrameHeader.byteCount...])
        let header = FrameHeader(
            kind: .journal, payloadByteCount: payload.count, firstSequence: output.writtenSequence,
            durableSequence: output.durableSequence,
            effectCount: Int(output.bufferedSequence - output.writtenSequence), payloadChecksum: crc32c(payload),
            seed: 0)
        header.write(to: output.buffer.base)
        do {
            try output.file.writeAll(bytes, at: output.end)
        } catch {
            do {
                try output.file.truncate(to: output.end)
            } catch let second {
                throw StateError(
                    .io,
                    "state journal \(output.name): \(error), and the half-written end could not be cut off: \(second)",
                    hint: "check the disk, then restart")
            }
            throw error
        }
        output.end += Int64(bytes.count)
        output.byteCount += Int64(bytes.count)
        output.writtenSequence = output.bufferedSequence
    }

    private func fail(_ output: inout Output, _ error: StateError) -> StateError {
        output.failure = error
        store.setRefusal("MISCONF the state cannot be written, so changes are refused. \(error)")
        return error
    }
}

extension EffectLog {
    /// A buffer with room for a frame's head at its beginning.
    static func makeBuffer() -> GrowingBytes {
        var buffer = GrowingBytes(capacity: 1 << 16)
        buffer.advance(FrameHeader.byteCount)
        return buffer
    }

    /// Bytes of effects that wait.
    var waitingByteCount: Int { bytes.count - FrameHeader.byteCount }
}
