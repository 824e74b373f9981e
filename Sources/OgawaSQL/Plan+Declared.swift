import OgawaCore

/// A field whose type CREATE TABLE declares: an event in which it has another type is dropped.
package struct DeclaredType: Sendable {
    /// The source's column that holds it.
    package var column: Int
    package var name: String
    package var type: ValueTag

    package init(column: Int, name: String, type: ValueTag) {
        self.column = column
        self.name = name
        self.type = type
    }
}
