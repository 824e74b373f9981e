// A project is a folder: ogawa.yaml, functions/*.sql, and data/ that Ogawa keeps itself.
//
// These types are what the folder says, checked and with every default filled in. Nothing here runs anything: the
// runtime takes a Project as its whole input, and a hot reload is a new Project.

import OgawaCore
import OgawaLog

/// A project folder as read: settings and function texts.
///
/// **Shape.** Streams, outputs and functions are in the order of the file, functions by name; names are unique without
/// regard to case, over streams and outputs together.
package struct Project: Sendable {
    package var name: String
    /// The folder, as the user named it.
    package var directory: String
    package var streams: [StreamSettings]
    package var outputs: [OutputSettings]
    package var functions: [FunctionFile]
    /// The functions that run in worker processes, by name.
    package var hosted: [HostedFile] = []
    package var listen: ListenSettings
    /// Where the embedded log, tables and state lie.
    package var dataDirectory: String
    /// How often a function's state is stored while events come.
    package var checkpointInterval = Duration.seconds(10)
    /// Data that functions join to streams.
    package var references: [ReferenceSettings] = []
    /// The stream that device telemetry goes to; nil where several could be meant and none is named.
    package var telemetryStream: String?
    /// The text of ogawa.yaml, for findings about it that are made later.
    package var source: SourceText
    /// What was seen and skipped, such as a file in functions/ of a kind that does not run yet.
    package var notes: [String]

    package init(
        name: String, directory: String, streams: [StreamSettings], outputs: [OutputSettings] = [],
        functions: [FunctionFile] = [], listen: ListenSettings = ListenSettings(), dataDirectory: String,
        telemetryStream: String? = nil, source: SourceText, notes: [String] = []
    ) {
        self.name = name
        self.directory = directory
        self.streams = streams
        self.outputs = outputs
        self.functions = functions
        self.listen = listen
        self.dataDirectory = dataDirectory
        self.telemetryStream = telemetryStream
        self.source = source
        self.notes = notes
    }

    /// The names of all functions.
    var functionNames: [String] { functions.map(\.name) + hosted.map(\.name) }

    /// The stream of a name, without regard to ASCII case.
    package func stream(_ name: String) -> StreamSettings? {
        let lowered = name.lowercased()
        return streams.first { $0.name.lowercased() == lowered }
    }

    /// The output of a name, without regard to ASCII case.
    package func output(_ name: String) -> OutputSettings? {
        let lowered = name.lowercased()
        return outputs.first { $0.name.lowercased() == lowered }
    }

    /// Every name that INTO may use: outputs, then streams.
    package var outputNames: [String] { outputs.map(\.name) + streams.map(\.name) }
}

/// What happens to an event outside a tolerance.
package enum OrderingAction: String, Hashable, Sendable, CaseIterable {
    /// Its time is moved to the nearest one that is allowed.
    case adjust
    case drop
}

/// One stream of the project.
package struct StreamSettings: Sendable {
    package var name: String
    package var partitionCount: Int
    package var retentionAge: Duration?
    package var retentionByteCount: Int64?
    /// The body's field with the device's time; nil where devices send none.
    package var timeField: String?
    /// The body's field that keys an event sent without a device id.
    package var keyField: String
    package var lateTolerance: Duration
    package var earlyTolerance: Duration
    package var outOfOrderTolerance: Duration
    package var orderingAction: OrderingAction
    package var durability: Durability

    package init(
        name: String, partitionCount: Int = 4, retentionAge: Duration? = .seconds(7 * 86_400),
        retentionByteCount: Int64? = nil, timeField: String? = nil, keyField: String = "deviceId",
        lateTolerance: Duration = .seconds(5), earlyTolerance: Duration = .seconds(300),
        outOfOrderTolerance: Duration = .zero, orderingAction: OrderingAction = .adjust,
        durability: Durability = .fsync
    ) {
        self.name = name
        self.partitionCount = partitionCount
        self.retentionAge = retentionAge
        self.retentionByteCount = retentionByteCount
        self.timeField = timeField
        self.keyField = keyField
        self.lateTolerance = lateTolerance
        self.earlyTolerance = earlyTolerance
        self.outOfOrderTolerance = outOfOrderTolerance
        self.orderingAction = orderingAction
        self.durability = durability
    }
}

/// One output of the project.
package struct OutputSettings: Hashable, Sendable {
    /// Where rows go.
    package enum Kind: Hashable, Sendable {
        case table(TableSettings)
        /// Rows become events of a stream of the project.
        case stream(String)
    }

    package var name: String
    package var kind: Kind

    package init(name: String, kind: Kind) {
        self.name = name
        self.kind = kind
    }
}

/// A table of results.
package struct TableSettings: Hashable, Sendable {
    /// The column that names what a row is about, such as the device.
    package var key: String
    /// The column that orders the rows of a key; nil keeps one row per key.
    package var range: String?
    /// How long rows stay, by their range column; nil keeps them for ever.
    package var keep: Duration?

    package init(key: String, range: String? = nil, keep: Duration? = nil) {
        self.key = key
        self.range = range
        self.keep = keep
    }
}

/// A function's text.
package struct FunctionFile: Sendable {
    /// The file's name without its extension.
    package var name: String
    /// The path within the project, such as `functions/temperature.sql`.
    package var path: String
    /// The text, named by the path as the user would open it.
    package var source: SourceText

    package init(name: String, path: String, source: SourceText) {
        self.name = name
        self.path = path
        self.source = source
    }
}
