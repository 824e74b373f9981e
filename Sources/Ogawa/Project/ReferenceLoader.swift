import OgawaCore
import OgawaEngine
import OgawaStore

extension ReferenceSettings {
    /// Reads the rows as they are now.
    ///
    /// - Parameter table: gives a table among the outputs; nil where there is none to read.
    /// - Throws: ``ProjectError`` or ``StoreError`` that names the source.
    package func load(table: (String) throws -> Table?) throws -> ReferenceContent {
        let content: ReferenceContent
        switch source {
        case .file(let path): content = try ReferenceContent(file: path)
        case .sqlite(let path, let name):
            let rows = try ForeignTable.rows(path: path, table: name, limit: ReferenceContent.maximumRowCount)
            content = try ReferenceContent(rows, rangeColumn: nil, keyColumn: nil)
        case .output(let name):
            guard let table = try table(name) else {
                throw ProjectError(
                    code: "no-table",
                    message:
                        "reference data '\(self.name)' are read from the table '\(name)', which only a running project has",
                    hint: "give a file with --reference \(self.name)=FILE")
            }
            let settings = table.configuration
            let rows = try table.query(TableQuery(limit: StoreLimits.rowsPerQuery, descending: settings.range != nil))
            content = try ReferenceContent(rows, rangeColumn: settings.range, keyColumn: settings.key)
        }
        if let key { try content.check(key: key, from: described) }
        return content
    }

    /// The source in words.
    package var described: String {
        switch source {
        case .file(let path): path
        case .sqlite(let path, let table): "table \(table) in \(path)"
        case .output(let name): "table \(name)"
        }
    }
}

extension ReferenceContent {
    /// The rows of a table; of a table with a range column, which holds the history of each key, only the newest of each.
    fileprivate init(_ table: TableRows, rangeColumn: String?, keyColumn: String?) throws {
        let heap = TextHeap()
        let columns = table.columns.map { _ in Column(heap: heap) }
        var seen: Set<Value> = []
        let key = keyColumn.flatMap { table.columns.firstIndex(of: $0) }
        var count = 0
        for row in table.rows {
            // Newest first.
            if rangeColumn != nil, let key, !seen.insert(row[key]).inserted { continue }
            for (column, value) in zip(columns, row) { column.append(value) }
            count += 1
        }
        let batch = RowBatch(
            items: table.columns.map(RowBatch.Item.named), columns: columns, times: Array(repeating: 0, count: count))
        try self.init(batch, from: table.table)
    }
}
