import OgawaCore

/// Reads one property of events: what the sender set, else what the log knows.
struct EventMetadata {
    private enum Known {
        case id
        case partition
        case offset
        case key
        case enqueuedTime
    }

    private let path: [[UInt8]]
    private let known: Known?
    private let stream: UInt64

    init(_ path: [String], input: String) {
        self.path = path.map { Array($0.utf8) }
        known = EventMetadata.known(path.map { $0.lowercased() })
        // FNV-1a: ids of several streams differ.
        stream = input.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    private static func known(_ path: [String]) -> Known? {
        switch path {
        case ["eventid"]: .id
        case ["eventhub", "partitionid"]: .partition
        case ["eventhub", "offset"], ["eventhub", "sequencenumber"]: .offset
        case ["eventhub", "partitionkey"], ["iothub", "connectiondeviceid"]: .key
        case ["eventhub", "eventenqueuedutctime"], ["iothub", "enqueuedtime"], ["iothub", "enqueuetime"]: .enqueuedTime
        default: nil
        }
    }

    /// Appends the property of a row.
    func append(to column: Column, _ events: EventBatch, _ row: Int, _ bytes: UnsafeBufferPointer<UInt8>) {
        if let cell = sent(UnsafeBufferPointer(rebasing: bytes[events.properties[row].range]), heap: column.heap) {
            column.append(cell.tag, cell.bits)
            return
        }
        let offset = events.firstOffset.advanced(by: row)
        switch known {
        case .id: column.append(.text, column.heap.append(identifier(events.partition, offset)))
        case .partition: column.append(.bigint, UInt64(UInt32(bitPattern: events.partition.rawValue)))
        case .offset: column.append(.bigint, UInt64(bitPattern: offset.rawValue))
        case .key:
            let key = UnsafeBufferPointer(rebasing: bytes[events.keys[row].range])
            column.append(.text, key.baseAddress.map { column.heap.append($0, count: key.count) } ?? 0)
        case .enqueuedTime:
            let time = events.enqueuedTimes[row]
            let isKnown = time != EventSource.arrivesAtOwnTime
            column.append(isKnown ? .datetime : .null, isKnown ? UInt64(bitPattern: time) : 0)
        case nil: column.append(.null, 0)
        }
    }

    /// What the sender set; nil where there is nothing of that path.
    private func sent(_ object: UnsafeBufferPointer<UInt8>, heap: TextHeap) -> Cell? {
        var object = object
        if object.isEmpty { return nil }
        for name in path {
            let range = name.withUnsafeBufferPointer { JSONCursor.member($0, of: object) }
            guard let range else { return nil }
            object = UnsafeBufferPointer(rebasing: object[range])
        }
        guard let base = object.baseAddress else { return nil }
        let packed = heap.append(base, count: object.count)
        return (try? heap.value(ofJSON: packed, 0..<object.count)) ?? .null
    }

    /// Stream, partition and offset in the form of a GUID.
    private func identifier(_ partition: PartitionID, _ offset: Offset) -> String {
        let high = (stream ^ UInt64(UInt32(bitPattern: partition.rawValue))) &* 0x9e37_79b9_7f4a_7c15
        let low = UInt64(bitPattern: offset.rawValue)
        func digits(_ value: UInt64, _ count: Int) -> String {
            let text = String(value, radix: 16)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        return [
            digits(high >> 32, 8), digits(high >> 16 & 0xffff, 4), digits(high & 0xffff, 4), digits(low >> 48, 4),
            digits(low & 0xffff_ffff_ffff, 12),
        ].joined(separator: "-")
    }
}
