import GRDBSQLite
import OgawaCore

/// A table or view of an SQLite file that another program writes.
package enum ForeignTable {
    /// Its rows, all from one moment; the file is opened for reading only.
    ///
    /// Integers are bigint, reals float, texts text; bytes, which have no place in a row, are NULL.
    /// - Throws: ``StoreError`` with the path, also where there is no such table or it has more than `limit` rows.
    package static func rows(path: String, table: String, limit: Int) throws -> TableRows {
        var connection: OpaquePointer?
        let code = sqlite3_open_v2(path, &connection, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nil)
        defer { sqlite3_close_v2(connection) }
        guard code == SQLITE_OK, let connection else {
            let detail = connection.map { String(cString: sqlite3_errmsg($0)) } ?? "no detail"
            throw StoreError.sqlite(code, detail: detail, path: path, doing: "opening it")
        }
        sqlite3_busy_timeout(connection, 2000)
        let statement = try RawStatement("SELECT * FROM \(quoted(table))", on: connection, path: path)
        let width = sqlite3_column_count(statement.handle)
        var found = TableRows(table: table, columns: [], rows: [])
        for index in 0..<width {
            found.columns.append(sqlite3_column_name(statement.handle, index).map { String(cString: $0) } ?? "")
        }
        while try statement.step() {
            guard found.rows.count < limit else {
                throw StoreError(
                    .answerTooLarge, "the table \"\(table)\" in \(path) has more than \(limit) rows",
                    hint: "read a view with fewer rows")
            }
            found.rows.append((0..<width).map { value(statement, $0) })
        }
        return found
    }

    private static func value(_ statement: RawStatement, _ index: Int32) -> Value {
        switch sqlite3_column_type(statement.handle, index) {
        case SQLITE_INTEGER: .bigint(statement.integer(index))
        case SQLITE_FLOAT: .float(sqlite3_column_double(statement.handle, index))
        case SQLITE_TEXT: .text(statement.text(index))
        default: .null
        }
    }
}
