import OgawaCore
import OgawaEngine
import OgawaHost

// What a hosted function's state is committed with: how far it has read, and the rows of its last call. The commit is the moment at which a
// call counts. Rows go to their outputs after it, and once more at the next start, where an output knows that it has them
// already: so a call that was made twice, with different results, still leaves the results of one.

/// The last call of a function on one part of its input.
struct HostedProgress {
    /// Behind the last event that is accounted for; for timers the due time in ticks.
    var next: Int64
    var outputs: [OutputRows]

    private static let version: Int64 = 1

    var bytes: [UInt8] {
        var writer = StateWriter()
        writer.write(HostedProgress.version)
        writer.write(next)
        writer.write(outputs.count)
        for output in outputs {
            writer.write(output.output)
            writer.write(output.count)
            for (index, row) in output.rows.enumerated() {
                writer.write(Array(output.bytes[row.range]))
                writer.write(Value.of(index < output.keys.count ? output.keys[index] : nil))
                writer.write(Value.of(index < output.properties.count ? output.properties[index] : nil))
            }
        }
        return writer.bytes
    }

    init(next: Int64, outputs: [OutputRows]) {
        self.next = next
        self.outputs = outputs
    }

    /// Reads stored bytes.
    ///
    /// - Throws: ``StateError`` where they are damaged or of another version.
    init(_ bytes: [UInt8]) throws {
        var reader = StateReader(bytes)
        guard try reader.readInt64() == HostedProgress.version else { throw StateError() }
        next = try reader.readInt64()
        outputs = []
        for _ in 0..<(try reader.readCount(ofSize: 8)) {
            var output = OutputRows(output: try reader.readString())
            for _ in 0..<(try reader.readCount(ofSize: 8)) {
                output.append(try reader.readArray(of: UInt8.self))
                output.keys.append(try reader.readValue().text)
                output.properties.append(try reader.readValue().text)
            }
            outputs.append(output)
        }
    }
}

extension Value {
    fileprivate static func of(_ text: String?) -> Value { text.map { .text($0) } ?? .null }

    fileprivate var text: String? {
        if case .text(let text) = self { return text }
        return nil
    }
}
