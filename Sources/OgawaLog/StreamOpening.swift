import OgawaCore

/// Opens the folder of a stream, or makes it.
struct StreamOpening {
    private static let maxPartitionCount = 1024
    private static let maxNameByteCount = 128

    let configuration: StreamConfiguration
    let directory: String
    let clock: any WallClock
    let fileSystem: any FileSystem

    /// The stream with its writers running, and the notes of the recovery.
    func run() throws -> (LogStream, [String]) {
        try checkConfiguration()
        try fileSystem.createDirectory(directory)
        try checkPartitionCount()
        var recovered: [RecoveredPartition] = []
        for index in 0..<configuration.partitionCount {
            let partitionDirectory = "\(directory)/\(index)"
            try fileSystem.createDirectory(partitionDirectory)
            var recovery = PartitionRecovery(
                directory: partitionDirectory, partition: PartitionID(index), label: label(index),
                fileSystem: fileSystem)
            recovered.append(try recovery.run())
        }
        try savePartitionCount()
        let partitions = recovered.enumerated().map { index, recovered in
            LogPartition(
                id: PartitionID(index), label: label(index), directory: "\(directory)/\(index)",
                settings: PartitionSettings(configuration), fileSystem: fileSystem, clock: clock,
                recovered: recovered)
        }
        return (LogStream(name: configuration.name, partitions: partitions), recovered.flatMap(\.notes))
    }

    private func label(_ index: Int) -> String { "stream \(configuration.name), partition \(index)" }

    private func checkConfiguration() throws {
        let name = configuration.name
        let isName =
            !name.isEmpty && name.utf8.count <= StreamOpening.maxNameByteCount && name.first != "."
            && name.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                default: byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
                }
            }
        guard isName else {
            throw LogError(
                .badLayout, "stream name \"\(name)\" cannot name a folder",
                hint: "use letters, digits, _, - and ., at most \(StreamOpening.maxNameByteCount), not a dot first")
        }
        guard (1...StreamOpening.maxPartitionCount).contains(configuration.partitionCount) else {
            throw LogError(
                .badLayout,
                "stream \(name) is to have \(configuration.partitionCount) partitions",
                hint: "choose from 1 to \(StreamOpening.maxPartitionCount)")
        }
    }

    private var countPath: String { directory + "/partitions" }

    /// A stream keeps its number of partitions, as keys would move to others.
    private func checkPartitionCount() throws {
        guard try fileSystem.byteCount(of: countPath) != nil else { return }
        let bytes = try fileSystem.open(countPath, .read).readBytes(at: 0, count: 16)
        let text = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        guard let count = Int(text) else {
            throw LogError(
                .badLayout, "file \(countPath) holds \"\(text)\", expected the number of partitions",
                hint: "count the numbered folders beside it and write that number into it")
        }
        guard count == configuration.partitionCount else {
            throw LogError(
                .badLayout,
                "stream \(configuration.name) has \(count) partitions on the disk, "
                    + "but \(configuration.partitionCount) are asked for",
                hint: "set partitions to \(count), or give the stream another name: keys would change their partition")
        }
    }

    /// Written last, so that a crash half-way through making the folders leaves a stream that is made again.
    private func savePartitionCount() throws {
        guard try fileSystem.byteCount(of: countPath) == nil else { return }
        let temporary = directory + "/.partitions"
        let file = try fileSystem.open(temporary, .replace)
        try Array("\(configuration.partitionCount)\n".utf8).withUnsafeBytes { try file.writeAll($0, at: 0) }
        try file.sync()
        try fileSystem.rename(temporary, to: countPath)
        try fileSystem.syncDirectory(directory)
    }
}
