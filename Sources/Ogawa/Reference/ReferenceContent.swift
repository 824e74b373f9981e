import OgawaCore
import OgawaEngine
import OgawaJSON

/// The rows of reference data at one moment.
///
/// **Shape.** `bytes` holds one JSON object a row, each followed by a line end, without padding.
package struct ReferenceContent: Sendable, Hashable {
    /// No reference data are larger: they are kept in memory, once for each function that reads them.
    package static let maximumByteCount = 256 << 20
    package static let maximumRowCount = 1_000_000

    package private(set) var bytes: [UInt8] = []
    package private(set) var rows: [ByteSlice] = []

    package init() {}

    /// Reads a file: CSV with a header line, JSON (an array, or objects one after another), or one JSON object a line, each also packed
    /// with gzip; the name's ending tells which.
    ///
    /// - Throws: ``ProjectError`` with the file, and the line or element where something is wrong.
    package init(file path: String) throws {
        let input = try InputFile(path: path, hasOwnTime: true)
        while let batch = try input.next() {
            try batch.bytes.withUnsafeBytes { raw in
                for body in batch.bodies { try append(UnsafeRawBufferPointer(rebasing: raw[body.range]), from: path) }
            }
        }
        try checkObjects(path)
    }

    /// Takes the rows of a batch as they are encoded for an output.
    package init(_ batch: RowBatch, from name: String) throws {
        let encoder = RowEncoder()
        for line in encoder.encode(batch) {
            try append(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: encoder.bytes[line.range])), from: name)
        }
    }

    private mutating func append(_ row: UnsafeRawBufferPointer, from name: String) throws {
        guard rows.count < ReferenceContent.maximumRowCount,
            bytes.count + row.count < ReferenceContent.maximumByteCount
        else {
            throw ProjectError(
                code: "too-large",
                message: "the reference data of \(name) are larger than \(ReferenceContent.maximumRowCount) rows or "
                    + "\(ReferenceContent.maximumByteCount >> 20) MiB",
                hint: "send large data as events, and join the streams")
        }
        rows.append(ByteSlice(start: bytes.count, count: row.count))
        bytes.append(contentsOf: row)
        bytes.append(UInt8(ascii: "\n"))
    }

    /// The rows followed by the zero bytes that a decoder may read past them.
    package var paddedBytes: [UInt8] { bytes + Array(repeating: 0, count: EventBatch.paddingByteCount) }

    private func checkObjects(_ path: String) throws {
        _ = try decode([], from: path)
    }

    /// The fields of every row.
    private func decode(_ paths: [[String]], from name: String) throws -> [Column] {
        let heap = TextHeap()
        let columns = paths.map { _ in Column(heap: heap) }
        let decoder = BodyDecoder(paths: paths, readsAll: true)
        var problems: [UInt8] = []
        let padded = paddedBytes
        let badCount = padded.withUnsafeBufferPointer { bytes in
            rows.withUnsafeBufferPointer { rows in
                decoder.decode(bytes: bytes, bodies: rows, into: columns, heap: heap, problems: &problems)
            }
        }
        guard badCount > 0, let row = problems.firstIndex(where: { $0 != 0 }) else { return columns }
        let problem = BodyDecoder.Problem(rawValue: problems[row]) ?? .malformed
        throw ProjectError(
            code: "malformed-reference", message: "row \(row + 1) of \(name): \(problem.reason)",
            hint: "every row is a JSON object")
    }

    /// Checks that every row has a value of its own in a column.
    ///
    /// - Throws: ``ProjectError`` that names the rows.
    package func check(key: String, from name: String) throws {
        let columns = try decode([[key]], from: name)
        var seen: [Value: Int] = [:]
        for row in rows.indices {
            let value = columns[0].value(at: row)
            guard value != .null else {
                throw ProjectError(
                    code: "missing-key", message: "row \(row + 1) of \(name) has no \(key)",
                    hint: "give it one, or remove 'key: \(key)'")
            }
            if let earlier = seen.updateValue(row, forKey: value) {
                throw ProjectError(
                    code: "duplicate-key",
                    message: "rows \(earlier + 1) and \(row + 1) of \(name) have the same \(key)",
                    hint: "remove one, or remove 'key: \(key)' where several rows of a key are meant")
            }
        }
    }

    /// A version of these rows.
    package func version(from time: Timestamp) -> ReferenceVersion {
        ReferenceVersion(validFrom: time, bytes: paddedBytes, rows: rows)
    }

    /// Whether a version has these rows.
    package func isSame(as version: ReferenceVersion) -> Bool {
        version.rows == rows && version.bytes.count == bytes.count + EventBatch.paddingByteCount
            && version.bytes.starts(with: bytes)
    }
}
