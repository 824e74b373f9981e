// Reads a segment from batch to batch, and finds the way on behind damage.

import OgawaCore

/// A stretch of a segment that holds no readable batch, although more follows or was acknowledged there.
struct DamagedRange: Equatable {
    var range: Range<Int64>
    var reason: BatchDamage
}

/// What a scan found.
struct SegmentScan {
    var index: SegmentIndex
    var damages: [DamagedRange] = []
    /// Behind the last batch lies something that was never acknowledged.
    var tornTail: (byteCount: Int64, reason: BatchDamage)?
    /// The newest progress of every producer named in the segment.
    var producers: [String: [UInt8]] = [:]
    /// The time of the last idle marker behind the last record.
    var idleTime: Int64?
}

/// Scans one segment.
struct SegmentScanner {
    let base: Offset
    let partition: PartitionID
    let reader: BlockReader

    init(file: any File, byteCount: Int64, base: Offset, partition: PartitionID) {
        self.base = base
        self.partition = partition
        reader = BlockReader(file: file, end: byteCount)
    }

    /// Reads everything, checks every checksum, and judges where the segment ends.
    ///
    /// **Errors.** ``BatchDamage/version(_:)`` for a batch that a newer program wrote; ``FileSystemError``.
    func scan() throws -> SegmentScan {
        var scan = SegmentScan(index: SegmentIndex(base: base))
        var position: Int64 = 0
        while position < reader.end {
            do {
                let header = try batch(at: position, expecting: scan)
                try note(header, at: position, in: &scan)
                position += Int64(header.batchByteCount)
            } catch BatchDamage.version(let version) {
                throw BatchDamage.version(version)
            } catch let reason as BatchDamage {
                guard let next = try acknowledgedBatch(behind: position, reason, scan) else {
                    scan.tornTail = (reader.end - position, reason)
                    break
                }
                scan.damages.append(DamagedRange(range: position..<next.position, reason: reason))
                try note(next.header, at: next.position, in: &scan)
                position = next.position + Int64(next.header.batchByteCount)
            }
        }
        return scan
    }

    /// Only the index, made from headers; damage is passed over.
    func index() throws -> SegmentIndex {
        var index = SegmentIndex(base: base)
        var position: Int64 = 0
        while position < reader.end {
            if let header = try? header(at: position), header.firstOffset >= index.nextOffset,
                position + Int64(header.batchByteCount) <= reader.end
            {
                index.add(header, at: position)
                position += Int64(header.batchByteCount)
            } else if let next = try nextBatch(behind: position + 1, atLeast: index.nextOffset) {
                index.add(next.header, at: next.position)
                position = next.position + Int64(next.header.batchByteCount)
            } else {
                break
            }
        }
        index.extend(to: reader.end)
        return index
    }

    /// The header at a position.
    func header(at position: Int64) throws -> BatchHeader {
        let bytes = try reader.bytes(at: position, count: BatchHeader.byteCount)
        let header = try BatchHeader(parsing: bytes)
        guard header.partition == partition else {
            throw BatchDamage.field("batch of partition \(header.partition), expected \(partition)")
        }
        return header
    }

    /// The header of the first whole and undamaged batch at or behind a position.
    func nextBatch(behind position: Int64, atLeast offset: Offset) throws -> (header: BatchHeader, position: Int64)? {
        var position = position
        while let candidate = try nextMagic(from: position) {
            if let header = try? header(at: candidate), header.firstOffset >= offset,
                (try? checkPayload(header, at: candidate)) != nil
            {
                return (header, candidate)
            }
            position = candidate + 1
        }
        return nil
    }

    /// Reads and checks the batch at a position, which must carry on where the scan has come to.
    private func batch(at position: Int64, expecting scan: SegmentScan) throws -> BatchHeader {
        let header = try header(at: position)
        guard header.firstOffset == scan.index.nextOffset else {
            throw BatchDamage.field("first offset \(header.firstOffset), expected \(scan.index.nextOffset)")
        }
        guard header.firstTime >= scan.index.lastTime else {
            throw BatchDamage.field("enqueued time \(header.firstTime), expected at least \(scan.index.lastTime)")
        }
        try checkPayload(header, at: position)
        return header
    }

    private func checkPayload(_ header: BatchHeader, at position: Int64) throws {
        let bytes = try reader.bytes(at: position, count: header.batchByteCount)
        try header.checkPayload(of: bytes)
    }

    private func note(_ header: BatchHeader, at position: Int64, in scan: inout SegmentScan) throws {
        scan.index.add(header, at: position)
        if header.count > 0 { scan.idleTime = nil }
        if header.attributes.contains(.idleMarker) { scan.idleTime = header.lastTime }
        guard header.attributes.contains(.producers) else { return }
        let bytes = try reader.bytes(at: position, count: header.batchByteCount)
        var cursor = ByteCursor(bytes: bytes, position: BatchHeader.byteCount, end: header.batchByteCount)
        for state in producers(&cursor) ?? [] { scan.producers[state.producer] = state.state }
    }

    /// The first good batch behind a bad one, provided that the bad one was on the disk once; nil where it is a torn tail.
    ///
    /// Good batches of the same unsynced write prove nothing; a batch written after a sync which covered the bad one does.
    private func acknowledgedBatch(
        behind bad: Int64, _ reason: BatchDamage, _ scan: SegmentScan
    ) throws -> (header: BatchHeader, position: Int64)? {
        var from = bad + 1
        if case .payloadChecksum = reason, let header = try? header(at: bad) {
            from = bad + Int64(header.batchByteCount)
        }
        guard let first = try nextBatch(behind: from, atLeast: scan.index.nextOffset) else { return nil }
        var next: (header: BatchHeader, position: Int64)? = first
        while let batch = next {
            if batch.position - Int64(batch.header.unsyncedByteCount) > bad { return first }
            next = try nextBatch(
                behind: batch.position + Int64(batch.header.batchByteCount), atLeast: batch.header.nextOffset)
        }
        return nil
    }

    /// Where the magic number comes next.
    private func nextMagic(from start: Int64) throws -> Int64? {
        var position = start
        let blockByteCount = 64 << 10
        while position + Int64(BatchHeader.byteCount) <= reader.end {
            let bytes = try reader.bytes(at: position, count: blockByteCount)
            guard bytes.count >= BatchHeader.byteCount else { return nil }
            for index in 0...(bytes.count - 4) where bytes[index] == 0x4f {
                let word: UInt32 = bytes.loadLittleEndian(at: index)
                if word == BatchHeader.magic { return position + Int64(index) }
            }
            position += Int64(bytes.count - 3)
        }
        return nil
    }
}
