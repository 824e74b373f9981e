import OgawaCore

extension LogPartition {
    /// Returns when ``read(from:maxByteCount:)`` would give something.
    ///
    /// **Isolation.** Suspends without polling.
    /// **Errors.** `CancellationError`; ``LogError`` `closed`.
    package func waitForRecords(beyond position: LogPosition) async throws {
        let waiter = Waiter(position: position, blocksThread: false)
        guard try register(waiter) else { return try Task.checkCancellation() }
        let outcome = await withTaskCancellationHandler {
            await waiter.suspend()
        } onCancel: {
            waiter.end(.cancelled)
        }
        switch outcome {
        case .ready, .interrupted: return
        case .cancelled:
            remove(waiter)
            throw CancellationError()
        case .closed: throw LogError(.closed, "\(label): the log is closed")
        }
    }

    /// Blocks until ``read(from:maxByteCount:)`` would give something; false when the time ran out, someone called
    /// ``wakeReaders()`` or the log was closed.
    ///
    /// **Isolation.** For dedicated threads; sleeps without polling.
    package func waitForRecordsBlocking(beyond position: LogPosition, timeout: Duration) -> Bool {
        let waiter = Waiter(position: position, blocksThread: true)
        guard let isRegistered = try? register(waiter) else { return false }
        guard isRegistered else { return true }
        if let outcome = waiter.block(timeout: timeout) { return outcome == .ready }
        remove(waiter)
        return false
    }

    /// Makes all threads in ``waitForRecordsBlocking(beyond:timeout:)`` return early.
    package func wakeReaders() {
        let woken = state.withLock { state in
            defer { state.waiters.removeAll { $0.isInterruptible } }
            return state.waiters.filter(\.isInterruptible)
        }
        for waiter in woken { waiter.end(.interrupted) }
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
