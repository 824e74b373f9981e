import GRDBSQLite
import OgawaCore
import Synchronization

/// The writer of one table, shared by all that opened the table.
// SAFETY: `writer` is used only inside the store's writer, which runs one closure at a time; the rest is under a lock.
final class SharedWriter: @unchecked Sendable {
    let writer: TableWriter
    private let published: Mutex<TableSchema>

    init(_ writer: TableWriter) {
        self.writer = writer
        published = Mutex(writer.schema)
    }

    /// The columns and the row count after the last transaction.
    var schema: TableSchema { published.withLock { $0 } }

    /// Takes over what a transaction changed, once it is durable.
    func adopt(_ schema: TableSchema) {
        writer.adopt(schema)
        published.withLock { $0 = schema }
    }
}

/// One table: rows by key and range, and how far the functions that write it got.
///
/// **Isolation.** Safe to use from any thread; writes take turns over the whole file, reads do not wait for them.
/// **Errors.** ``StoreError`` from every call. A failed write changes neither rows nor progress.
package final class Table: Sendable {
    package let configuration: TableConfiguration
    private let store: TableStore
    private let shared: SharedWriter

    init(configuration: TableConfiguration, store: TableStore, shared: SharedWriter) {
        self.configuration = configuration
        self.store = store
        self.shared = shared
    }

    /// Writes rows and the producer's progress in one transaction.
    ///
    /// A row whose key (and range) is there already updates that row: its columns are set, columns that it does not
    /// have stay. A row that cannot be stored is refused on its own; the report says why. No rows store the progress only.
    @discardableResult
    package func write(_ rows: RowBatch?, producer: String, progress: [UInt8]) throws -> WriteReport {
        let action = "writing to table \"\(configuration.name)\""
        return try store.writeAdopting(shared, doing: action) { writer in
            let sources = try rows.map {
                try RowSources(
                    $0, configuration: configuration, knownNames: Set(writer.schema.columns.map(\.name)))
            }
            return try writer.write(sources, producer: producer, progress: progress)
        }
    }

    /// The progress that the producer's last write stored; nil before the first.
    package func progress(of producer: String) throws -> [UInt8]? {
        try store.read(doing: "reading progress of table \"\(configuration.name)\"") { connection in
            let statement = try RawStatement(
                "SELECT progress FROM ogawa_progress WHERE table_name = ?1 AND producer = ?2", on: connection,
                path: store.path)
            statement.bind(configuration.name, at: 1)
            statement.bind(producer, at: 2)
            return try statement.step() ? Array(statement.bytes(0)) : nil
        }
    }

    /// The rows that a query asks for, all from one moment.
    package func query(_ query: TableQuery) throws -> TableRows {
        try store.read(doing: "reading table \"\(configuration.name)\"") { connection in
            guard let schema = try Registry.load(configuration.name, on: connection, path: store.path) else {
                return TableRows(table: configuration.name, columns: [], rows: [])
            }
            return try TableReader(schema: schema, connection: connection, path: store.path).rows(query)
        }
    }

    /// The rows in the table.
    package var rowCount: Int { shared.schema.rowCount }

    /// The names of the columns, in the order in which they first came.
    package var columns: [String] { shared.schema.columns.map(\.name) }

    /// Deletes the rows whose range column is older than `keep` allows, and counts them.
    ///
    /// Goes in short transactions, so that writers get their turns; what is left after many of them waits for the next call.
    package func enforceRetention(now: Timestamp) throws -> Int {
        guard let keep = configuration.keep else { return 0 }
        let schema = shared.schema
        guard schema.isCreated, let range = schema.rangeColumn, let key = schema.keyColumn else { return 0 }
        guard range.main == .datetime else {
            throw StoreError(
                .retentionNeedsDatetime,
                "table \"\(schema.name)\" keeps rows by the age in its range column \"\(range.name)\", "
                    + "which holds \(range.main.typeName), expected datetime",
                hint: "store System.Timestamp() in \"\(range.name)\", or remove keep:")
        }
        let names = (quoted(schema.storedName), quoted(key.storedName), quoted(range.storedName))
        // Text beside datetimes stands as a blob, numbers sort before '': neither has an age.
        let sql =
            "DELETE FROM \(names.0) WHERE (\(names.1), \(names.2)) IN (SELECT \(names.1), \(names.2) "
            + "FROM \(names.0) WHERE \(names.2) >= '' AND \(names.2) < ?1 ORDER BY \(names.2) LIMIT ?2)"
        let cutoff = now.advanced(by: .zero - keep).description
        var deletedCount = 0
        for _ in 0..<StoreLimits.retentionSteps {
            let count = try deleteStep(sql, cutoff: cutoff)
            deletedCount += count
            if count < StoreLimits.rowsPerRetentionStep { break }
        }
        return deletedCount
    }

    private func deleteStep(_ sql: String, cutoff: String) throws -> Int {
        let action = "deleting old rows of table \"\(configuration.name)\""
        return try store.writeAdopting(shared, doing: action) { writer in
            let statement = try writer.prepared(sql)
            statement.bind(cutoff, at: 1)
            statement.bind(Int64(StoreLimits.rowsPerRetentionStep), at: 2)
            try statement.run()
            let count = writer.changedCount
            var next = writer.schema
            if count > 0 { try writer.add(-count, to: &next) }
            return (count, next)
        }
    }
}
