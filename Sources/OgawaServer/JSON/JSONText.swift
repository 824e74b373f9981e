import FoundationEssentials

/// JSON of any form inside a report, such as a device's last body, kept as text.
///
/// **Shape.** Well-formed JSON. Encoded and decoded it stands as itself, not as a string.
package struct JSONText: Codable, Sendable, Hashable {
    package var text: String

    package init(_ text: String) { self.text = text }

    package init(from decoder: any Decoder) throws {
        let tree = try JSONTree(from: decoder)
        var writer = JSONWriter()
        tree.write(to: &writer)
        text = String(decoding: writer.bytes, as: UTF8.self)
    }

    package func encode(to encoder: any Encoder) throws {
        try JSONDecoder().decode(JSONTree.self, from: Data(text.utf8)).encode(to: encoder)
    }
}

/// Any JSON value, for decoding what has no type of its own; members come sorted by name.
private enum JSONTree: Codable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case text(String)
    case array([JSONTree])
    case object([String: JSONTree])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let flag = try? container.decode(Bool.self) {
            self = .bool(flag)
        } else if let number = try? container.decode(Int64.self) {
            self = .integer(number)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else if let elements = try? container.decode([JSONTree].self) {
            self = .array(elements)
        } else {
            self = .object(try container.decode([String: JSONTree].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let flag): try container.encode(flag)
        case .integer(let number): try container.encode(number)
        case .number(let number): try container.encode(number)
        case .text(let text): try container.encode(text)
        case .array(let elements): try container.encode(elements)
        case .object(let members): try container.encode(members)
        }
    }

    func write(to writer: inout JSONWriter) {
        switch self {
        case .null: writer.null()
        case .bool(let flag): writer.bool(flag)
        case .integer(let number): writer.number(number)
        case .number(let number): writer.number(number)
        case .text(let text): writer.text(text)
        case .array(let elements):
            writer.array { for element in elements { element.write(to: &$0) } }
        case .object(let members):
            writer.object {
                for name in members.keys.sorted() {
                    $0.name(name)
                    members[name]?.write(to: &$0)
                }
            }
        }
    }
}
