// JSON for test cases and command lines: exact, ordered and small. The engine has its own columns and never uses this.

/// A JSON value that keeps 64-bit integers apart from floats and members in order.
package indirect enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case float(Double)
    case string(String)
    case array([JSONValue])
    case object([JSONMember])
}

/// A name and its value in an object.
package struct JSONMember: Hashable, Sendable {
    package var name: String
    package var value: JSONValue

    package init(_ name: String, _ value: JSONValue) {
        self.name = name
        self.value = value
    }
}

/// Text that is not JSON, and where it stops being it.
package struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    package var message: String
    /// In bytes from the start.
    package var position: Int

    package init(message: String, position: Int) {
        self.message = message
        self.position = position
    }

    package var description: String { "byte \(position): \(message)" }
}

extension JSONValue {
    /// The members of an object; nil for anything else.
    package var members: [JSONMember]? {
        guard case .object(let members) = self else { return nil }
        return members
    }

    /// The member of a name in an object.
    package subscript(_ name: String) -> JSONValue? { members?.first { $0.name == name }?.value }

    /// The value as JSON without blanks; a float that is not finite becomes null.
    package var text: String {
        var result = ""
        write(to: &result)
        return result
    }

    private func write(to target: inout String) {
        switch self {
        case .null: target += "null"
        case .bool(let flag): target += flag ? "true" : "false"
        case .integer(let number): target += String(number)
        case .float(let number): target += number.isFinite ? number.description : "null"
        case .string(let text): JSONValue.writeString(text, to: &target)
        case .array(let elements):
            target += "["
            for (index, element) in elements.enumerated() {
                if index > 0 { target += "," }
                element.write(to: &target)
            }
            target += "]"
        case .object(let members):
            target += "{"
            for (index, member) in members.enumerated() {
                if index > 0 { target += "," }
                JSONValue.writeString(member.name, to: &target)
                target += ":"
                member.value.write(to: &target)
            }
            target += "}"
        }
    }

    private static func writeString(_ text: String, to target: inout String) {
        target += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": target += "\\\""
            case "\\": target += "\\\\"
            case "\n": target += "\\n"
            case "\r": target += "\\r"
            case "\t": target += "\\t"
            case "\u{0}"..."\u{1f}":
                let digits = String(scalar.value, radix: 16)
                target += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: target.unicodeScalars.append(scalar)
            }
        }
        target += "\""
    }
}
