import OgawaCore

/// A stream join: which pairs of rows belong together.
///
/// A pair belongs together when it lies within every bound, its keys are equal and the residual is true. Keys match by type and value:
/// numbers by value, NULL never.
package struct JoinPlan: Sendable {
    /// `DATEDIFF(unit, left, right) BETWEEN low AND high`.
    package struct Bound: Hashable, Sendable {
        /// The left row's column with the time of the stream that is meant; nil means the row's own time.
        package var leftTime: Int?
        /// Ticks between two boundaries of the unit.
        package var unit: Int64
        package var low: Int64
        package var high: Int64
        /// How far the time in `leftTime` may lie behind the time of the left row, in ticks.
        package var leftLag: Int64

        package init(leftTime: Int?, unit: Int64, low: Int64, high: Int64, leftLag: Int64) {
            self.leftTime = leftTime
            self.unit = unit
            self.low = low
            self.high = high
            self.leftLag = leftLag
        }
    }

    /// Whether left rows without a match come out with NULLs.
    package var isLeft: Bool
    /// At least one.
    package var bounds: [Bound]
    /// Expressions over the left row, as many as ``rightKeys``.
    package var leftKeys: [Expression]
    /// Expressions over the right row.
    package var rightKeys: [Expression]
    /// What is left of ON, over the columns of both sides.
    package var residual: Expression?

    package init(
        isLeft: Bool, bounds: [Bound], leftKeys: [Expression] = [], rightKeys: [Expression] = [],
        residual: Expression? = nil
    ) {
        self.isLeft = isLeft
        self.bounds = bounds
        self.leftKeys = leftKeys
        self.rightKeys = rightKeys
        self.residual = residual
    }
}

/// A join with reference data.
package struct LookupPlan: Sendable {
    /// The reference data's name as the project spells it.
    package var reference: String
    /// Whether rows without a match come out with NULLs.
    package var isLeft: Bool
    /// The columns that the reference data adds, as paths; the empty path is the whole row as a record.
    package var fields: [[String]]
    /// Expressions over the input's columns, as many as ``referenceKeys``.
    package var keys: [Expression]
    /// Expressions over ``fields``.
    package var referenceKeys: [Expression]
    /// What is left of ON, over the input's columns and then ``fields``.
    package var residual: Expression?

    package init(
        reference: String, isLeft: Bool, fields: [[String]], keys: [Expression] = [], referenceKeys: [Expression] = [],
        residual: Expression? = nil
    ) {
        self.reference = reference
        self.isLeft = isLeft
        self.fields = fields
        self.keys = keys
        self.referenceKeys = referenceKeys
        self.residual = residual
    }

    package var columnCount: Int { fields.count }
}

/// CROSS or OUTER APPLY.
package struct ApplyPlan: Sendable {
    /// What gives the rows.
    package enum Function: String, Hashable, Sendable {
        case arrayElements = "GetArrayElements"
        case recordProperties = "GetRecordProperties"

        /// The fields of the result record.
        package var fieldNames: [String] {
            switch self {
            case .arrayElements: ["ArrayIndex", "ArrayValue"]
            case .recordProperties: ["PropertyName", "PropertyValue"]
            }
        }
    }

    /// One column that is added.
    package enum Column: Int, Hashable, Sendable, CaseIterable {
        /// The index or name.
        case key
        case value
        /// The whole result record.
        case record
    }

    package var function: Function
    package var isOuter: Bool
    package var argument: Expression
    /// The columns that each element adds.
    package var columns: [Column]

    package init(function: Function, isOuter: Bool, argument: Expression, columns: [Column]) {
        self.function = function
        self.isOuter = isOuter
        self.argument = argument
        self.columns = columns
    }

    package var columnCount: Int { columns.count }
}

extension PlanNode {
    /// The columns that the node's rows are shown with; empty where its last step is no select list.
    package var outputItems: [ProjectItem.Kind] {
        switch self {
        case .project(_, let items): items.map(\.kind)
        case .union(let inputs): inputs.first?.outputItems ?? []
        default: []
        }
    }
}
