/// A project to start from, as files.
package struct Template: Sendable {
    package var name: String
    /// What the project does, in one line.
    package var summary: String
    /// Path within the project and text of each file.
    package var files: [(path: String, text: String)]

    /// Every template, by the name that `ogawa init --template` takes.
    package static let all = [temperature, movingAverageJS]

    /// Writes the files into a folder, which may exist but must hold no project yet.
    ///
    /// **Errors.** ``ProjectError`` with code `exists` where a file is in the way; nothing is written then.
    package func write(to directory: String) throws(ProjectError) {
        for file in files {
            let path = TextFile.join(directory, file.path)
            guard !TextFile.exists(path) else {
                throw ProjectError(
                    code: "exists", message: "\(path) exists, and nothing was written",
                    hint: "name a new folder: ogawa init plant-2 --template \(name)")
            }
        }
        try TextFile.createDirectory(directory)
        for file in files {
            let path = TextFile.join(directory, file.path)
            if let slash = path.lastIndex(of: "/"), slash > path.startIndex {
                try TextFile.createDirectory(String(path[..<slash]))
            }
            try TextFile.write(path, file.text)
        }
    }
}
