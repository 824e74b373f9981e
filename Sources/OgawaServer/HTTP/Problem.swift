// Every refusal over HTTP is a problem document (RFC 9457). This file maps causes to statuses; nowhere else does.

import HTTPTypes
import Hummingbird
import NIOCore
import OgawaCore
import OgawaLog
import OgawaStore

/// A refusal on its way to the client.
struct Problem: Error, Sendable {
    var status: HTTPResponse.Status
    /// The last part of the document's `type`, a stable word for programs.
    var type: String
    var title: String
    var detail: String
    var hint: String?
    var element: Int?
    var position: Int?
    var expected: String?
    var retryAfterSeconds: Int?
    /// The methods that would have been allowed.
    var allow: String?
    /// Whether what follows on the connection must not be read.
    var closesConnection = false

    init(
        _ status: HTTPResponse.Status, _ type: String, _ title: String, _ detail: String, hint: String? = nil,
        expected: String? = nil
    ) {
        self.status = status
        self.type = type
        self.title = title
        self.detail = detail
        self.hint = hint
        self.expected = expected
    }

    /// The document's bytes.
    var document: ByteBuffer {
        var writer = JSONWriter()
        writer.object {
            $0.member("type", "urn:ogawa:problem:\(type)")
            $0.member("title", title)
            $0.member("status", status.code)
            $0.member("detail", detail)
            if let hint { $0.member("hint", hint) }
            if let element { $0.member("element", element) }
            if let position { $0.member("position", position) }
            if let expected { $0.member("expected", expected) }
        }
        return ByteBuffer(bytes: writer.bytes + [0x0a])
    }

    var headers: HTTPFields {
        var headers: HTTPFields = [.contentType: "application/problem+json"]
        if let retryAfterSeconds { headers[.retryAfter] = String(retryAfterSeconds) }
        if let allow { headers[.allow] = allow }
        if closesConnection { headers[.connection] = "close" }
        return headers
    }

    var response: Response { Response(status: status, headers: headers, body: ResponseBody(byteBuffer: document)) }
}

extension HTTPResponse.Status {
    static let insufficientStorage = HTTPResponse.Status(code: 507, reasonPhrase: "Insufficient Storage")
}

// MARK: Causes

extension Problem {
    init(_ error: IngestError) {
        let (status, type): (HTTPResponse.Status, String) =
            switch error.kind {
            case .badInput: (.badRequest, "bad-input")
            case .unknownStream: (.notFound, "unknown-stream")
            case .tooLarge: (.contentTooLarge, "too-large")
            case .busy: (.tooManyRequests, "busy")
            case .storage: (.serviceUnavailable, "storage")
            case .unsupportedMedia: (.unsupportedMediaType, "unsupported-media")
            }
        self.init(status, type, error.title, error.detail, hint: error.hint, expected: error.expected)
        element = error.element
        position = error.position
        if error.kind == .busy { retryAfterSeconds = 1 }
    }

    init(_ error: LogError) {
        self.init(IngestError(error))
        if error.code == .diskFull {
            status = .insufficientStorage
            type = "disk-full"
            retryAfterSeconds = 5
        }
    }

    init(_ error: StoreError) {
        let (status, title): (HTTPResponse.Status, String) =
            switch error.code {
            case .badQuery, .badConfiguration: (.badRequest, "The query cannot be answered")
            case .answerTooLarge: (.badRequest, "The answer would be too large")
            case .busy, .closed: (.serviceUnavailable, "The tables cannot be read now")
            default: (.internalServerError, "The tables cannot be read")
            }
        self.init(status, "store", title, error.message, hint: error.hint)
        if status == .serviceUnavailable { retryAfterSeconds = 1 }
    }

    /// A name that is not there, with the nearest one that is.
    static func notFound(_ thing: String, _ name: String, type: String, known: [String]) -> Problem {
        var problem = Problem(
            .notFound, type, "Unknown \(thing)",
            "there is no \(thing) \(DeviceKey.shown(name.utf8))")
        if let near = nearestName(to: name, in: known) {
            problem.hint = "did you mean \"\(near)\"?"
        } else if !known.isEmpty {
            problem.hint = "there is \(known.sorted().prefix(10).joined(separator: ", "))"
        }
        return problem
    }

    static func bodyTooLarge(limit: Int) -> Problem {
        var problem = Problem(
            .contentTooLarge, "too-large", "Body too large", "the body is larger than \(limit) bytes",
            hint: "send smaller batches, or compress them with Content-Encoding: gzip",
            expected: "at most \(limit) bytes")
        problem.closesConnection = true
        return problem
    }

    /// A request that did not arrive whole.
    static func unreadable(_ detail: String) -> Problem {
        var problem = Problem(.badRequest, "bad-request", "The request cannot be read", detail)
        problem.closesConnection = true
        return problem
    }

    static func timedOut(after limit: Duration) -> Problem {
        var problem = Problem(
            .requestTimeout, "request-timeout", "The request took too long",
            "the request had not arrived whole after \(limit.inSeconds) seconds")
        problem.closesConnection = true
        return problem
    }
}
