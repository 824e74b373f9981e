// Checks that hold for every request, before anything is looked up or read.

import HTTPTypes
import Hummingbird

/// Headers that every answer carries.
func harden(_ headers: inout HTTPFields) {
    headers[.xContentTypeOptions] = "nosniff"
    if headers[.cacheControl] == nil { headers[.cacheControl] = "no-store" }
    if let name = HTTPField.Name("Referrer-Policy") { headers[name] = "no-referrer" }
    if let name = HTTPField.Name("Cross-Origin-Resource-Policy") { headers[name] = "same-origin" }
}

/// Who may talk to this listener.
struct RequestRules: Sendable {
    /// Whether the listener is bound to this machine alone.
    let isLoopback: Bool

    func check(_ request: Request) throws(Problem) {
        let host = try checkHost(request)
        try checkOrigin(request, host: host)
    }

    /// Exactly one Host; on a loopback listener it must name this machine.
    ///
    /// A web page elsewhere can point its own name at 127.0.0.1 and so make a browser send requests here, but it cannot
    /// make it send another Host.
    private func checkHost(_ request: Request) throws(Problem) -> String {
        guard let host = request.head.authority, !host.isEmpty else {
            throw .unreadable("the request has no Host header; exactly one is required")
        }
        if request.headers.contains(where: { $0.name.canonicalName == "host" }) {
            throw .unreadable("the request has more than one Host header; exactly one is required")
        }
        guard isLoopback, !isLoopbackHost(hostName(host)) else { return host }
        throw Problem(
            .misdirectedRequest, "misdirected", "Not this server's name",
            "the Host header is \(DeviceKey.shown(host.utf8)), but this server only answers to this machine's own names",
            hint: "use http://127.0.0.1 or http://localhost; to serve other names, set listen: in ogawa.yaml",
            expected: "localhost, 127.0.0.1 or [::1]")
    }

    /// Browsers name the page that sends; a page of another origin must not write here.
    private func checkOrigin(_ request: Request, host: String) throws(Problem) {
        guard request.method != .get, request.method != .head, let origin = request.headers[.origin] else { return }
        guard origin.lowercased() != "http://\(host)".lowercased(),
            origin.lowercased() != "https://\(host)".lowercased()
        else { return }
        throw Problem(
            .forbidden, "foreign-origin", "Foreign origin",
            "the request comes from a page of \(DeviceKey.shown(origin.utf8)), which may not write here",
            expected: "a request without Origin, or from this server's own pages")
    }

    private func hostName(_ host: String) -> String {
        if host.first == "[" { return String(host.prefix { $0 != "]" }) + "]" }
        return String(host.prefix { $0 != ":" })
    }
}

/// How a body is packed.
enum ContentEncoding {
    case identity
    case gzip
}

extension Request {
    /// Refuses bodies that are not JSON by their own words; a body that says nothing is taken for JSON.
    func checkContentType() throws(Problem) {
        guard let type = headers[.contentType] else { return }
        let name = type.prefix { $0 != ";" }.trimmingBlanks().lowercased()
        let known = [
            "application/json", "application/x-ndjson", "application/ndjson", "application/jsonl", "text/plain",
        ]
        if known.contains(name) || name.isEmpty { return }
        throw Problem(
            .unsupportedMediaType, "unsupported-media", "Unsupported media type",
            "the Content-Type is \(DeviceKey.shown(type.utf8))",
            hint: "with curl, add -H 'Content-Type: application/json'",
            expected: "application/json or application/x-ndjson")
    }

    func contentEncoding() throws(Problem) -> ContentEncoding {
        switch headers[.contentEncoding]?.trimmingBlanks().lowercased() {
        case nil, "", "identity": return .identity
        case "gzip", "x-gzip": return .gzip
        case .some(let other):
            throw Problem(
                .unsupportedMediaType, "unsupported-media", "Unsupported content encoding",
                "the Content-Encoding is \(DeviceKey.shown(other.utf8))", expected: "gzip or identity")
        }
    }
}

extension StringProtocol {
    /// The text without blanks and tabs at its ends.
    fileprivate func trimmingBlanks() -> String {
        var text = self[...]
        while text.first == " " || text.first == "\t" { text = text.dropFirst() }
        while text.last == " " || text.last == "\t" { text = text.dropLast() }
        return String(text)
    }
}
