import GRDBSQLite
import OgawaCore

/// One column of a table as it stands in the file.
struct StoredColumn: Hashable, Sendable {
    /// The column's name in rows and answers.
    var name: String
    /// The column's name in SQLite: the same, unless SQLite cannot tell it from another one.
    var storedName: String
    /// The type of its first value; null while it never had one, and then SQLite has no such column yet.
    var main: ValueTag = .null
    /// The types that it ever had.
    var seen: TagSet = []
    /// The companion column that holds values of other types exactly.
    var exactName: String?
    var isKey: Bool

    var encoding: Encoding { isKey ? .key(main: main) : .approximate(main: main) }
}

/// The columns of one table; a value, so that a failed transaction leaves the old one standing.
struct TableSchema: Hashable, Sendable {
    var name: String
    /// The table's name in SQLite.
    var storedName: String
    var key: String
    var range: String?
    var columns: [StoredColumn] = []
    var rowCount = 0

    /// Whether SQLite has the table: it is made by the first row.
    var isCreated: Bool { columns.contains { $0.isKey && $0.main != .null } }

    func index(of name: String) -> Int? { columns.firstIndex { $0.name == name } }

    var keyColumn: StoredColumn? { columns.first { $0.name == key } }
    var rangeColumn: StoredColumn? { range.flatMap { range in columns.first { $0.name == range } } }

    /// Adds a column that SQLite does not have yet.
    mutating func add(_ name: String) -> Int {
        columns.append(StoredColumn(name: name, storedName: freeName(name), isKey: name == key || name == range))
        return columns.count - 1
    }

    /// A name that SQLite tells from all others of this table: it ignores ASCII case and ends names at a zero byte.
    func freeName(_ wanted: String) -> String {
        let taken = Set(columns.flatMap { [$0.storedName, $0.exactName ?? $0.storedName] }.map(asciiLowered))
        return uniqueName(wanted, taken: taken)
    }
}

/// The wanted name without zero bytes, numbered where it is taken.
func uniqueName(_ wanted: String, taken: Set<String>) -> String {
    var base = String(String.UnicodeScalarView(wanted.unicodeScalars.map { $0 == "\0" ? "_" : $0 }))
    if base.isEmpty { base = "_" }
    if !taken.contains(asciiLowered(base)) { return base }
    var number = 2
    while taken.contains(asciiLowered("\(base)_\(number)")) { number += 1 }
    return "\(base)_\(number)"
}

/// The text with A to Z as a to z, and nothing else changed: SQLite's idea of the same name.
func asciiLowered(_ text: String) -> String {
    String(decoding: text.utf8.map { $0 >= 0x41 && $0 <= 0x5a ? $0 | 0x20 : $0 }, as: UTF8.self)
}

/// The tables that keep account of the others.
enum Registry {
    /// "OGAW", so that no other program's file is taken for ours.
    static let applicationID: Int64 = 0x4f47_4157
    static let schemaVersion: Int64 = 1

    static let creation = """
        CREATE TABLE ogawa_tables(
            name TEXT NOT NULL PRIMARY KEY, stored_name TEXT NOT NULL UNIQUE, key TEXT NOT NULL, range TEXT,
            row_count INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
        CREATE TABLE ogawa_columns(
            table_name TEXT NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL, stored_name TEXT NOT NULL,
            main_type TEXT NOT NULL, seen_types INTEGER NOT NULL, exact_name TEXT,
            PRIMARY KEY (table_name, position)) WITHOUT ROWID;
        CREATE TABLE ogawa_progress(
            table_name TEXT NOT NULL, producer TEXT NOT NULL, progress BLOB NOT NULL,
            PRIMARY KEY (table_name, producer)) WITHOUT ROWID;
        PRAGMA application_id = \(applicationID);
        PRAGMA user_version = \(schemaVersion);
        """

    /// The schema of a table; nil where the file does not know the table.
    static func load(_ name: String, on connection: OpaquePointer, path: String) throws -> TableSchema? {
        let tables = try RawStatement(
            "SELECT stored_name, key, range, row_count FROM ogawa_tables WHERE name = ?1", on: connection, path: path)
        tables.bind(name, at: 1)
        guard try tables.step() else { return nil }
        var schema = TableSchema(
            name: name, storedName: tables.text(0), key: tables.text(1),
            range: tables.isNull(2) ? nil : tables.text(2))
        schema.rowCount = Int(tables.integer(3))
        let columns = try RawStatement(
            "SELECT name, stored_name, main_type, seen_types, exact_name FROM ogawa_columns "
                + "WHERE table_name = ?1 ORDER BY position", on: connection, path: path)
        columns.bind(name, at: 1)
        while try columns.step() {
            let type = columns.text(2)
            guard let main = ValueTag.allCases.first(where: { "\($0)" == type }) else {
                throw StoreError.damaged(path, detail: "column type \"\(type)\" of table \"\(name)\"")
            }
            let column = columns.text(0)
            schema.columns.append(
                StoredColumn(
                    name: column, storedName: columns.text(1), main: main,
                    seen: TagSet(rawValue: UInt16(truncatingIfNeeded: columns.integer(3))),
                    exactName: columns.isNull(4) ? nil : columns.text(4),
                    isKey: column == schema.key || column == schema.range))
        }
        return schema
    }

