// The logical plan: what the binder makes of a text and what the engine runs.
//
// A program is a list of steps and statements over shared sources. Steps and statements are trees of relational nodes; each node has an
// output schema, and bound expressions refer to columns of their node's input by index. Names are gone: what remains of
// them are output names and source ranges for run-time errors.

import OgawaCore

/// A bound program: everything that one file of SQL computes.
package struct Program: Sendable {
    /// Inputs read, each decoded once and shared by the statements.
    package var sources: [SourcePlan]
    /// Named steps of WITH, in an order in which each reads only earlier ones.
    package var steps: [PlanNode]
    /// One per SELECT that feeds an output.
    package var statements: [Statement]

    package init(sources: [SourcePlan] = [], steps: [PlanNode] = [], statements: [Statement] = []) {
        self.sources = sources
        self.steps = steps
        self.statements = statements
    }
}

/// One SELECT … INTO output.
package struct Statement: Sendable {
    /// The output's name as written; `output` where INTO is absent.
    package var output: String
    package var outputRange: SourceRange
    package var plan: PlanNode

    package init(output: String, outputRange: SourceRange, plan: PlanNode) {
        self.output = output
        self.outputRange = outputRange
        self.plan = plan
    }
}

/// A stream read with one timeline.
///
/// **Shape.** Its rows have the columns of `fields` in order.
package struct SourcePlan: Sendable {
    /// The input's name as the project spells it.
    package var input: String
    package var inputRange: SourceRange
    package var fields: [SourceField]
    /// TIMESTAMP BY over the source's columns; nil means enqueued time.
    package var timestamp: Expression?
    /// TIMESTAMP BY … OVER: the substream's key over the source's columns; empty means one timeline.
    package var substreamKeys: [Expression]

    package init(
        input: String, inputRange: SourceRange, fields: [SourceField] = [], timestamp: Expression? = nil,
        substreamKeys: [Expression] = []
    ) {
        self.input = input
        self.inputRange = inputRange
        self.fields = fields
        self.timestamp = timestamp
        self.substreamKeys = substreamKeys
    }
}

/// What a source column is read from.
package enum SourceField: Hashable, Sendable {
    /// A field of the body by path; the empty path is the whole body as a record.
    case body(path: [String])
    /// The partition key of the event as text.
    case key
    case partition
    case offset
    case enqueuedTime
    /// A message property by path, such as `["User", "line"]` or `["EventHub", "PartitionId"]`.
    case property(path: [String])
}

/// A relational node.
package indirect enum PlanNode: Sendable {
    /// The rows of `Program.sources[index]`.
    case source(Int)
    /// The rows of `Program.steps[index]`.
    case step(Int)
    /// Rows for which the predicate is true; columns unchanged.
    case filter(PlanNode, predicate: Expression)
    /// New columns computed from the input's.
    case project(PlanNode, items: [ProjectItem])
    /// The input's columns followed by one column per call, evaluated in row order.
    case over(PlanNode, calls: [OverCall])
    /// Groups by keys and window: columns are the keys, then the aggregates, then window start and window end (datetime).
    case aggregate(PlanNode, AggregatePlan)
}

/// One column of a projection.
package struct ProjectItem: Sendable {
    package enum Kind: Hashable, Sendable {
        case named(String)
        /// The expression's records stand for their fields (`SELECT *`).
        case spread(excluding: [String])
    }

    package var kind: Kind
    package var expression: Expression

    package init(_ kind: Kind, _ expression: Expression) {
        self.kind = kind
        self.expression = expression
    }
}

