import OgawaCore

/// Rows of one batch as JSON lines, for broadcasting.
///
/// **Shape.** `rows` and `keys` point into `bytes`, one of each a row; a key may be empty. A row is one JSON object.
package struct LiveFrame: Sendable {
    package var bytes: [UInt8]
    package var rows: [ByteSlice]
    package var keys: [ByteSlice]

    package init(bytes: [UInt8] = [], rows: [ByteSlice] = [], keys: [ByteSlice] = []) {
        self.bytes = bytes
        self.rows = rows
        self.keys = keys
    }
}

extension LiveFrame {
    /// Appends the frame as one server-sent event of a `data:` line a row; nothing where no row has the key.
    ///
    /// Line breaks inside a row end the field for a reader, so they become blanks: between the tokens of JSON both mean the
    /// same, and inside texts they are always escaped.
    func appendServerSentEvent(key: [UInt8]?, to target: inout [UInt8]) {
        let start = target.count
        bytes.withUnsafeBufferPointer { bytes in
            for (index, row) in rows.enumerated() where isWanted(index, key: key, in: bytes) {
                guard row.range.upperBound <= bytes.count else { continue }
                target.append(contentsOf: "data: ".utf8)
                let rowStart = target.count
                target.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[row.range]))
                for position in rowStart..<target.count where target[position] == 0x0a || target[position] == 0x0d {
                    target[position] = 0x20
                }
                target.append(0x0a)
            }
        }
        if target.count > start { target.append(0x0a) }
    }

    private func isWanted(_ index: Int, key: [UInt8]?, in bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let key else { return true }
        guard index < keys.count, keys[index].range.upperBound <= bytes.count else { return false }
        return bytes[keys[index].range].elementsEqual(key)
    }
}
