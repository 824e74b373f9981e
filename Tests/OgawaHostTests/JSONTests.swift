import OgawaHost
import Testing

/// The small JSON tree that headers and settings are read with.
struct JSONTests {
    @Test(arguments: [
        #"{"a":[1,-2,3.5,true,false,null,"x"],"b":{}}"#, #""\"\\\n\u0001""#, "[]", "9007199254740993", #""😀é""#,
    ])
    func `text that is read and written is the same`(text: String) throws {
        #expect(try JSONValue(parsing: text.utf8).jsonText == text)
    }

    @Test(arguments: [
        "", "{", "[1,]", #"{"a":}"#, "tru", "01", "1.", "--1", "+1", #""\x""#, #""\u12""#, "[1 2]", "{a:1}", "nul",
        "1 1", "/",
        String(repeating: "[", count: 100_000),
    ])
    func `what is no JSON is refused, and nothing traps`(text: String) {
        #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: text.utf8) }
    }

    @Test func `every cut of a text is refused or read, never trapped`() {
        let text = Array(#"{"a":[1,-2.5e3,"\u00e9\ud83d\ude00x"],"b":{"c":null}}"#.utf8)
        for count in 0..<text.count { #expect((try? JSONValue(parsing: text[..<count])) == nil) }
    }

    @Test func `escapes of characters beyond 16 bits come together`() throws {
        #expect(try JSONValue(parsing: #""\ud83d\ude00""#.utf8) == "😀")
        #expect(try JSONValue(parsing: #""\ud83dx""#.utf8).text == "\u{FFFD}x")
    }
}
