#if canImport(Glibc)
    import Glibc
#endif
import OgawaCore
import OgawaEngine
import OgawaSQL
import Testing

/// Expressions of every function and operator over values that do not fit them.
private struct ExpressionSoup {
    var random: SeededGenerator

    private static let leaves = [
        "NULL", "0", "-1", "1", "7", "9223372036854775807", "-9223372036854775808", "0.5", "-2.5", "1e308", "'abc'",
        "''",
        "'%a_'", "'温度😀'", "'2025-03-01T08:00:00Z'", "'12'", "'{\"a\": [1, {\"b\": \"\\u00e4\"}]}'", "TRUE", "FALSE",
        "System.Timestamp()", "i", "f", "s", "b", "r", "a", "n", "t", "r.k", "CAST('9999-12-31' AS datetime)",
        "'(a|b)*'",
    ]
    private static let binary = [
        "+", "-", "*", "/", "%", "&", "|", "^", "=", "<>", "<", ">=", "!>", "AND", "OR", "LIKE",
    ]
    private static let types = ["bigint", "float", "nvarchar(max)", "datetime", "bit", "record", "array"]
    private static let functions = ScalarCatalog.functions.filter {
        $0.isImplemented && !$0.isForApply && $0.category != .metadata
    }

    private mutating func pick(_ list: [String]) -> String { list.randomElement(using: &random) ?? "NULL" }

    mutating func expression(_ depth: Int) -> String {
        guard depth > 0 else { return pick(Self.leaves) }
        switch Int.random(in: 0..<12, using: &random) {
        case 0, 1: return "(\(expression(depth - 1)) \(pick(Self.binary)) \(expression(depth - 1)))"
        case 2: return "\(pick(["CAST", "TRY_CAST"]))(\(expression(depth - 1)) AS \(pick(Self.types)))"
        case 3:
            return "CASE WHEN \(expression(depth - 1)) THEN \(expression(depth - 1)) ELSE \(expression(depth - 1)) END"
        case 4:
            return
                "(\(expression(depth - 1)) \(pick(["IN", "NOT IN"])) (\(expression(depth - 1)), \(pick(Self.leaves))))"
        case 5: return "\(pick(["-", "~", "NOT "]))(\(expression(depth - 1)))"
        default: return call(depth)
        }
    }

    private mutating func call(_ depth: Int) -> String {
        guard let function = Self.functions.randomElement(using: &random) else { return "NULL" }
        let most = min(function.maximumArguments ?? 4, function.minimumArguments + 2)
        var arguments: [String] = []
        for _ in 0..<Int.random(in: function.minimumArguments...max(function.minimumArguments, most), using: &random) {
            arguments.append(expression(depth - 1))
        }
        if function.takesDatePart { arguments[0] = pick(DatePart.allCases.map(\.rawValue)) }
        return "\(function.name)(\(arguments.joined(separator: ", ")))"
    }
}

@Suite struct ExpressionFuzzTests {
    private static let fields = [
        #""i":1,"f":1.5,"s":"abc","b":true,"r":{"k":1,"K":"x"},"a":[1,"b",{"c":null}],"t":"2025-03-01T08:00:00Z""#,
        #""i":-9223372036854775808,"f":-1e308,"s":"","b":false,"r":{},"a":[],"t":"0001-01-01T00:00:00Z""#,
        #""i":"7","f":"nan","s":"温度😀\u0000\n","b":0,"r":[1],"a":{"k":2},"t":5"#,
        #""i":9223372036854775807,"f":5e-324,"s":"%_%","b":1,"r":{"k":{"k":[[]]}},"a":[[[]]],"t":"9999-12-31T23:59:59.9999999Z""#,
        #""i":null,"f":null,"s":null"#, #""i":2.5,"f":3,"s":true,"b":"true","r":"x","a":"[1]","t":"soon""#,
    ]

    private func environment(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }

    @Test func `any expression over any values gives rows or errors, the same whatever the batch size`() throws {
        let seed = environment("OGAWA_FUZZ_SEED") ?? UInt64.random(in: 0...UInt64(UInt32.max))
        let count = environment("OGAWA_FUZZ_COUNT") ?? 400
        print("expression fuzz: OGAWA_FUZZ_SEED=\(seed) OGAWA_FUZZ_COUNT=\(count)")
        let events = Self.fields.enumerated().map { TestEvent(body: "{\"ts\":\"\(at($0.offset))\",\($0.element)}") }
        var ran = 0
        for number in 0..<count {
            var soup = ExpressionSoup(random: SeededGenerator(seed: seed &+ number))
            let expression = soup.expression(3)
            let sql = "SELECT \(expression) AS v, i INTO out FROM input TIMESTAMP BY ts"
            let rows: [String]?
            do {
                rows = try run(sql, events, isStrict: false)["out"]
            } catch {
                continue
            }
            ran += 1
            #expect(
                try run(sql, events, batchSize: 1, isStrict: false)["out"] == rows, "\(seed &+ number): \(expression)")
        }
        #expect(ran > Int(count) / 3)
    }
}
