// The log of the libraries and of the instance, on standard error in the same form as everything else that is said there.

import Logging

/// Writes log lines as `warning: message key=value`.
package struct ConsoleLog: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var logLevel: Logger.Level
    package var metadataProvider: Logger.MetadataProvider?

    private init(level: Logger.Level) { logLevel = level }

    /// A logger that tells warnings and errors, or what OGAWA_LOG_LEVEL asks for.
    package static func logger(_ label: String = "ogawa") -> Logger {
        let level = Terminal.environment["OGAWA_LOG_LEVEL"].flatMap(Logger.Level.init(rawValue:)) ?? .warning
        return Logger(label: label) { _ in ConsoleLog(level: level) }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let message = "\(event.message)"
        // The HTTP library tells the end of its own tasks as an error whenever it is asked to stop.
        if event.source == "HummingbirdCore", message.contains("CancellationError"), logLevel > .debug { return }
        let fields = metadata.merging(event.metadata ?? [:]) { _, new in new }
        let details = fields.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        Output.note("\(event.level.rawValue): \(DisplayText.plain(message + details))")
    }
}
