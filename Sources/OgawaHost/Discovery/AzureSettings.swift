import OgawaCore

/// host.json and local.settings.json of an Azure app, and what bindings mean with them.
struct AzureSettings {
    var host: JSONValue = [:]
    /// The app settings: environment of the processes, and what `%NAME%` stands for.
    var values: [String: String] = [:]

    /// Reads the files of an app; absent ones count as empty.
    init(directory: String, source: String) throws(DiscoveryProblem) {
        if let bytes = FileText.read("\(directory)/host.json") {
            host = try SettingsText.json(bytes, source: "\(source)/host.json")
        }
        if let bytes = FileText.read("\(directory)/local.settings.json") {
            let settings = try SettingsText.json(bytes, source: "\(source)/local.settings.json")
            for member in settings["Values"]?.members ?? [] { values[member.name] = member.value.settingText }
        }
    }

    /// `%NAME%` replaced by app settings; unknown names stay as they are.
    func expanded(_ text: String) -> String {
        let parts = text.split(separator: "%", omittingEmptySubsequences: false)
        guard parts.count > 2 else { return text }
        var result = String(parts[0])
        var index = 1
        while index < parts.count {
            if index + 1 < parts.count, let value = values[String(parts[index])] {
                result += value + parts[index + 1]
                index += 2
            } else {
                result += "%" + parts[index]
                index += 1
            }
        }
        return result
    }

    var timeout: Duration? { host["functionTimeout"]?.text.flatMap { try? Schedule.timeSpan($0) } }

    /// Fills triggers, outputs and policy of a definition from bindings.
    func apply(_ bindings: [JSONValue], retry: JSONValue?, to definition: inout FunctionDefinition) {
        for binding in bindings {
            let type = binding["type"]?.text?.lowercased() ?? ""
            if type.hasSuffix("trigger") {
                if let trigger = trigger(type, binding, function: definition.name) {
                    definition.triggers.append(trigger)
                }
            } else if binding["direction"]?.text?.lowercased() != "in", let name = binding["name"]?.text, type != "http"
            {
                definition.outputs.append(FunctionOutput(name: name, target: target(type, binding, name: name)))
            }
        }
        if let timeout { definition.program.limits.timeout = timeout }
        let retry = retry.flatMap { $0.isNull ? nil : $0 } ?? host["retry"]
        if let retry { definition.policy = policy(retry) }
    }

    private func trigger(_ type: String, _ binding: JSONValue, function: String) -> FunctionTrigger? {
        switch type {
        case "eventhubtrigger", "kafkatrigger":
            var trigger = StreamTrigger(stream: hubName(binding) ?? binding["topic"]?.text.map(expanded))
            trigger.consumer = binding["consumerGroup"]?.text.map(expanded) ?? "$Default"
            applyHubs(&trigger)
            return .stream(trigger)
        case "timertrigger":
            let text = expanded(binding["schedule"]?.text ?? "")
            return (try? Schedule(parsing: text)).map { .timer($0) }
        case "httptrigger":
            let methods = binding["methods"]?.elements?.compactMap { $0.text?.uppercased() } ?? []
            return .web(WebTrigger(route: prefix + (binding["route"]?.text ?? function), methods: methods))
        default: return nil
        }
    }

    private var prefix: String {
        let text = host["extensions"]?["http"]?["routePrefix"]?.text ?? "api"
        return text.isEmpty ? "" : text + "/"
    }

    /// An EntityPath in the connection string wins over the binding's own name.
    private func hubName(_ binding: JSONValue) -> String? {
        if let connection = binding["connection"]?.text, let text = values[connection] {
            for part in text.split(separator: ";") where part.lowercased().hasPrefix("entitypath=") {
                return String(part.dropFirst("entitypath=".count))
            }
        }
        return (binding["eventHubName"] ?? binding["path"])?.text.map(expanded)
    }

    private func applyHubs(_ trigger: inout StreamTrigger) {
        let hubs = host["extensions"]?["eventHubs"] ?? host["eventHub"] ?? [:]
        let old = hubs["eventProcessorOptions"] ?? hubs
        if let size = (hubs["maxEventBatchSize"] ?? hubs["maxBatchSize"] ?? old["maxBatchSize"])?.integer {
            trigger.batchSize = min(max(1, size), 10_000)
        }
        if let least = hubs["minEventBatchSize"]?.integer, least > 1 {
            trigger.wait = hubs["maxWaitTime"]?.text.flatMap { try? Schedule.timeSpan($0) } ?? .seconds(60)
        }
        switch hubs["initialOffsetOptions"]?["type"]?.text?.lowercased() {
        case "fromend": trigger.start = .end
        case "fromenqueuedtime":
            if let time = hubs["initialOffsetOptions"]?["enqueuedTimeUtc"]?.text.flatMap({ Timestamp($0) }) {
                trigger.start = .enqueuedTime(time)
            }
        default: break
        }
    }

    private func target(_ type: String, _ binding: JSONValue, name: String) -> FunctionOutput.Target {
        switch type {
        case "eventhub", "kafka":
            let stream = hubName(binding) ?? binding["topic"]?.text.map(expanded)
            return stream.map { .stream($0) } ?? .named(name)
        case "cosmosdb":
            let table = (binding["containerName"] ?? binding["collectionName"])?.text.map(expanded) ?? name
            let key = binding["partitionKey"]?.text.map { String($0.drop { $0 == "/" }) }
            return .table(table, partitionKey: key)
        default: return .named(name)
        }
    }

    /// Retries as Azure configures them; the last resort is ours, since Azure would lose the events.
    private func policy(_ retry: JSONValue) -> FailurePolicy {
        var policy = FailurePolicy()
        let span: (String) -> Duration? = { name in
            guard let value = retry[name] else { return nil }
            if let seconds = value["seconds"]?.integer ?? value.integer { return .seconds(seconds) }
            return value.text.flatMap { try? Schedule.timeSpan($0) }
        }
        let count = retry["maxRetryCount"]?.integer ?? 2
        policy.maximumAttempts = max(1, count + 1)
        if count < 0 { policy.lastResort = .hold }
        if let fixed = span("delayInterval") {
            policy.firstPause = fixed
            policy.longestPause = fixed
        }
        if let least = span("minimumInterval") { policy.firstPause = least }
        if let most = span("maximumInterval") { policy.longestPause = most }
        return policy
    }
}
