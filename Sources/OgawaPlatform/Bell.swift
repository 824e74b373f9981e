import COgawaPlatform

/// A flag that one thread sets and another sleeps on; for dedicated threads, never for tasks.
///
/// **Isolation.** Any thread may ring; waiting blocks the calling thread. A ring before the wait is not lost, several
/// rings before it count as one.
package final class Bell: Sendable {
    // SAFETY: the C side guards everything behind the pointer with its own mutex, and the pointer never changes.
    private nonisolated(unsafe) let bell: OpaquePointer

    package init() { bell = opf_bell_create() }

    deinit { opf_bell_destroy(bell) }

    /// Wakes the waiting thread, or lets the next wait return at once.
    package func ring() { opf_bell_ring(bell) }

    /// Sleeps until the bell has rung; false when the time ran out first.
    @discardableResult
    package func wait(timeout: Duration? = nil) -> Bool {
        guard let timeout else { return opf_bell_wait(bell, -1) }
        let (nanoseconds, overflow) = max(0, timeout.ticks).multipliedReportingOverflow(by: 100)
        return opf_bell_wait(bell, overflow ? .max : nanoseconds)
    }
}
