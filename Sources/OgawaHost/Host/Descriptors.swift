import OgawaCore
import OgawaPlatform

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Two ends of a pipe or a pair of sockets.
struct DescriptorPair {
    var host: Int32
    var child: Int32
}

/// A system call that failed.
struct SystemCallError: Error, CustomStringConvertible {
    let call: String
    let code: Int32

    init(_ call: String, _ code: Int32 = errno) {
        self.call = call
        self.code = code
    }

    var description: String { "\(call): \(String(cString: strerror(code)))" }
}

@discardableResult
func closeDescriptor(_ descriptor: Int32) -> Int32 { close(descriptor) }

/// A descriptor that blocks nobody and that no child inherits by accident.
func prepareHostEnd(_ descriptor: Int32) {
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
}

/// A pipe that the child writes to.
func makeOutputPipe() throws -> DescriptorPair {
    let ends = try makePipe()
    prepareHostEnd(ends.read)
    return DescriptorPair(host: ends.read, child: ends.write)
}

/// A pipe that the child reads from.
func makeInputPipe() throws -> DescriptorPair {
    let ends = try makePipe()
    prepareHostEnd(ends.write)
    return DescriptorPair(host: ends.write, child: ends.read)
}

/// A pair of connected sockets.
func makeSocketPair() throws -> DescriptorPair {
    var ends: [Int32] = [-1, -1]
    #if canImport(Glibc)
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    #else
        let type = SOCK_STREAM
    #endif
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw SystemCallError("socketpair") }
    var size: Int32 = 1 << 20
    for end in ends {
        setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        _ = fcntl(end, F_SETFD, FD_CLOEXEC)
    }
    prepareHostEnd(ends[0])
    return DescriptorPair(host: ends[0], child: ends[1])
}

private func makePipe() throws -> (read: Int32, write: Int32) {
    guard let ends = openPipe() else { throw SystemCallError("pipe") }
    return ends
}

/// The time left until an instant in whole milliseconds, rounded up, for poll.
func pollMilliseconds(until deadline: ContinuousClock.Instant) -> Int32 {
    let left = ContinuousClock.now.duration(to: deadline)
    guard left > .zero else { return 0 }
    return Int32(clamping: (left.ticks + Timestamp.ticksPerMillisecond - 1) / Timestamp.ticksPerMillisecond)
}
