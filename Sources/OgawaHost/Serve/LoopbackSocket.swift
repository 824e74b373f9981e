#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Sockets on 127.0.0.1.
enum LoopbackSocket {
    /// A listening socket on a free port.
    static func listen() throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = try open()
        var address = makeAddress(port: 0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withPointer(&address) {
            bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
        }
        guard isBound, Glibc.listen(descriptor, 16) == 0 else {
            let error = SystemCallError("listen")
            closeDescriptor(descriptor)
            throw error
        }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    /// A connection that waits for somebody; nil where nobody does.
    static func accept(_ listener: Int32) -> Int32? {
        let descriptor = Glibc.accept(listener, nil, nil)
        guard descriptor >= 0 else { return nil }
        prepare(descriptor)
        return descriptor
    }

    /// A connection to a port; nil where nobody listens.
    static func connect(port: UInt16) -> Int32? {
        guard let descriptor = try? open() else { return nil }
        var address = makeAddress(port: port)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        // A connection within the machine is there at once or not at all.
        let result = withPointer(&address) { Glibc.connect(descriptor, $0, size) }
        if result != 0, errno == EINPROGRESS {
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            _ = poll(&entry, 1, 1_000)
        }
        var failure: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &length)
        if failure == 0, result == 0 || errno == EINPROGRESS { return descriptor }
        closeDescriptor(descriptor)
        return nil
    }

    private static func open() throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw SystemCallError("socket") }
        prepare(descriptor)
        return descriptor
    }

    private static func prepare(_ descriptor: Int32) {
        prepareHostEnd(descriptor)
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func makeAddress(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
        return address
    }

    private static func withPointer<Result>(
        _ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>) -> Result
    ) -> Result {
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1, body)
        }
    }
}
