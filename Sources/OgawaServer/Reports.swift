// What the instance tells about itself: GET /status, /devices and /rejections. The field names are those of the HTTP API,
// so that clients decode these types. The server writes them with JSONWriter, in the order of the properties.

/// The whole instance at a glance.
package struct StatusReport: Codable, Sendable, Equatable {
    /// The project's name.
    package var name: String
    /// ISO 8601.
    package var startedAt: String
    package var uptimeSeconds: Double
    /// The present instant by the instance's clock, ISO 8601.
    package var now: String?
    package var version: String
    /// Where events are accepted; nil before the start is complete.
    package var listen: ListenReport?
    package var streams: [StreamReport]
    package var functions: [FunctionReport]
    package var outputs: [OutputReport]
    /// Events refused by the gateway or left out by a function since the start.
    package var rejected: Int
    package var connections: ConnectionsReport

    package init(
        name: String, startedAt: String, uptimeSeconds: Double, now: String? = nil, version: String,
        listen: ListenReport? = nil, streams: [StreamReport], functions: [FunctionReport], outputs: [OutputReport],
        rejected: Int, connections: ConnectionsReport
    ) {
        self.name = name
        self.startedAt = startedAt
        self.uptimeSeconds = uptimeSeconds
        self.now = now
        self.listen = listen
        self.version = version
        self.streams = streams
        self.functions = functions
        self.outputs = outputs
        self.rejected = rejected
        self.connections = connections
    }
}

/// The listeners' addresses as URLs.
package struct ListenReport: Codable, Sendable, Equatable {
    package var http: String
    package var mqtt: String

    package init(http: String, mqtt: String) {
        self.http = http
        self.mqtt = mqtt
    }
}

/// One stream of the log; `firstOffset` and `nextOffset` have one element a partition.
package struct StreamReport: Codable, Sendable, Equatable {
    package var name: String
    package var partitions: Int
    package var events: Int
    package var bytes: Int64
    package var eventsPerSecond: Double
    package var firstOffset: [Int64]
    package var nextOffset: [Int64]

    package init(
        name: String, partitions: Int, events: Int, bytes: Int64, eventsPerSecond: Double, firstOffset: [Int64],
        nextOffset: [Int64]
    ) {
        self.name = name
        self.partitions = partitions
        self.events = events
        self.bytes = bytes
        self.eventsPerSecond = eventsPerSecond
        self.firstOffset = firstOffset
        self.nextOffset = nextOffset
    }
}

/// One function and how far it has come.
package struct FunctionReport: Codable, Sendable, Equatable {
    package var name: String
    /// The path within the project.
    package var file: String
    /// `running`, `failed` or `stopped`.
    package var state: String
    package var inputs: [String]
    package var outputs: [String]
    package var eventsIn: Int
    package var rowsOut: Int
    package var eventsPerSecond: Double
    package var lagEvents: Int
    package var lagSeconds: Double
    /// ISO 8601; nil before the first event.
    package var watermark: String?
    package var late: Int
    package var early: Int
    package var outOfOrder: Int
    package var dropped: Int
    package var lastError: String?

    package init(
        name: String, file: String, state: String, inputs: [String], outputs: [String], eventsIn: Int = 0,
        rowsOut: Int = 0, eventsPerSecond: Double = 0, lagEvents: Int = 0, lagSeconds: Double = 0,
        watermark: String? = nil, late: Int = 0, early: Int = 0, outOfOrder: Int = 0, dropped: Int = 0,
        lastError: String? = nil
    ) {
        self.name = name
        self.file = file
        self.state = state
        self.inputs = inputs
        self.outputs = outputs
        self.eventsIn = eventsIn
        self.rowsOut = rowsOut
        self.eventsPerSecond = eventsPerSecond
        self.lagEvents = lagEvents
        self.lagSeconds = lagSeconds
        self.watermark = watermark
        self.late = late
        self.early = early
        self.outOfOrder = outOfOrder
        self.dropped = dropped
        self.lastError = lastError
    }
}

/// One output and what went into it.
package struct OutputReport: Codable, Sendable, Equatable {
    package var name: String
    /// `table`, `stream` or `live`.
    package var kind: String
    package var rows: Int
    package var rowsPerSecond: Double
    package var columns: [String]
    /// The key column of a table.
    package var key: String?
    /// The range column of a table.
    package var range: String?

    package init(
        name: String, kind: String, rows: Int, rowsPerSecond: Double, columns: [String], key: String? = nil,
        range: String? = nil
    ) {
        self.name = name
        self.kind = kind
        self.rows = rows
        self.rowsPerSecond = rowsPerSecond
        self.columns = columns
        self.key = key
        self.range = range
    }
}

/// Open connections.
package struct ConnectionsReport: Codable, Sendable, Equatable {
    package var http: Int
    package var mqtt: Int
    /// Readers of live feeds; each is one of the HTTP connections.
    package var live: Int

    package init(http: Int, mqtt: Int, live: Int) {
        self.http = http
        self.mqtt = mqtt
        self.live = live
    }
}

/// One device as its newest events show it.
package struct DeviceReport: Codable, Sendable, Equatable {
    package var id: String
    package var stream: String
    /// The newest enqueued time, ISO 8601.
    package var lastSeen: String
    /// The newest event time, ISO 8601.
    package var lastEventTime: String?
    /// Event time minus enqueued time: how far the device's clock is ahead.
    package var clockOffsetSeconds: Double?
    package var events: Int
    package var lastBody: JSONText?

    package init(
        id: String, stream: String, lastSeen: String, lastEventTime: String?, clockOffsetSeconds: Double?, events: Int,
        lastBody: JSONText?
    ) {
        self.id = id
        self.stream = stream
        self.lastSeen = lastSeen
        self.lastEventTime = lastEventTime
        self.clockOffsetSeconds = clockOffsetSeconds
        self.events = events
        self.lastBody = lastBody
    }
}

/// The answer of GET /devices.
package struct DevicesReport: Codable, Sendable, Equatable {
    package var devices: [DeviceReport]

    package init(devices: [DeviceReport]) { self.devices = devices }
}

/// The answer of GET /rejections, newest first.
package struct RejectionsReport: Codable, Sendable, Equatable {
    /// All since the start, also those no longer listed.
    package var total: Int
    package var rejections: [RejectionReport]

    package init(total: Int, rejections: [RejectionReport]) {
        self.total = total
        self.rejections = rejections
    }
}

/// One event, or several of a kind, that did not get through.
package struct RejectionReport: Codable, Sendable, Equatable {
    /// ISO 8601.
    package var time: String
    package var kind: String
    package var stream: String?
    package var function: String?
    package var device: String?
    package var reason: String

    package init(time: String, kind: String, stream: String?, function: String?, device: String?, reason: String) {
        self.time = time
        self.kind = kind
        self.stream = stream
        self.function = function
        self.device = device
        self.reason = reason
    }
}
