import OgawaCore
import OgawaHost
import OgawaPlatform

/// A function, or an app of several, that runs in worker processes.
package struct HostedFile: Hashable, Sendable {
    package var definition: FunctionDefinition
    /// A number made of the files' names and bytes: another one means that the workers must be started anew.
    package var digest: UInt64

    package var name: String { definition.name }
    /// The file or folder within the project.
    package var path: String { definition.source == "." ? "functions" : "functions/\(definition.source)" }

    /// The functions of a project's folder that are not SQL, and what is wrong with others.
    static func find(in folder: String, settings: OgawaHost.JSONValue) -> (
        files: [HostedFile], problems: [DiscoveryProblem]
    ) {
        let directory = TextFile.join(TextFile.absolute(folder), "functions")
        let (definitions, problems) = FunctionDiscovery.run(directory: directory, settings: settings)
        let files = definitions.filter { !$0.isDisabled }.map { definition in
            let source = definition.source == "ogawa.yaml" || definition.source == "." ? "" : definition.source
            let path = definition.program.file.isEmpty ? TextFile.join(directory, source) : definition.program.file
            var digest = Digest()
            digest.add(path, depth: 0)
            if definition.program.directory != directory { digest.add(definition.program.directory, depth: 0) }
            return HostedFile(definition: definition, digest: digest.value)
        }
        return (files, problems)
    }

    /// Reads files into one number; libraries and what is very large are told apart by size only.
    private struct Digest {
        private static let byteLimit = 1 << 20
        private static let depthLimit = 4
        private(set) var value: UInt64 = 0
        private var fileCount = 0

        mutating func add(_ path: String, depth: Int) {
            guard fileCount < 1000 else { return }
            if TextFile.isDirectory(path) {
                guard depth < Digest.depthLimit, let names = try? TextFile.list(path) else { return }
                for name in names where name != "node_modules" && !name.hasPrefix(".") {
                    add(TextFile.join(path, name), depth: depth + 1)
                }
                return
            }
            fileCount += 1
            let files = POSIXFileSystem()
            guard let file = try? files.open(path, .read), let count = try? file.byteCount() else { return }
            var bytes = Array(path.utf8) + Array(String(count).utf8)
            if count <= Int64(Digest.byteLimit), let content = try? file.readBytes(at: 0, count: Int(count)) {
                bytes += content
            }
            value = value &* 31 &+ bytes.withUnsafeBytes { keyHash($0) }
        }
    }
}
