import GRDB
import GRDBSQLite

/// Why the store could not do what was asked, and what to do about it.
///
/// A whole operation fails by throwing one. A single row that cannot be stored is listed in ``WriteReport/refusals``
/// with the same type, and the other rows are stored.
package struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The cause; stable, so that programs may compare it.
    package enum Code: String, Hashable, Sendable {
        /// The file is not readable as a database, or its content contradicts itself.
        case damaged
        /// The file is a database, but another program's.
        case foreignFile
        /// The file was written by a later version.
        case newerSchema
        /// The table was stored under other key or range settings.
        case keyChanged
        /// The settings of a table contradict each other.
        case badConfiguration
        /// Another program holds the file's write lock.
        case busy
        case diskFull
        case closed
        /// The batch of rows is not well-formed; nothing of it was stored.
        case badBatch
        case badQuery
        /// The answer to a query would be larger than the limit.
        case answerTooLarge
        /// `keep` is set, but the range column holds no datetime.
        case retentionNeedsDatetime
        /// A row without a value in its key column.
        case missingKey
        /// A row without a value in its range column.
        case missingRange
        /// A row that would add more columns than a table may have.
        case tooManyColumns
        /// A spread value that is not a JSON object.
        case badRecord
        case valueTooLarge
        /// Anything else that the database reports.
        case failed
    }

    package var code: Code
    package var message: String
    package var hint: String

    package init(_ code: Code, _ message: String, hint: String) {
        self.code = code
        self.message = message
        self.hint = hint
    }

    package var description: String { "\(message); hint: \(hint)" }
}

extension StoreError {
    /// The error for a closed store.
    static func closed(_ path: String) -> StoreError {
        StoreError(.closed, "the tables file \(path) is closed", hint: "open the store again")
    }

    /// The error for a file that SQLite cannot read.
    static func damaged(_ path: String, detail: String) -> StoreError {
        StoreError(
            .damaged, "the tables file \(path) is damaged (\(detail))",
            hint: "stop Ogawa, move \(path), \(path)-wal and \(path)-shm away and start again; "
                + "the tables are rebuilt from the log")
    }

    /// The error behind an SQLite result code.
    static func sqlite(_ code: Int32, detail: String, path: String, doing action: String) -> StoreError {
        switch code & 0xff {
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            return damaged(path, detail: detail)
        case SQLITE_FULL:
            return StoreError(
                .diskFull, "no room on the disk for the tables file \(path) while \(action)",
                hint: "free disk space, or set a shorter keep: for the tables")
        case SQLITE_BUSY, SQLITE_LOCKED:
            return StoreError(
                .busy, "another program holds the tables file \(path) while \(action)",
                hint: "close the program that writes to it; readers are welcome")
        case SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM:
            return StoreError(
                .failed, "the tables file \(path) cannot be opened for writing (\(detail))",
                hint: "check that the folder exists and that this user may write to it")
        default:
            return StoreError(
                .failed, "SQLite result \(code) (\(detail)) in \(path) while \(action)",
                hint: "check the disk; the tables can be rebuilt from the log after moving the file away")
        }
    }

    /// Any error as a ``StoreError``.
    static func wrapping(_ error: any Error, path: String, doing action: String) -> StoreError {
        if let error = error as? StoreError { return error }
        guard let error = error as? DatabaseError else {
            return StoreError(.failed, "\(error) in \(path) while \(action)", hint: "check the disk and try again")
        }
        if error.resultCode == .SQLITE_MISUSE { return closed(path) }
        return sqlite(
            error.extendedResultCode.rawValue, detail: error.message ?? "no detail", path: path, doing: action)
    }
}
