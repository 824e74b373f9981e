/// What the gateway takes at most; every number that refuses a request's body stands here.
///
/// **Shape.** One request of the largest size costs about 16 MiB inflated, up to 64 MiB of token positions for the time of
/// the walk, and 16 MiB of pending events.
package struct GatewayLimits: Sendable, Equatable {
    /// A body as it arrives.
    package var bodyByteCount = 4 << 20
    /// A gzip body after decompression.
    package var inflatedByteCount = 16 << 20
    package var eventByteCount = 256 << 10
    package var eventsPerRequest = 10_000
    /// A key as UTF-8.
    package var keyByteCount = 128

    package init() {}
}
