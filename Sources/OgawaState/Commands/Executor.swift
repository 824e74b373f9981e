/// Limits and secrets of the Redis interface.
package struct RedisInterface: Sendable {
    /// Bytes that keys and values may take before commands that add to them are refused; 0 for no limit.
    package var memoryLimit = 1 << 30
    /// The longest argument.
    package var longestArgument = 64 << 20
    /// Bytes of replies that may wait for a client to read them.
    package var longestOutput = 64 << 20
    package var mostClients = 1000
    /// What AUTH asks for; nil for nothing.
    package var password: String?

    package init() {}
}

/// Runs commands against a key space and writes their replies.
///
/// **Isolation.** The store's lock.
final class Executor {
    let space: KeySpace
    let table = CommandTable.shared
    /// Where replies go: the output of the client whose requests are run.
    var out: UnsafeMutablePointer<GrowingBytes>
    let interface: RedisInterface
    var session: Session
    /// Answers INFO, CONFIG GET and CLIENT LIST from what the store and the server know.
    var details: () -> [(String, [(String, String)])] = { [] }
    private(set) var argumentCount = 0
    private var base: UnsafeRawPointer
    private var spans: UnsafePointer<ArgumentSpan>
    private(set) var info: UnsafePointer<CommandInfo>
    var commandCount = 0

    init(space: KeySpace, out: UnsafeMutablePointer<GrowingBytes>, interface: RedisInterface, session: Session) {
        self.space = space
        self.out = out
        self.interface = interface
        self.session = session
        base = UnsafeRawPointer(out.pointee.base)
        spans = UnsafePointer(UnsafeMutablePointer<ArgumentSpan>.allocate(capacity: 1))
        info = table.commands
    }

    @inline(__always)
    func argument(_ index: Int) -> ByteSlice {
        let span = spans[index]
        return ByteSlice(base + span.offset, span.count)
    }

    @inline(__always)
    var database: Int { session.database }

    /// Runs one request.
    @inline(__always)
    func execute(_ base: UnsafeRawPointer, _ spans: UnsafePointer<ArgumentSpan>, _ count: Int) {
        self.base = base
        self.spans = spans
        argumentCount = count
        commandCount &+= 1
        guard let info = table.find(argument(0)) else { return refuseUnknown() }
        self.info = info
        let arity = info.pointee.arity
        guard arity >= 0 ? count == arity : count >= -arity else {
            return refuse("ERR wrong number of arguments for '\(name)' command")
        }
        if !session.isAuthenticated || session.isInTransaction { return executeCarefully() }
        run(info)
    }

    @inline(__always)
    private func run(_ info: UnsafePointer<CommandInfo>) {
        let flags = info.pointee.flags
        if flags.contains(.write) {
            if space.state.pointee.refusal != nil { return refuseWrite() }
            if flags.contains(.grows), interface.memoryLimit > 0, space.heap.pointee.byteCount > interface.memoryLimit {
                return refuse("OOM command not allowed when used memory > 'maxmemory'.")
            }
        }
        info.pointee.run(self)
    }

    @inline(never)
    private func executeCarefully() {
        let flags = info.pointee.flags
        guard session.isAuthenticated || flags.contains(.open) else {
            return refuse("NOAUTH Authentication required.")
        }
        guard session.isInTransaction, !flags.contains(.immediate) else { return run(info) }
        if flags.contains(.write), space.state.pointee.refusal != nil { return refuseWrite() }
        if flags.contains(.grows), interface.memoryLimit > 0, space.heap.pointee.byteCount > interface.memoryLimit {
            return refuse("OOM command not allowed when used memory > 'maxmemory'.")
        }
        let first = spans[0].offset
        let last = spans[argumentCount - 1]
        let byteCount = last.offset + last.count - first
        session.queuedByteCount += byteCount + argumentCount * MemoryLayout<ArgumentSpan>.stride
        guard session.queuedByteCount <= Session.largestTransaction else {
            session.queue = []
            return refuse("ERR the transaction is longer than \(Session.largestTransaction) bytes")
        }
        let moved = (0..<argumentCount).map { ArgumentSpan(offset: spans[$0].offset - first, count: spans[$0].count) }
        session.queue.append(
            QueuedCommand(info: info, bytes: ByteSlice(base + first, byteCount).array, spans: moved))
        out.pointee.append("+QUEUED\r\n")
    }

