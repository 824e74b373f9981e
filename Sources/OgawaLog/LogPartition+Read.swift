// Reading: from a position to a place in a file by the index, from there hop by hop over headers to the first batch which is
// newer, and then one block of bytes whose batches are checked and taken apart in place.

import OgawaCore

extension LogPartition {
    /// Where reading begins that is to give everything which is still kept.
    package var startPosition: LogPosition { LogPosition(offset: firstOffset, enqueuedTime: .min) }

    /// Where reading begins that is to give only what comes from now on.
    package var endPosition: LogPosition {
        state.withLock { LogPosition(offset: $0.nextOffset, enqueuedTime: Timestamp(ticks: $0.lastTime)) }
    }

    /// Where reading begins that is to give the record at an offset first, and idle markers right before it.
    package func position(at offset: Offset) -> LogPosition { LogPosition(offset: offset, enqueuedTime: .min) }

    /// Where reading begins that is to give the first record enqueued at or after a time.
    ///
    /// **Shape.** The end where there is none yet. Damage on the way is passed over; reading will meet it.
    /// **Isolation.** Reads from the disk.
    package func position(since time: Timestamp) -> LogPosition {
        let before = Timestamp(ticks: max(Timestamp.min.ticks, time.ticks &- 1))
        let (segments, end) = state.withLock { ($0.segments, $0.nextOffset) }
        for segment in segments where segment.lastTime >= time.ticks {
            do {
                guard let offset = try firstOffset(in: segment, since: time.ticks) else { continue }
                return LogPosition(offset: offset, enqueuedTime: before)
            } catch {
                // From here the read meets the same failure and can report it; to look further would skip records.
                return LogPosition(offset: segment.base, enqueuedTime: before)
            }
        }
        return LogPosition(offset: end, enqueuedTime: before)
    }

    /// The next records behind a position, or an idle marker as a batch without events; nil where there is nothing newer.
    ///
    /// **Shape.** At most about `maxByteCount`, and at least one record batch. A position before the first offset that is still kept reads
    /// as that offset: `firstOffset` of the result tells. One behind the end reads as nothing until the log has come that far.
    /// **Isolation.** Reads from the disk, mostly from the system's cache; never waits for the writer.
    /// **Errors.** ``LogError``: `corrupt` names segment and byte, and ``LogError/resumeOffset`` tells where to go on; `io`.
    package func read(from position: LogPosition, maxByteCount: Int) throws -> (batch: EventBatch, next: LogPosition)? {
        while true {
            let (segments, cursor, hasMore) = state.withLock { state in
                (state.segments, state.cursor(at: position), state.hasMore(beyond: position))
            }
            guard hasMore, let first = segments.first else { return nil }
            do {
                return try read(from: position, maxByteCount, segments, cursor)
            } catch {
                // Retention may have taken the segment meanwhile; then there is a later first one to read from.
                if firstOffset > first.base { continue }
                throw LogError.of(error, label)
            }
        }
    }

    private func read(
        from position: LogPosition, _ maxByteCount: Int, _ segments: [Segment], _ cursor: ReadCursor?
    ) throws -> (batch: EventBatch, next: LogPosition)? {
        let start = max(position, LogPosition(offset: segments[0].base, enqueuedTime: .min))
        var index = firstSegment(for: start, in: segments)
        var place = segments[index].place(of: start)
        if let cursor, let known = segments.firstIndex(where: { $0.base == cursor.base }) {
            index = known
            place = BatchPlace(position: cursor.place, offset: cursor.position.offset)
        }
        while true {
            let segment = segments[index]
            let finder = BatchFinder(
                file: try segment.file(), end: segment.byteCount, segment: segment,
                following: index + 1 < segments.count ? segments[index + 1].base : nil, partition: id, label: label)
            if let found = try finder.first(newerThan: start, from: place) {
                let result = try finder.load(found.header, at: found.place, from: start, maxByteCount: maxByteCount)
                state.withLock {
                    $0.keep(ReadCursor(position: result.next, base: segment.base, place: result.place))
                }
                return (result.batch, result.next)
            }
            index += 1
            guard index < segments.count else { return nil }
            segment.closeFile()
            place = BatchPlace(position: 0, offset: segments[index].base)
            guard segments[index].base <= start.offset else {
                throw LogError(
                    .corrupt,
                    "\(label): no segment holds the records from offset \(start.offset) to before \(segments[index].base)",
                    hint: "restore the missing file, or read on from offset \(segments[index].base)",
                    resumeOffset: segments[index].base)
            }
        }
    }

    /// The segment in which the search for what is newer than a position begins.
    private func firstSegment(for position: LogPosition, in segments: [Segment]) -> Int {
        var low = 0
        var high = segments.count
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].base <= position.offset { low = middle + 1 } else { high = middle }
        }
        let index = max(0, low - 1)
        // Idle markers at the first offset of a segment lie at the end of the one before.
        if index > 0, segments[index].base == position.offset,
            segments[index - 1].lastTime > position.enqueuedTime.ticks
        {
            return index - 1
        }
        return index
    }

    /// The offset of the first record in a segment with at least a time.
    private func firstOffset(in segment: Segment, since time: Int64) throws -> Offset? {
        let end = segment.byteCount
        let scanner = SegmentScanner(file: try segment.file(), byteCount: end, base: segment.base, partition: id)
        var place = segment.place(since: time).position
        var reached = segment.base
        while place < end {
            guard let header = try? scanner.header(at: place) else {
                guard let next = try scanner.nextBatch(behind: place + 1, atLeast: reached) else { return nil }
                place = next.position
                continue
            }
            if header.count > 0, header.lastTime >= time {
                if header.firstTime >= time { return header.firstOffset }
                let bytes = try scanner.reader.bytes(at: place, count: header.batchByteCount)
                guard bytes.count == header.batchByteCount else { return nil }
                var reader = BatchReader(partition: id, from: header.firstOffset)
                try reader.add(header, in: bytes, at: 0)
                let index = reader.events.enqueuedTimes.firstIndex { $0 >= time } ?? 0
                return header.firstOffset.advanced(by: index)
            }
            reached = header.nextOffset
            place += Int64(header.batchByteCount)
        }
        return nil
    }
}
