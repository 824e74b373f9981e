// A snapshot is written while commands go on, in slices of a few thousand keys, each under the store's lock for well under a
// millisecond. It is not a picture of one moment: each slice notes the sequence of the journal that it is as of, and reading
// passes over the effects that a slice holds already. So nothing is copied aside and no command waits.

import OgawaCore
import OgawaPlatform

/// Writes one snapshot.
///
/// **Isolation.** One thread; takes the store's lock for a slice at a time.
struct SnapshotWriter {
    /// A slice ends when it has so many bytes.
    private static let sliceByteCount = 32 << 10
    /// Lists that keep changing while they are written are written whole after so many attempts.
    private static let mostAttempts = 3

    private let store: StateStore
    private let file: any File
    private var buffer = EffectLog.makeBuffer()
    private var effectCount = 0
    private var bufferedCount = 0
    private var position: Int64 = 0
    private let clearCount: Int
    private let isStopping: () -> Bool

    /// Why a snapshot was given up without an error.
    enum Interruption: Error {
        /// A database was cleared; begin again.
        case cleared
        case stopping
    }

    init(store: StateStore, file: any File, isStopping: @escaping () -> Bool) {
        self.store = store
        self.file = file
        self.isStopping = isStopping
        clearCount = store.lock.withLock { _ in store.space.state.pointee.clearCount }
    }

    func free() { buffer.free() }

    /// Writes all slices and the end; returns the sequence that the journal must have reached before the snapshot counts.
    mutating func write() throws -> UInt64 {
        var database = 0
        var place: UInt64 = 0
        while database < KeySpace.databaseCount {
            var large: [[UInt8]] = []
            let current = database
            try store.lock.withLock { _ in
                try checkInterruption()
                (database, place) = writeSlice(database, place, &large)
            }
            try flush()
            for key in large { try writeLarge(current, key) }
        }
        let end = store.lock.withLock { _ in store.space.effects.pointee.nextSequence }
        withSlice([]) { none in
            withUnsafeBytes(of: end.littleEndian) { mark in
                buffer.append(.end, 0, none, mark.slice, none, Int64(effectCount + bufferedCount))
            }
        }
        bufferedCount += 1
        try flush()
        try file.sync()
        return end
    }

    private func checkInterruption() throws {
        if isStopping() { throw Interruption.stopping }
        if store.space.state.pointee.clearCount != clearCount { throw Interruption.cleared }
    }

    /// Writes segments of the key space until the slice is full or large keys are met, which come behind it.
    private mutating func writeSlice(_ database: Int, _ place: UInt64, _ large: inout [[UInt8]]) -> (Int, UInt64) {
        let space = store.space
        var place = place
        repeat {
            let sequence = space.effects.pointee.nextSequence
            var written = 0
            place = space.tables[database].visitSegment(at: place) { entry in
                if entry.isWrittenAlone {
                    large.append(entry.key.array)
                } else {
                    written += space.describe(entry, as: entry.key, database, into: &buffer)
                }
            }
            bufferedCount += written
            withSlice([]) { mark(.rangeMark, database, $0, sequence, place) }
        } while place != 0 && buffer.count < SnapshotWriter.sliceByteCount && large.isEmpty
        return place == 0 ? (database + 1, 0) : (database, place)
    }

    private mutating func mark(
        _ kind: EffectKind, _ database: Int, _ key: ByteSlice, _ sequence: UInt64, _ number: UInt64,
        _ second: ByteSlice? = nil
    ) {
        withUnsafeBytes(of: sequence.littleEndian) { bytes in
            buffer.append(
                kind, database, key, bytes.slice, second ?? ByteSlice(key.base, 0), Int64(bitPattern: number))
        }
        bufferedCount += 1
    }

    // MARK: Large keys

