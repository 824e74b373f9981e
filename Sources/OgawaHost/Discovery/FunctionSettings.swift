import OgawaCore

/// Applies the settings of a front section or of `functions:` in ogawa.yaml to a definition.
struct FunctionSettings {
    static let names = [
        "on", "every", "schedule", "route", "methods", "output", "outputs", "batch", "wait", "start", "consumer",
        "window",
        "timeout", "startTimeout", "memory", "workers", "maxResponse", "environment", "model", "runtime", "command",
        "handler", "attempts", "pause", "longestPause", "split", "lastResort", "enabled", "warm",
    ]

    let source: String
    let settings: JSONValue

    func apply(to definition: inout FunctionDefinition) throws(DiscoveryProblem) {
        for member in settings.members ?? [] where !FunctionSettings.names.contains(member.name) {
            let near = nearestName(to: member.name, in: FunctionSettings.names)
            throw DiscoveryProblem(
                source, "unknown setting `\(member.name)`", hint: near.map { "did you mean `\($0)`?" })
        }
        try applyProgram(&definition.program)
        try applyLimits(&definition.program.limits)
        try applyPolicy(&definition.policy)
        try applyTriggers(&definition)
        try applyOutputs(&definition)
        if let isEnabled = settings["enabled"]?.bool { definition.isDisabled = !isEnabled }
    }

    private func applyProgram(_ program: inout FunctionProgram) throws(DiscoveryProblem) {
        if let text = try text("model") {
            guard let model = FunctionModel(rawValue: text) else {
                let all = FunctionModel.allCases.map(\.rawValue)
                throw DiscoveryProblem(
                    source, "no model `\(text)`", hint: "one of \(all.joined(separator: ", "))")
            }
            program.model = model
        }
        if let command = settings["command"] {
            let words = command.elements?.compactMap(\.settingText) ?? command.text.map { [$0] } ?? []
            guard !words.isEmpty else { throw wrong("command", "a list such as [\"./my-filter\"]") }
            program.runtime = .command(words)
            if settings["model"] == nil, program.model == .plain { program.model = .jsonLines }
        }
        switch try text("runtime") {
        case nil: break
        case "node": program.runtime = .node
        case "python": program.runtime = .python
        default: throw wrong("runtime", "node or python; other programs are named by `command`")
        }
        if let handler = try text("handler") { program.handler = handler }
        for member in settings["environment"]?.members ?? [] {
            guard let value = member.value.settingText else { throw wrong("environment.\(member.name)", "a text") }
            program.environment[member.name] = value
        }
        if let isWarm = settings["warm"]?.bool, program.model == .jsonLines {
            program.configuration = ["warm": .bool(isWarm)]
        }
    }

    private func applyLimits(_ limits: inout FunctionLimits) throws(DiscoveryProblem) {
        if let timeout = try duration("timeout") { limits.timeout = timeout }
        if let timeout = try duration("startTimeout") { limits.startTimeout = timeout }
        if let workers = try whole("workers", 1...64) { limits.workerCount = workers }
        if let bytes = try byteCount("memory") { limits.memoryByteCount = bytes }
        if let bytes = try byteCount("maxResponse") { limits.responseByteCount = bytes }
    }

    private func applyPolicy(_ policy: inout FailurePolicy) throws(DiscoveryProblem) {
        if let attempts = try whole("attempts", 1...1_000_000) { policy.maximumAttempts = attempts }
        if let pause = try duration("pause") { policy.firstPause = pause }
        if let pause = try duration("longestPause") { policy.longestPause = pause }
        if let splits = settings["split"]?.bool { policy.splits = splits }
        if let text = try text("lastResort") {
            guard let last = FailurePolicy.LastResort(rawValue: text) else {
                throw wrong("lastResort", "dead-letter or hold")
            }
            policy.lastResort = last
        }
    }

