/// A failure about a project as a whole: a missing folder, an unreadable file.
///
/// Findings about a text are ``DiagnosticList``s instead, which point into it.
package struct ProjectError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A stable kebab-case word for programs.
    package var code: String
    package var message: String
    /// The next action.
    package var hint: String?

    package init(code: String, message: String, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }

    package var description: String { hint.map { "\(message)\nhint: \($0)" } ?? message }
}
