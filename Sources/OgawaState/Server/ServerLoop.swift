import OgawaCore
import OgawaPlatform

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A client's socket with what waits on either side.
final class Connection {
    let descriptor: Int32
    let session: Session
    var parser: RequestParser
    /// An unfinished request.
    let input = GrowingBytes.make(capacity: 64)
    /// Replies that the socket did not take yet.
    let output = GrowingBytes.make(capacity: 64)
    var sentCount = 0
    var wantsWriting = false
    /// When the client last took something of what waits, in milliseconds.
    var lastTaken: Int64 = 0

    init(descriptor: Int32, session: Session, longestArgument: Int) {
        self.descriptor = descriptor
        self.session = session
        parser = RequestParser(longestArgument: longestArgument)
    }

    deinit {
        close(descriptor)
        parser.free()
        input.pointee.free()
        input.deallocate()
        output.pointee.free()
        output.deallocate()
    }
}

/// Serves sockets on its thread.
final class ServerLoop {
    private static let readByteCount = 64 << 10
    /// A client that takes nothing of what waits for it for so long is sent away.
    private static let longestStall: Int64 = 60_000

    private let store: StateStore
    private let listener: Int32
    private let wake: Int32
    private let interface: RedisInterface
    private let note: @Sendable (String) -> Void
    private let poller = Poller()
    private let processor: RequestProcessor
    private let buffer = UnsafeMutableRawPointer.allocate(byteCount: ServerLoop.readByteCount, alignment: 64)
    private var connections: [Connection?] = []
    private var connectionCount = 0
    private var lastIdentifier: Int64 = 0
    private var lastCheck: Int64 = 0
    /// Sockets of clients with replies that are not sent yet.
    private var answered: [Int32] = []

    init(
        store: StateStore, listener: Int32, wake: Int32, interface: RedisInterface,
        note: @escaping @Sendable (String) -> Void
    ) {
        self.store = store
        self.listener = listener
        self.wake = wake
        self.interface = interface
        self.note = note
        let nobody = Session(identifier: 0, isAuthenticated: false)
        processor = RequestProcessor(store: store, interface: interface, session: nobody, out: GrowingBytes.make())
    }

    /// Works until asked to stop.
    func run(isStopping: () -> Bool) {
        poller.add(listener)
        poller.add(wake)
        while !isStopping() {
            let count = poller.wait(milliseconds: 1000)
            for index in 0..<count {
                let event = poller[index]
                if event.descriptor == listener {
                    accept()
                } else if event.descriptor != wake {
                    serve(event)
                }
            }
            sendReplies()
            checkStalls()
        }
        for connection in connections { if let connection { end(connection) } }
        connections = []
        close(listener)
        close(wake)
        buffer.deallocate()
    }

    // MARK: Coming and going

