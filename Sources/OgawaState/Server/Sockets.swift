import OgawaCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where a server listens or a client connects.
package enum SocketAddress: Hashable, Sendable, CustomStringConvertible {
    case tcp(host: String, port: Int)
    case unix(path: String)

    package var description: String {
        switch self {
        case .tcp(let host, let port): "\(host):\(port)"
        case .unix(let path): path
        }
    }
}

/// The few socket calls that are needed, with errors that name the address.
enum Sockets {
    #if canImport(Glibc)
        static let stream = Int32(SOCK_STREAM.rawValue)
        private static let silent = Int32(MSG_NOSIGNAL)
    #else
        static let stream = SOCK_STREAM
        private static let silent: Int32 = 0
    #endif

    /// Opens a listening socket; returns it with the port it got.
    static func listen(_ address: SocketAddress) throws -> (descriptor: Int32, port: Int) {
        let descriptor = try withAddress(address) { family, socketAddress, length in
            let descriptor = socket(family, stream, 0)
            guard descriptor >= 0 else { throw failure("socket", address) }
            setFlag(descriptor, SOL_SOCKET, SO_REUSEADDR)
            if case .unix(let path) = address { removeSocket(path) }
            let mask = umask(0o177)
            let bound = bind(descriptor, socketAddress, length)
            umask(mask)
            guard bound == 0, systemListen(descriptor, 1024) == 0 else {
                let error = failure("listen", address)
                close(descriptor)
                throw error
            }
            return descriptor
        }
        setNonBlocking(descriptor)
        return (descriptor, port(of: descriptor))
    }

    /// Connects; the socket blocks, but no call on it for longer than the time.
    static func connect(_ address: SocketAddress, timeout: Duration) throws -> Int32 {
        try withAddress(address) { family, socketAddress, length in
            let descriptor = socket(family, stream, 0)
            guard descriptor >= 0 else { throw failure("socket", address) }
            setTimeout(descriptor, timeout)
            guard systemConnect(descriptor, socketAddress, length) == 0 else {
                let error = failure("connect", address)
                close(descriptor)
                throw error
            }
            setFlag(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
            return descriptor
        }
    }

    /// Removes what a process left that did not end well; anything but a socket stays.
    private static func removeSocket(_ path: String) {
        var status = stat()
        if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK { unlink(path) }
    }

    static func setNonBlocking(_ descriptor: Int32) {
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    static func setFlag(_ descriptor: Int32, _ level: Int32, _ name: Int32) {
        var one: Int32 = 1
        setsockopt(descriptor, level, name, &one, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Limits how long a blocking call on the socket waits.
    static func setTimeout(_ descriptor: Int32, _ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        var time = timeval(tv_sec: Int(seconds), tv_usec: .init(attoseconds / 1_000_000_000_000))
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, size)
    }

    @inline(__always)
    static func send(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
        #if canImport(Glibc)
            Glibc.send(descriptor, bytes, count, silent)
        #else
            Darwin.send(descriptor, bytes, count, silent)
        #endif
    }

    private static func port(of descriptor: Int32) -> Int {
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(descriptor, $0, &length) }
            return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                // The port stands in the same place for both versions of IP.
                let family = Int32($0.pointee.sin_family)
                return family == AF_INET || family == AF_INET6 ? Int(UInt16(bigEndian: $0.pointee.sin_port)) : 0
            }
        }
    }

    static func failure(_ call: String, _ address: SocketAddress) -> FileSystemError {
        FileSystemError(.other, operation: call, path: "\(address)", reason: String(cString: strerror(errno)))
    }

    private static func withAddress<Result>(
        _ address: SocketAddress, _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) throws -> Result
    ) throws -> Result {
        switch address {
        case .unix(let path):
            var target = sockaddr_un()
            target.sun_family = sa_family_t(AF_UNIX)
            let bytes = Array(path.utf8)
            guard bytes.count < MemoryLayout.size(ofValue: target.sun_path) else {
                throw FileSystemError(
                    .other, operation: "socket", path: path, reason: "the path is longer than 107 bytes")
            }
            withUnsafeMutableBytes(of: &target.sun_path) { $0.copyBytes(from: bytes) }
            return try withUnsafePointer(to: &target) { pointer in
                try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    try body(AF_UNIX, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
        case .tcp(let host, let port):
            var hints = addrinfo()
            hints.ai_socktype = stream
            var list: UnsafeMutablePointer<addrinfo>?
            let result = getaddrinfo(host, String(port), &hints, &list)
            defer { if let list { freeaddrinfo(list) } }
            guard result == 0, let first = list, let target = first.pointee.ai_addr else {
                throw FileSystemError(
                    .notFound, operation: "getaddrinfo", path: "\(address)",
                    reason: String(cString: gai_strerror(result)))
            }
            return try body(first.pointee.ai_family, target, first.pointee.ai_addrlen)
        }
    }
}

// The names of these calls are also names of functions here.
private func systemListen(_ descriptor: Int32, _ backlog: Int32) -> Int32 {
    #if canImport(Glibc)
        Glibc.listen(descriptor, backlog)
    #else
        Darwin.listen(descriptor, backlog)
    #endif
}

private func systemConnect(_ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> Int32 {
    #if canImport(Glibc)
        Glibc.connect(descriptor, address, length)
    #else
        Darwin.connect(descriptor, address, length)
    #endif
}
