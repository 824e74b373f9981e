import GRDB
import GRDBSQLite
import OgawaCore

// All tables of a project in one SQLite file.
//
// One connection writes, one transaction at a time; rows and the progress of the function that made them commit
// together, so that after a crash a function goes on exactly behind what its tables hold. Readers have connections of their own
// (write-ahead log): neither waits for the other. `synchronous = NORMAL` may lose the last transactions in a power cut, each whole;
// the progress goes back with them, and the log gives the rows again.

/// The tables of a project, in one file.
///
/// **Isolation.** Safe to use from any thread. Every call waits for the disk or for the writer's turn: not for event loops.
/// **Errors.** ``StoreError`` from every call.
package final class TableStore: Sendable {
    let path: String
    private let pool: DatabasePool
    private let checkpointer: Checkpointer
    private let confined: Confined

    /// What only the writer may touch.
    // SAFETY: used only inside `pool.writeWithoutTransaction`, which runs one closure at a time.
    private final class Confined: @unchecked Sendable {
        var writers: [String: SharedWriter] = [:]
        /// The length of the write-ahead log after the last commit, in pages.
        var walPageCount = 0
    }

    /// Opens the file, or makes it.
    ///
    /// - Throws: ``StoreError`` `.damaged`, `.foreignFile` or `.newerSchema`, each with the remedy.
    package init(path: String) throws {
        self.path = path
        confined = Confined()
        do {
            pool = try DatabasePool(path: path, configuration: TableStore.configuration())
            try pool.writeWithoutTransaction { database in
                guard let connection = database.sqliteConnection else { throw StoreError.closed(path) }
                try TableStore.prepareFile(connection, path: path)
            }
            checkpointer = try Checkpointer(path: path)
        } catch {
            throw StoreError.wrapping(error, path: path, doing: "opening it")
        }
        watchLog()
    }

    private static func configuration() -> Configuration {
        var configuration = Configuration()
        configuration.label = "ogawa.tables"
        configuration.busyMode = .timeout(5)
        configuration.maximumReaderCount = 4
        // A failed rollback is reported by the next transaction; it must not end the process.
        configuration.allowsUnsafeTransactions = true
        configuration.prepareDatabase { database in
            guard let connection = database.sqliteConnection else { return }
            // Debian's SQLite overwrites what is deleted with zeros by default: for rows that the log still has, work for nothing.
            let settings = "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8192; PRAGMA secure_delete = OFF"
            sqlite3_exec(connection, settings, nil, nil, nil)
        }
        return configuration
    }

    /// Makes the registry in a new file, and tells other files from ours.
    private static func prepareFile(_ connection: OpaquePointer, path: String) throws {
        func number(_ sql: String) throws -> Int64 {
            let statement = try RawStatement(sql, on: connection, path: path)
            return try statement.step() ? statement.integer(0) : 0
        }
        let application = try number("PRAGMA application_id")
        let version = try number("PRAGMA user_version")
        if application == 0, try number("SELECT count(*) FROM sqlite_master") == 0 {
            try execute("BEGIN IMMEDIATE; \(Registry.creation) COMMIT", on: connection, path: path)
            return
        }
        guard application == Registry.applicationID else {
            throw StoreError(
                .foreignFile, "\(path) is an SQLite file of another program (application id \(application))",
                hint: "move it away, or give Ogawa another data folder with --data")
        }
        guard version <= Registry.schemaVersion else {
            throw StoreError(
                .newerSchema,
                "\(path) has tables of schema version \(version), this Ogawa knows \(Registry.schemaVersion)",
                hint: "run the newer Ogawa, or move the file away; the tables are rebuilt from the log")
        }
        guard version == Registry.schemaVersion else {
            throw StoreError.damaged(path, detail: "schema version \(version)")
        }
    }

    /// Lets SQLite tell the log's length after each commit, instead of checkpointing inside it.
    private func watchLog() {
        pool.writeWithoutTransaction { database in
            guard let connection = database.sqliteConnection else { return }
            // SAFETY: this store keeps `confined` for as long as the connection is open; the hook runs inside a commit.
            let context = Unmanaged.passUnretained(confined).toOpaque()
            sqlite3_wal_hook(
                connection,
                { context, _, _, pageCount in
                    guard let context else { return SQLITE_OK }
                    let confined = Unmanaged<Confined>.fromOpaque(context).takeUnretainedValue()
                    confined.walPageCount = Int(pageCount)
                    return SQLITE_OK
                }, context)
        }
    }

    /// The table of an output; made in the file when its first rows come.
    ///
    /// - Throws: ``StoreError`` `.keyChanged` where the file holds it under another key or range column.
    package func table(_ configuration: TableConfiguration) throws -> Table {
        try check(configuration)
        do {
            let shared = try pool.writeWithoutTransaction { database in
                guard let connection = database.sqliteConnection else { throw StoreError.closed(path) }
                return try sharedWriter(configuration, on: connection)
            }
            return Table(configuration: configuration, store: self, shared: shared)
        } catch {
            throw StoreError.wrapping(error, path: path, doing: "opening table \"\(configuration.name)\"")
        }
    }

    private func sharedWriter(_ configuration: TableConfiguration, on connection: OpaquePointer) throws -> SharedWriter
    {
        let known = confined.writers[configuration.name]?.schema
        let schema =
            try known ?? Registry.load(configuration.name, on: connection, path: path)
            ?? transaction(on: connection) { try Registry.register(configuration, on: $0, path: path) }
        guard schema.key == configuration.key, schema.range == configuration.range else {
            throw keyChanged(configuration, schema)
        }
        if let shared = confined.writers[configuration.name] { return shared }
        let made = SharedWriter(TableWriter(schema: schema, connection: connection, path: path))
        confined.writers[configuration.name] = made
        return made
    }

    private func check(_ configuration: TableConfiguration) throws {
        var problem: String?
        if configuration.name.isEmpty { problem = "a table without a name" }
        if configuration.key.isEmpty { problem = "table \"\(configuration.name)\" has an empty key column name" }
        if configuration.range == configuration.key {
            problem = "table \"\(configuration.name)\" has the same column \"\(configuration.key)\" as key and as range"
        }
        if configuration.keep != nil, configuration.range == nil {
            problem = "table \"\(configuration.name)\" has keep but no range column to tell the age of a row"
        }
        guard let problem else { return }
        throw StoreError(
            .badConfiguration, problem,
            hint: "write it as { table: { key: deviceId, range: time, keep: 30d } } in ogawa.yaml")
    }

    private func keyChanged(_ wanted: TableConfiguration, _ stored: TableSchema) -> StoreError {
        func text(_ key: String, _ range: String?) -> String {
            "key \"\(key)\" and " + (range.map { "range \"\($0)\"" } ?? "no range")
        }
        return StoreError(
            .keyChanged,
            "table \"\(wanted.name)\" is stored with \(text(stored.key, stored.range)), "
                + "the project says \(text(wanted.key, wanted.range))",
            hint: "give the output another name, or stop Ogawa and move \(path) away: "
                + "all tables are then rebuilt from the log")
    }

    /// Runs one transaction with a table's writer, and takes over the schema that it gives before anyone else's turn.
    func writeAdopting<Result>(
        _ shared: SharedWriter, doing action: String, _ body: (TableWriter) throws -> (Result, TableSchema)
    ) throws -> Result {
        do {
            return try pool.writeWithoutTransaction { database in
                guard let connection = database.sqliteConnection else { throw StoreError.closed(path) }
                do {
                    let (result, schema) = try transaction(on: connection) { _ in try body(shared.writer) }
                    shared.adopt(schema)
                    finishCheckpointIfLong(connection)
                    return result
                } catch {
                    shared.writer.forgetStatements()
                    throw error
                }
            }
        } catch {
            throw StoreError.wrapping(error, path: path, doing: action)
        }
    }

    private func finishCheckpointIfLong(_ connection: OpaquePointer) {
        guard checkpointer.committed(pageCount: confined.walPageCount) else { return }
        sqlite3_wal_checkpoint_v2(connection, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
    }

    private func transaction<Result>(
        on connection: OpaquePointer, _ body: (OpaquePointer) throws -> Result
    ) throws -> Result {
        try execute("BEGIN IMMEDIATE", on: connection, path: path)
        do {
            let result = try body(connection)
            try execute("COMMIT", on: connection, path: path)
            return result
        } catch {
            sqlite3_exec(connection, "ROLLBACK", nil, nil, nil)
            throw error
        }
    }

    /// Runs reads that all see the same state, beside the writer.
    func read<Result>(doing action: String, _ body: (OpaquePointer) throws -> Result) throws -> Result {
        do {
            return try pool.read { database in
                guard let connection = database.sqliteConnection else { throw StoreError.closed(path) }
                return try body(connection)
            }
        } catch {
            throw StoreError.wrapping(error, path: path, doing: action)
        }
    }

    /// Returns when every row stored so far would survive a power cut.
    package func sync() { checkpointer.sync() }

    /// Closes the file; later calls throw `.closed`.
    package func close() {
        pool.writeWithoutTransaction { database in
            if let connection = database.sqliteConnection { sqlite3_wal_hook(connection, nil, nil) }
            for shared in confined.writers.values { shared.writer.forgetStatements() }
            confined.writers = [:]
        }
        checkpointer.close()
        // A reader that is still at work keeps its connection until it is done.
        try? pool.close()
    }

    deinit { close() }
}
