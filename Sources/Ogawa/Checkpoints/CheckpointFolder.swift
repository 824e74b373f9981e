import OgawaCore
import OgawaPlatform

// One folder per runner, `checkpoints/<name>/<number>.checkpoint`, the numbers growing. A file is written under another name, synced and
// then renamed, so that it is there whole or not at all; the newest two are kept, so that one may be damaged.

/// The checkpoints of one runner on disk.
///
/// **Isolation.** Used by one thread at a time.
package struct CheckpointFolder: Sendable {
    private static let keptCount = 2
    private static let suffix = ".checkpoint"

    package let path: String
    private let fileSystem: any FileSystem

    /// - Parameter directory: the folder of all runners; made when it is needed.
    package init(directory: String, runner: String, fileSystem: any FileSystem = POSIXFileSystem()) {
        path = directory + "/" + CheckpointFolder.fileName(runner)
        self.fileSystem = fileSystem
    }

    /// Stores a checkpoint behind the others and drops those that are too many.
    package func save(_ checkpoint: Checkpoint) throws {
        try prepare()
        try writeDraft(checkpoint)
        try publishDraft()
    }

    /// Makes the folder.
    func prepare() throws { try fileSystem.createDirectory(path) }

    /// Writes a checkpoint under a name that counts for nothing yet.
    func writeDraft(_ checkpoint: Checkpoint) throws {
        let file = try fileSystem.open(draft, .replace)
        try checkpoint.bytes.withUnsafeBytes { try file.writeAll($0, at: 0) }
        try file.sync()
    }

    /// Makes the draft the newest checkpoint.
    func publishDraft() throws {
        let numbers = try storedNumbers()
        try fileSystem.rename(draft, to: name((numbers.last ?? 0) + 1))
        try fileSystem.syncDirectory(path)
        for old in numbers.dropLast(CheckpointFolder.keptCount - 1) { try fileSystem.remove(name(old)) }
    }

    private var draft: String { path + "/draft" }

    /// The checkpoints that can be read, newest first, and what is wrong with the others.
    package func load() throws -> (checkpoints: [Checkpoint], problems: [String]) {
        var checkpoints: [Checkpoint] = []
        var problems: [String] = []
        for number in try storedNumbers().reversed() {
            do {
                let file = try fileSystem.open(name(number), .read)
                let count = try file.byteCount()
                checkpoints.append(try Checkpoint(try file.readBytes(at: 0, count: Int(clamping: count))))
            } catch {
                problems.append("\(name(number)): \(error)")
            }
        }
        return (checkpoints, problems)
    }

    /// Removes every checkpoint.
    package func clear() throws {
        for number in try storedNumbers() { try fileSystem.remove(name(number)) }
    }

    private func storedNumbers() throws -> [UInt64] {
        guard let names = try? fileSystem.listDirectory(path) else { return [] }
        return names.compactMap { name in
            name.hasSuffix(CheckpointFolder.suffix) ? UInt64(name.dropLast(CheckpointFolder.suffix.count)) : nil
        }.sorted()
    }

    private func name(_ number: UInt64) -> String {
        let digits = String(number)
        return path + "/" + String(repeating: "0", count: max(0, 12 - digits.count)) + digits + CheckpointFolder.suffix
    }

    /// A runner's name as a file's: letters, digits, `-` and `_` stay, other bytes become `%` and two hexadecimal digits.
    private static func fileName(_ runner: String) -> String {
        var name = ""
        for byte in runner.utf8 {
            let character = Character(UnicodeScalar(byte))
            if byte < 0x80, character.isLetter || character.isNumber || byte == 0x2d || byte == 0x5f {
                name.append(character)
            } else {
                name += "%" + String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
            }
        }
        return name
    }
}
