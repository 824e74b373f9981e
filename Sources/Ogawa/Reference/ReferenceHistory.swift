import OgawaCore
import OgawaEngine

/// The versions of reference data that were ever read, with the times from which they are valid: a file each, so that a
/// replay finds for each event what the live run found.
///
/// **Shape.** `<folder>/<time>.json`, the time as ISO 8601 with `-` for `:`, one JSON object a line; `<folder>/asked`, one time.
/// **Isolation.** One thread at a time; blocks on the disk.
package struct ReferenceHistory: Sendable {
    private static let askedName = "asked"
    private let folder: String
    private let files: any FileSystem

    package init(folder: String, files: any FileSystem) {
        self.folder = folder
        self.files = files
    }

    /// The recorded versions in order of time.
    ///
    /// - Throws: ``ProjectError`` where a file cannot be read.
    package func load() throws -> [ReferenceVersion] {
        guard TextFile.isDirectory(folder) else { return [] }
        return try names().map { name in
            try ReferenceContent(file: "\(folder)/\(name.file)").version(from: name.time)
        }
    }

    private func names() throws -> [(file: String, time: Timestamp)] {
        try TextFile.list(folder).compactMap { file in
            ReferenceHistory.time(of: file).map { (file, $0) }
        }.sorted { $0.time < $1.time }
    }

    /// Stores a version; when it returns, the version is on the disk.
    package func record(_ version: ReferenceVersion) throws {
        let bytes = version.bytes.dropLast(EventBatch.paddingByteCount)
        try replace(ReferenceHistory.fileName(version.validFrom), with: bytes)
    }

    /// Stores that events up to a time were asked for; when it returns, it is on the disk.
    package func record(asked time: Timestamp) throws {
        try replace(ReferenceHistory.askedName, with: Array("\(time)\n".utf8)[...])
    }

    /// The time up to which events were asked for, where it was stored.
    package func loadAsked() throws -> Timestamp? {
        let path = "\(folder)/\(ReferenceHistory.askedName)"
        guard TextFile.exists(path) else { return nil }
        let text = try TextFile.read(path)
        guard let time = Timestamp(String(text.prefix { $0 != "\n" })) else {
            throw ProjectError(
                code: "damaged-file", message: "\(path) holds no time",
                hint: "remove it, where no event with a time in the future was read")
        }
        return time
    }

    /// Writes a file whole or not at all.
    private func replace(_ name: String, with bytes: ArraySlice<UInt8>) throws {
        try TextFile.createDirectory(folder)
        let path = "\(folder)/\(name)"
        let temporary = path + ".new"
        let file = try files.open(temporary, .replace)
        try bytes.withUnsafeBytes { try file.writeAll($0, at: 0) }
        try file.sync()
        try files.rename(temporary, to: path)
        try files.syncDirectory(folder)
    }

    /// Removes versions that no event at or after a time reads; gives how many there were.
    package func prune(before time: Timestamp) throws -> Int {
        guard TextFile.isDirectory(folder) else { return 0 }
        let known = try names()
        // A version is read until the next one's time.
        let dead = zip(known, known.dropFirst()).prefix { $1.time <= time }.map(\.0)
        for version in dead { try files.remove("\(folder)/\(version.file)") }
        return dead.count
    }

    static func fileName(_ time: Timestamp) -> String { time.description.replacing(":", with: "-") + ".json" }

    static func time(of file: String) -> Timestamp? {
        guard file.hasSuffix(".json"), let separator = file.firstIndex(of: "T") else { return nil }
        let clock = file[separator...].dropLast(5).replacing("-", with: ":")
        return Timestamp(String(file[..<separator]) + clock)
    }
}
