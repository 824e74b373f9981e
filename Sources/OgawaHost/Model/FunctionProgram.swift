import OgawaCore

/// What runs a function: the language's runtime, or a program of the user's.
package enum FunctionRuntime: Hashable, Sendable {
    case node
    case python
    /// A command with its arguments; a path with a slash is taken from the program's folder.
    case command([String])
}

/// The contract that a function was written for.
package enum FunctionModel: String, Hashable, Sendable, CaseIterable {
    /// Ogawa's own form: `(events, context) => rows`, or a program that speaks docs/functions-protocol.md.
    case plain
    /// Azure Functions with function.json: JavaScript v3, Python v1.
    case azureFolder = "azure-folder"
    /// Azure Functions that register themselves: JavaScript v4, Python v2.
    case azureRegistered = "azure-registered"
    /// A handler as AWS Lambda calls it, run by Ogawa's bootstrap.
    case lambdaHandler = "lambda-handler"
    /// A program that asks the Lambda Runtime API for its invocations.
    case lambdaRuntime = "lambda-runtime"
    /// A web server as Azure's custom handlers are.
    case customHandler = "custom-handler"
    /// A filter: one line of JSON per event in, one per row out.
    case jsonLines = "json-lines"
}

/// What a worker may use up before it is stopped.
package struct FunctionLimits: Hashable, Sendable {
    /// The longest that one invocation may take.
    package var timeout: Duration = .seconds(30)
    /// The longest that a worker may take until it is ready.
    package var startTimeout: Duration = .seconds(30)
    /// Resident memory of the worker with its descendants.
    package var memoryByteCount = 512 << 20
    /// The most processes at one time.
    package var workerCount = 1
    /// The largest answer to one invocation.
    package var responseByteCount = 64 << 20
    /// Lines kept per invocation; what is beyond is counted.
    package var logLineCount = 1_000
    /// Bytes of lines kept per invocation.
    package var logByteCount = 256 << 10

    package init() {}
}

/// A program that worker processes are started from; it holds one function or, for Azure apps, several.
package struct FunctionProgram: Hashable, Sendable {
    /// Unique among the programs of a host.
    package var name: String
    package var runtime: FunctionRuntime
    package var model: FunctionModel
    /// The working directory of its processes, absolute.
    package var directory: String
    /// The file to load, absolute; empty for commands.
    package var file: String
    /// The name of the entry inside the file, such as `handler`; empty: the usual ones.
    package var handler: String
    /// What the model wants to know beyond that, such as the content of function.json.
    package var configuration: JSONValue
    /// The whole environment beside a few words of Ogawa's own.
    package var environment: [String: String]
    package var limits: FunctionLimits

    package init(
        name: String, runtime: FunctionRuntime, model: FunctionModel, directory: String, file: String = "",
        handler: String = "", configuration: JSONValue = [:], environment: [String: String] = [:],
        limits: FunctionLimits = FunctionLimits()
    ) {
        self.name = name
        self.runtime = runtime
        self.model = model
        self.directory = directory
        self.file = file
        self.handler = handler
        self.configuration = configuration
        self.environment = environment
        self.limits = limits
    }
}
