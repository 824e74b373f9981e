import Logging
import NIOCore
import NIOPosix
import OgawaServer
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A gateway that keeps what it is given and answers when told to.
final class FakeIngest: DeviceIngest {
    typealias Completion = @Sendable ([Result<Int, IngestError>]) -> Void

    struct State {
        var batches: [[DeviceMessage]] = []
        var held: [(messages: [DeviceMessage], completion: Completion)] = []
        var rejections: [(deviceID: String?, reason: String)] = []
        var busyCount = 0
        var holds = false
    }

    private let state: Mutex<State>

    init(holds: Bool = false, busyCount: Int = 0) { state = Mutex(State(busyCount: busyCount, holds: holds)) }

    var batches: [[DeviceMessage]] { state.withLock(\.batches) }
    var messages: [DeviceMessage] { batches.flatMap(\.self) }
    var payloads: [String] { messages.map { String(decoding: $0.payload, as: UTF8.self) } }
    var rejections: [(deviceID: String?, reason: String)] { state.withLock(\.rejections) }

    func ingest(_ messages: [DeviceMessage], protocolName: String, completion: @escaping Completion) {
        let isBusy = state.withLock { state in
            if state.busyCount > 0 {
                state.busyCount -= 1
                return true
            }
            state.batches.append(messages)
            return false
        }
        if isBusy { return completion(messages.map { _ in .failure(busy) }) }
        let isHeld = state.withLock { state in
            if state.holds { state.held.append((messages, completion)) }
            return state.holds
        }
        if !isHeld { completion(messages.map(answer)) }
    }

    func reject(deviceID: String?, reason: String) { state.withLock { $0.rejections.append((deviceID, reason)) } }

    /// Answers everything that is held.
    func release() {
        let held = state.withLock { state in
            defer { state.held = [] }
            return state.held
        }
        for batch in held { batch.completion(batch.messages.map(answer)) }
    }

    private var busy: IngestError { IngestError(kind: .busy, title: "busy", detail: "the log is busy") }

    /// As the real gateway would, a body that is no JSON object is refused.
    private func answer(_ message: DeviceMessage) -> Result<Int, IngestError> {
        if message.payload.first == UInt8(ascii: "{") { return .success(1) }
        reject(deviceID: message.deviceID, reason: "not JSON")
        return .failure(IngestError(kind: .badInput, title: "bad input", detail: "not JSON"))
    }
}

/// Runs a body against a listener on a free port of 127.0.0.1.
func withListener(
    _ ingest: FakeIngest, _ change: (inout MQTTListener.Configuration) -> Void = { _ in },
    body: (MQTTListener, Int) async throws -> Void
) async throws {
    var configuration = MQTTListener.Configuration(port: 0)
    configuration.refusalPause = .milliseconds(50)
    change(&configuration)
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let listener = MQTTListener(
        configuration: configuration, ingest: ingest, group: MultiThreadedEventLoopGroup.singleton, logger: logger)
    let port = try await listener.start()
    do {
        try await body(listener, port)
    } catch {
        await listener.stop()
        throw error
    }
    await listener.stop()
}

/// Waits until the condition holds, for at most ten seconds.
func eventually(_ condition: () -> Bool) async -> Bool {
    for _ in 0..<2000 {
        if condition() { return true }
        try? await Task.sleep(for: .milliseconds(5))
    }
    return condition()
}

/// A blocking TCP socket that says exactly what it is told, used off the cooperative threads.
final class RawSocket: Sendable {
    private let descriptor: Int32

    /// Nil where the port cannot be reached.
    init?(port: Int, receiveBufferByteCount: Int32? = nil) {
        #if canImport(Glibc)
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
            descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        if var size = receiveBufferByteCount {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(truncatingIfNeeded: port).bigEndian)
        address.sin_addr.s_addr = in_addr_t(UInt32(0x7f00_0001).bigEndian)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result != 0 {
            close(descriptor)
            return nil
        }
    }

    deinit { close(descriptor) }

    /// Sends without waiting for room; the number of bytes that went out.
    @discardableResult
    func send(_ bytes: [UInt8], waits: Bool = true) -> Int {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                let rest = UnsafeRawBufferPointer(rebasing: buffer.dropFirst(sent))
                #if canImport(Glibc)
                    let flags = Int32(MSG_NOSIGNAL) | (waits ? 0 : Int32(MSG_DONTWAIT))
                #else
                    let flags = waits ? 0 : Int32(MSG_DONTWAIT)
                #endif
                #if canImport(Glibc)
                    return Glibc.send(descriptor, rest.baseAddress, rest.count, flags)
                #else
                    return Darwin.send(descriptor, rest.baseAddress, rest.count, flags)
                #endif
            }
            if count <= 0 { break }
            sent += count
        }
        return sent
    }

    /// Receives exactly so many bytes; fewer where the peer closed or ten seconds passed.
    func receive(_ count: Int) async -> [UInt8] {
        await offCooperativeThreads { [descriptor] in
            var result: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: count)
            while result.count < count {
                let received = recv(descriptor, &buffer, count - result.count, 0)
                if received <= 0 { break }
                result += buffer.prefix(received)
            }
            return result
        }
    }

    /// Bytes that are there now.
    func receiveAvailable() -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        #if canImport(Glibc)
            let received = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        #else
            let received = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        #endif
        return received > 0 ? Array(buffer.prefix(received)) : []
    }

    /// Whether the peer closes within ten seconds; bytes that come before are dropped.
    func isClosedByPeer() async -> Bool {
        await offCooperativeThreads { [descriptor] in
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let received = recv(descriptor, &buffer, buffer.count, 0)
                if received == 0 || (received < 0 && errno == ECONNRESET) { return true }
                if received < 0 { return false }
            }
        }
    }
}

/// Runs blocking work on a thread of its own.
func offCooperativeThreads<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
        NIOThreadPool.singleton.submit { _ in continuation.resume(returning: work()) }
    }
}
