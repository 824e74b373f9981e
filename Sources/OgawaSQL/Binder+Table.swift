import OgawaCore

// CREATE TABLE: the payload types of an input.
extension Binder {
    /// The fields of one CREATE TABLE.
    struct Table {
        var range: SourceRange
        var fields: [(name: String, type: ValueTag)]
    }

    func bind(_ table: Syntax.TableDeclaration) {
        var fields: [(name: String, type: ValueTag)] = []
        for column in table.columns {
            if fields.contains(where: { sameName($0.name, column.name.text) }) {
                error(
                    "duplicate-column", "two columns are named '\(column.name.text)'", hint: "remove one of them",
                    at: column.name.range)
            }
            if let type = bind(type: column.type, inCast: false) { fields.append((column.name.text, type)) }
        }
        switch find(input: table.name) {
        case .stream(let input):
            if tables[input] != nil {
                error(
                    "duplicate-table", "there are two CREATE TABLE for '\(input)'", hint: "declare all columns in one",
                    at: table.name.range)
            }
            tables[input] = Table(range: table.range, fields: fields)
        case .reference:
            error(
                "misplaced-table",
                "CREATE TABLE declares the fields of a stream, and '\(table.name.text)' is reference data",
                hint: "CAST the columns where they are read", at: table.name.range)
        case .step, nil: break
        }
    }

    /// The field as CREATE TABLE spells it, so that one field has one column whatever a query's spelling.
    func declared(_ field: SourceField, of source: Int) -> SourceField {
        guard case .body(let path) = field, let first = path.first, let table = tables[sources[source].input] else {
            return field
        }
        if table.fields.contains(where: { $0.name == first }) { return field }
        guard let known = table.fields.first(where: { sameName($0.name, first) }) else { return field }
        return .body(path: [known.name] + path.dropFirst())
    }

    /// Gives a new source the types that are declared for its input.
    func declareTypes(of source: Int) {
        for field in tables[sources[source].input]?.fields ?? [] {
            let column = column(.body(path: [field.name]), of: source)
            sources[source].declaredTypes.append(DeclaredType(column: column, name: field.name, type: field.type))
        }
    }
}
