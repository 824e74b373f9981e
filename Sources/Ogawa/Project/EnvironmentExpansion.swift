// `${NAME}` and `${NAME:-default}` inside a value. `$${` stands for a plain `${`.

/// What became of a text with references to the environment.
package enum EnvironmentExpansion: Hashable, Sendable {
    case text(String)
    /// The variable is not set and has no default.
    case unset(String)
    /// `${` without a name or without `}`.
    case malformed

    /// Replaces every reference in `text`; a default applies where the variable is unset or empty, as in a shell.
    package static func expand(_ text: String, environment: [String: String]) -> EnvironmentExpansion {
        guard text.contains("${") else { return .text(text) }
        var result = ""
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[dollar...]
            if rest.hasPrefix("$${") {
                result += "${"
                rest = rest.dropFirst(3)
                continue
            }
            guard rest.hasPrefix("${") else {
                result += "$"
                rest = rest.dropFirst()
                continue
            }
            guard let close = rest.firstIndex(of: "}") else { return .malformed }
            let inside = rest[rest.index(rest.startIndex, offsetBy: 2)..<close]
            let name = inside.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
            let tail = inside.dropFirst(name.count)
            guard let first = name.first, !first.isNumber, tail.isEmpty || tail.hasPrefix(":-") else {
                return .malformed
            }
            let value = environment[String(name)]
            if tail.isEmpty {
                guard let value else { return .unset(String(name)) }
                result += value
            } else if let value, !value.isEmpty {
                result += value
            } else {
                result += tail.dropFirst(2)
            }
            rest = rest[rest.index(after: close)...]
        }
        return .text(result + rest)
    }
}
