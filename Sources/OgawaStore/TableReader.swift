import GRDBSQLite
import OgawaCore

/// Answers one query over the rows that one read transaction sees.
struct TableReader {
    let schema: TableSchema
    let connection: OpaquePointer
    let path: String

    func rows(_ query: TableQuery) throws -> TableRows {
        guard query.limit >= 0, query.limit <= StoreLimits.rowsPerQuery else {
            throw StoreError(
                .badQuery, "limit \(query.limit) of the query on table \"\(schema.name)\" is out of range",
                hint: "ask for 0 to \(StoreLimits.rowsPerQuery) rows and page with from and to")
        }
        var result = TableRows(table: schema.name, columns: schema.columns.map(\.name), rows: [])
        guard schema.isCreated, query.limit > 0 else { return result }
        try checkTimes(query)
        let isDescending = query.descending || query.newestOverAllKeys
        let key = query.newestOverAllKeys ? nil : query.key
        let keys = key.map(candidates)
        if let keys, keys.isEmpty { return result }
        let statement = try RawStatement(
            sql(query, keyCount: keys?.count ?? 0, isDescending: isDescending), on: connection, path: path)
        let bound = bind(query, keys: keys ?? [], to: statement)
        defer { withExtendedLifetime(bound) {} }
        var byteCount = 0
        while try statement.step() {
            let row = values(statement)
            byteCount += row.reduce(0) { $0 + textByteCount($1) }
            guard byteCount <= StoreLimits.byteCountPerQuery else { throw answerTooLarge(result.rows.count) }
            result.rows.append(row)
        }
        return result
    }

    /// Times can be compared with a range column only where it ever held datetimes, or text that may be ISO 8601.
    private func checkTimes(_ query: TableQuery) throws {
        guard query.from != nil || query.to != nil else { return }
        guard let range = schema.rangeColumn else {
            throw StoreError(
                .badQuery, "table \"\(schema.name)\" has no range column, but the query gives from or to",
                hint: "set range: for the table in ogawa.yaml, or ask without from and to")
        }
        guard range.seen.isDisjoint(with: [.datetime, .text]) else { return }
        throw StoreError(
            .badQuery,
            "the range column \"\(range.name)\" of table \"\(schema.name)\" holds \(range.main.typeName), "
                + "but from and to are of type datetime",
            hint: "store System.Timestamp() in the range column, or ask without from and to")
    }

    /// The values that a key text may stand for, by the types that the key column ever had.
    private func candidates(_ text: String) -> [Value] {
        guard let key = schema.keyColumn else { return [] }
        return ValueTag.allCases.filter { key.seen.contains($0.set) }.compactMap { tag -> Value? in
            switch tag {
            case .null: nil
            case .bigint: Int64(text).map(Value.bigint)
            case .float: Double(text).map(Value.float)
            case .bit: text == "true" ? .bit(true) : text == "false" ? .bit(false) : nil
            case .text: .text(text)
            case .datetime: Timestamp(text).map(Value.datetime)
            case .record: .record(text)
            case .array: .array(text)
            }
        }
    }

    private func sql(_ query: TableQuery, keyCount: Int, isDescending: Bool) -> String {
        var conditions: [String] = []
        var parameter = 1
        let key = schema.keyColumn.map { quoted($0.storedName) } ?? ""
        let range = schema.rangeColumn.map { quoted($0.storedName) }
        if keyCount == 1 {
            conditions.append("\(key) = ?1")
        } else if keyCount > 1 {
            conditions.append("\(key) IN (\((1...keyCount).map { "?\($0)" }.joined(separator: ", ")))")
        }
        parameter += keyCount
        for (bound, comparison) in [(query.from, ">="), (query.to, "<")] where bound != nil {
            conditions.append("\(range ?? key) \(comparison) ?\(parameter)")
            parameter += 1
        }
        let order = [range, key].compactMap { $0 }.map { $0 + (isDescending ? " DESC" : "") }
        var columns: [String] = []
        for column in schema.columns where column.main != .null {
            columns.append(quoted(column.storedName))
            if let exactName = column.exactName { columns.append(quoted(exactName)) }
        }
        return "SELECT \(columns.joined(separator: ", ")) FROM \(quoted(schema.storedName))"
            + (conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND "))
            + " ORDER BY \(order.joined(separator: ", ")) LIMIT ?\(parameter)"
    }

    /// - Returns: what the statement points into while it runs.
    private func bind(_ query: TableQuery, keys: [Value], to statement: RawStatement) -> Column {
        let column = Column(heap: TextHeap())
        keys.forEach { column.append($0) }
        var parameter: Int32 = 1
        let encoding = Encoding.key(main: schema.keyColumn?.main ?? .text)
        for row in 0..<column.count {
            _ = OgawaStore.bind(
                column.tag(at: row), column.values[row], heap: column.heap, as: encoding, to: statement.handle,
                at: parameter)
            parameter += 1
        }
        for bound in [query.from, query.to] {
            guard let bound else { continue }
            statement.bind(boundText(bound), at: parameter)
            parameter += 1
        }
        statement.bind(Int64(query.limit), at: parameter)
        return column
    }

    /// The shortest prefix of the stored form that sorts before all texts of that instant.
    ///
    /// Texts of fewer digits, as devices send them, then compare rightly, too.
    private func boundText(_ time: Timestamp) -> String {
        var text = time.description.dropLast()
        while text.last == "0" { text = text.dropLast() }
        if text.last == "." { return String(text.dropLast()) }
        return String(text)
    }

    private func values(_ statement: RawStatement) -> [Value] {
        var index: Int32 = 0
        return schema.columns.map { column in
            if column.main == .null { return .null }
            defer { index += column.exactName == nil ? 1 : 2 }
            if column.exactName != nil, !statement.isNull(index + 1) {
                return storedValue(statement, index + 1, main: .text)
            }
            return storedValue(statement, index, main: column.main)
        }
    }

    private func textByteCount(_ value: Value) -> Int {
        switch value {
        case .text(let text), .record(let text), .array(let text): text.utf8.count
        case .null, .bigint, .float, .bit, .datetime: 16
        }
    }

    private func answerTooLarge(_ rowCount: Int) -> StoreError {
        StoreError(
            .answerTooLarge,
            "the answer from table \"\(schema.name)\" is larger than \(StoreLimits.byteCountPerQuery) bytes",
            hint: "ask for at most \(max(1, rowCount)) rows with limit")
    }
}
