// SIGINT and SIGTERM as something to wait for. The handler does no more than write a byte into a pipe.

import OgawaPlatform

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

// SAFETY: written once before the handlers are installed and only read by them.
private nonisolated(unsafe) var signalPipe: Int32 = -1

/// The user's wish to end; a second signal ends the process at once.
package struct StopSignal: Sendable {
    private let stream: AsyncStream<Void>

    /// Catches the signals from here on.
    package static func install() -> StopSignal {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return StopSignal(stream: stream) }
        signalPipe = ends[1]
        let reading = ends[0]
        var action = sigaction()
        let handler: @convention(c) (Int32) -> Void = { _ in
            var byte: UInt8 = 1
            _ = write(signalPipe, &byte, 1)
        }
        #if canImport(Glibc)
            action.__sigaction_handler.sa_handler = handler
        #else
            action.__sigaction_u.__sa_handler = handler
        #endif
        action.sa_flags = Int32(bitPattern: UInt32(truncatingIfNeeded: SA_RESETHAND)) | SA_RESTART
        sigaction(SIGINT, &action, nil)
        sigaction(SIGTERM, &action, nil)
        _ = DedicatedThread(name: "signals") {
            var byte: UInt8 = 0
            while read(reading, &byte, 1) < 0, errno == EINTR {}
            continuation.yield()
            continuation.finish()
        }
        return StopSignal(stream: stream)
    }

    /// Returns at the first signal.
    package func wait() async {
        for await _ in stream { return }
    }
}
