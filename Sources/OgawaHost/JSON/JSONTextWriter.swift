/// Writes JSON into bytes, value by value; commas come by themselves.
package struct JSONTextWriter: Sendable {
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    package init() {}

    package mutating func reserve(_ byteCount: Int) { bytes.reserveCapacity(byteCount) }

    package mutating func object(_ body: (inout JSONTextWriter) throws -> Void) rethrows {
        open(UInt8(ascii: "{"))
        try body(&self)
        close(UInt8(ascii: "}"))
    }

    package mutating func array(_ body: (inout JSONTextWriter) throws -> Void) rethrows {
        open(UInt8(ascii: "["))
        try body(&self)
        close(UInt8(ascii: "]"))
    }

    /// The name of the value that is written next.
    package mutating func name(_ name: String) {
        comma()
        quoted(name.utf8)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    package mutating func text(_ text: some StringProtocol) {
        comma()
        quoted(text.utf8)
    }

    /// Text from bytes; what is no UTF-8 becomes U+FFFD.
    package mutating func text(utf8 text: ArraySlice<UInt8>) {
        comma()
        if text.allSatisfy({ $0 < 0x80 }) {
            quoted(text)
        } else {
            quoted(String(decoding: text, as: UTF8.self).utf8)
        }
    }

    package mutating func number(_ number: some BinaryInteger) { raw("\(number)") }

    package mutating func number(_ number: Double) {
        if number.isFinite { raw("\(number)") } else { raw("null") }
    }

    package mutating func bool(_ flag: Bool) { raw(flag ? "true" : "false") }
    package mutating func null() { raw("null") }

    /// JSON that is known to be well-formed.
    package mutating func json(_ text: some Collection<UInt8>) {
        comma()
        bytes.append(contentsOf: text)
    }

    package mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let flag): bool(flag)
        case .integer(let integer): number(integer)
        case .number(let double): number(double)
        case .text(let text): self.text(text)
        case .array(let elements):
            array { for element in elements { $0.value(element) } }
        case .object(let members):
            object {
                for member in members {
                    $0.name(member.name)
                    $0.value(member.value)
                }
            }
        }
    }

    package mutating func member(_ name: String, _ text: String) {
        self.name(name)
        self.text(text)
    }

    package mutating func member(_ name: String, _ number: some BinaryInteger) {
        self.name(name)
        self.number(number)
    }

    private mutating func open(_ bracket: UInt8) {
        comma()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func raw(_ text: String) {
        comma()
        bytes.append(contentsOf: text.utf8)
    }

    private mutating func comma() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func quoted(_ text: some Sequence<UInt8>) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
            case 0..<0x20:
                let digits = Array("0123456789abcdef".utf8)
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
