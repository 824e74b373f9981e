// Reading a state back: the newest good snapshot, and the journal behind it.

import OgawaCore
import OgawaPlatform

/// What was found on the disk.
struct RecoveredState {
    var space: KeySpace
    var file: any File
    var fileName: String
    var sequence: UInt64
    /// Bytes of journal behind the snapshot.
    var journalByteCount: Int64
    /// What is worth knowing, such as a torn end that was cut off.
    var notes: [String]
}

/// Reads the files of a folder.
struct StateRecovery {
    let directory: String
    let fileSystem: any FileSystem
    let seed: UInt64
    private var notes: [String] = []

    init(directory: String, fileSystem: any FileSystem, seed: UInt64) {
        self.directory = directory
        self.fileSystem = fileSystem
        self.seed = seed
    }

    mutating func run() throws -> RecoveredState {
        let names = try fileSystem.listDirectory(directory)
        if names.contains(StateFileName.temporary) { try fileSystem.remove(path(StateFileName.temporary)) }
        let journals = StateFileName.sequences(names, StateFileName.journal)
        let (space, start, coverage) = try readSnapshot(StateFileName.sequences(names, StateFileName.snapshot))
        space.state.pointee.isReplaying = true
        let files = journals.filter { $0 >= start }
        var sequence = start
        var byteCount: Int64 = 0
        var last: (any File, Int64)?
        for (index, first) in files.enumerated() {
            guard first == sequence else { throw missing(sequence) }
            let isLast = index == files.count - 1
            let (file, end) = try replay(first, &sequence, space, coverage, isLast: isLast)
            byteCount += end
            last = (file, end)
        }
        if files.isEmpty, start > 0 || !journals.isEmpty { throw missing(start) }
        if sequence < coverage.end {
            throw StateError(
                .corrupt,
                "\(directory): the journal ends at change \(sequence), but the snapshot needs it up to \(coverage.end)",
                hint: "put the journal files back from a copy")
        }
        space.state.pointee.isReplaying = false
        removeEmptyKeys(space)
        space.effects.pointee.nextSequence = sequence
        // A new file for what comes; one without a frame goes on being used.
        let name = StateFileName.make(sequence, StateFileName.journal)
        if let last, last.1 == 0, files.last == sequence {
            return RecoveredState(
                space: space, file: last.0, fileName: name, sequence: sequence, journalByteCount: byteCount,
                notes: notes)
        }
        let file = try fileSystem.open(path(name), .create)
        try fileSystem.syncDirectory(directory)
        return RecoveredState(
            space: space, file: file, fileName: name, sequence: sequence, journalByteCount: byteCount, notes: notes)
    }

    private func path(_ name: String) -> String { directory + "/" + name }

    private func missing(_ sequence: UInt64) -> StateError {
        StateError(
            .corrupt, "\(path(StateFileName.make(sequence, StateFileName.journal))) is missing",
            hint: "put the file back from a copy, or move the folder away to begin with empty state")
    }

    // MARK: Snapshots

    /// Reads the newest whole snapshot; without any, the empty state at change 0.
    private mutating func readSnapshot(_ sequences: [UInt64]) throws -> (KeySpace, UInt64, SnapshotCoverage) {
        var firstError: StateError?
        for sequence in sequences.reversed() {
            do {
                let (space, coverage) = try readSnapshot(sequence)
                return (space, sequence, coverage)
            } catch let error as StateError where error.code == .corrupt {
                notes.append("\(error.message); the snapshot before it and the journal are used instead")
                firstError = firstError ?? error
            }
        }
        // The journal reaches back to the beginning only where no snapshot ever replaced it, which the caller sees.
        if let firstError, try !isJournalWhole() { throw firstError }
        return (KeySpace(seed: seed), 0, SnapshotCoverage())
    }

    private func isJournalWhole() throws -> Bool {
        StateFileName.sequences(try fileSystem.listDirectory(directory), StateFileName.journal).first == 0
    }

