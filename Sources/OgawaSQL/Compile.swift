import OgawaCore

/// What a text may refer to: the inputs that exist.
package struct Catalog: Sendable {
    /// Streams that can stand in FROM.
    package var streams: [String]
    /// Names of reference data; a later issue joins them.
    package var references: [String]
    /// Output names that exist; nil accepts every name.
    package var outputs: [String]?
    /// True where a name that is not in `streams` is taken as a stream all the same (`ogawa check` of a lone file).
    package var acceptsAnyStream: Bool

    package init(
        streams: [String], references: [String] = [], outputs: [String]? = nil, acceptsAnyStream: Bool = false
    ) {
        self.streams = streams
        self.references = references
        self.outputs = outputs
        self.acceptsAnyStream = acceptsAnyStream
    }
}

/// A program with what is worth knowing about it.
package struct CompiledProgram: Sendable {
    package var program: Program
    /// Findings that do not stop the program from running, in the order of the text.
    package var warnings: [Diagnostic]

    package init(program: Program, warnings: [Diagnostic] = []) {
        self.program = program
        self.warnings = warnings
    }
}

/// Makes a plan of a text.
///
/// **Errors.** Throws every error found, in the order of the text: the parser goes on at the next step or statement, the binder behind the
/// expression. What the language has and the engine has not carries the code `not-supported-yet`.
package func compile(_ source: SourceText, catalog: Catalog) throws(DiagnosticList) -> CompiledProgram {
    let (script, syntaxErrors) = parseAll(source)
    let binder = Binder(catalog: catalog)
    // Behind an open comment or the end of what is read, everything would seem to be missing.
    let isCut = syntaxErrors.contains { $0.code == "unterminated-comment" || $0.code == "text-too-large" }
    if !isCut { binder.bind(script, isComplete: syntaxErrors.isEmpty) }
    let errors = (syntaxErrors + binder.errors).sorted { $0.range.lowerBound < $1.range.lowerBound }
    guard errors.isEmpty else {
        var found: [Diagnostic] = []
        for error in errors where found.count < Limits.diagnosticCount && !found.contains(error) { found.append(error) }
        throw DiagnosticList(source: source, diagnostics: found)
    }
    let program = binder.makeProgram()
    return CompiledProgram(
        program: program, warnings: binder.warnings.sorted { $0.range.lowerBound < $1.range.lowerBound })
}
