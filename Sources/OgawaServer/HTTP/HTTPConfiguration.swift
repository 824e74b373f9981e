import NIOCore
import OgawaCore

extension HTTPListener {
    /// Where to listen, and the limits that keep one client from taking what others need.
    ///
    /// **Shape.** An idle connection costs about 12 KiB, so that the connection cap is about 100 MiB.
    package struct Configuration: Sendable {
        package var host: String
        /// 0 picks a free port.
        package var port: Int
        /// A connection without a request under way, or whose request makes no progress, is closed after this.
        package var idleTimeout: Duration = .seconds(60)
        /// A request must have arrived whole this long after its head, however steadily it drips.
        package var requestTimeout: Duration = .seconds(30)
        /// Live feeds get a comment when nothing was new for this long, which also finds readers that are gone.
        package var keepAliveInterval: Duration = .seconds(15)
        /// Further clients wait in the backlog until one leaves.
        package var maxConnections = 8192
        package var backlog = 4096
        package var maxHeaderFieldByteCount = 8 << 10
        package var maxHeaderListByteCount = 32 << 10
        package var maxHeaderCount = 100
        /// Rows of one answer from a table.
        package var maxRows = 10_000

        package init(host: String = "127.0.0.1", port: Int = 8080) {
            self.host = host
            self.port = port
        }

        /// Whether only this machine can reach the listener.
        package var isLoopback: Bool { isLoopbackHost(host) }
    }
}

/// Whether a host name or address stands for this machine alone.
package func isLoopbackHost(_ host: String) -> Bool {
    let host = host.lowercased()
    if host == "localhost" || host == "::1" || host == "[::1]" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
}

extension TimeAmount {
    /// A duration as the event loops take it, clamped to what they hold.
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        self = .nanoseconds(overflow ? .max / 2 : nanoseconds + attoseconds / 1_000_000_000)
    }
}
