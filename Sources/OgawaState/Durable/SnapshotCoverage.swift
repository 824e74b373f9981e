/// Which effects of the journal a snapshot holds already.
struct SnapshotCoverage {
    /// A stretch of hashes below `end` (0: to the last), as of a sequence.
    private struct Mark {
        var end: UInt64
        var sequence: UInt64
    }

    /// A key that was written in pieces.
    private struct Large {
        var sequence: UInt64
        var parts: [Mark] = []
    }

    private var ranges = [[Mark]](repeating: [], count: KeySpace.databaseCount)
    private var large: [WatchedKey: Large] = [:]
    /// All effects below this are held by nobody knows which slice; those from here on by none.
    private(set) var end: UInt64 = 0
    private(set) var isComplete = false

    /// Takes in a mark; false where it makes no sense.
    mutating func add(_ effect: Effect) -> Bool {
        guard effect.first.count == 8 else { return false }
        let sequence = UInt64(littleEndian: effect.first.base.loadUnaligned(as: UInt64.self))
        let place = UInt64(bitPattern: effect.number)
        let key = WatchedKey(database: effect.database, key: effect.key.array)
        switch effect.kind {
        case .rangeMark: ranges[effect.database].append(Mark(end: place, sequence: sequence))
        case .beginKey: large[key] = Large(sequence: sequence)
        case .fieldMark:
            guard large[key] != nil else { return false }
            large[key]?.parts.append(Mark(end: place, sequence: sequence))
        case .end:
            end = sequence
            isComplete = true
        default: return false
        }
        return true
    }

    /// Whether an effect of the journal is still to be done.
    func isMissing(_ effect: Effect, _ sequence: UInt64, _ space: KeySpace) -> Bool {
        guard sequence < end else { return true }
        if effect.kind == .clear { return true }
        if !large.isEmpty, let found = large[WatchedKey(database: effect.database, key: effect.key.array)] {
            switch effect.kind {
            case .setField, .removeField, .addMember, .removeMember, .setScore, .removeScore:
                // Without pieces the whole is as of the key's beginning.
                let part = SnapshotCoverage.find(found.parts, space.hash(effect.first))
                return sequence >= part ?? found.sequence
            default: return sequence >= found.sequence
            }
        }
        return sequence >= SnapshotCoverage.find(ranges[effect.database], space.hash(effect.key)) ?? 0
    }

    private static func find(_ marks: [Mark], _ hash: UInt64) -> UInt64? {
        var low = 0
        var high = marks.count
        while low < high {
            let middle = (low + high) / 2
            if marks[middle].end == 0 || marks[middle].end > hash { high = middle } else { low = middle + 1 }
        }
        return low < marks.count ? marks[low].sequence : nil
    }
}
