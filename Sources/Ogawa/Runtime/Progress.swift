import OgawaCore
import OgawaLog

/// How far a consumer has read each partition of its input.
///
/// **Shape.** One position per partition, in partition order. As bytes: `| version: u8 | count: u16 LE |` and per partition
/// `| offset: i64 LE | enqueued ticks: i64 LE |`.
package struct Progress: Hashable, Sendable {
    package var positions: [LogPosition]

    private static let version: UInt8 = 1

    package init(_ positions: [LogPosition]) { self.positions = positions }

    /// Reads stored bytes; nil where they are damaged or of another number of partitions.
    init?(_ bytes: [UInt8], partitionCount: Int) {
        self.init(bytes)
        guard positions.count == partitionCount else { return nil }
    }

    /// Reads stored bytes; nil where they are damaged.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 3, bytes[0] == Progress.version else { return nil }
        let partitionCount = Int(bytes[1]) | Int(bytes[2]) << 8
        guard bytes.count == 3 + 16 * partitionCount else { return nil }
        func integer(_ start: Int) -> Int64 {
            var value: UInt64 = 0
            for index in (0..<8).reversed() { value = value << 8 | UInt64(bytes[start + index]) }
            return Int64(bitPattern: value)
        }
        positions = (0..<partitionCount).map { partition in
            let start = 3 + 16 * partition
            return LogPosition(
                offset: Offset(rawValue: integer(start)), enqueuedTime: Timestamp(ticks: integer(start + 8)))
        }
    }

    package var bytes: [UInt8] {
        var bytes: [UInt8] = [
            Progress.version, UInt8(truncatingIfNeeded: positions.count),
            UInt8(truncatingIfNeeded: positions.count >> 8),
        ]
        func append(_ value: Int64) {
            var rest = UInt64(bitPattern: value)
            for _ in 0..<8 {
                bytes.append(UInt8(truncatingIfNeeded: rest))
                rest >>= 8
            }
        }
        for position in positions {
            append(position.offset.rawValue)
            append(position.enqueuedTime.ticks)
        }
        return bytes
    }

    /// Whether every partition has been read at least as far.
    func hasReached(_ other: Progress) -> Bool {
        zip(positions, other.positions).allSatisfy { $0 >= $1 }
    }
}
