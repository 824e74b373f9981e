import OgawaCore

/// The functions of an AWS SAM template.yaml: handler, runtime, code, environment, and Kinesis, schedule and HTTP events.
struct SAMTemplate {
    let directory: String
    let source: String
    let template: JSONValue

    func definitions() throws(DiscoveryProblem) -> [FunctionDefinition] {
        let shared = template["Globals"]?["Function"] ?? [:]
        var found: [FunctionDefinition] = []
        for member in template["Resources"]?.members ?? [] {
            guard member.value["Type"]?.text == "AWS::Serverless::Function" else { continue }
            found.append(try definition(member.name, member.value["Properties"] ?? [:], shared))
        }
        return found
    }

    private func definition(
        _ name: String, _ properties: JSONValue, _ shared: JSONValue
    ) throws(DiscoveryProblem) -> FunctionDefinition {
        let value: (String) -> JSONValue? = { properties[$0] ?? shared[$0] }
        let runtime = value("Runtime")?.text ?? ""
        let code = value("CodeUri")?.text ?? "."
        let folder =
            code.hasPrefix("/") ? code : code == "." || code == "./" ? directory : "\(directory)/\(trimmedPath(code))"
        var program = FunctionProgram(
            name: value("FunctionName")?.text ?? name, runtime: .node, model: .lambdaHandler, directory: folder,
            handler: value("Handler")?.text ?? "")
        if runtime.hasPrefix("python") {
            program.runtime = .python
        } else if runtime.hasPrefix("provided") {
            program.runtime = .command(["./bootstrap"])
            program.model = .lambdaRuntime
        } else if !runtime.hasPrefix("nodejs") {
            throw DiscoveryProblem(
                source, "\(name): the runtime `\(runtime)` is not known",
                hint: "nodejs…, python… and provided.al2023 run here; others with a bootstrap of their own")
        }
        for variable in value("Environment")?["Variables"]?.members ?? [] {
            program.environment[variable.name] = variable.value.settingText
        }
        if let seconds = value("Timeout")?.integer, seconds > 0 { program.limits.timeout = .seconds(seconds) }
        if let size = value("MemorySize")?.integer, size > 0 { program.limits.memoryByteCount = size << 20 }
        var definition = FunctionDefinition(name: program.name, source: source, program: program)
        for event in properties["Events"]?.members ?? [] {
            try apply(event.value["Type"]?.text ?? "", event.value["Properties"] ?? [:], to: &definition)
        }
        return definition
    }

    private func apply(
        _ type: String, _ properties: JSONValue, to definition: inout FunctionDefinition
    ) throws(DiscoveryProblem) {
        switch type {
        case "Kinesis": definition.triggers.append(.stream(kinesis(properties, &definition.policy)))
        case "Schedule", "ScheduleV2":
            let text = (properties["Schedule"] ?? properties["ScheduleExpression"])?.text ?? ""
            do { definition.triggers.append(.timer(try Schedule(parsing: text))) } catch {
                throw DiscoveryProblem(source, "\(definition.name): \(error)")
            }
        case "Api", "HttpApi":
            let method = properties["Method"]?.text?.uppercased() ?? "ANY"
            let route = (properties["Path"]?.text ?? definition.name).drop { $0 == "/" }
            let isAny = method == "ANY" || method == "*"
            definition.triggers.append(.web(WebTrigger(route: String(route), methods: isAny ? [] : [method])))
        default:
            throw DiscoveryProblem(
                source, "\(definition.name): events of type `\(type)` are not known",
                hint: "Kinesis, Schedule, ScheduleV2, Api and HttpApi are")
        }
    }

    private func kinesis(_ properties: JSONValue, _ policy: inout FailurePolicy) -> StreamTrigger {
        // The last part of an ARN is the stream; `!GetAtt Stream.Arn` names a resource.
        let text = properties["Stream"]?.text ?? properties["Stream"]?.members?.first?.value.elements?.first?.text ?? ""
        let name = text.split(separator: "/").last.map(String.init) ?? text
        let bare = name.hasSuffix(".Arn") ? String(name.dropLast(4)) : name
        var trigger = StreamTrigger(stream: streamName(of: bare))
        if let size = properties["BatchSize"]?.integer { trigger.batchSize = min(max(1, size), 10_000) }
        if let seconds = properties["MaximumBatchingWindowInSeconds"]?.double { trigger.wait = .seconds(seconds) }
        if let seconds = properties["TumblingWindowInSeconds"]?.integer, seconds > 0 {
            trigger.window = .seconds(seconds)
        }
        if properties["StartingPosition"]?.text == "LATEST" { trigger.start = .end }
        if let attempts = properties["MaximumRetryAttempts"]?.integer, attempts >= 0 {
            policy.maximumAttempts = attempts + 1
        }
        if let splits = properties["BisectBatchOnFunctionError"]?.bool { policy.splits = splits }
        return trigger
    }

    /// A stream that is a resource of the template has its own name there.
    private func streamName(of resource: String) -> String {
        template["Resources"]?[resource]?["Properties"]?["Name"]?.text ?? resource
    }

    private func trimmedPath(_ path: String) -> String {
        var rest = Substring(path)
        while rest.hasPrefix("./") { rest = rest.dropFirst(2) }
        while rest.hasSuffix("/") { rest = rest.dropLast() }
        return String(rest)
    }
}
