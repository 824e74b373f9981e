import Ogawa
import OgawaCore
import OgawaPlatform
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@Suite struct InputFileTests {
    /// The bodies of a file with the given name and content.
    static func bodies(_ name: String, _ content: [UInt8]) throws -> [String] {
        let path = "/tmp/ogawa-input-\(getpid())-\(UInt64.random(in: 0 ... .max))-\(name)"
        let file = try POSIXFileSystem().open(path, .create)
        try content.withUnsafeBytes { try file.writeAll($0, at: 0) }
        defer { unlink(path) }
        let input = try InputFile(path: path, hasOwnTime: true)
        var bodies: [String] = []
        while let batch = try input.next() {
            #expect(batch.firstOffset.rawValue == Int64(bodies.count))
            for index in 0..<batch.count { bodies.append(batch.body(at: index)) }
        }
        #expect(input.progress == 1)
        return bodies
    }

    @Test func `CSV fields become numbers, bits, text and null`() throws {
        let csv = "\u{feff}a,\"b,\"\"c\"\"\",d\r\n1,x,\n-2.5e3,007,true\n\"3\",\"line\nbreak\",false\n"
        #expect(
            try Self.bodies("a.csv", Array(csv.utf8)) == [
                #"{"a":1,"b,\"c\"":"x","d":null}"#, #"{"a":-2.5e3,"b,\"c\"":"007","d":true}"#,
                #"{"a":"3","b,\"c\"":"line\u000abreak","d":false}"#,
            ])
    }

    @Test func `a record with too few fields names its line`() {
        #expect {
            try Self.bodies("a.csv", Array("a,b\n1,2\n3\n".utf8))
        } throws: { String(describing: $0).contains(":3: 1 fields, but the header has 2") }
        #expect {
            try Self.bodies("a.csv", Array("a,b\n1,\"2\n".utf8))
        } throws: { String(describing: $0).contains("no closing quote") }
    }

    @Test func `lines may be blank, end with CRLF, lack the last line end and span blocks`() throws {
        #expect(try Self.bodies("a.ndjson", Array("{\"a\":1}\r\n\n  \n{\"a\":2}".utf8)) == ["{\"a\":1}", "{\"a\":2}"])
        let lines = (0..<40_000).map { "{\"n\":\($0),\"text\":\"\(String(repeating: "x", count: $0 % 90))\"}" }
        let text = Array(lines.joined(separator: "\n").utf8)
        #expect(try Self.bodies("a.ndjson", text) == lines)
        #expect(try Self.bodies("a.ndjson.gz", gzip(text)) == lines)
    }

    @Test func `a JSON document is an object, an array, or nothing`() throws {
        #expect(try Self.bodies("a.json", Array(" [ {\"a\":1}, {\"b\":[2]} ] ".utf8)) == ["{\"a\":1}", "{\"b\":[2]}"])
        #expect(try Self.bodies("a.json", Array("{\"a\":1}".utf8)) == ["{\"a\":1}"])
        #expect(try Self.bodies("a.json", []) == [])
        #expect {
            try Self.bodies("a.json", Array("[{\"a\":1},{\"a\":}]".utf8))
        } throws: { String(describing: $0).contains("element 1, byte") }
    }

    @Test func `a file that is not there is an error that says so`() {
        #expect {
            try InputFile(path: "/nowhere/readings.csv", hasOwnTime: true)
        } throws: { String(describing: $0).contains("/nowhere/readings.csv cannot be read: no such file") }
    }
}
