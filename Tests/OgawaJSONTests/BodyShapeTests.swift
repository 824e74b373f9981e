import OgawaCore
import OgawaJSON
import Testing

/// The decoder remembers the shapes of bodies; a decoder that has seen nothing yet reads each body in the general way.
@Suite struct BodyShapeTests {
    /// What a decoder makes of one body: its problem and a value per path.
    private struct Reading: Equatable {
        var problem: UInt8
        var values: [Value]
    }

    private static func read(_ bodies: [[UInt8]], _ paths: [[String]], readsAll: Bool) -> [Reading] {
        let decoder = BodyDecoder(paths: paths, readsAll: readsAll)
        let heap = TextHeap()
        let columns = paths.map { _ in Column(heap: heap) }
        var bytes: [UInt8] = []
        var slices: [ByteSlice] = []
        for body in bodies {
            slices.append(ByteSlice(start: bytes.count, count: body.count))
            bytes += body
        }
        bytes += Array(repeating: 0, count: EventBatch.paddingByteCount)
        var problems: [UInt8] = []
        let badCount = bytes.withUnsafeBufferPointer { bytes in
            slices.withUnsafeBufferPointer {
                decoder.decode(bytes: bytes, bodies: $0, into: columns, heap: heap, problems: &problems)
            }
        }
        #expect(badCount == problems.filter { $0 != 0 }.count)
        return bodies.indices.map { row in
            Reading(problem: problems[row], values: columns.map { $0.value(at: row) })
        }
    }

    private struct Maker {
        var random: Random

        mutating func pick(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }

        mutating func number() -> String {
            switch pick(14) {
            case 0: return String(Int64(bitPattern: random.next()))
            case 1: return String(random.next())
            case 2: return "-0"
            case 3: return "-0.0"
            case 4: return "1e400"
            case 5: return "-1E-400"
            case 6: return "01"
            case 7: return "1."
            case 8: return "\(Double(random.next() >> 11) / 1e14)"
            case 9: return "0." + (0..<(1 + pick(30))).map { _ in String(pick(10)) }.joined()
            case 10: return "\(pick(100))e\(pick(600) - 300)"
            default: return String(pick(1000))
            }
        }

        mutating func text() -> String {
            var text = "\""
            for _ in 0..<pick(40) {
                switch pick(80) {
                case 0: text += "\\n"
                case 1: text += "\\u00e9"
                case 2: text += "東"
                case 3: text += "\u{7f}"
                case 4: text += "\u{1}"
                default: text.unicodeScalars.append(Unicode.Scalar(UInt8(97 + pick(26))))
                }
            }
            return text + "\""
        }

        mutating func value() -> String {
            switch pick(9) {
            case 0: return "true"
            case 1: return "false"
            case 2: return "null"
            case 3: return "{\"b\":\(number())}"
            case 4: return "[\(number()),\(text())]"
            case 5, 6: return text()
            default: return number()
            }
        }

        mutating func body() -> [UInt8] {
            let templates = [
                #"{"deviceId":$,"timestamp":$,"seq":#,"voltage":#,"site":$}"#,
                #"{"deviceId":$,"a":{"b":#,"c":?},"x":[?,?]}"#,
                #"{ "a" : {"b":{"a":?}} , "voltage" : ? }"#, #"{"a":?,"a":?,"A":?}"#, #"{"A":?,"a":?}"#,
                #"{"deviceid":?}"#, "{}",
            ]
            var made = ""
            for character in templates[pick(pick(3) == 0 ? templates.count : 2)] {
                switch character {
                case "#": made += number()
                case "$": made += text()
                case "?": made += value()
                default: made.append(character)
                }
            }
            var bytes = Array(made.utf8)
            for _ in 0..<(pick(8) == 0 ? 2 : 0) where !bytes.isEmpty {
                let place = pick(bytes.count)
                switch pick(3) {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.remove(at: place)
                default: bytes.insert(Array("{}[],:\"\\ 0.e-".utf8)[pick(13)], at: place)
                }
            }
            return bytes
        }
    }

    private struct Random {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var value = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
            value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
            return value ^ (value >> 31)
        }
    }

    @Test(arguments: [UInt64(1), 2, 3, 4])
    func `bodies read alike in one batch and alone`(seed: UInt64) {
        var maker = Maker(random: Random(state: seed))
        let choices: [[[String]]] = [
            [["deviceId"], ["timestamp"], ["voltage"]], [["a", "b"], ["voltage"], ["deviceId"]], [["a"], ["A"]],
            [[], ["a"]],
            [["a"], ["a", "b"]], [["x"]], [],
        ]
        for _ in 0..<60 {
            let paths = choices[maker.pick(choices.count)]
            let readsAll = maker.pick(2) == 0
            let bodies = (0..<(1 + maker.pick(40))).map { _ in maker.body() }
            let together = BodyShapeTests.read(bodies, paths, readsAll: readsAll)
            for (index, body) in bodies.enumerated() {
                let alone = BodyShapeTests.read([body], paths, readsAll: readsAll)[0]
                #expect(together[index] == alone, "seed \(seed), body \(String(decoding: body, as: UTF8.self))")
            }
        }
    }

    @Test func `a fraction of more than 19 digits keeps its value`() {
        let body = Array(#"{"a":0.97652321511704205622291}"#.utf8)
        let readings = BodyShapeTests.read([body, body], [["a"]], readsAll: true)
        #expect(readings.map(\.values) == [[.float(0.9765232151170421)], [.float(0.9765232151170421)]])
    }

    @Test func `a word that is none is a malformed body`() {
        let readings = BodyShapeTests.read([Array(#"{"a":nu}"#.utf8)], [["a"]], readsAll: true)
        #expect(readings.map(\.problem) == [BodyDecoder.Problem.malformed.rawValue])
    }
}
