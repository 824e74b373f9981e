import OgawaCore

extension LogPartition {
    /// A segment that gets few records is closed when its first is this fraction of the retention old, so that it can go in time.
    private static let rollFraction: Int64 = 4

    /// Removes the segments that retention no longer wants; never the one that is written to.
    ///
    /// **Isolation.** One call at a time does the work; blocks on the disk, but neither readers nor the writer.
    /// - Returns: what could not be removed, for the operator.
    func enforceRetention(now: Timestamp) -> [String] {
        let retention = settings.withLock { $0.retention }
        rollIfOld(retention, now: now)
        let expired = state.withLock { state in
            let count = expiredCount(state.segments, retention, now: now)
            defer { state.segments.removeFirst(count) }
            return Array(state.segments.prefix(count))
        }
        return doomed.withLock { doomed in
            doomed += expired
            while let segment = doomed.first {
                do {
                    // One by one and each made durable, so that a crash leaves no hole behind an older segment.
                    try segment.remove()
                    try fileSystem.syncDirectory(directory)
                } catch let error as FileSystemError where error.code == .notFound {
                    segment.closeFile()
                } catch {
                    return ["\(label): segment \(segment.name) could not be removed: \(error)"]
                }
                segment.closeFile()
                doomed.removeFirst()
            }
            return []
        }
    }

    private func expiredCount(_ segments: [Segment], _ retention: Retention, now: Timestamp) -> Int {
        var count = 0
        let oldest = retention.age.map { now.advanced(by: .zero - $0).ticks } ?? .min
        var byteCount = segments.reduce(0) { $0 + $1.byteCount }
        for segment in segments.dropLast() {
            let isOld = segment.lastTime < oldest
            let isOver = retention.byteCount.map { byteCount > $0 } ?? false
            guard isOld || isOver else { break }
            byteCount -= segment.byteCount
            count += 1
        }
        return count
    }

    private func rollIfOld(_ retention: Retention, now: Timestamp) {
        guard let age = retention.age, let active = state.withLock({ $0.segments.last }), let first = active.firstTime
        else { return }
        let limit = Duration.ticks(age.ticks / LogPartition.rollFraction)
        if now.duration(since: Timestamp(ticks: first)) > limit { enqueue(.roll) { _ in } }
    }
}
