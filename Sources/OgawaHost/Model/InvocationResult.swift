import OgawaCore

/// What a call gave to one output.
///
/// **Shape.** A row is the body of an event or a JSON object for a table; `keys` is empty or has one element per row.
package struct OutputRows: Hashable, Sendable {
    /// The name of the output; `$return` for what the function returned.
    package var output: String
    package var bytes: [UInt8]
    package var rows: [ByteSlice]
    /// The partition key that the function chose; nil where it chose none.
    package var keys: [String?]
    /// Properties of each row as one JSON object text.
    package var properties: [String?]

    package init(
        output: String, bytes: [UInt8] = [], rows: [ByteSlice] = [], keys: [String?] = [], properties: [String?] = []
    ) {
        self.output = output
        self.bytes = bytes
        self.rows = rows
        self.keys = keys
        self.properties = properties
    }

    package var count: Int { rows.count }

    /// A row as text.
    package func text(at index: Int) -> String { String(decoding: bytes[rows[index].range], as: UTF8.self) }

    package mutating func append(_ row: some Collection<UInt8>) {
        rows.append(ByteSlice(start: bytes.count, count: row.count))
        bytes.append(contentsOf: row)
    }
}

/// One change of a function's state.
package struct StateChange: Hashable, Sendable {
    package var key: String
    /// The new value as JSON; nil deletes.
    package var value: [UInt8]?
    package var timeToLive: Duration?

    package init(key: String, value: [UInt8]?, timeToLive: Duration? = nil) {
        self.key = key
        self.value = value
        self.timeToLive = timeToLive
    }
}

/// An answer to a web request.
package struct WebResponse: Hashable, Sendable {
    package var status: Int
    package var headers: [HTTPField]
    package var body: [UInt8]

    package init(status: Int, headers: [HTTPField] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// What a call of a function came to, to be committed as one with the progress.
package struct InvocationResult: Sendable {
    package var outputs: [OutputRows] = []
    package var stateChanges: [StateChange] = []
    /// The index of the first event that the function did not get through; nil: all are done.
    package var firstFailure: Int?
    /// Why that event failed, where the function told.
    package var failure: InvocationFailure?
    package var response: WebResponse?
    /// The state of a tumbling window, as JSON.
    package var windowState: [UInt8]?
    package var duration: Duration = .zero

    package init() {}

    /// The rows of an output, in order.
    package func rows(of output: String) -> [String] {
        outputs.filter { $0.output == output }.flatMap { rows in rows.rows.indices.map { rows.text(at: $0) } }
    }
}

/// A call that failed.
package struct InvocationFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of failure; it decides who is to blame.
    package enum Kind: String, Hashable, Sendable {
        /// The runtime is missing or cannot be started.
        case unavailable
        /// The function's code does not load.
        case initialization
        /// The function threw an error.
        case threw
        /// The function took too long.
        case timedOut = "timed-out"
        /// The function used too much memory.
        case memory
        /// The process ended.
        case exited
        /// The answer breaks the contract.
        case rubbish
        /// The host is stopping.
        case stopped
    }

    package var kind: Kind
    package var message: String
    /// The error's own type, such as `TypeError`.
    package var type: String?
    package var stack: String?

    package init(_ kind: Kind, _ message: String, type: String? = nil, stack: String? = nil) {
        self.kind = kind
        self.message = message
        self.type = type
        self.stack = stack
    }

    /// Whether the events may have been the reason; otherwise they wait, and are neither counted nor given up.
    package var mayBeCausedByEvents: Bool {
        switch kind {
        case .threw, .timedOut, .memory, .exited, .rubbish: true
        case .unavailable, .initialization, .stopped: false
        }
    }

    package var description: String { "\(kind.rawValue): \(type.map { "\($0): " } ?? "")\(message)" }
}

/// A line that a function wrote.
package struct FunctionLogEntry: Hashable, Sendable {
    /// How much a line matters.
    package enum Level: String, Hashable, Sendable {
        case trace, debug, info, warning, error
    }

    /// Where a line came from.
    package enum Origin: String, Hashable, Sendable {
        /// The function's logger.
        case logger
        case standardOutput = "stdout"
        case standardError = "stderr"
        /// Ogawa itself, about the function.
        case host
    }

    package var program: String
    package var function: String?
    /// The call under way; nil between calls.
    package var invocation: String?
    package var level: Level
    package var origin: Origin
    package var message: String
}
