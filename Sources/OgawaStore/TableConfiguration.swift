import OgawaCore

/// How a table is keyed and how long its rows stay.
package struct TableConfiguration: Hashable, Sendable {
    /// The output's name.
    package var name: String
    /// The column whose value tells whose row it is, usually the device.
    package var key: String
    /// The column that orders the rows of one key, usually the time; nil for one row per key.
    package var range: String?
    /// Rows whose range value is older are deleted; nil keeps them all.
    package var keep: Duration?

    package init(name: String, key: String, range: String? = nil, keep: Duration? = nil) {
        self.name = name
        self.key = key
        self.range = range
        self.keep = keep
    }
}

/// Which rows of a table are asked for.
///
/// **Shape.** `from` is inclusive, `to` exclusive, both against the range column. Without `key` the rows of all keys come
/// ordered by the range column.
package struct TableQuery: Hashable, Sendable {
    package var key: String?
    package var from: Timestamp?
    package var to: Timestamp?
    /// At most this many rows, 0 to ``StoreLimits/rowsPerQuery``.
    package var limit: Int
    /// Newest range value first.
    package var descending: Bool
    /// The newest rows whatever their key; the same as no key and `descending`.
    package var newestOverAllKeys: Bool

    package init(
        key: String? = nil, from: Timestamp? = nil, to: Timestamp? = nil, limit: Int = 100, descending: Bool = false,
        newestOverAllKeys: Bool = false
    ) {
        self.key = key
        self.from = from
        self.to = to
        self.limit = limit
        self.descending = descending
        self.newestOverAllKeys = newestOverAllKeys
    }
}

/// The answer to a ``TableQuery``.
///
/// **Shape.** Each row has as many values as there are columns; a column that a row does not have is `null`.
package struct TableRows: Hashable, Sendable {
    package var table: String
    package var columns: [String]
    package var rows: [[Value]]

    package init(table: String, columns: [String], rows: [[Value]]) {
        self.table = table
        self.columns = columns
        self.rows = rows
    }
}

/// What became of the rows of one write.
package struct WriteReport: Sendable {
    /// Rows inserted or updated.
    package var writtenCount = 0
    /// Rows left out, each for a reason of its own.
    package var refusedCount = 0
    /// The first reasons, at most ``StoreLimits/refusalsPerReport``.
    package var refusals: [StoreError] = []

    mutating func refuse(_ error: StoreError) {
        refusedCount += 1
        if refusals.count < StoreLimits.refusalsPerReport { refusals.append(error) }
    }
}

/// The store's fixed bounds.
package enum StoreLimits {
    /// Columns of one table; SQLite itself stops at 2,000, and a value of a second type takes a column more.
    package static let columnsPerTable = 512
    /// Rows of one answer.
    package static let rowsPerQuery = 100_000
    /// Bytes of text in one answer: an answer is built in memory.
    package static let byteCountPerQuery = 64 << 20
    /// Reasons listed in one ``WriteReport``.
    package static let refusalsPerReport = 16
    /// Prepared upserts of one table; rows of other shapes replace the oldest.
    static let statementsPerTable = 64
    /// Rows deleted in one transaction by retention, so that a writer waits for milliseconds at most.
    static let rowsPerRetentionStep = 2000
    /// Deleting transactions in one call of retention.
    static let retentionSteps = 500
    /// Pages of write-ahead log (4 KiB each) that start a checkpoint in the background.
    static let checkpointPageCount = 1000
    /// Pages of write-ahead log at which the writer itself finishes the checkpoint, which lets the log start over.
    static let restartPageCount = 4000
}
