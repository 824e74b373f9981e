import OgawaCore

extension LiveFrame {
    /// Events of a stream as a live feed and `ogawa tail` show them, one row an event:
    /// `{"partition":0,"offset":5,"enqueued":"…Z","key":"dev-1","body":{…}}`.
    package init(events: EventBatch) {
        self.init()
        bytes.reserveCapacity(events.bytes.count + events.count * 120)
        rows.reserveCapacity(events.count)
        keys.reserveCapacity(events.count)
        let head = Array("{\"partition\":\(events.partition),\"offset\":".utf8)
        for index in 0..<events.count {
            let key = events.key(at: index)
            keys.append(ByteSlice(start: bytes.count, count: key.utf8.count))
            bytes.append(contentsOf: key.utf8)
            let start = bytes.count
            bytes.append(contentsOf: head)
            bytes.append(contentsOf: events.firstOffset.advanced(by: index).description.utf8)
            bytes.append(contentsOf: ",\"enqueued\":\"".utf8)
            bytes.append(contentsOf: Timestamp(ticks: events.enqueuedTimes[index]).description.utf8)
            bytes.append(contentsOf: "\",\"key\":".utf8)
            appendJSONText(key, to: &bytes)
            bytes.append(contentsOf: ",\"body\":".utf8)
            bytes.append(contentsOf: events.bytes[events.bodies[index].range])
            bytes.append(UInt8(ascii: "}"))
            rows.append(ByteSlice(start: start, count: bytes.count - start))
        }
    }
}
