// The console is one file in the source tree. Its script and its style are cut out at start and served under paths of their
// own, so that the content security policy can forbid everything inline.

import HTTPTypes
import Hummingbird
import NIOCore

/// The console's page, script and style.
struct ConsolePage: Sendable {
    let page: ByteBuffer
    let script: ByteBuffer
    let style: ByteBuffer

    /// Forbids what the page does not need: other origins, inline code, being framed.
    static let contentSecurityPolicy = [
        "default-src 'self'", "img-src 'self' data:", "object-src 'none'", "base-uri 'none'", "form-action 'none'",
        "frame-ancestors 'none'",
    ].joined(separator: "; ")

    /// The console of this build, cut up once.
    static let standard = ConsolePage(html: PackageResources.index_html)

    private init(html: [UInt8]) {
        var html = String(decoding: html, as: UTF8.self)
        style = ByteBuffer(
            string: Self.cut("style", from: &html, leaving: "<link rel=\"stylesheet\" href=\"/console.css\">"))
        script = ByteBuffer(
            string: Self.cut("script", from: &html, leaving: "<script src=\"/console.js\" defer></script>"))
        page = ByteBuffer(string: html)
    }

    /// Takes all elements of a name out of a page and returns their texts in order; the first one's place is marked.
    private static func cut(_ name: String, from html: inout String, leaving mark: String) -> String {
        let opening = Array("<\(name)".utf8)
        let closing = Array("</\(name)>".utf8)
        let bytes = Array(html.utf8)
        var rest: [UInt8] = []
        var texts: [UInt8] = []
        var position = 0
        while let start = find(opening, in: bytes, from: position),
            let tagEnd = find([UInt8(ascii: ">")], in: bytes, from: start),
            let end = find(closing, in: bytes, from: tagEnd)
        {
            rest += bytes[position..<start]
            if texts.isEmpty { rest += Array(mark.utf8) }
            texts += bytes[(tagEnd + 1)..<end]
            texts.append(0x0a)
            position = end + closing.count
        }
        rest += bytes[position...]
        html = String(decoding: rest, as: UTF8.self)
        return String(decoding: texts, as: UTF8.self)
    }

    private static func find(_ wanted: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        bytes.withUnsafeBufferPointer { bytes in
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

    func response(_ endpoint: Endpoint) -> Response {
        switch endpoint {
        case .consoleScript: file(script, "text/javascript; charset=utf-8")
        case .consoleStyle: file(style, "text/css; charset=utf-8")
        case .icon: Response(status: .noContent, headers: [.cacheControl: "max-age=86400"])
        default: file(page, "text/html; charset=utf-8")
        }
    }

    private func file(_ content: ByteBuffer, _ type: String) -> Response {
        var headers: HTTPFields = [.contentType: type, .cacheControl: "no-cache"]
        headers[.contentSecurityPolicy] = Self.contentSecurityPolicy
        if let name = HTTPField.Name("X-Frame-Options") { headers[name] = "DENY" }
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: content))
    }
}
