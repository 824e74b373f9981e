import OgawaCore

/// A function could not go on with its data.
package struct EngineError: Error, Sendable, CustomStringConvertible {
    /// What is wrong, naming the found value.
    package var message: String
    /// Where in the function's text; nil where it concerns no expression.
    package var range: SourceRange?

    package init(_ message: String, range: SourceRange? = nil) {
        self.message = message
        self.range = range
    }

    package var description: String { message }
}

/// An event or row that did not take the usual way, for the rejection log.
package struct Finding: Sendable {
    /// What happened.
    package enum Kind: String, Sendable, CaseIterable {
        /// The event time is further behind the arrival than the tolerance.
        case late
        /// The event time is further ahead of the arrival than the tolerance: dropped.
        case early
        /// The event time is below the watermark.
        case outOfOrder = "out-of-order"
        /// The body or its time could not be read: dropped.
        case undecodable
        /// An expression failed on the row: dropped.
        case error
    }

    package var kind: Kind
    package var key: String
    package var reason: String
}

/// How many events and rows took an unusual way.
package struct FindingCounts: Sendable, Hashable {
    package var late = 0
    package var early = 0
    package var outOfOrder = 0
    package var undecodable = 0
    package var errors = 0
    /// Events and rows that gave no result for one of the reasons above.
    package var dropped = 0

    package init() {}

    /// Adds another pipeline's counts.
    package mutating func add(_ other: FindingCounts) {
        late += other.late
        early += other.early
        outOfOrder += other.outOfOrder
        undecodable += other.undecodable
        errors += other.errors
        dropped += other.dropped
    }
}
