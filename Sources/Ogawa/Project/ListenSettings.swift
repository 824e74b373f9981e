/// Where the listeners bind.
package struct ListenSettings: Hashable, Sendable {
    package var http: ListenAddress
    package var mqtt: ListenAddress
    /// Where the state of functions speaks the Redis protocol; nil for nowhere.
    package var redis: ListenAddress?

    package init(
        http: ListenAddress = ListenAddress(host: "127.0.0.1", port: 8080),
        mqtt: ListenAddress = ListenAddress(host: "127.0.0.1", port: 1883)
    ) {
        self.http = http
        self.mqtt = mqtt
    }

    /// Refuses addresses that other machines reach, because nothing can ask a sender for credentials yet.
    package func requireLoopback() throws(ProjectError) {
        for (key, address) in [("http", http), ("mqtt", mqtt)] + (redis.map { [("redis", $0)] } ?? [])
        where !address.isLoopback {
            throw ProjectError(
                code: "insecure-listener",
                message:
                    "listen.\(key) is \(address), which other machines can reach, and no credentials are configured; "
                    + "anyone on the network could send events and read tables",
                hint:
                    "bind to 127.0.0.1 and put a proxy that checks credentials in front, or accept the risk with --insecure"
            )
        }
    }
}

/// A host and a port to bind.
package struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    package var host: String
    /// 0 lets the system pick a free port.
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `host:port`, `[::1]:port`, `:port` or `port`; nil where the text is none of them.
    package init?(_ text: String) {
        if let port = ListenAddress.port(text) {
            self.init(host: "127.0.0.1", port: port)
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = ListenAddress.port(text[text.index(after: colon)...])
        else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            return nil
        }
        let isPlain = host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") }
        guard isPlain else { return nil }
        self.init(host: host.isEmpty ? "127.0.0.1" : host, port: port)
    }

    private static func port(_ text: some StringProtocol) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let port = Int(text), port <= 65_535
        else { return nil }
        return port
    }

    /// Whether only this machine reaches the address.
    package var isLoopback: Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
