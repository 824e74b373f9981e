import Ogawa
import OgawaCLI
import Testing

/// Draws rows and gives the lines.
private func table(width: Int, held: Int = 500, _ rows: [[JSONMember]]) -> [String] {
    var lines: [String] = []
    var writer = TableWriter(width: width, heldRowCount: held) { lines.append($0) }
    for row in rows { writer.add(row) }
    writer.finish()
    return lines
}

@Suite struct TerminalTests {
    @Test func `a table is drawn with aligned columns`() {
        let lines = table(
            width: 60,
            [
                [JSONMember("device", .string("hall")), JSONMember("celsius", .float(20.5))],
                [JSONMember("device", .string("小川")), JSONMember("celsius", .integer(7))],
            ])
        #expect(
            lines == [
                "┌────────┬─────────┐", "│ device │ celsius │", "├────────┼─────────┤", "│ hall   │    20.5 │",
                "│ 小川   │       7 │",
                "└────────┴─────────┘",
            ])
    }

    @Test func `a table fits the terminal whatever the data`() {
        let wide = String(repeating: "wide 幅 ", count: 50)
        for width in [20, 40, 80] {
            for columnCount in [1, 3, 30] {
                let row = (0..<columnCount).map { JSONMember("column-\($0)", .string(wide)) }
                for line in table(width: width, [row]) where !line.contains(" +") {
                    #expect(DisplayText.width(line) <= width)
                }
            }
        }
    }

    @Test func `data can't send commands to the terminal`() {
        let lines = table(width: 80, [[JSONMember("a\u{1b}[2J", .string("\u{1b}]0;x\u{7}\n\u{9b}1m"))]])
        #expect(
            lines.allSatisfy { $0.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) } })
    }

    @Test func `rows behind the held ones keep the widths, and a new column begins a new table`() {
        let rows = [[JSONMember("a", .integer(1))], [JSONMember("a", .integer(22222))], [JSONMember("b", .integer(3))]]
        let lines = table(width: 40, held: 1, rows)
        #expect(lines.filter { $0.hasPrefix("┌") }.count == 2)
        #expect(lines.contains("│ … │"))
        #expect(table(width: 40, []) == [])
    }

    @Test func `numbers read well`() {
        #expect(Figure.fixed(-0.04) == "0.0")
        #expect(Figure.fixed(1234.5, 0) == "1 235")
        #expect(Figure.fixed(0.7071, 4) == "0.7071")
        #expect(Figure.fixed(-12.345, 2) == "-12.35" || Figure.fixed(-12.345, 2) == "-12.34")
        #expect(Figure.grouped(-1_234_567) == "-1 234 567")
        #expect(Figure.bytes(1536) == "1.5 KiB")
        #expect(Figure.seconds(0.0034) == "3.4 ms")
        #expect(Figure.seconds(90) == "90.0 s")
        #expect(Figure.seconds(90_000) == "25.0 h")
    }

    @Test func `addresses of instances read`() {
        #expect(ServerAddress("http://127.0.0.1:8080/") == ServerAddress(host: "127.0.0.1", port: 8080))
        #expect(ServerAddress("plant.local:9000")?.hostHeader == "plant.local:9000")
        #expect(ServerAddress("http://plant")?.port == 80)
        #expect(ServerAddress("http://[::1]:80")?.host == "::1")
        for text in ["", "http://", "ftp://x", "http://x/y", "http://u@x", "x:99999", "x:0"] {
            #expect(ServerAddress(text) == nil)
        }
        #expect(
            AddressText.path(["tables", "a/b"], [("key", "ü &"), ("from", nil)]) == "/tables/a%2Fb?key=%C3%BC%20%26")
    }
}
