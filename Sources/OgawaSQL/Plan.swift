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
    /// LATE INTO: events beyond a tolerance do not go on, but to ``PlanNode/late(_:)``.
    package var divertsLate = false
    /// TIMESTAMP BY … OVER: the substream's key over the source's columns; empty means one timeline.
    package var substreamKeys: [Expression]
    /// What CREATE TABLE says of the input's fields.
    package var declaredTypes: [DeclaredType] = []

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
    /// The events of `Program.sources[index]` that a policy kept from it: what was wrong (text), the event's own time, its arrival
    /// (datetime), and the body.
    case late(Int)
    /// The rows of `Program.steps[index]`.
    case step(Int)
    /// Rows for which the predicate is true; columns unchanged.
    case filter(PlanNode, predicate: Expression)
    /// New columns computed from the input's.
    case project(PlanNode, items: [ProjectItem])
    /// The input's columns followed by one column per call, evaluated in row order.
    case over(PlanNode, calls: [OverCall])
    /// ABSENCE: the input's columns, then whether the key is silent and when it was last seen.
    case absence(PlanNode, AbsencePlan)
    /// Groups by keys and window: columns are the keys, then the aggregates, then the window's start and end (datetime) and its id.
    case aggregate(PlanNode, AggregatePlan)
    /// The rows of every input in order of time; all have the same number of columns, equal in meaning by position.
    case union([PlanNode])
    /// Pairs of rows of two streams near each other in time: the left's columns, then the right's.
    case join(PlanNode, PlanNode, JoinPlan)
    /// The input's columns, then those of the matching row of reference data.
    case lookup(PlanNode, LookupPlan)
    /// The input's columns, then the columns of one row per element of an array or field of a record.
    case apply(PlanNode, ApplyPlan)
    /// MATCH_RECOGNIZE: one row per match with the columns of `MatchPlan.measures`.
    case match(PlanNode, MatchPlan)
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

/// The functions of many rows.
package enum AggregateFunction: String, Hashable, Sendable, CaseIterable {
    case count = "COUNT"
    case sum = "SUM"
    case average = "AVG"
    case minimum = "MIN"
    case maximum = "MAX"
    case deviation = "STDEV"
    case populationDeviation = "STDEVP"
    case variance = "VAR"
    case populationVariance = "VARP"
    case continuousPercentile = "PERCENTILE_CONT"
    case discretePercentile = "PERCENTILE_DISC"
    case topOne = "TopOne"
    case collectTop = "CollectTop"
    case collect = "Collect"
    case first = "FIRST"
    case last = "LAST"
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
