import GRDBSQLite
import OgawaCore

/// A prepared statement over SQLite's C interface, for the hot path.
///
/// **Isolation.** Belongs to one connection; used only where that connection may be used. Finalized when released, which
/// must happen before the connection closes.
/// **Errors.** ``StoreError`` with the database's message; parameter values are never part of it.
final class RawStatement {
    let handle: OpaquePointer
    private let connection: OpaquePointer
    private let path: String

    init(_ sql: String, on connection: OpaquePointer, path: String) throws {
        var handle: OpaquePointer?
        let code = sqlite3_prepare_v3(connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
        guard code == SQLITE_OK, let handle else {
            throw StoreError.sqlite(
                code, detail: String(cString: sqlite3_errmsg(connection)), path: path, doing: "preparing a statement")
        }
        self.handle = handle
        self.connection = connection
        self.path = path
    }

    deinit { sqlite3_finalize(handle) }

    /// Runs to the next row; false at the end.
    @inline(__always)
    func step() throws -> Bool {
        let code = sqlite3_step(handle)
        if code == SQLITE_ROW { return true }
        if code == SQLITE_DONE { return false }
        throw failure(code)
    }

    /// Runs to the end, then readies the statement for the next run.
    @inline(__always)
    func run() throws {
        defer { sqlite3_reset(handle) }
        while try step() {}
    }

    private func failure(_ code: Int32) -> StoreError {
        let detail = String(cString: sqlite3_errmsg(connection))
        sqlite3_reset(handle)
        return StoreError.sqlite(code, detail: detail, path: path, doing: "reading or writing rows")
    }

    /// Binds a copy of a text.
    func bind(_ text: String, at index: Int32) {
        var text = text
        text.withUTF8 { bytes in
            _ = RawStatement.withBase(bytes) { base in
                sqlite3_bind_text64(
                    handle, index, base, UInt64(bytes.count), RawStatement.transient, UInt8(SQLITE_UTF8))
            }
        }
    }

    /// Binds a copy of bytes.
    func bind(_ bytes: [UInt8], at index: Int32) {
        bytes.withUnsafeBytes { raw in
            guard let base = raw.baseAddress, raw.count > 0 else {
                sqlite3_bind_zeroblob(handle, index, 0)
                return
            }
            sqlite3_bind_blob64(handle, index, base, UInt64(raw.count), RawStatement.transient)
        }
    }

    /// Binds an integer.
    func bind(_ number: Int64, at index: Int32) { sqlite3_bind_int64(handle, index, number) }

    /// The text of a result column.
    func text(_ index: Int32) -> String { String(decoding: bytes(index), as: UTF8.self) }

    /// The bytes of a text or blob result column; valid until the next step.
    func bytes(_ index: Int32) -> UnsafeRawBufferPointer {
        let start = sqlite3_column_blob(handle, index)
        return UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_column_bytes(handle, index)))
    }

    func integer(_ index: Int32) -> Int64 { sqlite3_column_int64(handle, index) }

    func isNull(_ index: Int32) -> Bool { sqlite3_column_type(handle, index) == SQLITE_NULL }

    /// Tells SQLite to copy what is bound.
    // SAFETY: SQLite defines the destructor value -1 as "make a copy"; it is compared, never called.
    static var transient: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }

    /// Calls with the start of the bytes, or with the start of an empty text, never with nil (which would bind NULL).
    static func withBase<Result>(
        _ bytes: UnsafeBufferPointer<UInt8>, _ body: (UnsafePointer<CChar>) -> Result
    ) -> Result {
        guard let base = bytes.baseAddress, bytes.count > 0 else {
            var empty: CChar = 0
            return body(&empty)
        }
        return base.withMemoryRebound(to: CChar.self, capacity: bytes.count) { body($0) }
    }
}

/// Runs statements that give no rows.
func execute(_ sql: String, on connection: OpaquePointer, path: String) throws {
    let code = sqlite3_exec(connection, sql, nil, nil, nil)
    guard code == SQLITE_OK else {
        throw StoreError.sqlite(
            code, detail: String(cString: sqlite3_errmsg(connection)), path: path, doing: "changing the file")
    }
}

/// A name as an SQL identifier.
///
/// **Shape.** Any text without a zero byte; quotes inside are doubled.
func quoted(_ name: String) -> String {
    var result = "\""
    for character in name.unicodeScalars {
        if character == "\"" { result.unicodeScalars.append("\"") }
        result.unicodeScalars.append(character)
    }
    return result + "\""
}
