import OgawaCore
import OgawaJSON
import Testing

/// A body that must be refused, the byte at which it is, and the event.
struct HostileBody: Sendable, CustomTestStringConvertible {
    var bytes: [UInt8]
    var position: Int
    var element: Int
    var testDescription: String { String(decoding: bytes.prefix(60), as: UTF8.self).debugDescription }

    init(_ text: String, at position: Int, element: Int = 0) {
        self.init(Array(text.utf8), at: position, element: element)
    }

    init(_ bytes: [UInt8], at position: Int, element: Int = 0) {
        self.bytes = bytes
        self.position = position
        self.element = element
    }

    static let all: [HostileBody] =
        structure + scalars + texts + [
            // One level too deep, in objects and in arrays.
            HostileBody(String(repeating: #"{"a":"#, count: 65), at: 64 * 5),
            HostileBody(#"{"a":"# + String(repeating: "[", count: 64), at: 5 + 63),
            HostileBody(String(repeating: "[", count: 100_000), at: 1),
            HostileBody(#"{"a":"# + String(repeating: "[", count: 1_000_000), at: 5 + 63),
        ]

    static let structure = [
        HostileBody("", at: 0), HostileBody("  \n ", at: 4), HostileBody("x", at: 0), HostileBody("null", at: 0),
        HostileBody("1", at: 0), HostileBody(#""text""#, at: 0), HostileBody("{", at: 1), HostileBody("[", at: 1),
        HostileBody("}", at: 0), HostileBody("[{}", at: 3, element: 1), HostileBody("[{},", at: 4, element: 1),
        HostileBody("[{},]", at: 4, element: 1), HostileBody("[,{}]", at: 1), HostileBody("[{} {}]", at: 4, element: 1),
        HostileBody("[1]", at: 1), HostileBody("[{},[]]", at: 4, element: 1), HostileBody("[{}]]", at: 4, element: 1),
        HostileBody("[{}] x", at: 5, element: 1), HostileBody("[{}]\n{}", at: 5, element: 1),
        HostileBody("{}{}", at: 2, element: 1), HostileBody("{} {}", at: 3, element: 1),
        HostileBody("{}\n[]", at: 3, element: 1), HostileBody("{}\n1", at: 3, element: 1),
        HostileBody("{}\n{}x", at: 5, element: 2), HostileBody("{},\n{}", at: 2, element: 1),
        HostileBody(#"{"a"}"#, at: 4), HostileBody(#"{"a":}"#, at: 5), HostileBody(#"{"a":1,}"#, at: 7),
        HostileBody(#"{,"a":1}"#, at: 1), HostileBody(#"{"a":1 "b":2}"#, at: 7), HostileBody(#"{"a" 1}"#, at: 5),
        HostileBody(#"{"a"::1}"#, at: 5), HostileBody(#"{a:1}"#, at: 1), HostileBody(#"{'a':1}"#, at: 1),
        HostileBody(#"{1:1}"#, at: 1), HostileBody(#"{"a":[1,]}"#, at: 8), HostileBody(#"{"a":[1 2]}"#, at: 8),
        HostileBody(#"{"a":[}"#, at: 6), HostileBody(#"{"a":{]"#, at: 6), HostileBody(#"{"a":1]"#, at: 6),
        HostileBody(#"{"a":"b""c"}"#, at: 8), HostileBody(#"{"a":"b"c}"#, at: 8),
        HostileBody("{}/* */", at: 2, element: 1),
        HostileBody("{\u{0}}", at: 1), HostileBody("{}\u{0}", at: 2, element: 1), HostileBody("{\u{c}}", at: 1),
        HostileBody("{\u{1a}\"a\":1}", at: 1), HostileBody("\u{feff}{}", at: 0), HostileBody("{\u{a0}}", at: 1),
    ]

    static let scalars = [
        HostileBody(#"{"a":tru}"#, at: 5), HostileBody(#"{"a":True}"#, at: 5), HostileBody(#"{"a":truex}"#, at: 5),
        HostileBody(#"{"a":nul"#, at: 5), HostileBody(#"{"a":falsee}"#, at: 5), HostileBody(#"{"a":NaN}"#, at: 5),
        HostileBody(#"{"a":Infinity}"#, at: 5), HostileBody(#"{"a":-Infinity}"#, at: 6),
        HostileBody(#"{"a":-}"#, at: 6),
        HostileBody(#"{"a":+1}"#, at: 5), HostileBody(#"{"a":.5}"#, at: 5), HostileBody(#"{"a":1.}"#, at: 7),
        HostileBody(#"{"a":01}"#, at: 6), HostileBody(#"{"a":-01}"#, at: 7), HostileBody(#"{"a":0x1}"#, at: 6),
        HostileBody(#"{"a":1e}"#, at: 7), HostileBody(#"{"a":1e+}"#, at: 8), HostileBody(#"{"a":1.e3}"#, at: 7),
        HostileBody(#"{"a":1e3.5}"#, at: 8), HostileBody(#"{"a":1_000}"#, at: 6), HostileBody(#"{"a":1a}"#, at: 6),
        HostileBody(#"{"a":1\}"#, at: 6), HostileBody(#"{"a":1"b"}"#, at: 6), HostileBody(#"{"a":null"b"}"#, at: 5),
        HostileBody(#"{"a":null,"b":1"c":2}"#, at: 15), HostileBody("{\"a\":1\u{0}}", at: 6),
        HostileBody(#"{"a":1"#, at: 6),
        HostileBody(#"{"a":1e999}"#, at: 5), HostileBody(#"{"a":-1e999}"#, at: 5), HostileBody(#"{"a":1e309}"#, at: 5),
        HostileBody(#"{"a":"# + String(repeating: "9", count: 310) + "}", at: 5),
        HostileBody(#"{"a":1e99999999999999999999999}"#, at: 5),
    ]

    static let texts = [
        HostileBody(#"{"a":"b"#, at: 7), HostileBody(#"{"a":"b\"}"#, at: 10), HostileBody(#"{"a"#, at: 3),
        HostileBody(#"{"a":"\x"}"#, at: 6), HostileBody(#"{"a":"\u12"}"#, at: 6),
        HostileBody(#"{"a":"\u12G4"}"#, at: 6),
        HostileBody(#"{"a":"\'"}"#, at: 6), HostileBody(#"{"a\q":1}"#, at: 3), HostileBody(#"{"a":"\"#, at: 6),
        HostileBody(#"{"a":"\ud800"}"#, at: 6), HostileBody(#"{"a":"\udc00"}"#, at: 6),
        HostileBody(#"{"a":"\ud800x"}"#, at: 6), HostileBody(#"{"a":"\ud800\ud800"}"#, at: 6),
        HostileBody(#"{"a":"\ud800\n"}"#, at: 6), HostileBody(#"{"a":"\ud83d\u0041"}"#, at: 6),
        HostileBody("{\"a\":\"b\nc\"}", at: 7), HostileBody("{\"a\":\"\t\"}", at: 6),
        HostileBody("{\"a\":\"\u{0}\"}", at: 6),
        HostileBody("{\"a\u{1}\":1}", at: 3),
        // UTF-8: a lone continuation, an overlong slash, a surrogate, beyond the last scalar, cut off, in a name, outside.
        HostileBody(Array(#"{"a":""#.utf8) + [0x80] + Array(#""}"#.utf8), at: 6),
        HostileBody(Array(#"{"a":""#.utf8) + [0xc0, 0xaf] + Array(#""}"#.utf8), at: 6),
        HostileBody(Array(#"{"a":""#.utf8) + [0xe0, 0x80, 0xaf] + Array(#""}"#.utf8), at: 6),
        HostileBody(Array(#"{"a":""#.utf8) + [0xed, 0xa0, 0x80] + Array(#""}"#.utf8), at: 6),
        HostileBody(Array(#"{"a":""#.utf8) + [0xf4, 0x90, 0x80, 0x80] + Array(#""}"#.utf8), at: 6),
        HostileBody(Array(#"{"a":"xyz"#.utf8) + [0xe2, 0x82] + Array(#""}"#.utf8), at: 9),
        HostileBody(Array(#"{"a"#.utf8) + [0xff] + Array(#"":1}"#.utf8), at: 3),
        HostileBody(Array(#"{"a":1}"#.utf8) + [0x0a, 0xff], at: 8, element: 1),
    ]
}

@Suite struct EventSplitterHostileTests {
    @Test(arguments: HostileBody.all)
    func `a malformed body is refused at the byte that is wrong`(body: HostileBody) throws {
        let error = try #require(split(body.bytes).error)
        #expect(error.code == .malformed)
        #expect(error.position == body.position)
        #expect(error.element == body.element)
        #expect(!error.expected.isEmpty)
        #expect(!error.found.isEmpty)
    }

    @Test(arguments: [
        #"{"a":12345678901234567890123456789012345678901234567890}"#, #"{"a":-0}"#, #"{"a":0e400}"#, #"{"a":1e-999}"#,
        #"{"a":1.7976931348623157e308}"#, #"{"a":0.1E+2}"#, #"{"a":"\u0000"}"#, #"{"\u0000":1}"#,
        #"{"a":"\ud83d\ude00 é 😀"}"#, #"{"":{"":[[],{}]}}"#, "{\"a\":\"\u{7f}\u{2028}\"}", "{\t\"a\"\r\n:\n1 }",
        #"{"a":"0123456789abcdef\\"}"#, #"{"a":"\\\\\\\""}"#,
    ])
    func `odd but well-formed bodies go through`(text: String) {
        #expect(split(text).error == nil)
        #expect(split(text).bodies == [text])
    }

    @Test func `nesting to the limit goes through`() {
        let inner = String(repeating: "[", count: 63) + String(repeating: "]", count: 63)
        #expect(split(#"{"a":\#(inner)}"#).error == nil)
        let objects = String(repeating: #"{"a":"#, count: 63) + "{}" + String(repeating: "}", count: 63)
        #expect(split("[" + objects + "]").error == nil)
    }

    @Test func `a body cut off at any byte is refused, and never with an event too many`() {
        let whole = Array(#"[{"deviceId":"a","v":[1,-2.5e3,true,null,"x\u00e9\n"]},{"k":{"l":"é"}}]"#.utf8)
        #expect(split(whole).error == nil)
        for count in 0..<whole.count {
            #expect(split(Array(whole[..<count])).error != nil, "cut after \(count) bytes")
        }
    }

    @Test func `both readers agree on damaged bodies`() {
        var random = SmallRandom(seed: UInt64.random(in: 0..<1 << 32))
        print("seed \(random.seed)")
        let sources = [
            #"[{"deviceId":"a","v":[1,-2.5e3,true,null,"x\u00e9\n"]},{"k":{"l":"é"}}]"#,
            "{\"deviceId\":12,\"t\":\"2026-01-01T00:00:00Z\"}\n\n{\"deviceId\":\"\\ud83d\\ude00\"}\r\n{}",
            #"{"text":"\\\"quoted\\\" and a longer piece without any escapes at all","deviceId":{"a":[[[]]]}}"#,
        ].map { Array($0.utf8) }
        let pieces: [UInt8] = Array("{}[]:,\"\\ \n019eE+-.tfnu".utf8) + [0x00, 0x0c, 0x1f, 0x80, 0xc3, 0xed, 0xff]
        for _ in 0..<20_000 {
            var bytes = sources[random.below(sources.count)]
            for _ in 0...random.below(3) {
                let position = random.below(bytes.count)
                switch random.below(3) {
                case 0: bytes[position] = pieces[random.below(pieces.count)]
                case 1: bytes.insert(pieces[random.below(pieces.count)], at: position)
                default: bytes.remove(at: position)
                }
            }
            let (fast, slow) = (split(bytes), split(bytes, slowly: true))
            #expect((fast.error == nil) == (slow.error == nil), "\(bytes)")
            if fast.error == nil { #expect(fast == slow, "\(bytes)") }
        }
    }
}

/// A generator with a printable seed.
struct SmallRandom {
    let seed: UInt64
    private var state: UInt64

    init(seed: UInt64) {
        self.seed = seed
        state = seed
    }

    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return Int((mixed ^ (mixed >> 31)) % UInt64(max(1, bound)))
    }
}
