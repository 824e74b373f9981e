/// Where a Redis server is and how to be let in: `redis://user:password@host:port/database`.
package struct RedisAddress: Sendable, Equatable, CustomStringConvertible {
    package var socket: SocketAddress
    package var database = 0
    package var user: String?
    package var password: String?

    /// Without the password, for messages.
    package var description: String { "redis://\(socket)/\(database)" }

    /// Reads an address; ``StateError/Code/refused`` tells what is wrong with it.
    package init(_ text: String) throws {
        func refused(_ message: String) -> StateError {
            StateError(.refused, "state: \(message)", hint: "write redis://host:6379/0, or unix:///path/to/socket")
        }
        if text.hasPrefix("unix://") {
            socket = .unix(path: String(text.dropFirst("unix://".count)))
            return
        }
        if text.hasPrefix("rediss://") { throw refused("TLS to Redis is not supported; use a tunnel on this machine") }
        guard text.hasPrefix("redis://") else { throw refused("an address of a Redis server begins with redis://") }
        var rest = text.dropFirst("redis://".count)
        if let slash = rest.firstIndex(of: "/") {
            let name = rest[rest.index(after: slash)...]
            guard name.isEmpty || Int(name).map({ (0..<100_000).contains($0) }) == true else {
                throw refused("the database \"\(name)\" is no number")
            }
            database = Int(name) ?? 0
            rest = rest[..<slash]
        }
        if let at = rest.lastIndex(of: "@") {
            let login = rest[..<at]
            if let colon = login.firstIndex(of: ":") {
                user = colon == login.startIndex ? nil : String(login[..<colon])
                password = String(login[login.index(after: colon)...])
            } else {
                password = String(login)
            }
            rest = rest[rest.index(after: at)...]
        }
        var host = rest
        var port = 6379
        if let colon = rest.lastIndex(of: ":"), rest.last != "]" {
            guard let number = Int(rest[rest.index(after: colon)...]), (1...65535).contains(number) else {
                throw refused("the port \"\(rest[rest.index(after: colon)...])\" is no port")
            }
            port = number
            host = rest[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard !host.isEmpty else { throw refused("the host is missing") }
        socket = .tcp(host: String(host), port: port)
    }
}
