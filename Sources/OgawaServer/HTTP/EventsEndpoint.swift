import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import OgawaCore
import OgawaLog
import OgawaPlatform

/// `POST /streams/{stream}/events` and `POST /devices/{id}/telemetry`.
struct EventsEndpoint: Sendable {
    let gateway: Gateway
    let requestTimeout: Duration

    /// Takes a request's events and answers when they are durable.
    ///
    /// - Parameters:
    ///   - stream: nil for the telemetry stream.
    ///   - pathDevice: the device of the path, if it names one.
    func post(_ request: Request, stream: String?, pathDevice: String?) async throws(Problem) -> Response {
        var device = pathDevice
        var known: String?
        do throws(Problem) {
            device = try givenDevice(request, pathDevice: pathDevice)
            let target = try resolve(stream)
            known = target.stream.name
            try request.checkContentType()
            let body = try await readBody(request)
            let events = try pendingEvents(body, for: target, device: device)
            return try await append(events, to: target.stream)
        } catch {
            gateway.record(error.detail, stream: known, device: device)
            throw error
        }
    }

    private func givenDevice(_ request: Request, pathDevice: String?) throws(Problem) -> String? {
        let header = HTTPField.Name.deviceID.map { request.headers[values: $0] } ?? []
        guard let first = header.first else { return pathDevice }
        guard header.count == 1, pathDevice == nil || pathDevice == first else {
            throw Problem(
                .badRequest, "bad-input", "The device is named twice",
                "the path and the headers X-Device-Id name more than one device",
                expected: "one header X-Device-Id, or the device in the path")
        }
        return first
    }

    private func resolve(_ stream: String?) throws(Problem) -> (stream: LogStream, keyField: String) {
        do { return try gateway.target(stream) } catch { throw Problem(error) }
    }

    private func pendingEvents(
        _ body: ByteBuffer, for target: (stream: LogStream, keyField: String), device: String?
    ) throws(Problem) -> PendingEvents {
        let outcome = body.withUnsafeReadableBytes { bytes in
            Result { () throws(IngestError) -> PendingEvents in
                try gateway.events(in: bytes, keyField: target.keyField, deviceID: device)
            }
        }
        do { return try outcome.get() } catch { throw Problem(error) }
    }

    private func append(_ events: PendingEvents, to stream: LogStream) async throws(Problem) -> Response {
        guard !events.isEmpty else { return accepted(0, []) }
        let outcome = await withCheckedContinuation { continuation in
            stream.append(events) { continuation.resume(returning: $0) }
        }
        switch outcome {
        case .success(let receipts): return accepted(events.count, receipts)
        case .failure(let error): throw Problem(error)
        }
    }

    private func accepted(_ count: Int, _ receipts: [AppendReceipt]) -> Response {
        var writer = JSONWriter()
        writer.object {
            $0.member("accepted", count)
            $0.member("receipts", each: receipts) { receipt, writer in
                writer.member("partition", receipt.partition.rawValue)
                writer.member("firstOffset", receipt.firstOffset.rawValue)
                writer.member("count", receipt.count)
            }
        }
        return Response(
            status: .accepted, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: writer.bytes + [0x0a])))
    }
}

// MARK: Bodies

extension EventsEndpoint {
    /// The body, decompressed, within the limits.
    private func readBody(_ request: Request) async throws(Problem) -> ByteBuffer {
        let limit = gateway.limits.bodyByteCount
        let encoding = try request.contentEncoding()
        let length = request.headers[.contentLength].flatMap { Int($0) }
        if let length, length > limit { throw .bodyTooLarge(limit: limit) }
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw .bodyTooLarge(limit: limit)
        } catch is RequestTimedOut {
            throw .timedOut(after: requestTimeout)
        } catch is RequestCutOff {
            throw .unreadable("the connection ended in the middle of the body")
        } catch {
            throw .unreadable("the body did not arrive whole: \(error)")
        }
        // When the server ends, the body ends too, without an error. Half a batch is not a batch.
        if Task.isCancelled { throw .stopping }
        if let length, length != body.readableBytes {
            throw .unreadable("the body ended after \(body.readableBytes) of \(length) bytes")
        }
        return encoding == .gzip ? try inflate(body) : body
    }

    private func inflate(_ body: ByteBuffer) throws(Problem) -> ByteBuffer {
        let limit = gateway.limits.inflatedByteCount
        do {
            return ByteBuffer(bytes: try gunzip(Array(body.readableBytesView), maxByteCount: limit))
        } catch GzipError.tooLarge {
            throw .inflatedTooLarge("the body is larger than \(limit) bytes after decompression", limit: limit)
        } catch GzipError.suspiciousRatio(let ratio) {
            throw .inflatedTooLarge("the body grows to more than \(ratio) times its size", limit: limit)
        } catch GzipError.outOfMemory {
            throw Problem(.serviceUnavailable, "busy", "Out of memory", "there is no memory to decompress the body")
        } catch {
            throw Problem(
                .badRequest, "bad-input", "The body is not gzip", "\(error)",
                expected: "a gzip body, as the header Content-Encoding says")
        }
    }
}

extension Problem {
    fileprivate static func inflatedTooLarge(_ detail: String, limit: Int) -> Problem {
        var problem = Problem.bodyTooLarge(limit: limit)
        problem.detail = detail
        problem.hint = "send smaller batches"
        problem.closesConnection = false
        return problem
    }

    fileprivate static var stopping: Problem {
        var problem = Problem(
            .serviceUnavailable, "stopping", "The instance is stopping", "the request came while the instance stops")
        problem.retryAfterSeconds = 1
        problem.closesConnection = true
        return problem
    }
}

extension HTTPField.Name {
    /// Names the device that all events of a request belong to.
    fileprivate static let deviceID = HTTPField.Name("X-Device-Id")
}
