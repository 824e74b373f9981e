import OgawaStore

/// What the HTTP interface asks the running instance for.
///
/// **Isolation.** Called from many tasks at once. All but ``query(table:_:)`` must answer from memory; queries run on a thread
/// that may block.
package protocol ServerBackend: Sendable {
    func status() -> StatusReport
    /// Devices sorted by id, at most so many.
    func devices(limit: Int) -> [DeviceReport]
    /// The newest rejections first, at most so many.
    func rejections(limit: Int) -> RejectionsReport
    /// Whether events are accepted and functions run.
    var isReady: Bool { get }
    /// Outputs and streams that can be watched.
    var liveNames: [String] { get }
    var tableNames: [String] { get }
    /// **Errors.** `StoreError`.
    func query(table: String, _ query: TableQuery) throws -> TableRows
}
