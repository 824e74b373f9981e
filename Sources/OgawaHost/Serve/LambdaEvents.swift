import OgawaCore

// The shapes of events and answers of AWS, for programs that ask the Runtime API themselves. node-aws.cjs and
// python_bootstrap.py build the same for handlers that our bootstraps run.

/// Turns calls into AWS events, and AWS answers into results.
enum LambdaEvents {
    static let account = "000000000000"

    /// 56 digits: fixed length, so that they order alike as numbers and as texts.
    static func sequenceNumber(partition: PartitionID, offset: Int64) -> String {
        "49" + padded(Int64(partition.rawValue), 6) + padded(offset, 48)
    }

    static func event(of invocation: FunctionInvocation, region: String) -> [UInt8] {
        var writer = JSONTextWriter()
        switch invocation.trigger {
        case .events(let input): kinesis(input, region, &writer)
        case .timer(let timer): scheduled(timer, invocation, region, &writer)
        case .web(let request): web(request, invocation, &writer)
        }
        return writer.bytes
    }

    /// What a program's answer means.
    static func result(
        of body: [UInt8], for invocation: FunctionInvocation
    ) throws(InvocationFailure) -> InvocationResult {
        var result = InvocationResult()
        let value: JSONValue
        do {
            value = body.isEmpty ? .null : try JSONValue(parsing: body)
        } catch {
            throw InvocationFailure(.rubbish, "the answer is no JSON: \(error)")
        }
        guard case .events(let input) = invocation.trigger else {
            if case .web = invocation.trigger { result.response = response(value) } else { emit(value, to: &result) }
            return result
        }
        if let window = input.window {
            let state = value["state"]
            guard window.isFinal || state?.members != nil else {
                throw InvocationFailure(.rubbish, "with a tumbling window the answer must hold `state`")
            }
            result.windowState = Array((state ?? [:]).jsonText.utf8)
        }
        if let failures = value["batchItemFailures"], !failures.isNull {
            result.firstFailure = try firstFailure(failures, input.batch)
        } else if input.window == nil {
            emit(value, to: &result)
        }
        return result
    }

    private static func firstFailure(_ value: JSONValue, _ batch: EventBatch) throws(InvocationFailure) -> Int? {
        guard let failures = value.elements else {
            throw InvocationFailure(.rubbish, "batchItemFailures is no array")
        }
        let indices = failures.map { failure -> Int in
            let number = failure["itemIdentifier"]?.text ?? ""
            let prefix = "49" + padded(Int64(batch.partition.rawValue), 6)
            guard number.utf8.count == 56, number.hasPrefix(prefix), let offset = Int64(number.suffix(48)) else {
                return 0
            }
            let index = offset - batch.firstOffset.rawValue
            // An event that is not in the batch: nothing is certain, so the whole batch counts as failed.
            return index >= 0 && index < Int64(batch.count) ? Int(index) : 0
        }
        return indices.min()
    }

    /// A row per element of an array, one for another value, none for null.
    static func emit(_ value: JSONValue, to result: inout InvocationResult, output: String = "$return") {
        guard !value.isNull else { return }
        var rows = OutputRows(output: output)
        for row in value.elements ?? [value] { rows.append(Array((row.text ?? row.jsonText).utf8)) }
        result.outputs.append(rows)
    }

    private static func response(_ value: JSONValue) -> WebResponse {
        guard let status = value["statusCode"]?.integer, (100...599).contains(status) else {
            let body = value.text ?? (value.isNull ? "" : value.jsonText)
            let type = value.text == nil ? "application/json" : "text/plain; charset=utf-8"
            return WebResponse(status: 200, headers: [HTTPField("Content-Type", type)], body: Array(body.utf8))
        }
        let text = value["body"].map { $0.text ?? ($0.isNull ? "" : $0.jsonText) } ?? ""
        let isCoded = value["isBase64Encoded"]?.bool == true
        let body = isCoded ? Base64.decode(Array(text.utf8)) ?? [] : Array(text.utf8)
        let headers = (value["headers"]?.members ?? []).compactMap { member -> HTTPField? in
            member.value.settingText.map { HTTPField(member.name, $0) }
        }
        let isSafe: (HTTPField) -> Bool = { HTTPField.isSafe(name: $0.name, value: $0.value) }
        return WebResponse(status: status, headers: headers.filter(isSafe), body: body)
    }

