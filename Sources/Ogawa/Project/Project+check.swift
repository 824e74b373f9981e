import OgawaCore
import OgawaSQL

extension Project {
    /// The names that a function of this project may use.
    package var catalog: Catalog {
        Catalog(streams: streams.map(\.name), references: references.map(\.name), outputs: outputNames)
    }

    /// Errors and warnings of every function, one list per function that has any.
    package func findings() -> [DiagnosticList] {
        functions.compactMap { (function) -> DiagnosticList? in
            do throws(DiagnosticList) {
                let warnings = try compile(function.source, catalog: catalog).warnings
                return warnings.isEmpty ? nil : DiagnosticList(source: function.source, diagnostics: warnings)
            } catch {
                return error
            }
        }
    }
}

extension DiagnosticList {
    /// Whether any finding is more than a warning.
    package var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }
}

/// The plan of a query as text.
package enum QueryPlanText {
    /// Compiles a query with any stream names and shows its plan.
    ///
    /// **Errors.** ``DiagnosticList``.
    package static func explain(_ source: SourceText) throws(DiagnosticList) -> String {
        try compile(source, catalog: Catalog(streams: [], acceptsAnyStream: true)).program.dump
    }
}