    private func applyTriggers(_ definition: inout FunctionDefinition) throws(DiscoveryProblem) {
        var triggers: [FunctionTrigger] = []
        if let on = settings["on"] {
            let streams = on.elements?.compactMap(\.text) ?? on.text.map { [$0] } ?? []
            guard !streams.isEmpty else { throw wrong("on", "the name of a stream, or a list of names") }
            triggers += streams.map { .stream(StreamTrigger(stream: $0)) }
        }
        for name in ["every", "schedule"] {
            guard let schedule = try text(name) else { continue }
            do { triggers.append(.timer(try Schedule(parsing: schedule))) } catch {
                throw DiscoveryProblem(source, "`\(name)`: \(error)")
            }
        }
        if let route = try text("route") {
            let methods = (settings["methods"]?.elements ?? []).compactMap { $0.text?.uppercased() }
            triggers.append(.web(WebTrigger(route: String(route.drop { $0 == "/" }), methods: methods)))
        }
        if !triggers.isEmpty { definition.triggers = triggers }
        if definition.triggers.isEmpty, !definition.needsRegistration {
            definition.triggers = [.stream(StreamTrigger(stream: nil))]
        }
        for index in definition.triggers.indices {
            guard case .stream(var trigger) = definition.triggers[index] else { continue }
            try applyStream(&trigger)
            definition.triggers[index] = .stream(trigger)
        }
    }

    private func applyStream(_ trigger: inout StreamTrigger) throws(DiscoveryProblem) {
        if let size = try whole("batch", 1...10_000) { trigger.batchSize = size }
        if let wait = try duration("wait") { trigger.wait = wait }
        if let window = try duration("window") { trigger.window = window }
        if let consumer = try text("consumer") { trigger.consumer = consumer }
        guard let start = try text("start") else { return }
        switch start {
        case "beginning": trigger.start = .beginning
        case "end": trigger.start = .end
        default:
            guard let time = Timestamp(start) else {
                throw wrong("start", "beginning, end or a time such as 2026-01-31T12:00:00Z")
            }
            trigger.start = .enqueuedTime(time)
        }
    }

    private func applyOutputs(_ definition: inout FunctionDefinition) throws(DiscoveryProblem) {
        var named = settings["outputs"]?.members ?? []
        if let output = try text("output") { named.append(.init("$return", .text(output))) }
        for member in named {
            guard let target = member.value.text else { throw wrong("outputs.\(member.name)", "the name of an output") }
            let name = member.name == "return" ? "$return" : member.name
            definition.outputs.removeAll { $0.name == name }
            definition.outputs.append(FunctionOutput(name: name, target: .named(target)))
        }
    }

    private func wrong(_ name: String, _ expected: String) -> DiscoveryProblem {
        let found = settings[name].map { ", found \($0.jsonText)" } ?? ""
        return DiscoveryProblem(source, "`\(name)` is \(expected)\(found)")
    }

    private func text(_ name: String) throws(DiscoveryProblem) -> String? {
        guard let value = settings[name], !value.isNull else { return nil }
        guard let text = value.settingText else { throw wrong(name, "a text") }
        return text
    }

    private func whole(_ name: String, _ range: ClosedRange<Int>) throws(DiscoveryProblem) -> Int? {
        guard let value = settings[name], !value.isNull else { return nil }
        guard let number = value.integer, range.contains(number) else {
            throw wrong(name, "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private func duration(_ name: String) throws(DiscoveryProblem) -> Duration? {
        guard let text = try text(name) else { return nil }
        do { return try Schedule.duration(text) } catch { throw DiscoveryProblem(source, "`\(name)`: \(error)") }
    }

    private func byteCount(_ name: String) throws(DiscoveryProblem) -> Int? {
        guard let text = try text(name) else { return nil }
        let digits = text.prefix { $0.isNumber }
        let units = [
            "": 1, "B": 1, "kB": 1_000, "KiB": 1 << 10, "MB": 1_000_000, "MiB": 1 << 20, "GB": 1_000_000_000,
            "GiB": 1 << 30,
        ]
        guard let number = Int(digits), number > 0, number < 1 << 20,
            let unit = units[String(text.dropFirst(digits.count).trimmed)]
        else { throw wrong(name, "a size such as 256MiB") }
        return number * unit
    }
}
