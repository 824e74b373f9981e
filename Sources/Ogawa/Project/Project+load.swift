import OgawaCore
import OgawaHost

extension Project {
    /// The file that makes a folder a project.
    package static let fileName = "ogawa.yaml"

    /// Reads a project folder.
    ///
    /// - Parameter directory: the folder, or the path of its ogawa.yaml.
    /// - Parameter environment: what `${NAME}` refers to.
    ///
    /// **Errors.** ``DiagnosticList`` with everything wrong in ogawa.yaml; ``ProjectError`` where it can't be read.
    /// **Isolation.** Blocks on the disk.
    package static func load(directory: String, environment: [String: String]) throws -> Project {
        let folder = try projectFolder(directory)
        let path = TextFile.join(folder, fileName)
        let source = SourceText(name: path, text: try TextFile.read(path))
        var parser = try ProjectParser(source: source, environment: environment)
        var project = try parser.parse(directory: folder)
        project.functions = try loadFunctions(folder)
        try project.findHosted(in: folder, text: source.text)
        return project
    }

    private mutating func findHosted(in folder: String, text: String) throws(ProjectError) {
        let settings = (try? SettingsText.yaml(text, source: Project.fileName))?["functions"] ?? [:]
        let (files, problems) = HostedFile.find(in: folder, settings: settings)
        if let problem = problems.first {
            throw ProjectError(
                code: "invalid-function", message: "functions/\(problem.source): \(problem.message)", hint: problem.hint
            )
        }
        for file in files {
            guard let other = functions.first(where: { $0.name.lowercased() == file.name.lowercased() }) else {
                continue
            }
            throw ProjectError(
                code: "duplicate-function", message: "\(file.path) and \(other.path) are functions of one name",
                hint: "rename one of the files")
        }
        hosted = files
        if !files.isEmpty, stream(HostedContext.deadLetters) == nil {
            // Where events go that a function gives up on.
            streams.append(
                StreamSettings(name: HostedContext.deadLetters, partitionCount: 1, keyField: "function"))
        }
    }

    private static func projectFolder(_ path: String) throws(ProjectError) -> String {
        var folder = path.isEmpty ? "." : path
        while folder.count > 1, folder.hasSuffix("/") { folder.removeLast() }
        if folder == fileName { return "." }
        if folder.hasSuffix("/" + fileName) { return String(folder.dropLast(fileName.count + 1)) }
        guard TextFile.isDirectory(folder) else {
            throw ProjectError(
                code: "not-found", message: "there is no folder \(folder)",
                hint: "make a project there with `ogawa init \(folder)`")
        }
        guard TextFile.exists(TextFile.join(folder, fileName)) else {
            let place = folder == "." ? "this folder" : folder
            throw ProjectError(
                code: "not-a-project", message: "there is no \(fileName) in \(place)",
                hint: "name a project's folder, or make one with `ogawa init plant`")
        }
        return folder
    }

    /// The SQL files of functions/, by name; hidden files and the leavings of editors are no functions.
    private static func loadFunctions(_ folder: String) throws(ProjectError) -> [FunctionFile] {
        let functionFolder = TextFile.join(folder, "functions")
        guard TextFile.isDirectory(functionFolder) else { return [] }
        var functions: [FunctionFile] = []
        for file in try TextFile.list(functionFolder) {
            if file.hasPrefix(".") || file.hasPrefix("#") { continue }
            guard file.hasSuffix(".sql"), file.count > 4 else { continue }
            let path = TextFile.join(functionFolder, file)
            functions.append(
                FunctionFile(
                    name: String(file.dropLast(4)), path: "functions/\(file)",
                    source: SourceText(name: path, text: try TextFile.read(path))))
        }
        return functions
    }
}
