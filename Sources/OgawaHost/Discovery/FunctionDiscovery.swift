import OgawaCore
import OgawaPlatform

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

// What lies in functions/ and what it is. Files are functions; folders are functions or apps, told apart by the files that
// Azure and AWS put there. Nothing is run to find out: where only the running program knows (Azure's newer models), the
// definition says so, and the host asks it.

/// Finds the functions of a project.
package struct FunctionDiscovery {
    private let directory: String
    private let settings: JSONValue
    private let system = POSIXFileSystem()
    private var found: [FunctionDefinition] = []
    private var problems: [DiscoveryProblem] = []
    private var used: Set<String> = []

    /// Looks through a folder.
    ///
    /// - Parameter settings: the `functions:` section of ogawa.yaml: an object of settings per function.
    package static func run(
        directory: String, settings: JSONValue = [:]
    ) -> (functions: [FunctionDefinition], problems: [DiscoveryProblem]) {
        var discovery = FunctionDiscovery(directory: directory, settings: settings)
        discovery.search()
        return (discovery.found, discovery.problems)
    }

    /// The definitions of the functions that a running program has registered.
    ///
    /// - Parameter greeting: what ``FunctionHost/describe(program:)`` gave.
    package static func registered(
        by definition: FunctionDefinition, greeting: JSONValue
    ) -> (functions: [FunctionDefinition], problems: [DiscoveryProblem]) {
        do {
            let azure = try AzureSettings(directory: definition.program.directory, source: definition.source)
            let functions = (greeting["functions"]?.elements ?? []).compactMap { function -> FunctionDefinition? in
                guard let name = function["name"]?.text else { return nil }
                var single = definition
                single.name = name
                single.needsRegistration = false
                single.triggers = []
                azure.apply(function["bindings"]?.elements ?? [], retry: function["retry"], to: &single)
                return single
            }
            return (functions, [])
        } catch { return ([], [error]) }
    }

    private init(directory: String, settings: JSONValue) {
        self.directory = directory
        self.settings = settings
    }

    private mutating func search() {
        let names = ((try? system.listDirectory(directory)) ?? []).sorted()
        for name in names where !name.hasPrefix(".") && !name.hasPrefix("_") {
            attempt(name) { discovery throws(DiscoveryProblem) in
                if Self.isDirectory("\(discovery.directory)/\(name)") {
                    try discovery.folder(name)
                } else {
                    try discovery.file(name)
                }
            }
        }
        for member in settings.members ?? [] where !used.contains(member.name) && member.value["command"] != nil {
            attempt("functions.\(member.name)") { discovery throws(DiscoveryProblem) in
                let program = FunctionProgram(
                    name: member.name, runtime: .node, model: .plain, directory: discovery.directory)
                let definition = FunctionDefinition(name: member.name, source: "ogawa.yaml", program: program)
                try discovery.add(definition, front: nil)
            }
        }
    }

    private mutating func attempt(
        _ source: String, _ body: (inout FunctionDiscovery) throws(DiscoveryProblem) -> Void
    ) {
        do { try body(&self) } catch { problems.append(error) }
    }

    /// Adds a definition with the settings that the project and its own front section give; the project's come last.
    private mutating func add(_ definition: FunctionDefinition, front: JSONValue?) throws(DiscoveryProblem) {
        var definition = definition
        if let other = found.first(where: { $0.name == definition.name }) {
            throw DiscoveryProblem(
                definition.source, "a function named \(definition.name) is in \(other.source) already",
                hint: "rename one of them")
        }
        let own = settings[definition.name]
        used.insert(definition.name)
        var merged = front?.members ?? []
        for member in own?.members ?? [] {
            merged.removeAll { $0.name == member.name }
            merged.append(member)
        }
        try FunctionSettings(source: definition.source, settings: .object(merged)).apply(to: &definition)
        found.append(definition)
    }

    // MARK: - Files

    private mutating func file(_ name: String) throws(DiscoveryProblem) {
        let path = "\(directory)/\(name)"
        let end = name.lastIndex(of: ".").map { String(name[name.index(after: $0)...]).lowercased() } ?? ""
        let stem = name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name
        let runtime: FunctionRuntime
        switch end {
        case "js", "mjs", "cjs": runtime = .node
        case "py": runtime = .python
        case "sql", "json", "yaml", "yml", "md", "txt", "csv", "lock": return
        default:
            // A program of any other kind is a filter, if it can be run.
            guard access(path, X_OK) == 0 else { return }
            runtime = .command([path])
        }
        var program = FunctionProgram(name: stem, runtime: runtime, model: .plain, directory: directory, file: path)
        var front: JSONValue?
        if case .command = runtime {
            program.model = .jsonLines
            program.file = ""
            if let bytes = FileText.read(path), bytes.starts(with: "#!".utf8) {
                front = try SettingsText.frontSection(of: String(decoding: bytes, as: UTF8.self), source: name)
            }
        } else {
            guard let bytes = FileText.read(path) else { throw DiscoveryProblem(name, "cannot be read") }
            let text = String(decoding: bytes, as: UTF8.self)
            front = try SettingsText.frontSection(of: text, source: name)
            program.model = Self.model(of: text, runtime)
        }
        var definition = FunctionDefinition(name: stem, source: name, program: program)
        definition.needsRegistration = program.model == .azureRegistered
        try add(definition, front: front)
    }

    /// The model that a file is written for, by the words that give it away.
    private static func model(of text: String, _ runtime: FunctionRuntime) -> FunctionModel {
        let lines = text.split(separator: "\n").map(\.trimmed)
        if runtime == .python {
            if lines.contains(where: { $0.contains("FunctionApp(") }) { return .azureRegistered }
            if lines.contains(where: { $0.hasPrefix("def lambda_handler") || $0.hasPrefix("async def lambda_handler") })
            {
                return .lambdaHandler
            }
            return .plain
        }
        let isAzure = lines.contains { $0.contains("'@azure/functions'") || $0.contains("\"@azure/functions\"") }
        if isAzure { return .azureRegistered }
        let handlers = [
            "exports.handler", "module.exports.handler", "export const handler", "export async function handler",
            "export function handler",
        ]
        return lines.contains { line in handlers.contains { line.hasPrefix($0) } } ? .lambdaHandler : .plain
    }

    // MARK: - Folders

    private mutating func folder(_ name: String) throws(DiscoveryProblem) {
        let path = "\(directory)/\(name)"
        let has: (String) -> Bool = { access("\(path)/\($0)", F_OK) == 0 }
        if has("function.json") { return try azureFolder(path, name, app: directory, appSource: ".") }
        if has("host.json") || has("function_app.py") { return try azureApp(path, name) }
        for template in ["template.yaml", "template.yml"] where has(template) {
            let source = "\(name)/\(template)"
            let text = String(decoding: FileText.read("\(path)/\(template)") ?? [], as: UTF8.self)
            let value = try SettingsText.yaml(text, source: source)
            for definition in try SAMTemplate(directory: path, source: source, template: value).definitions() {
                try add(definition, front: nil)
            }
            return
        }
        try plainFolder(path, name, has)
    }

    private mutating func plainFolder(
        _ path: String, _ name: String, _ has: (String) -> Bool
    ) throws(DiscoveryProblem) {
        let entries: [(file: String, runtime: FunctionRuntime)] = [
            ("index.js", .node), ("index.mjs", .node), ("index.cjs", .node), ("main.py", .python), ("app.py", .python),
            ("lambda_function.py", .python), ("__init__.py", .python),
        ]
        if access("\(path)/bootstrap", X_OK) == 0 {
            let program = FunctionProgram(
                name: name, runtime: .command(["./bootstrap"]), model: .lambdaRuntime, directory: path)
            return try add(FunctionDefinition(name: name, source: "\(name)/bootstrap", program: program), front: nil)
        }
        var package: JSONValue = [:]
        if let bytes = FileText.read("\(path)/package.json") {
            package = try SettingsText.json(bytes, source: "\(name)/package.json")
        }
        if package["dependencies"]?["@azure/functions"] != nil { return try azureApp(path, name) }
        guard let entry = entries.first(where: { has($0.file) }) else {
            // A folder of helpers, unless the project says how to run it.
            guard settings[name] != nil else { return }
            let program = FunctionProgram(name: name, runtime: .node, model: .plain, directory: path)
            return try add(FunctionDefinition(name: name, source: name, program: program), front: nil)
        }
        let file = "\(path)/\(entry.file)"
        let text = String(decoding: FileText.read(file) ?? [], as: UTF8.self)
        let program = FunctionProgram(
            name: name, runtime: entry.runtime, model: Self.model(of: text, entry.runtime), directory: path, file: file)
        var definition = FunctionDefinition(name: name, source: "\(name)/\(entry.file)", program: program)
        definition.needsRegistration = program.model == .azureRegistered
        try add(definition, front: try SettingsText.frontSection(of: text, source: definition.source))
    }

    /// A folder with function.json; the app around it holds host.json and settings.
    private mutating func azureFolder(
        _ path: String, _ name: String, app: String, appSource: String
    ) throws(DiscoveryProblem) {
        let source = "\(name)/function.json"
        let azure = try AzureSettings(directory: app, source: appSource)
        let json = try SettingsText.json(FileText.read("\(path)/function.json") ?? [], source: source)
        let function = name.split(separator: "/").last.map(String.init) ?? name
        let script = json["scriptFile"]?.text
        let isPython = script?.hasSuffix(".py") ?? (access("\(path)/__init__.py", F_OK) == 0)
        var program = FunctionProgram(
            name: function, runtime: isPython ? .python : .node, model: .azureFolder, directory: app,
            file: "\(path)/\(script ?? (isPython ? "__init__.py" : "index.js"))", configuration: json,
            environment: azure.values)
        if !isPython, script == nil,
            let own = ["index.js", "index.cjs", "index.mjs", "\(function).js"].first(where: {
                access("\(path)/\($0)", F_OK) == 0
            })
        {
            program.file = "\(path)/\(own)"
        }
        var definition = FunctionDefinition(name: function, source: source, program: program)
        azure.apply(json["bindings"]?.elements ?? [], retry: json["retry"], to: &definition)
        definition.isDisabled = json["disabled"]?.bool ?? false
        try checkTriggers(definition)
        try add(definition, front: nil)
    }

    private func checkTriggers(_ definition: FunctionDefinition) throws(DiscoveryProblem) {
        guard definition.triggers.isEmpty else { return }
        throw DiscoveryProblem(
            definition.source, "no trigger that is known here",
            hint: "eventHubTrigger, kafkaTrigger, timerTrigger (with a valid schedule) and httpTrigger are")
    }

    /// A folder with host.json: custom handlers, folders of functions, or functions that register themselves.
    private mutating func azureApp(_ path: String, _ name: String) throws(DiscoveryProblem) {
        let azure = try AzureSettings(directory: path, source: name)
        let folders = ((try? system.listDirectory(path)) ?? []).sorted().filter {
            access("\(path)/\($0)/function.json", F_OK) == 0
        }
        let handler = azure.host["customHandler"] ?? azure.host["httpWorker"]
        if let handler, !handler.isNull {
            return try customHandlers(handler, azure, path, name, folders)
        }
        for folder in folders {
            attempt("\(name)/\(folder)") { discovery throws(DiscoveryProblem) in
                try discovery.azureFolder("\(path)/\(folder)", "\(name)/\(folder)", app: path, appSource: name)
            }
        }
        guard folders.isEmpty else { return }
        let isPython = access("\(path)/function_app.py", F_OK) == 0
        var program = FunctionProgram(
            name: name, runtime: isPython ? .python : .node, model: .azureRegistered, directory: path,
            environment: azure.values)
        if let timeout = azure.timeout { program.limits.timeout = timeout }
        var definition = FunctionDefinition(name: name, source: name, program: program)
        definition.needsRegistration = true
        try add(definition, front: nil)
    }

    private mutating func customHandlers(
        _ handler: JSONValue, _ azure: AzureSettings, _ path: String, _ name: String, _ folders: [String]
    ) throws(DiscoveryProblem) {
        let description = handler["description"] ?? [:]
        guard let executable = description["defaultExecutablePath"]?.text, !executable.isEmpty else {
            throw DiscoveryProblem("\(name)/host.json", "customHandler has no description.defaultExecutablePath")
        }
        let arguments = description["arguments"]?.elements?.compactMap { $0.text.map(azure.expanded) } ?? []
        let working = description["workingDirectory"]?.text ?? ""
        let command = azure.expanded(executable)
        // A file of the app is meant before a program of the machine.
        let isOwn = access("\(path)/\(command)", F_OK) == 0 && !command.hasPrefix("/")
        var functions: [JSONValue] = []
        for folder in folders {
            let bytes = FileText.read("\(path)/\(folder)/function.json") ?? []
            let json = try SettingsText.json(bytes, source: "\(name)/\(folder)/function.json")
            functions.append(.object([.init("name", .text(folder)), .init("bindings", json["bindings"] ?? [])]))
        }
        let isProxying = ["enableProxyingHttpRequest", "enableForwardingHttpRequest"].contains {
            handler[$0]?.bool == true
        }
        let program = FunctionProgram(
            name: name, runtime: .command([isOwn ? "\(path)/\(command)" : command] + arguments), model: .customHandler,
            directory: working.isEmpty ? path : working.hasPrefix("/") ? working : "\(path)/\(working)",
            configuration: ["functions": .array(functions), "enableProxyingHttpRequest": .bool(isProxying)],
            environment: azure.values)
        for function in functions {
            let folder = function["name"]?.text ?? ""
            var definition = FunctionDefinition(
                name: folder, source: "\(name)/\(folder)/function.json", program: program)
            azure.apply(function["bindings"]?.elements ?? [], retry: nil, to: &definition)
            try checkTriggers(definition)
            try add(definition, front: nil)
        }
    }

    private static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}
