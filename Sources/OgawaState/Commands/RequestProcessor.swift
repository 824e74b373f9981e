import OgawaCore

/// Runs requests in the Redis protocol in this process.
///
/// **Isolation.** One thread at a time.
package final class StateClient {
    private let store: StateStore
    private let processor: RequestProcessor
    private var parser: RequestParser
    private let input = GrowingBytes.make()
    private let output = GrowingBytes.make()

    init(store: StateStore, interface: RedisInterface) {
        self.store = store
        let session = Session(identifier: 0, isAuthenticated: interface.password == nil)
        processor = RequestProcessor(store: store, interface: interface, session: session, out: output)
        parser = RequestParser(longestArgument: interface.longestArgument)
    }

    deinit {
        let executor = processor.executor
        store.withSpace { _ in executor.forgetWatches() }
        parser.free()
        input.pointee.free()
        input.deallocate()
        output.pointee.free()
        output.deallocate()
    }

    /// Whether the last reply ended the connection.
    package var isClosed: Bool { processor.executor.session.isClosing }

    /// Takes bytes as they come from a socket, whole requests or pieces, and returns the replies.
    package func send(_ bytes: [UInt8]) -> [UInt8] {
        bytes.withUnsafeBytes { input.pointee.append($0.slice) }
        let consumed = processor.process(&parser, input.pointee.base, input.pointee.count)
        input.pointee.removeFirst(consumed)
        defer { output.pointee.removeAll() }
        return output.pointee.slice.array
    }

    /// Runs one command given as words.
    package func run(_ words: String...) -> String { run(words: words) }

    /// Runs one command given as words.
    package func run(words: [String]) -> String {
        var request = "*\(words.count)\r\n"
        for word in words { request += "$\(word.utf8.count)\r\n\(word)\r\n" }
        return String(decoding: send(Array(request.utf8)), as: UTF8.self)
    }
}

/// Takes requests out of received bytes and gathers the replies.
final class RequestProcessor {
    let store: StateStore
    let executor: Executor
    private let longestOutput: Int

    init(
        store: StateStore, interface: RedisInterface, session: Session, out: UnsafeMutablePointer<GrowingBytes>
    ) {
        self.store = store
        longestOutput = interface.longestOutput
        executor = Executor(space: store.space, out: out, interface: interface, session: session)
    }

    /// Runs a connection's whole requests, answering to its output.
    @inline(__always)
    func process(_ connection: Connection, _ base: UnsafeMutableRawPointer, _ count: Int) -> Int {
        executor.session = connection.session
        executor.out = connection.output
        return process(&connection.parser, base, count)
    }

    /// Runs all whole requests and returns how many bytes they had.
    ///
    /// What is left begins with an unfinished request.
    func process(_ parser: inout RequestParser, _ base: UnsafeMutableRawPointer, _ count: Int) -> Int {
        var offset = 0
        var waitingByteCount = 0
        store.withSpace { space in
            defer { waitingByteCount = space.effects.pointee.waitingByteCount }
            while offset < count, !executor.session.isClosing {
                switch parser.next(base + offset, count &- offset) {
                case .request(let byteCount):
                    executor.execute(base + offset, parser.spans, parser.count)
                    offset &+= byteCount
                    if executor.out.pointee.count > longestOutput {
                        executor.session.isClosing = true
                        executor.session.closingReason =
                            "\(executor.out.pointee.count) bytes of replies wait for it, more than \(longestOutput)"
                    }
                case .nothing(let byteCount): offset &+= byteCount
                case .incomplete: return
                case .failed(let reason):
                    executor.out.pointee.replyError("ERR " + reason)
                    executor.session.isClosing = true
                }
            }
        }
        // Memory must not fill with changes that a slow disk has not taken yet; a failure shows in the replies to come.
        if waitingByteCount > StateStore.mostWaitingBytes { try? store.journal?.write(sync: false) }
        return offset
    }
}
