import GRDBSQLite
import OgawaCore

/// Writes rows of one table: keeps its schema and its prepared statements.
///
/// **Isolation.** Used only inside the store's writer, which runs one closure at a time.
final class TableWriter {
    private let connection: OpaquePointer
    private let path: String
    private(set) var schema: TableSchema
    private var shapes: [[Int]: Shape] = [:]
    private var useCount = 0
    private var saveProgress: RawStatement?
    private var saveCount: RawStatement?

    /// The statements for rows that have the same columns.
    ///
    /// A row is inserted where its key is new, else its columns are updated; columns that it does not have keep
    /// their values, so that the outcome does not depend on which rows share a batch.
    private final class Shape {
        let insert: RawStatement
        let update: RawStatement?
        let parameters: [Parameter]
        var lastUse = 0

        init(insert: RawStatement, update: RawStatement?, parameters: [Parameter]) {
            self.insert = insert
            self.update = update
            self.parameters = parameters
        }
    }

    /// Where the value of one parameter comes from.
    private struct Parameter {
        var column: Int
        var encoding: Encoding
        /// The main type of a column with a companion: the companion is NULL for it.
        var main: ValueTag
        var isCompanion: Bool
    }

    init(schema: TableSchema, connection: OpaquePointer, path: String) {
        self.schema = schema
        self.connection = connection
        self.path = path
    }

    /// Writes rows and progress, in the caller's transaction.
    ///
    /// - Returns: what became of the rows, and the schema to adopt once the transaction is durable.
    func write(_ rows: RowSources?, producer: String, progress: [UInt8]) throws -> (WriteReport, TableSchema) {
        var report = WriteReport()
        var next = schema
        if let rows, rows.count > 0 {
            let targets = resolve(rows, in: &next)
            if next.columns != schema.columns {
                try Registry.change(schema, to: next, on: connection, path: path)
                shapes = [:]
            }
            let insertedCount = try upsert(rows, targets: targets, schema: next)
            report = rows.report
            report.writtenCount = rows.count - report.refusedCount
            if insertedCount > 0 { try add(insertedCount, to: &next) }
        }
        try save(progress, of: producer)
        return (report, next)
    }

    /// Takes over the schema of a transaction that is durable.
    func adopt(_ schema: TableSchema) { self.schema = schema }

    /// Forgets statements that may speak of columns which a failed transaction did not leave.
    func forgetStatements() {
        shapes = [:]
        saveProgress = nil
        saveCount = nil
    }

    /// Changes the count of rows, in the caller's transaction.
    func add(_ count: Int, to next: inout TableSchema) throws {
        next.rowCount += count
        let statement = try saveCount ?? prepared("UPDATE ogawa_tables SET row_count = ?2 WHERE name = ?1")
        saveCount = statement
        statement.bind(next.name, at: 1)
        statement.bind(Int64(next.rowCount), at: 2)
        try statement.run()
    }

    private func save(_ progress: [UInt8], of producer: String) throws {
        let statement =
            try saveProgress
            ?? prepared("INSERT INTO ogawa_progress VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET progress = ?3")
        saveProgress = statement
        statement.bind(schema.name, at: 1)
        statement.bind(producer, at: 2)
        statement.bind(progress, at: 3)
        try statement.run()
    }

    /// Rows changed by the last statement.
    var changedCount: Int { Int(sqlite3_changes(connection)) }

    /// A statement on the writer's connection.
    func prepared(_ sql: String) throws -> RawStatement {
        try RawStatement(sql, on: connection, path: path)
    }
}

// MARK: - From the names and types of rows to columns

extension TableWriter {
    /// The column of each source, with what the rows bring in names and types added to the schema.
    private func resolve(_ rows: RowSources, in schema: inout TableSchema) -> [Int] {
        rows.sources.enumerated().map { index, source in
            let name = name(of: source, at: index, in: rows)
            let tags = source.tagSet(count: rows.count, refused: rows.refused)
            let isStored = rows.refused.contains(false)
            guard let column = schema.index(of: name) ?? (isStored ? schema.add(name) : nil) else { return -1 }
            learn(tags.subtracting(.null), from: source, rows, in: &schema, at: column)
            return column
        }
    }

    private func name(of source: RowSource, at index: Int, in rows: RowSources) -> String {
        if index == rows.keySource { return schema.key }
        if index == rows.rangeSource, let range = schema.range { return range }
        return source.name
    }

    private func learn(
        _ tags: TagSet, from source: RowSource, _ rows: RowSources, in schema: inout TableSchema, at column: Int
    ) {
        if tags.isSubset(of: schema.columns[column].seen) { return }
        if schema.columns[column].main == .null {
            // Whole and broken numbers side by side are measurements: the broken ones set the type.
            let first = rows.refused.indices.first { !rows.refused[$0] && source.tag(at: $0) != .null }
            let isNumeric = tags == [.bigint, .float]
            schema.columns[column].main = isNumeric ? .float : first.map(source.tag(at:)) ?? .null
        }
        schema.columns[column].seen.formUnion(tags)
        let stored = schema.columns[column]
        if !stored.isKey, stored.exactName == nil, !stored.seen.isSubset(of: stored.main.set) {
            schema.columns[column].exactName = schema.freeName(stored.name + " (exact)")
        }
    }
}

