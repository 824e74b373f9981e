import OgawaCore

/// A window of the kind that AWS calls tumbling: its events share a state until the last call drops it.
package struct WindowInput: Hashable, Sendable {
    package var start: Timestamp
    package var end: Timestamp
    /// What the last call of the window gave back, as JSON; nil at its beginning.
    package var state: [UInt8]?
    package var isFinal: Bool
    package var isTerminatedEarly: Bool

    package init(start: Timestamp, end: Timestamp, state: [UInt8]?, isFinal: Bool, isTerminatedEarly: Bool = false) {
        self.start = start
        self.end = end
        self.state = state
        self.isFinal = isFinal
        self.isTerminatedEarly = isTerminatedEarly
    }
}

/// A batch of events of one partition, in order.
package struct EventInput: Sendable {
    package var stream: String
    /// The name under which the function reads; Azure: the consumer group.
    package var consumer: String
    package var batch: EventBatch
    package var window: WindowInput?

    package init(stream: String, consumer: String = "$Default", batch: EventBatch, window: WindowInput? = nil) {
        self.stream = stream
        self.consumer = consumer
        self.batch = batch
        self.window = window
    }
}

/// A due time of a timer.
package struct TimerInput: Hashable, Sendable {
    package var scheduled: Timestamp
    package var last: Timestamp?
    package var next: Timestamp?
    /// Whether the due time was missed, for example because Ogawa did not run.
    package var isPastDue: Bool

    package init(scheduled: Timestamp, last: Timestamp? = nil, next: Timestamp? = nil, isPastDue: Bool = false) {
        self.scheduled = scheduled
        self.last = last
        self.next = next
        self.isPastDue = isPastDue
    }
}

/// A web request for a function.
package struct WebRequest: Hashable, Sendable {
    package var method: String
    /// The path with the query, as it came.
    package var target: String
    package var headers: [HTTPField]
    /// What the route's placeholders stand for.
    package var parameters: [String: String]
    package var body: [UInt8]

    package init(
        method: String, target: String, headers: [HTTPField] = [], parameters: [String: String] = [:],
        body: [UInt8] = []
    ) {
        self.method = method
        self.target = target
        self.headers = headers
        self.parameters = parameters
        self.body = body
    }
}

/// A header of a web message.
package struct HTTPField: Hashable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// One call of a function.
///
/// **Shape.** `state` holds what the store has of the keys of the batch, as JSON texts; other keys are asked of `loadState` while
/// the function runs.
package struct FunctionInvocation: Sendable {
    /// What made the call due.
    package enum Trigger: Sendable {
        case events(EventInput)
        case timer(TimerInput)
        case web(WebRequest)
    }

    /// The same for each attempt at the same input, so that the outside world can recognise a repeat.
    package var id: String
    package var function: String
    package var trigger: Trigger
    /// 0 for the first attempt.
    package var attempt: Int
    package var maximumAttempts: Int
    package var previousFailure: String?
    package var state: [String: [UInt8]]
    /// Called on the thread that invokes; nil where the function has no state.
    package var loadState: (@Sendable ([String]) throws -> [String: [UInt8]])?

    package init(
        id: String, function: String, trigger: Trigger, attempt: Int = 0, maximumAttempts: Int = 1,
        previousFailure: String? = nil, state: [String: [UInt8]] = [:],
        loadState: (@Sendable ([String]) throws -> [String: [UInt8]])? = nil
    ) {
        self.id = id
        self.function = function
        self.trigger = trigger
        self.attempt = attempt
        self.maximumAttempts = maximumAttempts
        self.previousFailure = previousFailure
        self.state = state
        self.loadState = loadState
    }

    /// The call for a range of events, with the id that belongs to it.
    package init(function: String, input: EventInput) {
        let last = input.batch.nextOffset.rawValue - 1
        let place = "\(input.stream)/\(input.batch.partition)/\(input.batch.firstOffset)-\(last)"
        let window = input.window.map { "/\($0.start.ticks)\($0.isFinal ? "!" : "")" } ?? ""
        self.init(
            id: FunctionInvocation.identifier(of: "\(function)/\(place)\(window)"), function: function,
            trigger: .events(input))
    }

    /// A name-based identifier in the form of a UUID (version 8): equal texts give equal identifiers.
    package static func identifier(of text: String) -> String {
        let high = Array(text.utf8).withUnsafeBytes { keyHash($0) }
        let low = Array("\(high)|\(text)".utf8).withUnsafeBytes { keyHash($0) }
        let first = (high & 0xFFFF_FFFF_FFFF_0FFF) | 0x8000
        let second = (low & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000
        let digits = Array((hexadecimal(first) + hexadecimal(second)).utf8)
        let parts = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32]
        return parts.map { String(decoding: digits[$0], as: UTF8.self) }.joined(separator: "-")
    }

    private static func hexadecimal(_ value: UInt64) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }
}
