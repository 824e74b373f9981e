// Server-sent events: the `data:` lines of a message are one row or event each. A message named `lost` tells instead that
// the instance left frames out because this reader was too slow.

import Ogawa

/// The rows of a live feed, one JSON object text each, until the connection ends.
package struct LiveRows: AsyncSequence {
    package struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var lines: AsyncThrowingStream<String, any Error>.AsyncIterator
        fileprivate let onLoss: @Sendable (Int64) -> Void
        private var isLoss = false

        fileprivate init(
            lines: AsyncThrowingStream<String, any Error>.AsyncIterator, onLoss: @escaping @Sendable (Int64) -> Void
        ) {
            self.lines = lines
            self.onLoss = onLoss
        }

        package mutating func next() async throws -> String? {
            while let line = try await lines.next() {
                if line.isEmpty { isLoss = false }
                if line == "event: lost" { isLoss = true }
                guard line.hasPrefix("data:") else { continue }
                let text = line.dropFirst(5)
                let row = String(text.hasPrefix(" ") ? text.dropFirst() : text)
                guard isLoss else { return row }
                if case .integer(let count)? = (try? JSONValue.parse(row))?["frames"] { onLoss(count) }
            }
            return nil
        }
    }

    fileprivate let lines: AsyncThrowingStream<String, any Error>
    fileprivate let onLoss: @Sendable (Int64) -> Void

    package func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(lines: lines.makeAsyncIterator(), onLoss: onLoss)
    }
}

extension HTTPClient {
    /// Follows an output or a stream from now on.
    ///
    /// - Parameter onLoss: told how many frames were left out because this reader was too slow.
    package func live(
        _ name: String, key: String? = nil, onLoss: @escaping @Sendable (Int64) -> Void = { _ in }
    ) async throws -> LiveRows {
        LiveRows(lines: try await lines(AddressText.path(["live", name], [("key", key)])), onLoss: onLoss)
    }
}
