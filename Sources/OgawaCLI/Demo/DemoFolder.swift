// The folder of a demo: a temporary one that goes away at the end, or the user's own.

import Ogawa

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where the demo's project lies.
struct DemoFolder {
    let path: String
    private let isTemporary: Bool

    /// Writes the temperature project, or takes the one that is already in the user's folder.
    init(_ directory: String?) throws {
        if let directory {
            path = directory
            isTemporary = false
            if TextFile.exists(TextFile.join(directory, Project.fileName)) { return }
        } else {
            let base = Terminal.environment["TMPDIR"].flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
            var name = Array(TextFile.join(base, "ogawa-demo-XXXXXX").utf8CString)
            guard mkdtemp(&name) != nil else {
                throw CommandFailure(
                    "can't make a folder in \(base): \(String(cString: strerror(errno)))",
                    hint: "name one with --data DIR")
            }
            path = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            isTemporary = true
        }
        try Template.temperature.write(to: path)
    }

    /// Removes a temporary folder with everything in it.
    func remove() {
        guard isTemporary else { return }
        DemoFolder.removeTree(path)
    }

    private static func removeTree(_ path: String) {
        for name in (try? TextFile.list(path)) ?? [] {
            let child = "\(path)/\(name)"
            var status = stat()
            if lstat(child, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
                removeTree(child)
            } else {
                unlink(child)
            }
        }
        rmdir(path)
    }
}
