import OgawaCore

// Azure's host sends a value that is no JSON object as a text that holds JSON: an array of events is the text "[{…},{…}]", a
// single event the text of a JSON string of its body. Handlers in the field decode exactly that.

/// A call in the form of Azure's custom handlers.
struct CustomHandlerMessage {
    let function: String
    let body: [UInt8]
    private let identifier: String
    private let bindings: [JSONValue]

    init(_ invocation: FunctionInvocation, _ bindings: [JSONValue], isSingle: Bool = false) {
        self.bindings = bindings
        function = invocation.function
        identifier = invocation.id
        let trigger = bindings.first { $0["type"]?.text?.lowercased().hasSuffix("trigger") == true } ?? [:]
        let name = trigger["name"]?.text ?? "trigger"
        var metadata: [JSONValue.Member] = []
        let data: JSONValue
        switch invocation.trigger {
        case .events(let input):
            data =
                isSingle
                ? CustomHandlerMessage.single(input.batch, trigger) : CustomHandlerMessage.many(input.batch, trigger)
            metadata += CustomHandlerMessage.eventMetadata(input, trigger, isSingle: isSingle)
        case .timer(let timer): data = CustomHandlerMessage.timer(timer)
        case .web(let request): data = CustomHandlerMessage.web(request)
        }
        let guid: JSONValue = .text(FunctionInvocation.identifier(of: "\(invocation.id)/guid"))
        metadata.append(.init("sys", ["MethodName": .text(function), "UtcNow": .text(""), "RandGuid": guid]))
        if invocation.attempt > 0 {
            let retry: JSONValue = [
                "RetryCount": .integer(Int64(invocation.attempt)),
                "MaxRetryCount": .integer(Int64(invocation.maximumAttempts - 1)),
            ]
            metadata.append(.init("RetryContext", retry))
        }
        let message: JSONValue = ["Data": .object([.init(name, data)]), "Metadata": .object(metadata)]
        body = Array(message.jsonText.utf8)
    }

    func headers(port: UInt16) -> [HTTPField] {
        [
            HTTPField("Host", "127.0.0.1:\(port)"), HTTPField("Connection", "close"),
            HTTPField("Content-Type", "application/json; charset=utf-8"),
            HTTPField("User-Agent", "Azure-Functions-Host/4.1036.0"),
            HTTPField("X-Azure-Functions-HostVersion", "4.1036.0"),
            HTTPField("X-Azure-Functions-InvocationId", identifier),
        ]
    }

    /// What the handler's answer means.
    func result(of answer: JSONValue) -> InvocationResult {
        var result = InvocationResult()
        for member in answer["Outputs"]?.members ?? [] {
            let binding = bindings.first { $0["name"]?.text == member.name }
            if binding?["type"]?.text?.lowercased() == "http" {
                result.response = response(member.value)
            } else {
                LambdaEvents.emit(unfolded(member.value), to: &result, output: member.name)
            }
        }
        if let value = answer["ReturnValue"], !value.isNull {
            let isHTTP = bindings.contains { $0["name"]?.text == "$return" && $0["type"]?.text?.lowercased() == "http" }
            if isHTTP { result.response = response(value) } else { LambdaEvents.emit(unfolded(value), to: &result) }
        }
        return result
    }

    /// A text that holds a JSON array is an event per element, as for every output to an event hub.
    private func unfolded(_ value: JSONValue) -> JSONValue {
        guard let text = value.text, text.trimmed.first == "[", let list = try? JSONValue(parsing: text.utf8) else {
            return value
        }
        return list
    }

    private func response(_ value: JSONValue) -> WebResponse {
        guard value.members != nil else {
            return WebResponse(status: 200, body: Array((value.text ?? value.jsonText).utf8))
        }
        let status = value["statusCode"] ?? value["status"] ?? 200
        let headers = (value["headers"]?.members ?? []).compactMap { member -> HTTPField? in
            guard let text = member.value.settingText ?? member.value.elements?.first?.settingText,
                HTTPField.isSafe(name: member.name, value: text)
            else { return nil }
            return HTTPField(member.name, text)
        }
        let code = status.integer ?? status.text.flatMap { Int($0) } ?? 200
        let body = value["body"].map { $0.text ?? ($0.isNull ? "" : $0.jsonText) } ?? ""
        return WebResponse(status: (100...599).contains(code) ? code : 500, headers: headers, body: Array(body.utf8))
    }

