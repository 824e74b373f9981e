// Azure's property bag: `k=v&k2=v2`, names and values percent-encoded, at the end of a topic.

/// Turns a property bag into a JSON object.
package enum MQTTPropertyBag {
    /// Why a bag has no meaning.
    package struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        package var description: String
    }

    /// The bag as a JSON object text with string values, in the order of the bag.
    ///
    /// A name without `=` has an empty value; of a name that comes twice the last value counts, in the place of the first.
    package static func json(_ bag: some StringProtocol) throws(Refusal) -> [UInt8] {
        var names: [String] = []
        var values: [String] = []
        for part in bag.utf8.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: true) {
            let equals = part.firstIndex(of: UInt8(ascii: "="))
            let name = try decoded(part[..<(equals ?? part.endIndex)])
            let value = if let equals { try decoded(part[part.index(after: equals)...]) } else { "" }
            guard !name.isEmpty else { throw Refusal(description: "a property has no name") }
            if let known = names.firstIndex(of: name) {
                values[known] = value
                continue
            }
            guard names.count < MQTTLimits.propertiesPerMessage else {
                throw Refusal(description: "more than \(MQTTLimits.propertiesPerMessage) properties")
            }
            names.append(name)
            values.append(value)
        }
        return names.isEmpty ? [] : object(names, values)
    }

    private static func decoded(_ text: some Collection<UInt8>) throws(Refusal) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var index = text.startIndex
        while index < text.endIndex {
            let byte = text[index]
            text.formIndex(after: &index)
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            var value: UInt8 = 0
            for _ in 0..<2 {
                guard index < text.endIndex, let digit = hexadecimal(text[index]) else {
                    throw Refusal(description: "% is not followed by two hexadecimal digits")
                }
                value = value << 4 | digit
                text.formIndex(after: &index)
            }
            bytes.append(value)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw Refusal(description: "a name or value is not UTF-8 once decoded")
        }
        return decoded
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    private static func object(_ names: [String], _ values: [String]) -> [UInt8] {
        var json: [UInt8] = [UInt8(ascii: "{")]
        for (name, value) in zip(names, values) {
            if json.count > 1 { json.append(UInt8(ascii: ",")) }
            appendString(name, to: &json)
            json.append(UInt8(ascii: ":"))
            appendString(value, to: &json)
        }
        json.append(UInt8(ascii: "}"))
        return json
    }

    private static func appendString(_ text: String, to json: inout [UInt8]) {
        let digits = Array("0123456789abcdef".utf8)
        json.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): json += [UInt8(ascii: "\\"), byte]
            case 0..<0x20: json += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: json.append(byte)
            }
        }
        json.append(UInt8(ascii: "\""))
    }
}
