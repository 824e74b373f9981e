import OgawaCore

/// Where a reader of a stream begins that has no progress yet.
package enum StartPosition: Hashable, Sendable {
    case beginning
    case end
    case enqueuedTime(Timestamp)
}

/// A stream that a function is called for.
package struct StreamTrigger: Hashable, Sendable {
    /// nil: the project's only stream.
    package var stream: String?
    /// The name under which progress is kept; Azure: the consumer group.
    package var consumer: String = "$Default"
    package var batchSize: Int = 100
    /// How long to wait for a batch to fill; zero takes what is there.
    package var wait: Duration = .zero
    package var start: StartPosition = .beginning
    /// The length of a tumbling window of AWS's kind; nil: none.
    package var window: Duration?

    package init(stream: String?) { self.stream = stream }
}

/// A route that calls a function.
package struct WebTrigger: Hashable, Sendable {
    /// Without a leading slash; `{name}` stands for a part.
    package var route: String
    /// In upper case; empty: all.
    package var methods: [String]

    package init(route: String, methods: [String]) {
        self.route = route
        self.methods = methods
    }
}

/// What makes a function run.
package enum FunctionTrigger: Hashable, Sendable {
    case stream(StreamTrigger)
    case timer(Schedule)
    case web(WebTrigger)
}

/// Where rows of an output go.
package struct FunctionOutput: Hashable, Sendable {
    /// What the target is, as far as the function says.
    package enum Target: Hashable, Sendable {
        /// Whatever the project calls by this name.
        case named(String)
        case stream(String)
        /// Rows replace those of the same id and partition key.
        case table(String, partitionKey: String?)
    }

    /// The name that the function uses; `$return` for what it returns.
    package var name: String
    package var target: Target

    package init(name: String, target: Target) {
        self.name = name
        self.target = target
    }
}

/// A function as found in the project.
package struct FunctionDefinition: Hashable, Sendable {
    package var name: String
    /// The file or folder it was found in, relative to where the search began.
    package var source: String
    /// What to give to ``FunctionHost/add(_:)``; functions of one app share it.
    package var program: FunctionProgram
    /// Empty where only the running program can tell (``needsRegistration``).
    package var triggers: [FunctionTrigger]
    package var outputs: [FunctionOutput]
    package var policy: FailurePolicy
    package var isDisabled = false
    /// Whether the program must be asked for its functions, as Azure's newer models require; then this stands for all of them.
    package var needsRegistration = false

    package init(
        name: String, source: String, program: FunctionProgram, triggers: [FunctionTrigger] = [],
        outputs: [FunctionOutput] = [], policy: FailurePolicy = FailurePolicy()
    ) {
        self.name = name
        self.source = source
        self.program = program
        self.triggers = triggers
        self.outputs = outputs
        self.policy = policy
    }
}

/// Something in the functions folder that cannot be used as it is.
package struct DiscoveryProblem: Error, Hashable, Sendable, CustomStringConvertible {
    package var source: String
    package var message: String
    package var hint: String?

    package init(_ source: String, _ message: String, hint: String? = nil) {
        self.source = source
        self.message = message
        self.hint = hint
    }

    package var description: String { "\(source): \(message)\(hint.map { "\n hint: \($0)" } ?? "")" }
}
