// A test case: a query, events that arrive, and the rows that must come out. Written as YAML by people and as JSON by
// programs; both mean the same.

import OgawaCore

/// One test case as read from its file.
package struct CaseFile: Sendable {
    package var name: String
    /// What is tested, in words.
    package var feature: String
    /// `core` or `corner`.
    package var level: String
    package var query: SourceText
    package var inputs: [CaseInput]
    package var reference: [CaseReference]
    package var lateArrival: Duration?
    package var outOfOrder: Duration?
    package var action: OrderingAction
    package var expect: CaseExpectation
    package var comparison: RowComparison
}

/// The events of one stream, in order of arrival.
package struct CaseInput: Sendable {
    package var name: String
    package var events: [CaseEvent]
}

/// One event of a case.
package struct CaseEvent: Hashable, Sendable {
    /// The body: an object without the fields that begin with `_`.
    package var json: String
    /// When it is enqueued; nil means at its own event time.
    package var arrival: Timestamp?
    /// Message properties as one JSON object.
    package var metadata: String?
}

/// Reference data: rows as JSON objects.
package struct CaseReference: Sendable {
    package var name: String
    package var rows: [String]
}

/// What a case expects.
package enum CaseExpectation: Sendable {
    /// The query is refused (`compile`) or fails on the data (`runtime`); nil where either will do.
    case error(stage: String?)
    /// The rows of each output, by name.
    case rows([CaseOutput])
}

/// The rows that an output must get.
package struct CaseOutput: Sendable {
    package var name: String
    package var rows: [JSONValue]
}

extension CaseFile {
    /// Reads a `.json`, `.yaml` or `.yml` file.
    ///
    /// **Errors.** ``DiagnosticList`` for what is wrong in it; ``ProjectError`` where it can't be read.
    package static func load(_ path: String) throws -> CaseFile {
        let source = SourceText(name: path, text: try TextFile.read(path))
        var parser = CaseParser(source: source, path: path)
        return try parser.parse()
    }
}
