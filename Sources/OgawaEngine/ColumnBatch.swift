import OgawaCore

/// Rows on their way between operators: columns of equal length and the event time of each row.
///
/// **Shape.** `times` is sorted (per substream where there are substreams). All columns keep their text in `heap`.
/// **Isolation.** Owned by the pipeline; a downstream operator reads it during `process` and keeps nothing of it.
final class ColumnBatch {
    var columns: [Column]
    var times: [Int64]
    /// The substream of each row; empty where all rows share one timeline.
    ///
    /// With substreams, `times` is sorted per substream only.
    var lanes: [UInt32] = []
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

    /// The bytes of text, records and arrays of the first rows.
    func textByteCount(_ count: Int) -> Int {
        if tagSet.isDisjoint(with: .heaped) { return 0 }
        var sum = 0
        for row in 0..<count where TagSet.heaped.rawValue >> UInt16(tags[row]) & 1 != 0 {
            sum &+= Int(values[row] >> 32)
        }
        return sum
    }

    /// Adds the first rows of a column whose heap was copied to this one's, `distance` bytes behind its start.
    func appendMoved(_ source: Column, count added: Int, by distance: Int) {
        let start = count
        reserve(start + added)
        let (tags, values, sourceTags, sourceValues) = (tags + start, values + start, source.tags, source.values)
        tags.update(from: sourceTags, count: added)
        values.update(from: sourceValues, count: added)
        if !source.tagSet.isDisjoint(with: .heaped) {
            for row in 0..<added where TagSet.heaped.rawValue >> UInt16(sourceTags[row]) & 1 != 0 {
                values[row] = sourceValues[row] &+ UInt64(distance)
            }
        }
        finish(count: start + added, tagSet: tagSet.union(source.tagSet))
    }

    /// Adds rows of a column on another heap, copying their text.
    package func appendCopies(of source: Column, rows: UnsafeBufferPointer<Int32>) {
        let start = count
        reserve(start + rows.count)
        let isPlain = source.tagSet.isDisjoint(with: .heaped)
        let (tags, values, sourceTags, sourceValues) = (tags + start, values + start, source.tags, source.values)
        let (heap, sourceHeap) = (heap, source.heap)
        for index in 0..<rows.count {
            let row = Int(rows[index])
            let tag = sourceTags[row]
            var value = sourceValues[row]
            if !isPlain, TagSet.heaped.rawValue >> UInt16(tag) & 1 != 0 {
                let bytes = sourceHeap.bytes(value)
                value = bytes.baseAddress.map { heap.append($0, count: bytes.count) } ?? 0
            }
            tags[index] = tag
            values[index] = value
        }
        finish(count: start + rows.count, tagSet: tagSet.union(source.tagSet))
    }
}