    /// Runs the commands of a transaction, one behind the other.
    func runQueue(_ queue: [QueuedCommand]) {
        out.pointee.replyArray(queue.count)
        for command in queue {
            command.bytes.withUnsafeBytes { bytes in
                command.spans.withUnsafeBufferPointer { spans in
                    guard let spansBase = spans.baseAddress else { return }
                    self.base = bytes.slice.base
                    self.spans = spansBase
                    argumentCount = spans.count
                    info = command.info
                    commandCount += 1
                    run(command.info)
                }
            }
        }
    }

    // MARK: Refusals

    /// The command's name in small letters.
    var name: String { "\(info.pointee.name)".lowercased() }

    /// Answers with an error and breaks the transaction that is being gathered.
    func refuse(_ text: String) {
        if session.isInTransaction { session.isTransactionBroken = true }
        out.pointee.replyError(text)
    }

    @inline(never)
    private func refuseWrite() { refuse(space.state.pointee.refusal ?? "MISCONF changes are refused") }

    @inline(never)
    private func refuseUnknown() {
        // A web page that makes a browser send such lines to a local port must not get far.
        if argument(0).isWord("POST") || argument(0).isWord("HOST:") {
            session.isClosing = true
            return refuse("ERR this is no HTTP server")
        }
        var text = "ERR unknown command '\(clipped(argument(0), 128))', with args beginning with: "
        var index = 1
        while index < argumentCount, text.utf8.count < 128 {
            text += "'\(clipped(argument(index), 128))' "
            index += 1
        }
        refuse(text)
    }

    private func clipped(_ slice: ByteSlice, _ limit: Int) -> String {
        ByteSlice(slice.base, min(slice.count, limit)).string
    }

    // MARK: Replies

    @inline(__always)
    func ok() { out.pointee.append("+OK\r\n") }

    @inline(__always)
    func null() {
        if session.isVersion3 { out.pointee.append("_\r\n") } else { out.pointee.append("$-1\r\n") }
    }

    func nullArray() {
        if session.isVersion3 { out.pointee.append("_\r\n") } else { out.pointee.append("*-1\r\n") }
    }

    @inline(__always)
    func integer(_ number: Int) { out.pointee.replyInteger(Int64(number)) }

    @inline(__always)
    func bulk(_ slice: ByteSlice) { out.pointee.replyBulk(slice) }

    func error(_ text: String) { out.pointee.replyError(text) }

    func wrongType() { error("WRONGTYPE Operation against a key holding the wrong kind of value") }

    func syntaxError() { error("ERR syntax error") }

    func notInteger() { error("ERR value is not an integer or out of range") }

    func array(_ count: Int) { out.pointee.replyArray(count) }

    /// The header of pairs: a map in version 3, an array of twice as many before.
    func map(_ count: Int) {
        if session.isVersion3 { out.pointee.replyHeader("%", count) } else { array(count * 2) }
    }

    func set(_ count: Int) {
        if session.isVersion3 { out.pointee.replyHeader("~", count) } else { array(count) }
    }

    // MARK: Lookups

    enum Found {
        case entry(Entry)
        case none
        case wrongType
    }

    @inline(__always)
    func find(_ key: ByteSlice, _ kind: ValueKind) -> Found {
        guard let entry = space.find(database, key) else { return .none }
        return entry.kind == kind ? .entry(entry) : .wrongType
    }

    /// An argument as a whole number; answers with an error where it is none.
    func integerArgument(_ index: Int) -> Int64? {
        if let number = argument(index).integer { return number }
        notInteger()
        return nil
    }
}
