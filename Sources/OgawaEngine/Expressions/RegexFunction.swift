import OgawaCore
import OgawaSQL

// REGEXMATCH(text, pattern): the position, from 1, of the first match; 0 where there is none or the pattern is no regular expression; NULL where
// either is NULL. A pattern that is a literal is compiled once, others are remembered.

enum RegexFunction {
    private enum Compiled {
        case matcher(RegexMatcher)
        case invalid
    }

    /// Patterns that are remembered when they come from data.
    private static let maximumMemory = 64

    /// The kernel of one call.
    ///
    /// - Throws: ``EngineError`` where a literal pattern needs what is not supported.
    static func kernel(pattern: Expression) throws -> (ScalarArguments) throws -> Cell {
        if case .literal(.text(let text)) = pattern.kind {
            do {
                let compiled = try compile(text)
                return { arguments in arguments.hasNull ? .null : try position(compiled, arguments) }
            } catch {
                throw EngineError(
                    "REGEXMATCH: \((error as? ScalarFailure)?.message ?? "\(error)")", range: pattern.range)
            }
        }
        var known: [String: Compiled] = [:]
        return { arguments in
            if arguments.hasNull { return .null }
            let text = arguments.heap.string(try arguments.text(1, "the pattern"))
            if let compiled = known[text] { return try position(compiled, arguments) }
            let compiled = try compile(text)
            if known.count >= maximumMemory { known.removeAll(keepingCapacity: true) }
            known[text] = compiled
            return try position(compiled, arguments)
        }
    }

    private static func compile(_ pattern: String) throws -> Compiled {
        do {
            return .matcher(RegexMatcher(try RegexProgram(pattern)))
        } catch {
            switch error {
            case .invalid: return .invalid
            case .unsupported(let what):
                throw ScalarFailure(message: "the pattern '\(pattern.prefix(40))' has \(what), which is not supported")
            }
        }
    }

    private static func position(_ compiled: Compiled, _ arguments: ScalarArguments) throws -> Cell {
        guard case .matcher(let matcher) = compiled else { return .bigint(0) }
        let text = arguments.bytes(try arguments.text(0, "the text"))
        guard let found = matcher.firstMatch(in: text) else { return .bigint(0) }
        return .bigint(1 + UTF8Text.characterCount(UnsafeBufferPointer(rebasing: text[0..<found])))
    }
}
