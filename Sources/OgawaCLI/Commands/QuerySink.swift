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
        case count
    }

    /// What can be done about rows that turn out to be given too early.
    private enum Retraction {
        /// They are cut off the file again; the length it had before.
        case cut(Int64)
        /// Nobody keeps them.
        case nothing
        /// They wait until all of them are right.
        case hold
    }

    private static let bufferByteCount = 256 << 10
    private static let heldByteCount = 8 << 20

    private let form: Form
    private let path: String?
    private let descriptor: Int32
    private let retraction: Retraction
    private let namesOutput: Bool
    private let encoder = RowEncoder()
    private var buffer: [UInt8] = []
    private var table: TableWriter
    private var csvColumns: [String] = []
    private var isHolding = false
    private(set) var rowCount = 0
    /// Whether more rows were held back than there is room for, so that they are lost.
    private(set) var hasOverflowed = false

    init(outputs: [String], path: String?, asTable: Bool, countsOnly: Bool = false) throws {
        namesOutput = outputs.count > 1
        self.path = path
        form = countsOnly ? .count : asTable ? .table : path?.hasSuffix(".csv") == true ? .csv : .lines
        table = TableWriter(width: Terminal.width) { Output.line($0) }
        var descriptor: Int32 = 1
        if let path {
            descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else {
                throw CommandFailure("can't write \(path): \(String(cString: strerror(errno)))")
            }
        }
        self.descriptor = descriptor
        retraction = QuerySink.retraction(descriptor, form)
    }

    /// Adds the rows of an output.
    func take(_ rows: RowBatch, of output: String) throws {
        rowCount += rows.count
        if form == .count || hasOverflowed { return }
        if form == .lines, !namesOutput {
            encoder.append(rows)
            if encoder.bytes.count >= QuerySink.bufferByteCount { try flush() }
            return
        }
        encoder.clear()
        for slice in encoder.encode(rows) {
            let line = UnsafeBufferPointer(rebasing: encoder.bytes[slice.range])
            switch form {
            case .lines: appendLine(line, output)
            case .table: table.add(try members(line, output))
            case .csv: try appendRecord(try members(line, output))
            case .count: break
            }
        }
        if buffer.count >= QuerySink.bufferByteCount { try flush() }
    }

    /// Writes what is held back.
    func finish() throws {
        isHolding = false
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

    /// Whether rows can be taken back; those of a table are read at once.
    var isRetractable: Bool { form != .table }

    /// From here on rows may be taken back with ``startAgain()``.
    func startRetractable() {
        if case .hold = retraction { isHolding = true }
    }

    /// Takes back all rows; those that come now are final.
    func startAgain() throws {
        if case .cut(let byteCount) = retraction, rowCount > 0 {
            let isCut =
                ftruncate(descriptor, off_t(byteCount)) == 0 && lseek(descriptor, off_t(byteCount), SEEK_SET) >= 0
            guard isCut else { throw writeFailure() }
        }
        isHolding = false
        hasOverflowed = false
        rowCount = 0
        csvColumns = []
        encoder.clear()
        buffer.removeAll(keepingCapacity: false)
    }

    /// A file's rows can be cut off again; rows that went anywhere else are gone.
    private static func retraction(_ descriptor: Int32, _ form: Form) -> Retraction {
        if form == .count { return .nothing }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return .hold }
        let kind = status.st_mode & S_IFMT
        if kind == S_IFCHR, status.st_rdev == nullDevice { return .nothing }
        let start = lseek(descriptor, 0, SEEK_CUR)
        guard kind == S_IFREG, start == status.st_size, fcntl(descriptor, F_GETFL) & O_APPEND == 0 else { return .hold }
        return .cut(Int64(start))
    }

    private static let nullDevice: dev_t? = {
        var status = stat()
        return stat("/dev/null", &status) == 0 ? status.st_rdev : nil
    }()

    private func flush() throws {
        if isHolding {
            guard encoder.bytes.count + buffer.count > QuerySink.heldByteCount else { return }
            hasOverflowed = true
            encoder.clear()
            return buffer.removeAll(keepingCapacity: false)
        }
        try buffer.withUnsafeBytes { try write($0) }
        buffer.removeAll(keepingCapacity: true)
        guard form == .lines, !namesOutput else { return }
        try write(UnsafeRawBufferPointer(encoder.bytes))
        encoder.clear()
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws {
        guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
        guard path != nil else { return Output.write(Array(bytes)) }
        var written = 0
        while written < bytes.count {
            let count = systemWrite(descriptor, base + written, bytes.count - written)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw writeFailure() }
            written += count
        }
    }

    private func writeFailure() -> CommandFailure {
        CommandFailure("can't write \(path ?? "standard output"): \(String(cString: strerror(errno)))")
    }
}

/// `write` of the C library, which a method of the same name hides.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
