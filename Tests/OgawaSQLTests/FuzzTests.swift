#if canImport(Glibc)
    import Glibc
#endif
import OgawaCore
import OgawaSQL
import Testing

/// A small generator whose seed is printed, so that a failure can be repeated.
private struct Random: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

private func environment(_ name: String) -> UInt64? {
    guard let value = getenv(name) else { return nil }
    return UInt64(String(cString: value))
}

/// A plan, or errors that all have a place in the text.
private func check(_ text: String, _ note: @autoclosure () -> String) {
    let source = SourceText(name: "q.sql", text: text)
    do {
        let result = try compile(source, catalog: catalog)
        #expect(!result.program.statements.isEmpty, "\(note())")
        _ = result.program.dump
        _ = result.program.partitioning(keyField: "a")
    } catch {
        let count = text.utf8.count
        #expect(!error.diagnostics.isEmpty, "\(note())")
        for diagnostic in error.diagnostics where diagnostic.message.isEmpty || diagnostic.range.upperBound > count {
            Issue.record("\(diagnostic) of \(note())")
        }
        if count < 4096, let first = error.diagnostics.first { _ = source.render(first) }
    }
}

@Suite struct FuzzTests {
    @Test(arguments: corpus)
    func `a query cut off at any byte gives a plan or an error`(_ text: String) {
        for count in 0...text.utf8.count {
            let part = String(decoding: text.utf8.prefix(count), as: UTF8.self)
            check(part, "cut at \(count): \(part)")
        }
    }

    @Test func `random texts give a plan or an error`() {
        let seed = environment("OGAWA_FUZZ_SEED") ?? UInt64.random(in: 0...UInt64(UInt32.max))
        let count = environment("OGAWA_FUZZ_COUNT") ?? 3000
        print("parser fuzz: OGAWA_FUZZ_SEED=\(seed) OGAWA_FUZZ_COUNT=\(count)")
        for number in 0..<count {
            var random = Random(state: seed &+ number)
            let text = number % 2 == 0 ? mutation(&random) : soup(&random)
            check(text, "seed \(seed &+ number): \(text)")
        }
    }

    /// Every part of the language and every documented function.
    private static let queries: [String] =
        corpus
        + FunctionReference.sections.flatMap(\.functions).flatMap(\.examples).map {
            "SELECT \($0.expression) AS x FROM telemetry WHERE \($0.expression) IS NOT NULL"
        }
    private let words = FuzzTests.queries.flatMap { $0.split(separator: " ").map(String.init) }

    /// A query with some bytes or words changed, removed, repeated or moved.
    private func mutation(_ random: inout Random) -> String {
        var bytes = Array((FuzzTests.queries.randomElement(using: &random) ?? "").utf8)
        for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
            let position = Int.random(in: 0..<bytes.count, using: &random)
            let end = min(bytes.count, position + Int.random(in: 0...12, using: &random))
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes[position] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.removeSubrange(position..<end)
            case 2: bytes.insert(contentsOf: bytes[position..<end], at: position)
            case 3: bytes.insert(contentsOf: Array((words.randomElement(using: &random) ?? "").utf8), at: position)
            case 4:
                bytes.insert(contentsOf: Array("'\"[](),.;-*".utf8.shuffled(using: &random).prefix(2)), at: position)
            default: bytes.swapAt(position, Int.random(in: 0..<bytes.count, using: &random))
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Words of the language in any order.
    private func soup(_ random: inout Random) -> String {
        var text = Bool.random(using: &random) ? "SELECT " : ""
        for _ in 0..<Int.random(in: 1...40, using: &random) {
            text += (words.randomElement(using: &random) ?? "") + (Bool.random(using: &random) ? " " : "")
        }
        return text
    }
}
