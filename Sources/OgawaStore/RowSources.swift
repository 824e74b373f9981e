import OgawaCore

/// The tag of a row that does not have the column at all, as opposed to having null in it.
let absentTag: UInt8 = 0xff

/// One named source of values: a column of the batch, or one field of its spread records.
struct RowSource {
    let name: String
    let tags: UnsafePointer<UInt8>
    let values: UnsafePointer<UInt64>
    let heap: TextHeap
    /// Whether some rows may not have it.
    let isField: Bool

    @inline(__always)
    func tag(at row: Int) -> ValueTag { ValueTag(rawValue: tags[row]) ?? .null }

    /// The types that occur in rows that are not refused.
    func tagSet(count: Int, refused: [Bool]) -> TagSet {
        var result: TagSet = []
        for row in 0..<count where !refused[row] { result.insert(tag(at: row).set) }
        return result
    }
}

/// The field of that name in every row's spread record.
private final class FieldColumn {
    let name: String
    let tags: UnsafeMutablePointer<UInt8>
    let values: UnsafeMutablePointer<UInt64>

    init(name: String, count: Int) {
        self.name = name
        tags = .allocate(capacity: count)
        values = .allocate(capacity: count)
        tags.initialize(repeating: absentTag, count: count)
        values.initialize(repeating: 0, count: count)
    }

    deinit {
        tags.deallocate()
        values.deallocate()
    }
}

/// A batch with its spread columns expanded and its unusable rows marked.
///
/// **Isolation.** Points into the batch; used only while the write that made it runs.
final class RowSources {
    let batch: RowBatch
    let count: Int
    private(set) var sources: [RowSource] = []
    private(set) var refused: [Bool]
    private(set) var report = WriteReport()
    private(set) var keySource = 0
    private(set) var rangeSource: Int?
    private var fields: [FieldColumn] = []
    private var fieldIndex: [String: Int] = [:]
    private let configuration: TableConfiguration
    private var knownNames: Set<String>

    /// - Parameter knownNames: the columns that the table already has, for the limit on columns.
    init(_ batch: RowBatch, configuration: TableConfiguration, knownNames: Set<String>) throws {
        self.batch = batch
        self.configuration = configuration
        self.knownNames = knownNames
        count = batch.count
        refused = Array(repeating: false, count: count)
        guard batch.items.count == batch.columns.count, batch.columns.allSatisfy({ $0.count == batch.count }) else {
            let lengths = batch.columns.map { String($0.count) }.joined(separator: ", ")
            throw StoreError(
                .badBatch,
                "the rows for table \"\(configuration.name)\" have \(batch.items.count) names, \(batch.count) times "
                    + "and columns of \(lengths) values; expected one column a name, and one value a time in each",
                hint: "the function that made them is at fault; report it with its text")
        }
        addNamed()
        addSpreads()
        findKeys()
        refuseKeyless()
    }

    private func addNamed() {
        var names: Set<String> = []
        for case (.named(let name), let column) in zip(batch.items, batch.columns) where names.insert(name).inserted {
            sources.append(
                RowSource(
                    name: name, tags: UnsafePointer(column.tags), values: UnsafePointer(column.values),
                    heap: column.heap, isField: false))
        }
        knownNames.formUnion(names)
    }

    /// Puts the fields of all spread records where the first of them stands.
    private func addSpreads() {
        guard let first = batch.items.firstIndex(where: { if case .spread = $0 { true } else { false } }) else {
            return
        }
        let position = Set(batch.items[..<first]).count
        let heap = TextHeap()
        for case (.spread(let excluding), let column) in zip(batch.items, batch.columns) {
            let hidden = Set(excluding).union(sources.map(\.name))
            for row in 0..<count where !refused[row] { expand(row, of: column, into: heap, hidden: hidden) }
        }
        let added = fields.map { field in
            RowSource(
                name: field.name, tags: UnsafePointer(field.tags), values: UnsafePointer(field.values), heap: heap,
                isField: true)
        }
        sources.insert(contentsOf: added, at: position)
    }

    private func expand(_ row: Int, of column: Column, into heap: TextHeap, hidden: Set<String>) {
        let tag = column.tag(at: row)
        if tag == .null { return }
        var found: [RecordField] = []
        var isRecord = tag == .record
        if isRecord {
            var splitter = RecordSplitter(column.heap.bytes(column.values[row]), into: heap)
            isRecord = splitter.fields { if !hidden.contains($0.name) { found.append($0) } }
        }
        guard isRecord else {
            refuse(row, .badRecord, "holds a \(tag.typeName) that is not a JSON object where * stands")
            return
        }
        var added: Set<String> = []
        for field in found where !knownNames.contains(field.name) { added.insert(field.name) }
        guard added.isEmpty || knownNames.count + added.count <= StoreLimits.columnsPerTable else {
            refuse(
                row, .tooManyColumns,
                "adds \(added.count) columns to the \(knownNames.count) that are there, "
                    + "the limit is \(StoreLimits.columnsPerTable)")
            return
        }
        if !added.isEmpty { knownNames.formUnion(added) }
        for field in found {
            let target = fieldColumn(field.name)
            if target.tags[row] != absentTag { continue }
            target.tags[row] = field.tag.rawValue
            target.values[row] = field.bits
        }
    }

    private func fieldColumn(_ name: String) -> FieldColumn {
        if let index = fieldIndex[name] { return fields[index] }
        let column = FieldColumn(name: name, count: count)
        fieldIndex[name] = fields.count
        fields.append(column)
        return column
    }

    /// The source of a configured name: exact spelling first, then without regard to ASCII case.
    private func source(named name: String) -> Int? {
        sources.firstIndex { $0.name == name }
            ?? sources.firstIndex { asciiLowered($0.name) == asciiLowered(name) }
    }

    private func findKeys() {
        keySource = source(named: configuration.key) ?? -1
        rangeSource = configuration.range.map { source(named: $0) ?? -1 }
    }

    private func refuseKeyless() {
        for row in 0..<count where !refused[row] {
            if !hasValue(keySource, at: row) {
                refuse(row, .missingKey, "has no value in the key column \"\(configuration.key)\"")
            } else if let rangeSource, !hasValue(rangeSource, at: row) {
                refuse(row, .missingRange, "has no value in the range column \"\(configuration.range ?? "")\"")
            }
        }
    }

    /// Whether the source has something to tell rows apart by: neither null nor NaN, which SQLite stores as NULL.
    private func hasValue(_ index: Int, at row: Int) -> Bool {
        guard index >= 0 else { return false }
        let source = sources[index]
        let tag = source.tag(at: row)
        if tag == .float { return !Double(bitPattern: source.values[row]).isNaN }
        return tag != .null
    }

    /// Marks a row as left out, with its event time as the place.
    func refuse(_ row: Int, _ code: StoreError.Code, _ reason: String) {
        refused[row] = true
        let columns = sources.map(\.name).prefix(20).joined(separator: ", ")
        let hint =
            switch code {
            case .missingKey, .missingRange:
                "select the column under that name (this row has: \(columns)), or leave such rows out with WHERE"
            case .tooManyColumns: "select the wanted fields by name instead of *"
            default: "select a record, or name the wanted columns"
            }
        report.refuse(
            StoreError(
                code,
                "a row for table \"\(configuration.name)\" at \(Timestamp(ticks: batch.times[row])) \(reason)",
                hint: hint))
    }
}
