import OgawaCore

/// Finds and loads batches in one segment for one read.
struct BatchFinder {
    /// A batch's slices count bytes in 32 bits; a read is kept far below.
    private static let maxReadByteCount = 64 << 20

    let file: any File
    /// The end of what may be seen.
    let end: Int64
    let segment: Segment
    /// Where the next segment begins; nil for the last one.
    let following: Offset?
    let partition: PartitionID
    let label: String

    /// The first batch behind a position at or after a place; nil where the segment has none.
    func first(newerThan position: LogPosition, from start: BatchPlace) throws -> (header: BatchHeader, place: Int64)? {
        var place = start.position
        var reached = start.offset
        while place < end {
            let header: BatchHeader
            do {
                header = try self.header(at: place)
                if header.firstOffset != reached {
                    throw BatchDamage.field("first offset \(header.firstOffset), expected \(reached)")
                }
            } catch let reason as BatchDamage {
                let next = try placeBehindDamage(at: place, reason, position, reached)
                place = next.position
                reached = next.offset
                continue
            }
            if isNewer(header, than: position) { return (header, place) }
            reached = header.nextOffset
            place += Int64(header.batchByteCount)
        }
        return nil
    }

    /// Reads a block from a batch on and takes its batches apart, up to the next idle marker.
    func load(
        _ header: BatchHeader, at place: Int64, from position: LogPosition, maxByteCount: Int
    ) throws -> (batch: EventBatch, next: LogPosition, place: Int64) {
        let from = max(position.offset, segment.base)
        var reader = BatchReader(partition: partition, from: from)
        if header.attributes.contains(.idleMarker) {
            var events = EventBatch(partition: partition, firstOffset: header.firstOffset)
            events.bytes = [UInt8](repeating: 0, count: EventBatch.paddingByteCount)
            events.lastEnqueuedTime = Timestamp(ticks: header.lastTime)
            let next = LogPosition(offset: header.firstOffset, enqueuedTime: events.lastEnqueuedTime)
            return (events, next, place + Int64(header.batchByteCount))
        }
        let wanted = max(header.batchByteCount, min(maxByteCount, BatchFinder.maxReadByteCount))
        let block = try block(at: place, count: Int(min(Int64(wanted), end - place)))
        let count = block.count - EventBatch.paddingByteCount
        reader.reserve(count / max(1, header.batchByteCount / max(1, header.count)) + 1)
        var taken = 0
        var nextOffset = header.firstOffset
        try block.withUnsafeBytes { bytes in
            while taken < count {
                do {
                    let rest = UnsafeRawBufferPointer(rebasing: bytes[taken..<count])
                    let header = try checkedBatch(rest, expecting: nextOffset)
                    guard let header, !header.attributes.contains(.idleMarker) else { return }
                    try reader.add(header, in: bytes, at: taken)
                    taken += header.batchByteCount
                    nextOffset = header.nextOffset
                } catch {
                    // Damage behind good batches is reported by the read that begins at it.
                    guard taken > 0 else {
                        throw corrupt(at: place, error, resume: resumeOffset(behind: place, header))
                    }
                    return
                }
            }
        }
        let events = reader.finish(block: block)
        let next = LogPosition(offset: nextOffset, enqueuedTime: events.lastEnqueuedTime)
        return (events, next, place + Int64(taken))
    }

    /// The whole batch at the start of the bytes, checked; nil where its end is not among them.
    private func checkedBatch(
        _ bytes: UnsafeRawBufferPointer, expecting offset: Offset
    ) throws(BatchDamage) -> BatchHeader? {
        guard bytes.count >= BatchHeader.byteCount else { return nil }
        let header = try BatchHeader(parsing: bytes)
        try checkPlace(header)
        guard header.firstOffset == offset else {
            throw .field("first offset \(header.firstOffset), expected \(offset)")
        }
        guard header.batchByteCount <= bytes.count else { return nil }
        try header.checkPayload(of: bytes)
        return header
    }

    private func checkPlace(_ header: BatchHeader) throws(BatchDamage) {
        guard header.partition == partition else {
            throw .field("batch of partition \(header.partition), expected \(partition)")
        }
    }

    private func isNewer(_ header: BatchHeader, than position: LogPosition) -> Bool {
        if header.count > 0 { return header.nextOffset > position.offset }
        guard header.attributes.contains(.idleMarker) else { return false }
        return LogPosition(offset: header.firstOffset, enqueuedTime: Timestamp(ticks: header.lastTime)) > position
    }

    private func header(at place: Int64) throws -> BatchHeader {
        let wanted = Int(min(Int64(BatchHeader.byteCount), end - place))
        let header = try withUnsafeTemporaryAllocation(byteCount: BatchHeader.byteCount, alignment: 8) { buffer in
            let count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]), at: place)
            return try BatchHeader(parsing: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
        try checkPlace(header)
        guard Int64(header.batchByteCount) <= end - place else {
            throw BatchDamage.incomplete(found: Int(clamping: end - place), expected: header.batchByteCount)
        }
        return header
    }

    /// Where to go on when the batch at a place is damaged but holds nothing which the reader is still to get.
    private func placeBehindDamage(
        at place: Int64, _ reason: BatchDamage, _ position: LogPosition, _ reached: Offset
    ) throws -> BatchPlace {
        if case .version(let version) = reason { throw newerVersion(version, label: label, segment: segment.name) }
        let next = try scanner().nextBatch(behind: place + 1, atLeast: reached)
        let offset = next?.header.firstOffset ?? laterOffset()
        // With everything before the offset read already, the damage can only hide idle markers; a reader that came to them
        // by reading is told, one that was put there is not.
        let hidesMarkers = offset == position.offset && reached == offset && position.enqueuedTime > .min
        if offset > position.offset || hidesMarkers { throw corrupt(at: place, reason, resume: offset) }
        return BatchPlace(position: next?.position ?? end, offset: offset)
    }

    private func resumeOffset(behind place: Int64, _ header: BatchHeader) -> Offset {
        let end = place + Int64(header.batchByteCount)
        let next = try? scanner().nextBatch(behind: end, atLeast: header.nextOffset)
        return next?.header.firstOffset ?? laterOffset()
    }

    /// The first offset behind this segment.
    private func laterOffset() -> Offset { following ?? segment.nextOffset }

    private func scanner() -> SegmentScanner {
        SegmentScanner(file: file, byteCount: end, base: segment.base, partition: partition)
    }

    private func corrupt(at place: Int64, _ reason: any Error, resume: Offset?) -> any Error {
        guard let damage = reason as? BatchDamage else { return reason }
        return LogError(
            .corrupt, "\(label): segment \(segment.name): damaged record batch at byte \(place): \(damage)",
            hint: resume.map { "restore the file from a copy, or read on from offset \($0)" }
                ?? "restore the file from a copy",
            resumeOffset: resume)
    }

    private func block(at place: Int64, count: Int) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: count + EventBatch.paddingByteCount) { buffer, initialized in
            let target = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count])
            let read = try file.read(into: target, at: place)
            for index in read..<read + EventBatch.paddingByteCount { buffer[index] = 0 }
            initialized = read + EventBatch.paddingByteCount
        }
    }
}
