import OgawaCore
import OgawaStore

#if canImport(Glibc)
    import Glibc
#endif

/// A tables file in a folder of its own, removed with it.
final class StoreFolder {
    let directory: String
    var path: String { directory + "/tables.db" }

    init() throws {
        var template = Array("/tmp/ogawa-store-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw FolderError(code: errno) }
        directory = String(cString: made)
    }

    deinit {
        for suffix in ["", "-wal", "-shm", "-journal"] { unlink(path + suffix) }
        rmdir(directory)
    }

    func write(_ bytes: [UInt8]) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        guard file >= 0 else { throw FolderError(code: errno) }
        defer { close(file) }
        guard Glibc.write(file, bytes, bytes.count) == bytes.count else { throw FolderError(code: errno) }
    }

    func contents() throws -> [UInt8] {
        let file = open(path, O_RDONLY)
        guard file >= 0 else { throw FolderError(code: errno) }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: Int(lseek(file, 0, SEEK_END)))
        guard pread(file, &bytes, bytes.count, 0) == bytes.count else { throw FolderError(code: errno) }
        return bytes
    }

    /// The size of the write-ahead log.
    var logByteCount: Int {
        var status = stat()
        return stat(path + "-wal", &status) == 0 ? Int(status.st_size) : 0
    }

    struct FolderError: Error { var code: Int32 }
}

/// A batch of named columns, one array of values a column.
func batch(_ columns: [(String, [Value])]) -> RowBatch {
    let heap = TextHeap()
    let made = columns.map { _, values in
        let column = Column(heap: heap)
        values.forEach { column.append($0) }
        return column
    }
    let count = columns.first?.1.count ?? 0
    return RowBatch(
        items: columns.map { .named($0.0) }, columns: made, times: (0..<count).map { Int64($0) })
}

/// A batch of `*` records, with named columns beside them.
func spread(_ records: [String], excluding: [String] = [], named: [(String, [Value])] = []) -> RowBatch {
    var rows = batch([("*", records.map(Value.record))] + named)
    rows.items[0] = .spread(excluding: excluding)
    return rows
}

func time(_ seconds: Int64) -> Timestamp {
    Timestamp(ticks: (1_767_225_600 + seconds) * Timestamp.ticksPerSecond)
}

let temperature = TableConfiguration(name: "temperature", key: "deviceId", range: "time")

extension TableRows {
    /// The values of one column.
    subscript(name: String) -> [Value] {
        guard let index = columns.firstIndex(of: name) else { return [] }
        return rows.map { $0[index] }
    }
}