    private static func kinesis(_ input: EventInput, _ region: String, _ writer: inout JSONTextWriter) {
        let batch = input.batch
        let shard = "shardId-" + padded(Int64(batch.partition.rawValue), 12)
        let arn = "arn:aws:kinesis:\(region):\(account):stream/\(input.stream)"
        writer.object { writer in
            writer.name("Records")
            writer.array { writer in
                for index in 0..<batch.count {
                    let offset = batch.firstOffset.rawValue + Int64(index)
                    let number = sequenceNumber(partition: batch.partition, offset: offset)
                    writer.object { writer in
                        writer.name("kinesis")
                        writer.object { record in
                            record.member("kinesisSchemaVersion", "1.0")
                            record.name("partitionKey")
                            record.text(utf8: batch.bytes[batch.keys[index].range])
                            record.member("sequenceNumber", number)
                            record.name("data")
                            record.text(utf8: Base64.encode(batch.bytes[batch.bodies[index].range])[...])
                            record.name("approximateArrivalTimestamp")
                            record.number(Double(batch.enqueuedTimes[index] / 10_000) / 1000)
                        }
                        writer.member("eventSource", "aws:kinesis")
                        writer.member("eventVersion", "1.0")
                        writer.member("eventID", "\(shard):\(number)")
                        writer.member("eventName", "aws:kinesis:record")
                        writer.member("invokeIdentityArn", "arn:aws:iam::\(account):role/ogawa")
                        writer.member("awsRegion", region)
                        writer.member("eventSourceARN", arn)
                    }
                }
            }
            guard let window = input.window else { return }
            writer.name("window")
            writer.object {
                $0.member("start", window.start.iso8601Seconds)
                $0.member("end", window.end.iso8601Seconds)
            }
            writer.name("state")
            writer.json(window.state ?? Array("{}".utf8))
            writer.member("shardId", shard)
            writer.member("eventSourceARN", arn)
            writer.name("isFinalInvokeForWindow")
            writer.bool(window.isFinal)
            writer.name("isWindowTerminatedEarly")
            writer.bool(window.isTerminatedEarly)
        }
    }

    private static func scheduled(
        _ timer: TimerInput, _ invocation: FunctionInvocation, _ region: String, _ writer: inout JSONTextWriter
    ) {
        let rule: JSONValue = .text("arn:aws:events:\(region):\(account):rule/\(invocation.function)")
        writer.value([
            "version": "0", "id": .text(invocation.id), "detail-type": "Scheduled Event", "source": "aws.events",
            "account": .text(account), "time": .text(timer.scheduled.iso8601Seconds), "region": .text(region),
            "resources": [rule], "detail": [:],
        ])
    }

    private static func web(_ request: WebRequest, _ invocation: FunctionInvocation, _ writer: inout JSONTextWriter) {
        let parts = request.target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = String(parts.first ?? "/")
        let isText = String(validating: request.body, as: UTF8.self) != nil
        let body = isText ? request.body : Base64.encode(request.body)
        var headers: [JSONValue.Member] = []
        for field in request.headers { headers.append(.init(field.name.lowercased(), .text(field.value))) }
        let parameters = request.parameters.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, .text($0.value)) }
        writer.value([
            "version": "2.0", "routeKey": "$default", "rawPath": .text(path),
            "rawQueryString": .text(parts.count > 1 ? String(parts[1]) : ""), "headers": .object(headers),
            "queryStringParameters": .object(queryMembers(parts.count > 1 ? String(parts[1]) : "")),
            "pathParameters": .object(parameters),
            "requestContext": [
                "accountId": .text(account), "apiId": "ogawa", "requestId": .text(invocation.id), "stage": "$default",
                "http": [
                    "method": .text(request.method), "path": .text(path), "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                ],
            ],
            "body": .text(String(decoding: body, as: UTF8.self)), "isBase64Encoded": .bool(!isText),
        ])
    }

    /// The parts of a query, with `%` and `+` undone.
    static func queryMembers(_ query: String) -> [JSONValue.Member] {
        query.split(separator: "&").map { part in
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return .init(percentDecoded(sides[0]), .text(sides.count > 1 ? percentDecoded(sides[1]) : ""))
        }
    }

    private static func percentDecoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "+") {
                bytes.append(0x20)
            } else if byte == UInt8(ascii: "%"), rest.count >= 2,
                let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(code)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func padded(_ number: Int64, _ count: Int) -> String {
        let digits = String(max(0, number))
        return String(repeating: "0", count: max(0, count - digits.utf8.count)) + digits
    }
}
