import OgawaCore
import OgawaHost
import OgawaLog
import OgawaServer
import OgawaState

/// What the runners of one hosted function need from their surroundings.
struct HostedContext: Sendable {
    /// The stream for events that a function could not process.
    static let deadLetters = "dead-letters"

    let definition: FunctionDefinition
    let host: FunctionHost
    let state: any StateBackend
    let outputs: OutputRegistry
    let feed: LiveFeed
    let rejections: RejectionLog
    let clock: any WallClock

    var function: String { definition.name }

    /// The project's name for an output of the function; nil where it has none.
    ///
    /// What a function returns without saying where goes to the output that has the function's name.
    func output(named name: String) -> String? {
        let target = definition.outputs.first { $0.name == name }?.target
        let wanted =
            switch target {
            case .named(let name)?, .stream(let name)?, .table(let name, _)?: name
            case nil: name == "$return" ? function : name
            }
        return outputs.output(wanted)?.name
    }

    func report(_ reason: String, device: String? = nil) {
        rejections.append(kind: .error, stream: nil, function: function, device: device, reason: reason)
    }

    /// Tells the live feed.
    func publish(_ rows: OutputRows, to name: String) {
        guard feed.hasSubscribers(name) else { return }
        var frame = LiveFrame()
        frame.bytes = rows.bytes
        frame.rows = rows.rows
        if let column = outputs.output(name)?.keyColumn {
            let keys = RowKeys(rows.batch, column: column)
            for row in 0..<rows.count {
                keys.withKey(of: row) { text in
                    frame.keys.append(ByteSlice(start: frame.bytes.count, count: text.count))
                    frame.bytes.append(contentsOf: text)
                }
            }
        }
        feed.publish(name, lines: frame)
    }
}

extension OutputRows {
    /// The rows as records, as `SELECT *` gives them; what is no JSON object becomes NULL.
    var batch: RowBatch {
        let heap = TextHeap(capacity: Swift.max(64, bytes.count))
        let column = Column(heap: heap)
        for row in rows {
            let text = bytes[row.range]
            let first = text.first { $0 > 0x20 }
            let bits = text.withUnsafeBufferPointer { $0.baseAddress.map { heap.append($0, count: text.count) } ?? 0 }
            column.append(first == UInt8(ascii: "{") ? .record : .null, first == UInt8(ascii: "{") ? bits : 0)
        }
        return RowBatch(
            items: [.spread(excluding: [])], columns: [column], times: Array(repeating: 0, count: rows.count))
    }
}
