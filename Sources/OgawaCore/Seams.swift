/// Reads the wall clock; the only source of "now" outside the engine.
///
/// The engine never asks: its time comes from the log.
public protocol WallClock: Sendable {
    /// The present instant, which may step back or forward.
    func now() -> Timestamp
}
