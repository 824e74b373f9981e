import FoundationEssentials
import NIOCore
import NIOPosix
import Testing

/// An answer as it came over the wire.
struct HTTPAnswer: Sendable {
    var status = 0
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []

    func header(_ name: String) -> String? { headers.first { $0.name == name.lowercased() }?.value }
    var text: String { String(decoding: body, as: UTF8.self) }

    /// The body as a problem document; records an issue where it is none.
    func problem() throws -> HTTPProblem {
        #expect(header("content-type") == "application/problem+json")
        let problem = try JSONDecoder().decode(HTTPProblem.self, from: Data(body))
        #expect(problem.status == status)
        #expect(problem.type.hasPrefix("urn:ogawa:problem:"))
        #expect(!problem.title.isEmpty && !problem.detail.isEmpty)
        return problem
    }
}

/// RFC 9457 with our members.
struct HTTPProblem: Codable, Sendable {
    var type: String
    var title: String
    var status: Int
    var detail: String
    var hint: String?
    var element: Int?
    var position: Int?
    var expected: String?
}

/// The connection closed before a whole answer came.
struct ConnectionClosed: Error {}

/// A TCP connection on which a test says exactly what it wants.
final class RawConnection {
    private var input: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let output: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private let channel: any Channel
    private(set) var received: [UInt8] = []

    private init(
        _ input: NIOAsyncChannelInboundStream<ByteBuffer>, _ output: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        _ channel: any Channel
    ) {
        self.input = input.makeAsyncIterator()
        self.output = output
        self.channel = channel
    }

    static func open<Result>(_ port: Int, _ body: (RawConnection) async throws -> Result) async throws -> Result {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
                }
            }
        return try await channel.executeThenClose { input, output in
            try await body(RawConnection(input, output, channel.channel))
        }
    }

    func send(_ bytes: [UInt8]) async throws { try await output.write(ByteBuffer(bytes: bytes)) }

    func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    /// Ends our direction, as a client does that has nothing more to say.
    func finish() { output.finish() }

    /// Reads more; false at the end.
    func read() async throws -> Bool {
        guard let part = try await input.next() else { return false }
        received += Array(part.readableBytesView)
        return true
    }

    /// Reads until the other side closes.
    func readToEnd() async throws { while try await read() {} }

    /// Reads until the text was received.
    func read(until text: String) async throws {
        let wanted = Array(text.utf8)
        var start = 0
        while received.firstIndex(of: wanted, from: start) == nil {
            start = max(0, received.count - wanted.count)
            guard try await read() else { throw ConnectionClosed() }
        }
    }

    /// Reads one answer and takes it off what was received; informational ones are passed over.
    func answer(hasBody: Bool = true) async throws -> HTTPAnswer {
        while true {
            try await read(until: "\r\n\r\n")
            let end = received.firstIndex(of: Array("\r\n\r\n".utf8)) ?? 0
            var answer = HTTPAnswer(head: String(decoding: received[..<end], as: UTF8.self))
            received.removeFirst(end + 4)
            if answer.status / 100 == 1 { continue }
            if hasBody { try await readBody(of: &answer) }
            return answer
        }
    }

    private func readBody(of answer: inout HTTPAnswer) async throws {
        if let length = answer.header("content-length").flatMap({ Int($0) }) {
            while received.count < length { guard try await read() else { throw ConnectionClosed() } }
            answer.body = Array(received.prefix(length))
            received.removeFirst(length)
        } else if answer.header("transfer-encoding") == nil, answer.status != 204 {
            try await readToEnd()
            answer.body = received
            received = []
        }
    }
}

extension HTTPAnswer {
    fileprivate init(head: String) {
        let lines = head.split(separator: "\r\n")
        status = lines.first.flatMap { Int($0.split(separator: " ").dropFirst().first ?? "") } ?? 0
        headers = lines.dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (parts[0].lowercased(), parts.count > 1 ? String(parts[1].drop { $0 == " " }) : "")
        }
    }
}

extension [UInt8] {
    /// Where the wanted bytes begin; quick also in debug builds.
    func firstIndex(of wanted: [UInt8], from start: Int = 0) -> Int? {
        withUnsafeBufferPointer { bytes in
            var index = start
            while index + wanted.count <= bytes.count {
                if bytes[index] == wanted[0], bytes[index..<(index + wanted.count)].elementsEqual(wanted) {
                    return index
                }
                index += 1
            }
            return nil
        }
    }

    func contains(sequence: [UInt8]) -> Bool { firstIndex(of: sequence) != nil }
}
