import OgawaCore

/// An event that a function could not process, with all that helps to find out why.
package struct DeadLetter: Hashable, Sendable {
    package var function: String
    package var stream: String
    package var partition: PartitionID
    package var offset: Offset
    package var key: String
    package var body: [UInt8]
    /// A JSON object text or empty.
    package var properties: [UInt8]
    package var enqueuedTime: Timestamp
    package var attempts: Int
    package var failure: InvocationFailure

    package init(function: String, input: EventInput, index: Int, attempts: Int, failure: InvocationFailure) {
        let batch = input.batch
        self.function = function
        stream = input.stream
        partition = batch.partition
        offset = batch.firstOffset.advanced(by: index)
        key = batch.key(at: index)
        body = Array(batch.bytes[batch.bodies[index].range])
        properties = Array(batch.bytes[batch.properties[index].range])
        enqueuedTime = Timestamp(ticks: batch.enqueuedTimes[index])
        self.attempts = attempts
        self.failure = failure
    }

    /// The letter as the body of an event of the dead-letter stream.
    ///
    /// **Shape.** `body` is the JSON of the event, or a text, or `{"base64": …}` where it is neither.
    package var json: [UInt8] {
        var writer = JSONTextWriter()
        writer.object { writer in
            writer.member("function", function)
            writer.member("stream", stream)
            writer.member("partition", partition.rawValue)
            writer.member("offset", offset.rawValue)
            writer.member("key", key)
            writer.member("enqueuedTime", enqueuedTime.description)
            writer.member("reason", failure.message)
            writer.member("kind", failure.kind.rawValue)
            if let type = failure.type { writer.member("type", type) }
            if let stack = failure.stack { writer.member("stack", stack) }
            writer.member("attempts", attempts)
            if let properties = try? JSONValue(parsing: properties) {
                writer.name("properties")
                writer.value(properties)
            }
            writer.name("body")
            if (try? JSONValue(parsing: body)) != nil {
                writer.json(body)
            } else if let text = String(validating: body, as: UTF8.self) {
                writer.text(text)
            } else {
                writer.object { $0.member("base64", String(decoding: Base64.encode(body), as: UTF8.self)) }
            }
        }
        return writer.bytes
    }
}
