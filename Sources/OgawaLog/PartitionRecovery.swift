// Opening a partition: which segments there are, where the last one ends, and what must be known to go on writing.

import OgawaCore

/// A partition as it was found, cut to what may be kept.
struct RecoveredPartition: Sendable {
    /// In offset order, at least one; the last is the one that is written to.
    var segments: [Segment]
    var activeFile: any File
    var lastTime: Int64
    var idleTime: Int64?
    var producers: [String: [UInt8]]
    /// What was cut off, rebuilt or found damaged, for the operator.
    var notes: [String] = []
}

/// Recovers one partition.
struct PartitionRecovery {
    let directory: String
    let partition: PartitionID
    /// `stream telemetry, partition 2`, for messages.
    let label: String
    let fileSystem: any FileSystem
    private var notes: [String] = []

    init(directory: String, partition: PartitionID, label: String, fileSystem: any FileSystem) {
        self.directory = directory
        self.partition = partition
        self.label = label
        self.fileSystem = fileSystem
    }

    /// Finds the segments and makes the last one ready to be written to.
    ///
    /// **Errors.** ``LogError``: `badLayout` for a strange file, `unsupportedVersion`, `io`.
    mutating func run() throws -> RecoveredPartition {
        var bases = try segmentBases()
        while let base = bases.last {
            let path = directory + "/" + SegmentName.segment(base)
            let file = try fileSystem.open(path, .update)
            let scan = try scanTail(of: file, base: base)
            if scan.index.byteCount == 0, bases.count > 1 {
                // Nothing in it was ever acknowledged, and it lacks the batch that carries over what came before.
                notes.append("\(label): removed the empty segment \(SegmentName.segment(base))")
                try fileSystem.remove(path)
                try fileSystem.syncDirectory(directory)
                bases.removeLast()
                continue
            }
            return try finish(sealed: bases.dropLast(), active: scan, file: file)
        }
        return try create()
    }

    private func create() throws -> RecoveredPartition {
        let index = SegmentIndex(base: .zero)
        let file = try fileSystem.open(directory + "/" + SegmentName.segment(.zero), .create)
        try fileSystem.syncDirectory(directory)
        let segment = Segment(index: index, directory: directory, fileSystem: fileSystem, file: file)
        return RecoveredPartition(
            segments: [segment], activeFile: file, lastTime: Timestamp.min.ticks, producers: [:], notes: notes)
    }

    private mutating func finish(
        sealed bases: ArraySlice<Offset>, active scan: SegmentScan, file: any File
    ) throws -> RecoveredPartition {
        var segments: [Segment] = []
        for base in bases {
            if let last = segments.last, last.nextOffset != base { noteGap(from: last.nextOffset, to: base) }
            segments.append(try sealedSegment(base))
        }
        if let last = segments.last, last.nextOffset != scan.index.base {
            noteGap(from: last.nextOffset, to: scan.index.base)
        }
        var producers = scan.producers
        if !scan.damages.isEmpty, let last = segments.last {
            // The batch that carried the producers' progress over may be what is damaged; it was gathered from here.
            let scanner = SegmentScanner(
                file: try last.file(), byteCount: last.byteCount, base: last.base, partition: partition)
            producers = try scanner.scan().producers.merging(scan.producers) { $1 }
            last.closeFile()
        }
        let lastTime = segments.reduce(scan.index.lastTime) { max($0, $1.lastTime) }
        segments.append(Segment(index: scan.index, directory: directory, fileSystem: fileSystem, file: file))
        return RecoveredPartition(
            segments: segments, activeFile: file, lastTime: lastTime, idleTime: scan.idleTime,
            producers: producers, notes: notes)
    }

    private mutating func noteGap(from: Offset, to: Offset) {
        notes.append("\(label): no segment holds the records from offset \(from) to before \(to)")
    }

    /// First offsets by the names in the folder.
    private mutating func segmentBases() throws -> [Offset] {
        var bases: [Offset] = []
        for name in try fileSystem.listDirectory(directory) where !name.hasPrefix(".") {
            if let base = SegmentName.base(of: name, suffix: SegmentName.segmentSuffix) {
                bases.append(base)
            } else if SegmentName.base(of: name, suffix: SegmentName.indexSuffix) == nil {
                throw LogError(
                    .badLayout,
                    "\(label): file \(directory)/\(name) is no segment; expected 20 digits and \(SegmentName.segmentSuffix)",
                    hint: "move the file out of the folder")
            }
        }
        return bases.sorted()
    }

    /// The end of the segment that is written to, with what was never acknowledged cut off.
    private mutating func scanTail(of file: any File, base: Offset) throws -> SegmentScan {
        let byteCount = try file.byteCount()
        let name = SegmentName.segment(base)
        let scanner = SegmentScanner(file: file, byteCount: byteCount, base: base, partition: partition)
        let scan: SegmentScan
        do {
            scan = try scanner.scan()
        } catch BatchDamage.version(let version) {
            throw newerVersion(version, label: label, segment: name)
        }
        for damage in scan.damages {
            notes.append(
                "\(label): segment \(name): bytes \(damage.range.lowerBound) to \(damage.range.upperBound) are damaged "
                    + "(\(damage.reason)); records behind them are kept")
        }
        if let tail = scan.tornTail {
            notes.append(
                "\(label): segment \(name): cut off \(tail.byteCount) bytes at byte \(scan.index.byteCount) that were never "
                    + "acknowledged (\(tail.reason))")
            try file.truncate(to: scan.index.byteCount)
        }
        // After a crash of the process alone the tail may be good and yet not on the disk.
        try file.sync()
        return scan
    }

    /// A segment that gets no more batches, from its index file or, where that is missing or wrong, from its headers.
    private mutating func sealedSegment(_ base: Offset) throws -> Segment {
        let path = directory + "/" + SegmentName.segment(base)
        let byteCount = try fileSystem.byteCount(of: path) ?? 0
        if let index = savedIndex(base, segmentByteCount: byteCount) {
            return Segment(index: index, directory: directory, fileSystem: fileSystem)
        }
        let scanner = SegmentScanner(
            file: try fileSystem.open(path, .read), byteCount: byteCount, base: base, partition: partition)
        let segment = Segment(index: try scanner.index(), directory: directory, fileSystem: fileSystem)
        notes.append("\(label): made the index of segment \(segment.name) again")
        try? segment.saveIndex()
        return segment
    }

    private func savedIndex(_ base: Offset, segmentByteCount: Int64) -> SegmentIndex? {
        let path = directory + "/" + SegmentName.index(base)
        guard let file = try? fileSystem.open(path, .read), let count = try? file.byteCount(),
            let bytes = try? file.readBytes(at: 0, count: Int(clamping: min(count, 1 << 28)))
        else { return nil }
        return SegmentIndex(decoding: bytes, base: base, segmentByteCount: segmentByteCount)
    }
}

/// The error for a batch of a later format.
func newerVersion(_ version: UInt8, label: String, segment: String) -> LogError {
    LogError(
        .unsupportedVersion,
        "\(label): segment \(segment) has format version \(version), this program reads up to \(BatchHeader.version)",
        hint: "run the newer program that wrote it")
}
