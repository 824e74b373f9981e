import Ogawa

/// Where an instance answers HTTP.
package struct ServerAddress: Hashable, Sendable, CustomStringConvertible {
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `http://host:port`, with or without the scheme and a final slash; nil for anything else.
    package init?(_ text: String) {
        var rest = text[...]
        if rest.hasPrefix("http://") { rest = rest.dropFirst(7) }
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard !rest.isEmpty, !rest.contains("/"), !rest.contains("@") else { return nil }
        let hasPort = rest.contains(":") && !rest.hasSuffix("]")
        guard let address = ListenAddress(hasPort ? String(rest) : "\(rest):80"), address.port > 0 else { return nil }
        self.init(host: address.host, port: address.port)
    }

    package var description: String { "http://\(ListenAddress(host: host, port: port))" }
    /// What the Host header says.
    package var hostHeader: String { ListenAddress(host: host, port: port).description }
}

/// A failed conversation with an instance, in words for the user.
package struct ClientError: Error, Sendable, CustomStringConvertible {
    package var message: String
    package var hint: String?

    package init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }

    package var description: String { hint.map { "\(message)\nhint: \($0)" } ?? message }
}

/// Text as part of an address.
package enum AddressText {
    /// The text with everything but letters, digits and `-._~` escaped.
    package static func escape(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            let isPlain =
                (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a) || (byte >= 0x30 && byte <= 0x39)
                || byte == 0x2d || byte == 0x2e || byte == 0x5f || byte == 0x7e
            if isPlain {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        return result
    }

    /// A path with a query made of the values that are there.
    package static func path(_ parts: [String], _ query: [(name: String, value: String?)] = []) -> String {
        let path = "/" + parts.map(escape).joined(separator: "/")
        let items = query.compactMap { item in item.value.map { "\(item.name)=\(escape($0))" } }
        return items.isEmpty ? path : path + "?" + items.joined(separator: "&")
    }
}
