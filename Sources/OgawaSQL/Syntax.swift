// The syntax tree: what a text says, before names are looked up. Each node knows where it stands.

import OgawaCore

/// A parsed text.
package struct Script: Sendable {
    package var tables: [Syntax.TableDeclaration] = []
    package var steps: [Syntax.Step] = []
    package var statements: [Syntax.Query] = []

    package init() {}
}

/// The nodes of the syntax tree.
package enum Syntax {
    /// A name with the way it was quoted.
    package struct Name: Sendable, Hashable {
        package enum Quote: Sendable, Hashable {
            case none
            case brackets
            case double
        }

        package var text: String
        package var quote: Quote
        package var range: SourceRange

        /// Whether an unquoted name has this spelling, without regard to case.
        func isWord(_ word: String) -> Bool { quote == .none && sameName(text, word) }
    }

    /// CREATE TABLE: the payload types of an input.
    package struct TableDeclaration: Sendable {
        package struct Column: Sendable {
            package var name: Name
            package var type: TypeName
        }

        package var name: Name
        package var columns: [Column]
        package var range: SourceRange
    }

    /// A named SELECT of WITH.
    package struct Step: Sendable {
        package var name: Name
        /// nil where the step could not be read; an error says why.
        package var query: Query?
        package var range: SourceRange
    }

    /// One SELECT, or several with UNION between them.
    package struct Query: Sendable {
        package var selects: [Select]
        package var range: SourceRange
    }

    package struct Select: Sendable {
        package var items: [SelectItem]
        package var into: Name?
        package var from: From?
        package var predicate: Expression?
        package var grouping: [Expression]?
        package var groupRange: SourceRange?
        package var having: Expression?
        /// The word SELECT.
        package var keywordRange: SourceRange
        package var range: SourceRange
    }

    package enum SelectItem: Sendable {
        /// `*`, with the names after EXCEPT.
        case star(excluding: [Name], range: SourceRange)
        /// `alias.*` or `record.*`.
        case qualifiedStar([Name], excluding: [Name], range: SourceRange)
        case expression(Expression, alias: Name?)
    }

    package struct From: Sendable {
        package var source: Source
        package var parts: [FromPart]
        package var matchRecognize: MatchRecognize?
    }

    package enum FromPart: Sendable {
        case join(Join)
        case apply(Apply)

        var isJoin: Bool {
            if case .join = self { return true }
            return false
        }
    }

    /// An input or step with its alias and timeline.
    package struct Source: Sendable {
        package var name: Name
        package var alias: Name?
        package var timestamp: Expression?
        package var timestampRange: SourceRange?
        package var substreamKeys: [Expression]
        /// LATE INTO: the output for events that miss the timeline.
        package var lateOutput: Name?
        package var partitionKeys: [Expression]
        package var partitionCount: Expression?
        /// `ABSENCE(unit, n) OVER (…)`.
        package var absence: Expression?
        package var range: SourceRange
    }

    package struct Join: Sendable {
        package var isLeft: Bool
        package var source: Source
        package var condition: Expression
        package var range: SourceRange
    }

    package struct Apply: Sendable {
        package var isOuter: Bool
        package var function: Expression
        package var alias: Name
        package var range: SourceRange
    }

    package struct MatchRecognize: Sendable {
        package indirect enum Pattern: Sendable {
            case variable(Name)
            case anything
            case sequence([Pattern])
            case alternation([Pattern])
            /// At least `minimum` times, at most `maximum` (nil: any number).
            case repetition(Pattern, minimum: Int, maximum: Int?)
        }

        package struct Definition: Sendable {
            package var name: Name
            package var condition: Expression
        }

        package struct Measure: Sendable {
            package var expression: Expression
            package var alias: Name?
        }

        package var limit: Duration?
        package var partitionKeys: [Expression]
        package var measures: [Measure]
        package var pattern: Pattern
        package var definitions: [Definition]
        package var alias: Name?
        package var range: SourceRange
    }

    /// `DURATION(unit, count)`.
    package struct Duration: Sendable {
        package var unit: Expression
        package var count: Expression
        package var range: SourceRange
    }

    /// `nvarchar(max)` and its like, as written.
    package struct TypeName: Sendable {
        package var text: String
        /// What stood in parentheses.
        package var argument: String?
        package var range: SourceRange
    }

    /// An expression.
    package struct Expression: Sendable {
        package indirect enum Kind: Sendable {
            case null
            case integer(Int64)
            case float(Double)
            case text(String)
            case bit(Bool)
            /// A field, column or alias: `a`, `a.b.c`.
            case path([Name])
            /// A field of a computed record.
            case member(Expression, [Name])
            case unary(UnaryOperator, Expression)
            case binary(BinaryOperator, Expression, Expression)
            case caseWhen(operand: Expression?, branches: [Branch], otherwise: Expression?)
            case cast(Expression, TypeName, isTry: Bool)
            case isNull(Expression, negated: Bool)
            case like(Expression, pattern: Expression, negated: Bool)
            case between(Expression, Expression, Expression, negated: Bool)
            case isIn(Expression, [Expression], negated: Bool)
            case call(Call)
        }

        package var kind: Kind
        package var range: SourceRange
        /// Nodes on the longest way down.
        package var height: Int
    }

    package struct Branch: Sendable {
        package var condition: Expression
        package var result: Expression
    }

    /// A function call with everything that may follow it.
    package struct Call: Sendable {
        /// `ABS`, `System.Timestamp`, `udf.f`.
        package var name: [Name]
        package var arguments: [Expression]
        /// `f(*)`.
        package var hasStar: Bool
        package var isDistinct: Bool
        package var over: Over?
        package var filter: Expression?

        /// The name without a prefix.
        package var function: Name { name[name.count - 1] }
        /// The words before the function's name, joined.
        package var prefix: String? {
            name.count < 2 ? nil : name.dropLast().map(\.text).joined(separator: ".")
        }

        /// Whether it is the function of a prefix, such as `System.Timestamp`.
        func isNamed(_ prefix: String?, _ function: String) -> Bool {
            guard sameName(self.function.text, function) else { return false }
            guard let prefix else { return name.count == 1 }
            return name.count == 2 && sameName(name[0].text, prefix)
        }
    }

    /// What stands in OVER ( … ).
    package struct Over: Sendable {
        package struct Order: Sendable {
            package var expression: Expression
            package var isDescending: Bool
        }

        package var partitionKeys: [Expression] = []
        package var order: [Order] = []
        package var limit: Duration?
        package var condition: Expression?
        /// `ROWS n PRECEDING`.
        package var rows: Expression?
        package var range: SourceRange
    }
}

/// Whether two names are equal without regard to case.
func sameName(_ first: String, _ second: String) -> Bool {
    let one = first.utf8
    let other = second.utf8
    if one.count == other.count, one.elementsEqual(other, by: { lowered($0) == lowered($1) }) { return true }
    guard one.contains(where: { $0 >= 0x80 }) else { return false }
    return first.lowercased() == second.lowercased()
}

private func lowered(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte }
