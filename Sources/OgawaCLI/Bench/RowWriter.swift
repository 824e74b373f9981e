import OgawaCore
import OgawaJSON

/// Encodes rows as a sink does and throws the bytes away.
final class RowWriter {
    private let encoder = RowEncoder()

    func take(_ rows: RowBatch) {
        encoder.append(rows)
        if encoder.bytes.count > 1 << 18 { encoder.clear() }
    }
}
