import COgawaPlatform

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A thread of its own for work that blocks, such as waiting for a disk.
///
/// **Isolation.** ``join()`` may be called once, from any other thread; the body keeps itself alive without the handle.
package final class DedicatedThread: Sendable {
    #if canImport(Glibc)
        private let thread: pthread_t
    #else
        // SAFETY: written once by the initialiser before anyone else can see the object.
        private nonisolated(unsafe) let thread: pthread_t
    #endif

    /// Starts the thread.
    ///
    /// - Parameter name: shown by tools; Linux keeps its first 15 bytes.
    package init(name: String, _ body: @escaping @Sendable () -> Void) {
        let start = Unmanaged.passRetained(ThreadStart(name: name, body: body))
        #if canImport(Glibc)
            var handle = pthread_t()
            let result = pthread_create(&handle, nil, { runThread($0) }, start.toOpaque())
            precondition(result == 0, "the system starts no more threads: error \(result)")
            thread = handle
        #else
            var handle: pthread_t?
            let result = pthread_create(&handle, nil, { runThread($0) }, start.toOpaque())
            guard result == 0, let handle else {
                // SAFETY: threads are started at the start and by control actions, never by input; without one nothing can go on.
                preconditionFailure("the system starts no more threads: error \(result)")
            }
            thread = handle
        #endif
    }

    /// Waits until the body has returned.
    package func join() { pthread_join(thread, nil) }
}

/// What a new thread needs to begin.
private final class ThreadStart {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}

private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let start = Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue()
    opf_name_thread(String(decoding: start.name.utf8.prefix(15), as: UTF8.self))
    start.body()
    return nil
}