    private func accept() {
        // A few at a time, so that a storm of new clients does not starve the old.
        for _ in 0..<64 {
            let descriptor = systemAccept(listener)
            guard descriptor >= 0 else {
                // Without descriptors the listener stays ready; asking again at once would only burn time.
                if errno == EMFILE || errno == ENFILE { usleep(10_000) }
                return
            }
            Sockets.setNonBlocking(descriptor)
            Sockets.setFlag(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
            guard connectionCount < interface.mostClients else {
                let text: StaticString = "-ERR max number of clients reached\r\n"
                _ = Sockets.send(descriptor, text.utf8Start, text.utf8CodeUnitCount)
                close(descriptor)
                note("a client was refused: \(connectionCount) are connected, the most that are allowed")
                continue
            }
            lastIdentifier += 1
            let session = Session(identifier: lastIdentifier, isAuthenticated: interface.password == nil)
            let connection = Connection(
                descriptor: descriptor, session: session, longestArgument: interface.longestArgument)
            let index = Int(descriptor)
            if index >= connections.count {
                connections += [Connection?](repeating: nil, count: index + 64 - connections.count)
            }
            connections[index] = connection
            connectionCount += 1
            poller.add(descriptor)
        }
    }

    private func end(_ connection: Connection) {
        if let reason = connection.session.closingReason {
            note("client \(connection.session.identifier) was sent away: \(reason)")
        }
        processor.executor.session = connection.session
        let executor = processor.executor
        if !connection.session.watchedKeys.isEmpty { store.withSpace { _ in executor.forgetWatches() } }
        poller.remove(connection.descriptor)
        connections[Int(connection.descriptor)] = nil
        connectionCount -= 1
    }

    private func sendAway(_ connection: Connection, _ reason: String) {
        note("client \(connection.session.identifier) was sent away: \(reason)")
        end(connection)
    }

    private func checkStalls() {
        let now = store.clock.now().ticks / Timestamp.ticksPerMillisecond
        guard now - lastCheck >= 1000 || now < lastCheck else { return }
        lastCheck = now
        for connection in connections {
            guard let connection, connection.wantsWriting else { continue }
            if connection.lastTaken > now { connection.lastTaken = now }
            if now - connection.lastTaken > ServerLoop.longestStall {
                sendAway(
                    connection,
                    "it took none of \(connection.output.pointee.count - connection.sentCount) bytes for a minute")
            }
        }
    }

    // MARK: Requests and replies

    @inline(__always)
    private func serve(_ event: Poller.Event) {
        let index = Int(event.descriptor)
        guard index < connections.count, let connection = connections[index] else { return }
        if event.isWritable, connection.wantsWriting, !flush(connection) { return end(connection) }
        if event.isReadable { read(connection) }
    }

    @inline(__always)
    private func read(_ connection: Connection) {
        guard connection.input.pointee.count == 0 else { return readMore(connection) }
        let count = recv(connection.descriptor, buffer, ServerLoop.readByteCount, 0)
        guard count > 0 else { return notRead(connection, count) }
        let consumed = processor.process(connection, buffer, count)
        if consumed < count { connection.input.pointee.append(ByteSlice(buffer + consumed, count - consumed)) }
        answer(connection)
    }

    /// Reads behind an unfinished request.
    private func readMore(_ connection: Connection) {
        let input = connection.input
        input.pointee.reserve(max(16 << 10, min(input.pointee.count, 1 << 20)))
        let count = recv(connection.descriptor, input.pointee.end, input.pointee.capacity - input.pointee.count, 0)
        guard count > 0 else { return notRead(connection, count) }
        input.pointee.advance(count)
        let consumed = processor.process(connection, input.pointee.base, input.pointee.count)
        input.pointee.removeFirst(consumed)
        if input.pointee.count == 0 {
            input.pointee.shrink(to: 4096)
            connection.parser.shrink()
        }
        if input.pointee.count > interface.longestArgument + (64 << 20) {
            return sendAway(connection, "its request is longer than \(input.pointee.count) bytes")
        }
        answer(connection)
    }

    private func notRead(_ connection: Connection, _ result: Int) {
        if result < 0, errno == EAGAIN || errno == EINTR { return }
        end(connection)
    }

    /// Sees to it that the client's replies are sent at the end of the round; one that waits for room goes on waiting.
    @inline(__always)
    private func answer(_ connection: Connection) {
        if connection.wantsWriting { return settle(connection) }
        if connection.output.pointee.count > 0 || connection.session.isClosing {
            answered.append(connection.descriptor)
        }
    }

    /// Sends what the round's requests were answered, so that the clients come back together and are served together.
    private func sendReplies() {
        guard !answered.isEmpty else { return }
        if store.options.durability == .always, !waitForDisk() { return }
        for descriptor in answered {
            guard let connection = connections[Int(descriptor)], !connection.wantsWriting else { continue }
            let output = connection.output
            let sent = Sockets.send(descriptor, output.pointee.base, output.pointee.count)
            if sent == output.pointee.count {
                output.pointee.removeAll()
                output.pointee.shrink(to: 16 << 10)
                if connection.session.isClosing { end(connection) }
            } else if sent < 0, errno != EAGAIN, errno != EINTR {
                end(connection)
            } else {
                connection.sentCount = max(0, sent)
                connection.wantsWriting = true
                connection.lastTaken = store.clock.now().ticks / Timestamp.ticksPerMillisecond
                poller.wantWriting(descriptor, true)
                settle(connection)
            }
        }
        answered.removeAll(keepingCapacity: true)
    }

    /// Waits until the round's changes are on the disk; where they do not get there nobody is told that they did.
    private func waitForDisk() -> Bool {
        do {
            try store.flush()
            return true
        } catch {
            for descriptor in answered {
                if let connection = connections[Int(descriptor)] {
                    sendAway(connection, "its changes could not be kept: \(error)")
                }
            }
            answered.removeAll(keepingCapacity: true)
            return false
        }
    }

    /// Ends connections that are to be closed or whose replies pile up.
    private func settle(_ connection: Connection) {
        let waiting = connection.output.pointee.count - connection.sentCount
        if waiting > interface.longestOutput {
            return sendAway(connection, "\(waiting) bytes of replies wait for it, more than \(interface.longestOutput)")
        }
        if connection.session.isClosing, waiting == 0 { end(connection) }
    }

    /// Sends what waits; false where the connection is over.
    private func flush(_ connection: Connection) -> Bool {
        let output = connection.output
        while connection.sentCount < output.pointee.count {
            let sent = Sockets.send(
                connection.descriptor, output.pointee.base + connection.sentCount,
                output.pointee.count - connection.sentCount)
            if sent < 0 { return errno == EAGAIN || errno == EINTR }
            connection.sentCount += sent
            connection.lastTaken = store.clock.now().ticks / Timestamp.ticksPerMillisecond
        }
        output.pointee.removeAll()
        output.pointee.shrink(to: 4096)
        connection.sentCount = 0
        connection.wantsWriting = false
        poller.wantWriting(connection.descriptor, false)
        return !connection.session.isClosing
    }
}

private func systemAccept(_ listener: Int32) -> Int32 {
    #if canImport(Glibc)
        Glibc.accept(listener, nil, nil)
    #else
        Darwin.accept(listener, nil, nil)
    #endif
}
