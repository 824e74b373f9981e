import COgawaJSON
import OgawaCore

/// Decodes record bodies into columns: only the requested fields, in one call per batch.
///
/// **Shape.** A path names a field within records; the empty path is the whole body as a record. A name matches exactly, else
/// without regard to ASCII case. A missing field is null.
/// **Isolation.** Owned by one runner.
/// **Complexity and allocation.** No allocation per event.
package final class BodyDecoder {
    /// Why a body gave no values.
    package enum Problem: UInt8, Sendable {
        case none = 0
        case malformed = 1
        case notAnObject = 2
        case numberOutOfRange = 3

        /// The reason in words, for rejections.
        package var reason: String {
            switch self {
            case .none: "no problem"
            case .malformed: "the body is not well-formed JSON"
            case .notAnObject: "the body is not a JSON object"
            case .numberOutOfRange: "a number is beyond 64 bits"
            }
        }
    }

    private let decoder: OpaquePointer
    private let fieldCount: Int
    private let overlap: Int

    /// Prepares to read the given paths.
    ///
    /// - Parameter readsAll: walks each body to its end, so that damage behind the last wanted field is found; not needed for
    ///   bodies from the log, which the gateway has checked.
    package init(paths: [[String]], readsAll: Bool) {
        let parts = paths.flatMap { $0 }.map { Array($0.utf8) }
        let counts = paths.map(\.count)
        let text = parts.flatMap { $0 }
        decoder = text.withUnsafeBytes { bytes in
            var start = 0
            var pointers: [UnsafePointer<CChar>?] = []
            for part in parts {
                pointers.append(bytes.baseAddress.map { ($0 + start).assumingMemoryBound(to: CChar.self) })
                start += part.count
            }
            guard
                let made = ogj_decoder_create(
                    pointers, parts.map(\.count), counts, counts.count, readsAll ? 1 : 0)
            else {
                // SAFETY: no input causes it; a process that has no kilobyte left cannot go on.
                preconditionFailure("BodyDecoder: out of memory")
            }
            return made
        }
        fieldCount = paths.count
        overlap = ogj_decoder_overlap(decoder)
    }

    deinit { ogj_decoder_free(decoder) }

    /// Fills one column per path with a row per body.
    ///
    /// - Parameters:
    ///   - bytes: readable ``EventBatch/paddingByteCount`` bytes past the last body.
    ///   - columns: one per path, all on `heap`; their old rows are overwritten.
    ///   - problems: one byte per row (``Problem``), overwritten.
    /// - Returns: the number of rows with a problem; these are null in every column.
    package func decode(
        bytes: UnsafeBufferPointer<UInt8>, bodies: UnsafeBufferPointer<ByteSlice>, into columns: [Column],
        heap: TextHeap, problems: inout [UInt8]
    ) -> Int {
        precondition(columns.count == fieldCount, "BodyDecoder: one column per path")
        let count = bodies.count
        problems.removeAll(keepingCapacity: true)
        problems.append(contentsOf: repeatElement(0, count: count))
        guard count > 0, let base = bytes.baseAddress, let first = bodies.baseAddress else {
            for column in columns { column.finish(count: 0, tagSet: []) }
            return 0
        }
        var byteCount = 0
        for body in bodies { byteCount += Int(body.count) }
        heap.reserve(byteCount * overlap + 64)
        var target = ogj_heap(base: heap.base, count: heap.count, capacity: heap.capacity)
        let bad = withUnsafeTemporaryAllocation(of: ogj_column.self, capacity: max(1, fieldCount)) { targets in
            for (index, column) in columns.enumerated() {
                column.reserve(count)
                targets.initializeElement(
                    at: index, to: ogj_column(tags: column.tags, values: column.values, tag_set: 0))
            }
            let bad = first.withMemoryRebound(to: ogj_slice.self, capacity: count) { slices in
                ogj_decode(
                    decoder, base, bytes.count, slices, count, targets.baseAddress, &target, &problems)
            }
            for (index, column) in columns.enumerated() {
                column.finish(count: count, tagSet: TagSet(rawValue: targets[index].tag_set))
            }
            return bad
        }
        heap.count = target.count
        return bad
    }
}

/// The member of a JSON object text at a path, appended to `heap`; null where there is none.
package func findMember(
    in object: UnsafeBufferPointer<UInt8>, path: [String], heap: TextHeap
) -> (tag: ValueTag, value: UInt64) {
    let parts = path.map { Array($0.utf8) }
    let text = parts.flatMap { $0 }
    // The object may lie in the heap itself: its bytes are copied by the callee before the heap is written.
    let copy = Array(object)
    heap.reserve(copy.count + 64)
    var target = ogj_heap(base: heap.base, count: heap.count, capacity: heap.capacity)
    var value: UInt64 = 0
    let tag = text.withUnsafeBytes { bytes in
        var start = 0
        var pointers: [UnsafePointer<CChar>?] = []
        for part in parts {
            pointers.append(bytes.baseAddress.map { ($0 + start).assumingMemoryBound(to: CChar.self) })
            start += part.count
        }
        return copy.withUnsafeBufferPointer {
            ogj_find_member($0.baseAddress, $0.count, pointers, parts.map(\.count), parts.count, &target, &value)
        }
    }
    heap.count = target.count
    return (ValueTag(rawValue: UInt8(truncatingIfNeeded: tag)) ?? .null, value)
}

/// The number that a complete text spells; nil where it spells none.
package func parseNumber(_ text: UnsafeBufferPointer<UInt8>) -> Double? {
    var value = 0.0
    let isNumber = text.withMemoryRebound(to: CChar.self) { ogj_parse_double($0.baseAddress, $0.count, &value) }
    return isNumber == 1 ? value : nil
}

/// Shortest text that reads back as the same double; whole numbers keep `.0`.
package func formatNumber(_ value: Double) -> String {
    String(unsafeUninitializedCapacity: 32) { buffer in
        buffer.withMemoryRebound(to: CChar.self) { ogj_format_double(value, $0.baseAddress) }
    }
}
