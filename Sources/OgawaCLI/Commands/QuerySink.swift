// Where the rows of a query go: a table on the terminal, or NDJSON or CSV to standard output or a file.

import Ogawa
import OgawaCore
import OgawaJSON

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Takes rows batch by batch.
///
/// **Isolation.** One thread.
final class QuerySink {
    private enum Form {
        case lines
        case table
        case csv
    }

    private static let bufferByteCount = 256 << 10

    private let form: Form
    private let path: String?
    private let descriptor: Int32
    private let namesOutput: Bool
    private let encoder = RowEncoder()
    private var buffer: [UInt8] = []
    private var table: TableWriter
    private var csvColumns: [String] = []

    init(outputs: [String], path: String?, asTable: Bool) throws {
        namesOutput = outputs.count > 1
        self.path = path
        form = asTable ? .table : path?.hasSuffix(".csv") == true ? .csv : .lines
        table = TableWriter(width: Terminal.width) { Output.line($0) }
        guard let path else {
            descriptor = 1
            return
        }
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw CommandFailure("can't write \(path): \(String(cString: strerror(errno)))") }
    }

    /// Adds the rows of an output.
    func take(_ rows: RowBatch, of output: String) throws {
        encoder.clear()
        for slice in encoder.encode(rows) {
            let line = UnsafeBufferPointer(rebasing: encoder.bytes[slice.range])
            switch form {
            case .lines: appendLine(line, output)
            case .table: table.add(try members(line, output))
            case .csv: try appendRecord(try members(line, output))
            }
        }
        if buffer.count >= QuerySink.bufferByteCount { try flush() }
    }

    /// Writes what is held back.
    func finish() throws {
        if form == .table { table.finish() }
        try flush()
        if descriptor > 2, fsync(descriptor) != 0, errno != EINVAL { throw writeFailure() }
        if descriptor > 2 { close(descriptor) }
    }

    private func appendLine(_ line: UnsafeBufferPointer<UInt8>, _ output: String) {
        if namesOutput {
            buffer.append(contentsOf: #"{"_output":"#.utf8)
            buffer.append(contentsOf: JSONValue.string(output).text.utf8)
            if line.count > 2 { buffer.append(UInt8(ascii: ",")) }
            buffer.append(contentsOf: line.dropFirst())
        } else {
            buffer.append(contentsOf: line)
        }
        buffer.append(UInt8(ascii: "\n"))
    }

    private func members(_ line: UnsafeBufferPointer<UInt8>, _ output: String) throws -> [JSONMember] {
        let row = try JSONValue.parse(String(decoding: line, as: UTF8.self)).members ?? []
        return namesOutput ? [JSONMember("_output", .string(output))] + row : row
    }

    /// The first row names the columns; a later row can't bring a new one, because the header is written.
    private func appendRecord(_ row: [JSONMember]) throws {
        if csvColumns.isEmpty {
            csvColumns = row.map(\.name)
            let header = csvColumns.map(QuerySink.quoted).joined(separator: ",") + "\n"
            buffer.append(contentsOf: header.utf8)
        }
        if let unknown = row.first(where: { !csvColumns.contains($0.name) }) {
            throw CommandFailure(
                "a row has the column '\(unknown.name)', which the CSV header has not",
                hint: "name the columns in SELECT, or write NDJSON: --output rows.ndjson")
        }
        let fields = csvColumns.map { name in QuerySink.field(row.first { $0.name == name }?.value) }
        let line = fields.joined(separator: ",") + "\n"
        buffer.append(contentsOf: line.utf8)
    }

    private static func field(_ value: JSONValue?) -> String {
        switch value {
        case nil, .null: ""
        case .string(let text): quoted(text)
        case .some(let value): quoted(value.text)
        }
    }

    private static func quoted(_ text: String) -> String {
        let special = Array(",\"\n\r".utf8)
        guard text.utf8.contains(where: { special.contains($0) }) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }

    private func flush() throws {
        if path == nil {
            if !buffer.isEmpty { Output.write(buffer) }
        } else {
            var written = 0
            while written < buffer.count {
                let count = buffer.withUnsafeBytes { bytes in
                    bytes.baseAddress.map { write(descriptor, $0 + written, buffer.count - written) } ?? 0
                }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw writeFailure() }
                written += count
            }
        }
        buffer.removeAll(keepingCapacity: true)
    }

    private func writeFailure() -> CommandFailure {
        CommandFailure("can't write \(path ?? "standard output"): \(String(cString: strerror(errno)))")
    }
}
