import OgawaCore

/// Rows on their way between operators: columns of equal length and the event time of each row.
///
/// **Shape.** `times` is sorted. All columns keep their text in `heap`.
/// **Isolation.** Owned by the pipeline; a downstream operator reads it during `process` and keeps nothing of it.
final class ColumnBatch {
    var columns: [Column]
    var times: [Int64]
    let heap: TextHeap

    init(columns: [Column], times: [Int64] = [], heap: TextHeap) {
        self.columns = columns
        self.times = times
        self.heap = heap
    }

    var count: Int { times.count }
}

extension Column {
    /// Overwrites this column with chosen rows of another on the same heap.
    func gather(from source: Column, rows: UnsafeBufferPointer<Int32>) {
        reserve(rows.count)
        let (tags, values) = (tags, values)
        for (target, row) in rows.enumerated() {
            tags[target] = source.tags[Int(row)]
            values[target] = source.values[Int(row)]
        }
        finish(count: rows.count, tagSet: source.tagSet)
    }

    /// Adds rows of a column on another heap, copying their text.
    package func appendCopies(of source: Column, rows: UnsafeBufferPointer<Int32>) {
        let start = count
        reserve(start + rows.count)
        let isPlain = source.tagSet.isDisjoint(with: .heaped)
        for (index, row) in rows.enumerated() {
            let tag = source.tags[Int(row)]
            var value = source.values[Int(row)]
            if !isPlain, TagSet(rawValue: 1 << UInt16(tag)).isSubset(of: .heaped) {
                let bytes = source.heap.bytes(value)
                value = bytes.baseAddress.map { heap.append($0, count: bytes.count) } ?? 0
            }
            tags[start + index] = tag
            values[start + index] = value
        }
        finish(count: start + rows.count, tagSet: tagSet.union(source.tagSet))
    }
}
