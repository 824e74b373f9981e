import OgawaCore

/// Writes JSON text into bytes; for answers of the control plane.
///
/// **Shape.** Members come in the order they are written; commas are set by the writer. Numbers that JSON cannot hold
/// become null.
package struct JSONWriter: Sendable {
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    package init(reserving byteCount: Int = 256) { bytes.reserveCapacity(byteCount) }

    /// One object; `members` writes its members.
    package mutating func object(_ members: (inout JSONWriter) -> Void) {
        open("{")
        members(&self)
        close("}")
    }

    /// One array; `elements` writes its elements.
    package mutating func array(_ elements: (inout JSONWriter) -> Void) {
        open("[")
        elements(&self)
        close("]")
    }

    /// A member's name; its value must follow.
    package mutating func name(_ name: String) {
        separate()
        appendJSONText(name, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    package mutating func text(_ text: String) {
        separate()
        appendJSONText(text, to: &bytes)
    }

    package mutating func number(_ number: some BinaryInteger) { literal(String(number)) }

    package mutating func number(_ number: Double) { literal(number.isFinite ? number.description : "null") }

    package mutating func bool(_ flag: Bool) { literal(flag ? "true" : "false") }

    package mutating func null() { literal("null") }

    /// Text that is JSON already; must be well-formed.
    package mutating func literal(_ json: String) {
        separate()
        bytes.append(contentsOf: json.utf8)
    }

    /// One value of the engine: instants as ISO 8601 text with 7 digits, records and arrays as they are.
    package mutating func value(_ value: Value) {
        switch value {
        case .null: null()
        case .bigint(let number): self.number(number)
        case .float(let number): self.number(number)
        case .bit(let flag): bool(flag)
        case .text(let text): self.text(text)
        case .datetime(let time): text(time.description)
        case .record(let json), .array(let json): literal(json)
        }
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func open(_ bracket: Unicode.Scalar) {
        separate()
        bytes.append(UInt8(ascii: bracket))
        needsComma = false
    }

    private mutating func close(_ bracket: Unicode.Scalar) {
        bytes.append(UInt8(ascii: bracket))
        needsComma = true
    }
}

extension JSONWriter {
    package mutating func member(_ name: String, _ text: String) {
        self.name(name)
        self.text(text)
    }

    package mutating func member(_ name: String, _ text: String?) {
        self.name(name)
        if let text { self.text(text) } else { null() }
    }

    package mutating func member(_ name: String, _ number: some BinaryInteger) {
        self.name(name)
        self.number(number)
    }

    package mutating func member(_ name: String, _ number: Double?) {
        self.name(name)
        if let number { self.number(number) } else { null() }
    }

    package mutating func member(_ name: String, _ texts: [String]) {
        self.name(name)
        array { for text in texts { $0.text(text) } }
    }

    package mutating func member(_ name: String, _ numbers: [Int64]) {
        self.name(name)
        array { for number in numbers { $0.number(number) } }
    }

    /// A member that holds an array of objects.
    package mutating func member<Element>(
        _ name: String, each elements: [Element], _ members: (Element, inout JSONWriter) -> Void
    ) {
        self.name(name)
        array { writer in
            for element in elements { writer.object { members(element, &$0) } }
        }
    }
}

/// Appends a text as a JSON string with its quotes.
package func appendJSONText(_ text: String, to bytes: inout [UInt8]) {
    var text = text
    bytes.append(UInt8(ascii: "\""))
    text.withUTF8 { utf8 in
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x0a: bytes.append(contentsOf: "\\n".utf8)
            case 0x0d: bytes.append(contentsOf: "\\r".utf8)
            case 0x09: bytes.append(contentsOf: "\\t".utf8)
            case 0..<0x20:
                let digits = String(byte, radix: 16)
                bytes.append(contentsOf: (digits.count == 1 ? "\\u000" : "\\u00").utf8)
                bytes.append(contentsOf: digits.utf8)
            default: bytes.append(byte)
            }
        }
    }
    bytes.append(UInt8(ascii: "\""))
}
