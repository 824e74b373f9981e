import OgawaCore

/// The events that a source's policies keep from its timeline, for LATE INTO.
///
/// **Shape.** What was wrong (text), the event's own time and its arrival (datetime), and the body. A row's System.Timestamp() is the
/// arrival, so that rows come in order also where the events' own times do not.
final class LateOutlet: Operator {
    /// How many columns a row has.
    static let columnCount = 4

    let heap = TextHeap()
    private let body: Int
    private let output: ColumnBatch
    private var last = Int64.min

    /// - Parameter body: the column of the source that has the body.
    init(body: Int) {
        self.body = body
        let heap = heap
        output = ColumnBatch(columns: (0..<LateOutlet.columnCount).map { _ in Column(heap: heap) }, heap: heap)
    }

    func take(_ kind: Finding.Kind, eventTime: Int64, arrival: Int64, row: Int, of batch: ColumnBatch) {
        last = max(last, arrival)
        output.columns[0].append(.text, heap.append(kind.rawValue))
        output.columns[1].append(.datetime, UInt64(bitPattern: eventTime))
        output.columns[2].append(.datetime, UInt64(bitPattern: arrival))
        output.columns[3].appendCopy(of: batch.columns[body], row: row)
        output.times.append(last)
    }

    /// Gives out what was taken since the last call.
    func flush() throws {
        guard output.count > 0 else { return }
        try emit(output)
        for column in output.columns { column.finish(count: 0, tagSet: []) }
        output.times.removeAll(keepingCapacity: true)
        heap.count = 0
    }

    override func save(to writer: inout StateWriter) { writer.write(last) }

    override func restore(from reader: inout StateReader) throws { last = try reader.readInt64() }
}