// MARK: - Rows

extension TableWriter {
    /// Inserts or updates the rows that are not refused, and counts the inserted.
    private func upsert(_ rows: RowSources, targets: [Int], schema: TableSchema) throws -> Int {
        let everywhere = rows.sources.indices.filter { !rows.sources[$0].isField }
        let fields = rows.sources.indices.filter { rows.sources[$0].isField }
        // A column that has only ever been null is not in the file.
        func isStored(_ source: Int) -> Bool { targets[source] >= 0 && schema.columns[targets[source]].main != .null }
        var sourceOf = [Int](repeating: -1, count: schema.columns.count)
        for (source, target) in targets.enumerated() where target >= 0 { sourceOf[target] = source }
        let common = everywhere.filter(isStored).map { targets[$0] }
        let usable = fields.filter(isStored)
        var insertedCount = 0
        var present: [Int] = []
        var lastPresent: [Int]?
        var shape: Shape?
        for row in 0..<rows.count where !rows.refused[row] {
            present.removeAll(keepingCapacity: true)
            for field in usable where rows.sources[field].tags[row] != absentTag { present.append(targets[field]) }
            if present != lastPresent {
                shape = try self.shape(common + present, schema: schema)
                lastPresent = present
            }
            guard let shape else { continue }
            if try write(row, of: rows, shape, sourceOf) { insertedCount += 1 }
        }
        // What is bound points into the batch, which goes.
        for shape in shapes.values {
            sqlite3_clear_bindings(shape.insert.handle)
            if let update = shape.update { sqlite3_clear_bindings(update.handle) }
        }
        return insertedCount
    }

    /// Writes one row; true where its key was new.
    @inline(__always)
    private func write(_ row: Int, of rows: RowSources, _ shape: Shape, _ sourceOf: [Int]) throws -> Bool {
        try bind(row, of: rows, shape.parameters, sourceOf, to: shape.insert)
        try shape.insert.run()
        if sqlite3_changes(connection) > 0 { return true }
        guard let update = shape.update else { return false }
        try bind(row, of: rows, shape.parameters, sourceOf, to: update)
        try update.run()
        return false
    }

    @inline(__always)
    private func bind(
        _ row: Int, of rows: RowSources, _ parameters: [Parameter], _ sourceOf: [Int], to statement: RawStatement
    ) throws {
        for (index, parameter) in parameters.enumerated() {
            let source = rows.sources[sourceOf[parameter.column]]
            var tag = source.tag(at: row)
            if parameter.isCompanion, tag == parameter.main { tag = .null }
            let code = OgawaStore.bind(
                tag, source.values[row], heap: source.heap, as: parameter.encoding, to: statement.handle,
                at: Int32(truncatingIfNeeded: index + 1))
            guard code == SQLITE_OK else {
                throw StoreError.sqlite(
                    code, detail: "column \"\(source.name)\"", path: path, doing: "taking a value of a row")
            }
        }
    }

    private func shape(_ columns: [Int], schema: TableSchema) throws -> Shape {
        useCount += 1
        if let known = shapes[columns] {
            known.lastUse = useCount
            return known
        }
        if shapes.count >= StoreLimits.statementsPerTable,
            let oldest = shapes.min(by: { $0.value.lastUse < $1.value.lastUse })
        {
            shapes[oldest.key] = nil
        }
        let made = try makeShape(columns, schema: schema)
        made.lastUse = useCount
        shapes[columns] = made
        return made
    }

    private func makeShape(_ columns: [Int], schema: TableSchema) throws -> Shape {
        var parameters: [Parameter] = []
        var names: [String] = []
        for index in columns {
            let column = schema.columns[index]
            parameters.append(
                Parameter(column: index, encoding: column.encoding, main: column.main, isCompanion: false))
            names.append(quoted(column.storedName))
            guard let exactName = column.exactName else { continue }
            parameters.append(Parameter(column: index, encoding: .companion, main: column.main, isCompanion: true))
            names.append(quoted(exactName))
        }
        let table = quoted(schema.storedName)
        let marks = names.indices.map { "?\($0 + 1)" }
        let insert = try prepared(
            "INSERT INTO \(table)(\(names.joined(separator: ", "))) VALUES (\(marks.joined(separator: ", "))) "
                + "ON CONFLICT DO NOTHING")
        func assignments(_ isWanted: (StoredColumn) -> Bool) -> [String] {
            parameters.indices.filter { isWanted(schema.columns[parameters[$0].column]) }
                .map { "\(names[$0]) = \(marks[$0])" }
        }
        let changes = assignments { !$0.isKey }
        if changes.isEmpty { return Shape(insert: insert, update: nil, parameters: parameters) }
        let update = try prepared(
            "UPDATE \(table) SET \(changes.joined(separator: ", ")) "
                + "WHERE \(assignments { $0.isKey }.joined(separator: " AND "))")
        return Shape(insert: insert, update: update, parameters: parameters)
    }
}