    private func readSnapshot(_ sequence: UInt64) throws -> (KeySpace, SnapshotCoverage) {
        let path = path(StateFileName.make(sequence, StateFileName.snapshot))
        var reader = try FrameReader(file: fileSystem.open(path, .read), path: path)
        var coverage = SnapshotCoverage()
        var space = KeySpace(seed: seed)
        var count: UInt64 = 0
        while true {
            let position = reader.position
            switch try reader.next() {
            case .bad(let reason): throw StateError.corrupt(path, position, reason)
            case .end:
                guard coverage.isComplete else { throw StateError.corrupt(path, position, "the end is missing") }
                return (space, coverage)
            case .frame(let header):
                guard header.kind == .snapshot, header.firstSequence == count, !coverage.isComplete else {
                    throw StateError.corrupt(path, position, "a frame does not follow the one before it")
                }
                if count == 0 {
                    space = KeySpace(seed: header.seed)
                    space.state.pointee.isReplaying = true
                }
                count += UInt64(header.effectCount)
                guard apply(reader.payload, header.effectCount, space, { take($0, space, &coverage) }) else {
                    throw StateError.corrupt(path, position, "the frame holds something that is no state")
                }
            }
        }
    }

    private func take(_ effect: Effect, _ space: KeySpace, _ coverage: inout SnapshotCoverage) -> Bool {
        guard effect.kind.rawValue >= EffectKind.rangeMark.rawValue else { return space.apply(effect) }
        if effect.kind == .beginKey {
            if let entry = space.find(effect.database, effect.key) { space.delete(effect.database, entry) }
            // The key may have an end before it has parts.
            if effect.number == 1 {
                guard effect.second.count == 1, let kind = ValueKind(rawValue: effect.second[0]) else { return false }
                _ = space.findOrMake(effect.database, effect.key, kind)
            }
        }
        return coverage.add(effect)
    }

    private func apply(_ payload: [UInt8], _ count: Int, _ space: KeySpace, _ body: (Effect) -> Bool) -> Bool {
        payload.withUnsafeBytes { bytes in
            var position = 0
            for _ in 0..<count {
                guard let effect = Effect.read(bytes, &position), body(effect) else { return false }
            }
            return position == bytes.count
        }
    }

    /// Takes keys away that a snapshot began and the journal left without parts.
    private func removeEmptyKeys(_ space: KeySpace) {
        for database in 0..<KeySpace.databaseCount {
            var empty: [Entry] = []
            space.tables[database].forEach { if $0.partCount == 0 { empty.append($0) } }
            for entry in empty { space.delete(database, entry) }
        }
    }

    // MARK: Journals

    /// Does a file's effects that the snapshot lacks; returns the file with the end of its good frames.
    private mutating func replay(
        _ first: UInt64, _ sequence: inout UInt64, _ space: KeySpace, _ coverage: SnapshotCoverage, isLast: Bool
    ) throws -> (any File, Int64) {
        let path = path(StateFileName.make(first, StateFileName.journal))
        var reader = try FrameReader(file: fileSystem.open(path, isLast ? .update : .read), path: path)
        while true {
            let position = reader.position
            switch try reader.next() {
            case .end:
                // What a killed program wrote may never have been synced; it must not be shown before it is.
                if isLast { try reader.file.sync() }
                return (reader.file, position)
            case .bad(let reason):
                guard isLast, try !reader.hasLaterFrame(confirming: sequence) else {
                    throw StateError.corrupt(path, position, reason)
                }
                notes.append(
                    "\(path): cut off at byte \(position) of \(reader.byteCount): \(reason); it was never confirmed")
                try reader.file.truncate(to: position)
                try reader.file.sync()
                return (reader.file, position)
            case .frame(let header):
                guard header.kind == .journal, header.firstSequence == sequence else {
                    throw StateError.corrupt(path, position, "a frame does not follow the one before it")
                }
                let isGood = apply(reader.payload, header.effectCount, space) { effect in
                    defer { sequence += 1 }
                    return coverage.isMissing(effect, sequence, space) ? space.apply(effect) : true
                }
                guard isGood else {
                    throw StateError.corrupt(path, position, "the frame holds a change that does not fit")
                }
            }
        }
    }
}
