import OgawaCore
import Yams

extension JSONValue {
    /// Nodes that one text may unfold to, so that aliases of aliases end.
    private static let maximumNodeCount = 500_000

    /// The JSON value that a YAML node means.
    ///
    /// **Shape.** Plain `null`, `true`, `false` and decimal numbers are values of their own, with 64-bit integers exact; everything else,
    /// dates too, is text as written.
    init?(yaml node: Node) {
        var budget = JSONValue.maximumNodeCount
        guard let value = JSONValue.make(node, depth: 0, &budget) else { return nil }
        self = value
    }

    private static func make(_ node: Node, depth: Int, _ budget: inout Int) -> JSONValue? {
        budget -= 1
        guard depth < 200, budget > 0 else { return nil }
        switch node {
        case .scalar(let scalar): return scalar.style == .plain ? plain(scalar.string) : .string(scalar.string)
        case .sequence(let sequence):
            var elements: [JSONValue] = []
            for element in sequence {
                guard let value = make(element, depth: depth + 1, &budget) else { return nil }
                elements.append(value)
            }
            return .array(elements)
        case .mapping(let mapping):
            var members: [JSONMember] = []
            for (key, element) in mapping {
                guard case .scalar(let name) = key, let value = make(element, depth: depth + 1, &budget) else {
                    return nil
                }
                members.append(JSONMember(name.string, value))
            }
            return .object(members)
        case .alias: return nil
        }
    }

    private static func plain(_ text: String) -> JSONValue {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default:
            guard let first = text.utf8.first, first <= 0x39, first >= 0x2b else { return .string(text) }
            let unsigned = first == UInt8(ascii: "+") ? String(text.dropFirst()) : text
            guard let number = try? JSONValue.parse(unsigned) else { return .string(text) }
            return number
        }
    }
}