/// An aggregate over the rows near the current one: `AVG(x) OVER (PARTITION BY k LIMIT DURATION(second, 60))`.
package struct OverCall: Sendable {
    package enum Frame: Hashable, Sendable {
        /// Rows with event time in (t - ticks, t], up to and including the current row.
        case duration(ticks: Int64)
        /// The current row and at most `preceding` rows before it.
        case rows(preceding: Int)
    }

    package var function: AggregateFunction
    /// nil only for COUNT(*).
    package var argument: Expression?
    package var partitionKeys: [Expression]
    package var frame: Frame
    /// Only rows for which it is true belong to the frame; nil means all.
    package var condition: Expression?
    package var range: SourceRange

    package init(
        function: AggregateFunction, argument: Expression?, partitionKeys: [Expression], frame: Frame,
        condition: Expression? = nil, range: SourceRange
    ) {
        self.function = function
        self.argument = argument
        self.partitionKeys = partitionKeys
        self.frame = frame
        self.condition = condition
        self.range = range
    }
}

/// The aggregates known so far.
package enum AggregateFunction: String, Hashable, Sendable, CaseIterable {
    case count = "COUNT"
    case sum = "SUM"
    case average = "AVG"
    case minimum = "MIN"
    case maximum = "MAX"
}

/// GROUP BY keys and a window.
package struct AggregatePlan: Sendable {
    package var keys: [Expression]
    package var aggregates: [AggregateCall]
    package var window: WindowPlan

    package init(keys: [Expression], aggregates: [AggregateCall], window: WindowPlan) {
        self.keys = keys
        self.aggregates = aggregates
        self.window = window
    }
}

/// One aggregate of a GROUP BY.
package struct AggregateCall: Sendable {
    package var function: AggregateFunction
    /// nil only for COUNT(*).
    package var argument: Expression?
    package var isDistinct: Bool
    package var range: SourceRange

    package init(function: AggregateFunction, argument: Expression?, isDistinct: Bool = false, range: SourceRange) {
        self.function = function
        self.argument = argument
        self.isDistinct = isDistinct
        self.range = range
    }
}

/// A window with every argument as ticks of 100 ns; windows are (start, end].
package enum WindowPlan: Hashable, Sendable {
    /// Ends are every multiple of `hop` since 0001-01-01T00:00:00Z plus `offset`; tumbling has hop = size.
    case hopping(size: Int64, hop: Int64, offset: Int64)
    // Sliding, session, snapshot and window sets join here.
}

/// A bound expression with the place it came from.
package struct Expression: Sendable {
    package indirect enum Kind: Sendable {
        case literal(Value)
        /// A column of the node's input.
        case column(Int)
        /// System.Timestamp() of the current row.
        case eventTime
        /// A field of a record value.
        case field(Expression, path: [String])
        case unary(UnaryOperator, Expression)
        case binary(BinaryOperator, Expression, Expression)
        /// Conditions and results in order, then ELSE; a simple CASE is bound to comparisons.
        case caseWhen([CaseBranch], otherwise: Expression)
        /// CAST, or TRY_CAST where `isTry` (gives NULL in place of an error).
        case cast(Expression, to: ValueTag, isTry: Bool)
        case isNull(Expression, negated: Bool)
        /// LIKE with `%` and `_`.
        case like(Expression, pattern: Expression, negated: Bool)
        /// IN over the listed values.
        case isIn(Expression, [Expression], negated: Bool)
        /// A scalar function by its upper-case name.
        case call(String, [Expression])
    }

    package var kind: Kind
    package var range: SourceRange

    package init(_ kind: Kind, range: SourceRange) {
        self.kind = kind
        self.range = range
    }
}

/// WHEN condition THEN result.
package struct CaseBranch: Sendable {
    package var condition: Expression
    package var result: Expression

    package init(condition: Expression, result: Expression) {
        self.condition = condition
        self.result = result
    }
}

package enum UnaryOperator: String, Hashable, Sendable {
    case negate = "-"
    case not = "NOT"
    case bitwiseNot = "~"
}

package enum BinaryOperator: String, Hashable, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case modulo = "%"
    case bitwiseAnd = "&"
    case bitwiseOr = "|"
    case bitwiseXor = "^"
    case equal = "="
    case notEqual = "<>"
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case and = "AND"
    case or = "OR"
}