    private static func isBinary(_ trigger: JSONValue) -> Bool {
        ["binary", "stream"].contains(trigger["dataType"]?.text?.lowercased() ?? "")
    }

    private static func single(_ batch: EventBatch, _ trigger: JSONValue) -> JSONValue {
        guard batch.count > 0 else { return "" }
        if isBinary(trigger) {
            return .text(String(decoding: Base64.encode(batch.bytes[batch.bodies[0].range]), as: UTF8.self))
        }
        return .text(JSONValue.text(batch.body(at: 0)).jsonText)
    }

    private static func many(_ batch: EventBatch, _ trigger: JSONValue) -> JSONValue {
        let values = (0..<batch.count).map { index -> JSONValue in
            let bytes = batch.bytes[batch.bodies[index].range]
            if isBinary(trigger) { return .text(String(decoding: Base64.encode(bytes), as: UTF8.self)) }
            return (try? JSONValue(parsing: bytes)) ?? .text(batch.body(at: index))
        }
        return .text(JSONValue.array(values).jsonText)
    }

    private static func eventMetadata(
        _ input: EventInput, _ trigger: JSONValue, isSingle: Bool
    ) -> [JSONValue.Member] {
        let batch = input.batch
        let offsets = (0..<batch.count).map { batch.firstOffset.rawValue + Int64($0) }
        let keys = (0..<batch.count).map { index -> JSONValue in
            batch.keys[index].count == 0 ? .null : .text(batch.key(at: index))
        }
        let times = batch.enqueuedTimes.map { JSONValue.text(Timestamp(ticks: $0).description) }
        let properties = (0..<batch.count).map { index -> JSONValue in
            (try? JSONValue(parsing: batch.bytes[batch.properties[index].range])) ?? [:]
        }
        let system = (0..<batch.count).map { index -> JSONValue in
            [
                "SequenceNumber": .integer(offsets[index]), "Offset": .text(String(offsets[index])),
                "PartitionKey": keys[index], "EnqueuedTimeUtc": times[index],
                "iothub-connection-device-id": keys[index],
            ]
        }
        let context: JSONValue = [
            "FullyQualifiedNamespace": "ogawa", "EventHubName": trigger["eventHubName"] ?? .text(input.stream),
            "ConsumerGroup": .text(input.consumer), "PartitionId": .text(String(batch.partition.rawValue)),
        ]
        let columns: [(String, [JSONValue])] = [
            ("PartitionKey", keys), ("Offset", offsets.map { .text(String($0)) }),
            ("SequenceNumber", offsets.map { .integer($0) }), ("EnqueuedTimeUtc", times),
            ("Properties", properties), ("SystemProperties", system),
        ]
        var members = [JSONValue.Member("PartitionContext", context)]
        for (name, values) in columns {
            if isSingle {
                guard let value = values.first else { continue }
                members.append(.init(name, value.members != nil ? value : .text(value.jsonText)))
            } else {
                members.append(.init(name + "Array", .text(JSONValue.array(values).jsonText)))
            }
        }
        return members
    }

    private static func timer(_ timer: TimerInput) -> JSONValue {
        let never = "0001-01-01T00:00:00"
        return [
            "Schedule": ["AdjustForDST": true],
            "ScheduleStatus": [
                "Last": .text(timer.last?.description ?? never), "Next": .text(timer.next?.description ?? never),
                "LastUpdated": .text(timer.last?.description ?? never),
            ],
            "IsPastDue": .bool(timer.isPastDue),
        ]
    }

    private static func web(_ request: WebRequest) -> JSONValue {
        let query = request.target.split(separator: "?", maxSplits: 1).dropFirst().first.map(String.init) ?? ""
        let headers = request.headers.map { JSONValue.Member($0.name, [.text($0.value)]) }
        let parameters = request.parameters.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, .text($0.value)) }
        return [
            "Url": .text("http://localhost\(request.target)"), "Method": .text(request.method),
            "Query": .text(JSONValue.object(LambdaEvents.queryMembers(query)).jsonText), "Headers": .object(headers),
            "Params": .object(parameters), "Body": .text(String(decoding: request.body, as: UTF8.self)),
        ]
    }
}