    /// Writes a key with many parts or a long string, in pieces as far as that can be.
    private mutating func writeLarge(_ database: Int, _ key: [UInt8]) throws {
        defer { store.lock.withLock { _ in store.space.state.pointee.sliced = nil } }
        for attempt in 1... {
            if try writeLarge(database, key, inPieces: attempt <= SnapshotWriter.mostAttempts) { return }
        }
    }

    /// One attempt; false where the key changed so that what was written is void.
    private mutating func writeLarge(_ database: Int, _ key: [UInt8], inPieces: Bool) throws -> Bool {
        let space = store.space
        var place: UInt64 = 0
        var begun: Entry?
        try store.lock.withLock { _ in
            try checkInterruption()
            begun = withSlice(key) { name in
                let sequence = space.effects.pointee.nextSequence
                guard let entry = space.tables[database].find(space.hash(name), name) else {
                    mark(.beginKey, database, name, sequence, 0)
                    return nil
                }
                withUnsafeBytes(of: entry.kind.rawValue) {
                    mark(.beginKey, database, name, sequence, entry.kind == .string ? 0 : 1, $0.slice)
                }
                bufferedCount += space.describeExpiry(entry, as: name, database, into: &buffer)
                if inPieces, entry.kind != .string {
                    space.state.pointee.sliced = entry.object
                    space.state.pointee.slicedIsVoid = false
                    return entry
                }
                bufferedCount += space.describe(entry, as: name, database, into: &buffer)
                mark(.fieldMark, database, name, sequence, 0)
                return nil
            }
        }
        try flush()
        guard let entry = begun else { return true }
        repeat {
            let isVoid = try store.lock.withLock { _ in
                try checkInterruption()
                if space.state.pointee.slicedIsVoid { return true }
                withSlice(key) { place = writePieces(entry, database, $0, from: place) }
                return false
            }
            if isVoid { return false }
            try flush()
        } while place != 0
        return true
    }

    /// Writes pieces of a large value until the slice is full; returns where the next begins, 0 at the end.
    private mutating func writePieces(_ entry: Entry, _ database: Int, _ key: ByteSlice, from place: UInt64) -> UInt64 {
        let space = store.space
        var place = place
        if entry.kind == .list {
            // A list's place is an index; a change of the list makes the attempt void.
            let list = entry.list
            var index = Int(truncatingIfNeeded: place)
            while index < list.pointee.count, buffer.count < SnapshotWriter.sliceByteCount {
                buffer.append(
                    .pushBack, database, key, list.pointee.item(index), ByteSlice(key.base, 0), 0)
                bufferedCount += 1
                index += 1
            }
            return index < list.pointee.count ? UInt64(index) : 0
        }
        repeat {
            let sequence = space.effects.pointee.nextSequence
            let (next, count) = space.describeParts(entry, as: key, database, from: place, into: &buffer)
            bufferedCount += count
            mark(.fieldMark, database, key, sequence, next)
            place = next
        } while place != 0 && buffer.count < SnapshotWriter.sliceByteCount
        return place
    }

    // MARK: The file

    private mutating func flush() throws {
        guard bufferedCount > 0 else { return }
        let payload = UnsafeRawBufferPointer(rebasing: buffer.raw[FrameHeader.byteCount...])
        let header = FrameHeader(
            kind: .snapshot, payloadByteCount: payload.count, firstSequence: UInt64(effectCount), durableSequence: 0,
            effectCount: bufferedCount, payloadChecksum: crc32c(payload), seed: store.space.state.pointee.seed)
        header.write(to: buffer.base)
        try file.writeAll(buffer.raw, at: position)
        position += Int64(buffer.count)
        effectCount += bufferedCount
        bufferedCount = 0
        buffer.removeAll()
        buffer.advance(FrameHeader.byteCount)
    }
}

extension Entry {
    /// Whether a snapshot gives the value slices of its own, so that no slice holds the lock for long.
    fileprivate var isWrittenAlone: Bool { kind == .string ? valueCount > 16 << 10 : partCount > 64 }
}
