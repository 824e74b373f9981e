import OgawaCore

/// What a key must be, whether it comes from a path, a header, a topic or a body.
enum DeviceKey {
    /// The rule in words, for errors.
    static func rule(_ limits: GatewayLimits) -> String {
        "1 to \(limits.keyByteCount) bytes of printable UTF-8"
    }

    /// Whether the bytes may be a key; they are known to be UTF-8.
    static func isValid(_ key: UnsafeRawBufferPointer, limits: GatewayLimits) -> Bool {
        guard !key.isEmpty, key.count <= limits.keyByteCount else { return false }
        var isPlain = true
        for byte in key where byte < 0x20 || byte > 0x7e { isPlain = false }
        return isPlain || isPrintable(String(decoding: key, as: UTF8.self))
    }

    /// Whether a text may be a key.
    static func isValid(_ key: String, limits: GatewayLimits) -> Bool {
        var key = key
        return key.withUTF8 { isValid(UnsafeRawBufferPointer($0), limits: limits) }
    }

    /// Control characters could forge lines in logs; marks of direction make one id look like another.
    private static func isPrintable(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy {
            switch $0.value {
            case 0..<0x20, 0x7f..<0xa0, 0x200b...0x200f, 0x2028...0x202e, 0x2066...0x2069, 0xfeff, 0xfffd: false
            default: true
            }
        }
    }

    /// A key as errors show it: at most 64 characters, nothing unprintable.
    static func shown(_ key: some Sequence<UInt8>) -> String {
        let text = String(decoding: Array(key.prefix(256)), as: UTF8.self)
        let shown = String(
            String.UnicodeScalarView(
                text.unicodeScalars.prefix(64).map { $0.value < 0x20 || $0.value == 0x7f ? "?" : $0 }))
        return text.unicodeScalars.count > 64 ? "\"\(shown)…\"" : "\"\(shown)\""
    }
}

/// Where the key of a message's events comes from.
enum KeySource {
    /// The key field of each event.
    case body
    /// A path, a header or a topic; the events must not say otherwise.
    case given(GivenKey)
}

/// A key that came from outside the body, with the text that puts it into events that lack it.
struct GivenKey {
    let key: [UInt8]
    /// `{"deviceId":"dev-1"`: the head of an event to which the key was added.
    let head: [UInt8]

    init(_ key: String, field: String) {
        self.key = Array(key.utf8)
        var head = [UInt8(ascii: "{")]
        appendJSONText(field, to: &head)
        head.append(UInt8(ascii: ":"))
        appendJSONText(key, to: &head)
        self.head = head
    }
}
