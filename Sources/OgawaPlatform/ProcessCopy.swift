import COgawaPlatform

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A copy of this process that works on the memory as it was when the copy was made, while this process goes on.
///
/// The kernel copies a page only when one of the two changes it. In the copy there is only the calling thread, so what it does must not wait
/// for another one: it computes, allocates, writes files that it opens itself, and ends. It should do nothing that this process has not
/// done before, so that the runtime has nothing left to set up under a lock that a lost thread may hold.
package struct ProcessCopy: Sendable {
    private let number: Int32

    /// Makes the copy and runs the work there.
    ///
    /// - Parameter work: runs in the copy; true where it was done.
    /// - Returns: nil where the system has no room for a copy.
    package init?(_ work: () -> Bool) {
        number = opf_fork()
        if number == 0 { _exit(work() ? 0 : 1) }
        if number < 0 { return nil }
    }

    /// Waits for the end of the work and ends the copy when the time is up; true where the work was done.
    package func wait(timeout: Duration) -> Bool {
        opf_wait(number, timeout.components.seconds * 1000) == 0
    }
}
