// The Redis listener: one thread that waits for sockets, runs what has come, and answers. A client's whole batch of requests is
// run under one lock and answered with one write.

import OgawaCore
import OgawaPlatform
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Answers Redis clients from an embedded state.
///
/// **Isolation.** Any thread may stop it, once.
package final class StateServer: Sendable {
    /// The TCP port that was taken; 0 for a Unix socket.
    package let port: Int
    private let thread: DedicatedThread
    private let wakeDescriptor: Int32
    private let isStopping: Atomic<Bool>
    private let path: String?

    /// Listens.
    ///
    /// - Parameter note: told in words when a client is sent away for cause.
    package init(
        store: StateStore, address: SocketAddress, interface: RedisInterface = RedisInterface(),
        note: @escaping @Sendable (String) -> Void = { _ in }
    ) throws {
        let (descriptor, port) = try Sockets.listen(address)
        self.port = port
        if case .unix(let path) = address { self.path = path } else { path = nil }
        var ends: (Int32, Int32) = (0, 0)
        let isMade = withUnsafeMutablePointer(to: &ends) { pointer in
            pointer.withMemoryRebound(to: Int32.self, capacity: 2) { pipe($0) == 0 }
        }
        guard isMade else {
            let error = Sockets.failure("pipe", address)
            close(descriptor)
            throw error
        }
        wakeDescriptor = ends.1
        let readingEnd = ends.0
        let flag = StopFlag()
        stopFlag = flag
        isStopping = Atomic(false)
        thread = DedicatedThread(name: "state-redis") {
            let loop = ServerLoop(
                store: store, listener: descriptor, wake: readingEnd, interface: interface, note: note)
            loop.run { flag.isSet.load(ordering: .acquiring) }
        }
    }

    private let stopFlag: StopFlag

    /// Closes all connections and returns when the thread has ended.
    package func stop() {
        guard !isStopping.exchange(true, ordering: .acquiringAndReleasing) else { return }
        stopFlag.isSet.store(true, ordering: .releasing)
        var byte: UInt8 = 1
        _ = write(wakeDescriptor, &byte, 1)
        thread.join()
        close(wakeDescriptor)
        if let path { unlink(path) }
    }
}

/// A wish to stop that the thread reads.
final class StopFlag: Sendable {
    let isSet = Atomic<Bool>(false)
}