    /// Enters a new table and gives its schema.
    static func register(_ configuration: TableConfiguration, on connection: OpaquePointer, path: String) throws
        -> TableSchema
    {
        var taken: Set<String> = []
        let names = try RawStatement("SELECT stored_name FROM ogawa_tables", on: connection, path: path)
        while try names.step() { taken.insert(asciiLowered(names.text(0))) }
        // Names that SQLite or this registry keeps for itself get a prefix.
        let lowered = asciiLowered(configuration.name)
        let isReserved = lowered.hasPrefix("sqlite_") || lowered.hasPrefix("ogawa_")
        let wanted = isReserved ? "table_" + configuration.name : configuration.name
        let schema = TableSchema(
            name: configuration.name, storedName: uniqueName(wanted, taken: taken), key: configuration.key,
            range: configuration.range)
        let insert = try RawStatement(
            "INSERT INTO ogawa_tables(name, stored_name, key, range) VALUES (?1, ?2, ?3, ?4)", on: connection,
            path: path)
        insert.bind(schema.name, at: 1)
        insert.bind(schema.storedName, at: 2)
        insert.bind(schema.key, at: 3)
        if let range = schema.range { insert.bind(range, at: 4) }
        try insert.run()
        return schema
    }

    /// Brings the file from one schema of a table to the next, inside the caller's transaction.
    static func change(
        _ old: TableSchema, to new: TableSchema, on connection: OpaquePointer, path: String
    ) throws {
        if !old.isCreated && new.isCreated {
            try create(new, on: connection, path: path)
        } else {
            for (index, column) in new.columns.enumerated() where column.main != .null {
                let before = index < old.columns.count ? old.columns[index] : nil
                if before == nil || before?.main == .null {
                    try add(column.storedName, declaredType(column.main, isKey: false), to: new, connection, path)
                }
            }
        }
        for (index, column) in new.columns.enumerated() {
            let before = index < old.columns.count ? old.columns[index] : nil
            if let exactName = column.exactName, before?.exactName == nil {
                try add(exactName, "", to: new, connection, path)
            }
            if before != column { try save(column, at: index, of: new, on: connection, path: path) }
        }
    }

    private static func add(
        _ column: String, _ type: String, to schema: TableSchema, _ connection: OpaquePointer, _ path: String
    ) throws {
        try execute(
            "ALTER TABLE \(quoted(schema.storedName)) ADD COLUMN \(quoted(column)) \(type)", on: connection, path: path)
    }

    private static func create(_ schema: TableSchema, on connection: OpaquePointer, path: String) throws {
        let columns = schema.columns.filter { $0.main != .null }.map {
            "\(quoted($0.storedName)) \(declaredType($0.main, isKey: $0.isKey))\($0.isKey ? " NOT NULL" : "")"
        }
        // Rows lie in the order of time, in which they mostly come: nearly all go to the last page. By key first, a batch
        // would change a page for each device. The index by key holds the two columns only.
        let primary = [schema.rangeColumn, schema.keyColumn].compactMap { $0.map { quoted($0.storedName) } }
        let table = quoted(schema.storedName)
        try execute(
            "CREATE TABLE \(table)(\(columns.joined(separator: ", ")), "
                + "PRIMARY KEY (\(primary.joined(separator: ", ")))) WITHOUT ROWID", on: connection, path: path)
        guard let key = schema.keyColumn, schema.range != nil else { return }
        try execute(
            "CREATE INDEX \(quoted("ogawa_key_" + schema.storedName)) ON \(table)(\(quoted(key.storedName)))",
            on: connection, path: path)
    }

    private static func save(
        _ column: StoredColumn, at position: Int, of schema: TableSchema, on connection: OpaquePointer, path: String
    ) throws {
        let statement = try RawStatement(
            "INSERT INTO ogawa_columns VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET "
                + "stored_name = ?4, main_type = ?5, seen_types = ?6, exact_name = ?7", on: connection, path: path)
        statement.bind(schema.name, at: 1)
        statement.bind(Int64(position), at: 2)
        statement.bind(column.name, at: 3)
        statement.bind(column.storedName, at: 4)
        statement.bind("\(column.main)", at: 5)
        statement.bind(Int64(column.seen.rawValue), at: 6)
        if let exactName = column.exactName { statement.bind(exactName, at: 7) }
        try statement.run()
    }
}
