import OgawaCore
import OgawaJSON
import Testing

/// What a body gave, in a form that is easy to compare.
struct Split: Equatable {
    var bodies: [String] = []
    var keys: [String?] = []
    var kinds: [SplitElement.Key] = []
    var error: SplitError?
}

func split(
    _ bytes: [UInt8], keyField: String = "deviceId", maxElements: Int = 10_000, maxElementByteCount: Int = 1 << 20,
    slowly: Bool = false
) -> Split {
    let splitter = EventSplitter()
    return bytes.withUnsafeBytes { body in
        do {
            let result =
                slowly
                ? try splitter.splitSlowly(
                    body, keyField: keyField, maxElements: maxElements, maxElementByteCount: maxElementByteCount)
                : try splitter.split(
                    body, keyField: keyField, maxElements: maxElements, maxElementByteCount: maxElementByteCount)
            func text(_ slice: ByteSlice, in bytes: [UInt8]) -> String {
                String(decoding: bytes[slice.range], as: UTF8.self)
            }
            return Split(
                bodies: result.elements.map { text($0.body, in: bytes) },
                keys: result.elements.map {
                    switch $0.keyKind {
                    case .absent, .other: nil
                    case .text, .number: text($0.key, in: bytes)
                    case .decoded: text($0.key, in: result.decodedKeys)
                    }
                },
                kinds: result.elements.map(\.keyKind))
        } catch let error as SplitError {
            return Split(error: error)
        } catch {
            Issue.record("an error of another type: \(error)")
            return Split()
        }
    }
}

func split(_ text: String, keyField: String = "deviceId") -> Split { split(Array(text.utf8), keyField: keyField) }

@Suite struct EventSplitterTests {
    @Test func `one object is one event, with its key`() {
        let result = split(#" {"deviceId":"dev-1","v":1.5} "#)
        #expect(result == Split(bodies: [#"{"deviceId":"dev-1","v":1.5}"#], keys: ["dev-1"], kinds: [.text]))
    }

    @Test func `an object may span lines`() {
        #expect(split("{\n  \"v\" : 1\n}\n").bodies == ["{\n  \"v\" : 1\n}"])
    }

    @Test func `an array gives its elements`() {
        let result = split(#"[{"deviceId":"a"}, {"deviceId":7},{"x":[{"deviceId":"inner"}]} ]"#)
        #expect(result.bodies == [#"{"deviceId":"a"}"#, #"{"deviceId":7}"#, #"{"x":[{"deviceId":"inner"}]}"#])
        #expect(result.keys == ["a", "7", nil])
        #expect(result.kinds == [.text, .number, .absent])
    }

    @Test func `an empty array holds no events`() {
        #expect(split(" [ ] ") == Split())
    }

    @Test func `NDJSON may have blank lines, CRLF and no last line break`() {
        let result = split("\r\n{\"deviceId\":\"a\"}\r\n\r\n\n{\"deviceId\":\"b\"}\n  \n{\"deviceId\":\"c\"}")
        #expect(result.keys == ["a", "b", "c"])
    }

    @Test func `ten thousand events go through and one more does not`() {
        let line = #"{"deviceId":"d","v":1}"#
        let array = "[" + Array(repeating: line, count: 10_000).joined(separator: ",") + "]"
        #expect(split(array).bodies.count == 10_000)
        let lines = String(repeating: line + "\n", count: 10_001)
        #expect(split(lines).error?.code == .tooManyElements)
        #expect(split(lines).error?.element == 10_000)
    }

    @Test func `an event over the limit is named`() {
        let result = split(Array(#"[{"a":1},{"a":"0123456789"}]"#.utf8), maxElementByteCount: 12)
        #expect(result.error?.code == .elementTooLarge)
        #expect(result.error?.element == 1)
        #expect(result.error?.position == 9)
    }

    @Test func `a key with escapes is decoded, also in the field's name`() {
        let result = split(#"{"device\u0049d":"a\"\\\/\n\u00e9\ud83d\ude00"}"#)
        #expect(result.keys == ["a\"\\/\n\u{e9}\u{1f600}"])
        #expect(result.kinds == [.decoded])
    }

    @Test(arguments: ["null", "true", "false", "{}", "[]", #"{"deviceId":"x"}"#, #"["x"]"#])
    func `a key field that is no key is told apart from one that is absent`(value: String) {
        #expect(split(#"{"a":1,"deviceId":\#(value),"b":"x"}"#).kinds == [.other])
    }

    @Test func `the key field twice in one event is refused, other names may repeat`() {
        #expect(split(#"{"a":1,"a":2}"#).error == nil)
        #expect(split(#"{"deviceId":"a","deviceId":"a"}"#).error?.code == .keyTwice)
        #expect(split(#"{"deviceId":"a","d\u0065viceId":"b"}"#).error?.code == .keyTwice)
        #expect(split(#"{"deviceId":{"x":1},"deviceId":"b"}"#).error?.code == .keyTwice)
        #expect(split(#"{"deviceId":"a","x":{"deviceId":"b"}}"#).keys == ["a"])
    }

    @Test func `the key is of the wanted field only`() {
        #expect(split(#"{"deviceId":"a","sensor":12.5}"#, keyField: "sensor").keys == ["12.5"])
        #expect(split(#"{"DeviceID":"a","deviceI":"b","deviceIdd":"c"}"#).kinds == [.absent])
        #expect(split(#"{"":"a"}"#, keyField: "").keys == ["a"])
    }

    @Test func `an object without members is told`() throws {
        let splitter = EventSplitter()
        let isEmpty = try Array("[{ },{\"a\":{}}]".utf8).withUnsafeBytes {
            try splitter.split($0, keyField: "k", maxElements: 10, maxElementByteCount: 100).elements.map(\.isEmpty)
        }
        #expect(isEmpty == [true, false])
    }

    @Test func `a splitter is as good after an error, and after a large body`() throws {
        let splitter = EventSplitter()
        func count(_ text: String) throws -> Int {
            try Array(text.utf8).withUnsafeBytes {
                try splitter.split($0, keyField: "k", maxElements: 100_000, maxElementByteCount: 1 << 20).elements.count
            }
        }
        #expect(throws: SplitError.self) { try count("{") }
        #expect(try count(String(repeating: "{\"k\":\"abcdefgh\"}\n", count: 100_000)) == 100_000)
        #expect(try count("{}") == 1)
    }
}
