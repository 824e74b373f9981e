// Topic names, topic filters and identifiers.

/// The grammar of topics and of the identifiers in them.
package enum MQTTTopic {
    /// Whether the text may stand in a PUBLISH: not empty, no wildcard, no U+0000.
    package static func isName(_ text: String) -> Bool {
        let wildcards = text.utf8.contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") || $0 == 0 }
        return !text.isEmpty && !wildcards
    }

    /// Whether the text may stand in a SUBSCRIBE: `+` fills a whole level, `#` the last one.
    package static func isFilter(_ text: String) -> Bool {
        if text.isEmpty { return false }
        var levelByteCount = 0
        var wildcard: UInt8 = 0
        for byte in text.utf8 {
            // Nothing follows # at all, and nothing but a new level follows +.
            if wildcard == UInt8(ascii: "#") || byte == 0 { return false }
            if byte == UInt8(ascii: "/") {
                levelByteCount = 0
                wildcard = 0
                continue
            }
            if wildcard != 0 { return false }
            if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "#") {
                if levelByteCount > 0 { return false }
                wildcard = byte
            }
            levelByteCount += 1
        }
        return true
    }

    /// Whether the text is a client or device id: `[A-Za-z0-9._:-]{1,128}`.
    package static func isIdentifier(_ text: some StringProtocol) -> Bool {
        let utf8 = text.utf8
        return (1...MQTTLimits.identifierByteCount).contains(utf8.count) && utf8.allSatisfy(isIdentifierByte)
    }

    /// Whether a device may subscribe: the filter names the device's own tree, wildcards only below it.
    package static func isFilter(_ filter: String, ownedBy deviceID: String) -> Bool {
        var rest = Substring(filter).utf8
        guard rest.starts(with: "devices/".utf8) else { return false }
        rest = rest.dropFirst("devices/".utf8.count)
        guard rest.starts(with: deviceID.utf8) else { return false }
        return rest.dropFirst(deviceID.utf8.count).first == UInt8(ascii: "/")
    }

    private static func isIdentifierByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"),
            UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
