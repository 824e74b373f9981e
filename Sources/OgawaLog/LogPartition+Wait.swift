import OgawaCore
import OgawaPlatform

extension LogPartition {
    /// Returns when ``read(from:maxByteCount:)`` would give something.
    ///
    /// **Isolation.** Suspends without polling.
    /// **Errors.** `CancellationError`; ``LogError`` `closed`.
    package func waitForRecords(beyond position: LogPosition) async throws {
        let waiter = Waiter(position: position, bell: nil)
        guard try register(waiter) else { return try Task.checkCancellation() }
        let outcome = await withTaskCancellationHandler {
            await waiter.suspend()
        } onCancel: {
            waiter.end(.cancelled)
        }
        switch outcome {
        case .ready: return
        case .cancelled:
            remove(waiter)
            throw CancellationError()
        case .closed: throw LogError(.closed, "\(label): the log is closed")
        }
    }

    /// Blocks until ``read(from:maxByteCount:)`` would give something; false when the time ran out, the
    /// bell rang or the log was closed.
    ///
    /// **Isolation.** For dedicated threads; sleeps without polling.
    /// - Parameter bell: ends the waiting, too, when its owner rings it, also where it rang before the waiting began: a
    ///   wish to stop is never missed.
    package func waitForRecordsBlocking(
        beyond position: LogPosition, timeout: Duration, bell: Bell = Bell()
    ) -> Bool {
        let waiter = Waiter(position: position, bell: bell)
        guard let isRegistered = try? register(waiter) else { return false }
        guard isRegistered else { return true }
        if let outcome = waiter.block(timeout: timeout) { return outcome == .ready }
        remove(waiter)
        return false
    }

    /// Adds a waiter; false where there is something to read already.
    private func register(_ waiter: Waiter) throws -> Bool {
        let isClosed: Bool? = state.withLock { state in
            if state.hasMore(beyond: waiter.position) { return nil }
            if state.isClosing { return true }
            state.waiters.append(waiter)
            return false
        }
        if isClosed == true { throw LogError(.closed, "\(label): the log is closed") }
        return isClosed != nil
    }

    private func remove(_ waiter: Waiter) {
        state.withLock { $0.waiters.removeAll { $0 === waiter } }
    }
}
