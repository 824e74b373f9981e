import COgawaJSON
import OgawaCore

/// One event of a body: where it lies, and what its key field held.
package struct SplitElement: Sendable {
    /// What the key field of an event is.
    package enum Key: UInt8, Sendable {
        case absent
        /// A text; ``SplitElement/key`` points into the body.
        case text
        /// A number; ``SplitElement/key`` points to its digits in the body.
        case number
        /// A text with escapes; ``SplitElement/key`` points into ``SplitBody/decodedKeys``.
        case decoded
        /// A value that is no key; ``SplitElement/key`` points to its first byte in the body.
        case other
    }

    /// The JSON object with its braces, in the body.
    package var body: ByteSlice
    package var key: ByteSlice
    package var keyKind: Key
    /// Whether the object has no members.
    package var isEmpty: Bool
}

/// The events of one body, in order.
package struct SplitBody: Sendable {
    package var elements: [SplitElement]
    /// Keys whose text had escapes, without them.
    package var decodedKeys: [UInt8]
}

/// Why a body was refused: the event, the byte, what stands there and what was expected.
package struct SplitError: Error, Sendable, Equatable {
    /// The cause, on which callers switch.
    package enum Code: Sendable {
        case malformed
        case tooManyElements
        case elementTooLarge
        /// The key field stands twice in one event, so that readers could disagree about the key.
        case keyTwice
        case outOfMemory
    }

    package var code: Code
    /// The event, from 0.
    package var element: Int
    /// The byte of the body, from 0.
    package var position: Int
    package var found: String
    package var expected: String
}

/// Cuts request bodies into events and proves that each is well-formed JSON.
///
/// Takes an object, an array of objects, or objects on lines of their own (NDJSON). Stricter than a decoder that reads
/// fields on demand: a mistake anywhere refuses the body. Texts must be UTF-8 without lone surrogates, numbers must lie
/// within 64-bit floats, nesting ends at 64 levels. Repeated member names are let through, but for the key field.
///
/// **Isolation.** Not Sendable: keeps its memory between bodies, for one thread at a time.
/// **Complexity and allocation.** Linear; two allocations a body, whatever the number of events.
package final class EventSplitter {
    /// How deep containers may nest in one event.
    package static let maxDepth = 64

    private let splitter: OpaquePointer

    /// Makes a splitter; ends the process where there is no memory for a few hundred bytes.
    package init() {
        // SAFETY: fails only where a few hundred bytes cannot be had, never because of bytes from outside.
        guard let splitter = ogawa_splitter_create() else { fatalError("EventSplitter: no memory") }
        self.splitter = splitter
    }

    deinit { ogawa_splitter_destroy(splitter) }

    /// Cuts a body into events.
    ///
    /// **Errors.** ``SplitError`` for the first mistake in the body; nothing is given of the events before it.
    package func split(
        _ body: UnsafeRawBufferPointer, keyField: String, maxElements: Int, maxElementByteCount: Int
    ) throws(SplitError) -> SplitBody {
        try run(ogawa_splitter_split, body, keyField, maxElements, maxElementByteCount)
    }

    /// The same by a byte-wise reader that shares no code with simdjson: what tests compare ``split`` with.
    package func splitSlowly(
        _ body: UnsafeRawBufferPointer, keyField: String, maxElements: Int, maxElementByteCount: Int
    ) throws(SplitError) -> SplitBody {
        try run(ogawa_splitter_split_slowly, body, keyField, maxElements, maxElementByteCount)
    }

    private typealias Splitting = (
        OpaquePointer?, UnsafePointer<UInt8>?, Int, UnsafePointer<ogawa_split_rules>?
    ) -> ogawa_split_result

    private func run(
        _ split: Splitting, _ body: UnsafeRawBufferPointer, _ keyField: String, _ maxElements: Int,
        _ maxElementByteCount: Int
    ) throws(SplitError) -> SplitBody {
        var keyField = keyField
        // An empty buffer may have no address, which C's memory functions must not be given.
        let result = keyField.withUTF8 { name in
            withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { nothing in
                let base = body.baseAddress ?? UnsafeRawPointer(nothing.baseAddress)
                let nameBase =
                    name.baseAddress
                    ?? nothing.baseAddress.map { UnsafePointer($0.assumingMemoryBound(to: UInt8.self)) }
                var rules = ogawa_split_rules(
                    key_field: nameBase, key_field_count: name.count, max_elements: maxElements,
                    max_element_bytes: maxElementByteCount, max_depth: EventSplitter.maxDepth)
                return split(splitter, base?.assumingMemoryBound(to: UInt8.self), body.count, &rules)
            }
        }
        if let code = SplitError.Code(result.error) {
            throw SplitError(
                code: code, element: Int(result.count), position: result.position,
                found: describe(body, at: result.position), expected: String(cString: result.expected))
        }
        return SplitBody(result)
    }
}

extension SplitBody {
    /// Copies out what the splitter will overwrite with the next body.
    fileprivate init(_ result: ogawa_split_result) {
        let source = UnsafeBufferPointer(start: result.elements, count: Int(result.count))
        var decodedCount = 0
        elements = [SplitElement](unsafeUninitializedCapacity: source.count) { target, count in
            for (index, element) in source.enumerated() {
                let kind = SplitElement.Key(rawValue: UInt8(truncatingIfNeeded: element.key_kind)) ?? .other
                let key = ByteSlice(start: Int(element.key_start), count: Int(element.key_count))
                if kind == .decoded { decodedCount = key.range.upperBound }
                target.initializeElement(
                    at: index,
                    to: SplitElement(
                        body: ByteSlice(start: Int(element.start), count: Int(element.count)), key: key, keyKind: kind,
                        isEmpty: element.is_empty != 0))
            }
            count = source.count
        }
        decodedKeys = Array(UnsafeBufferPointer(start: result.decoded, count: decodedCount))
    }
}

extension SplitError.Code {
    fileprivate init?(_ error: Int32) {
        switch Int(error) {
        case OGAWA_SPLIT_OK: return nil
        case OGAWA_SPLIT_TOO_MANY: self = .tooManyElements
        case OGAWA_SPLIT_TOO_LARGE: self = .elementTooLarge
        case OGAWA_SPLIT_KEY_TWICE: self = .keyTwice
        case OGAWA_SPLIT_NO_MEMORY: self = .outOfMemory
        default: self = .malformed
        }
    }
}

/// What stands at a byte of a body, in words; never more of the payload than one character.
private func describe(_ body: UnsafeRawBufferPointer, at position: Int) -> String {
    guard position >= 0, position < body.count else { return "the end of the body" }
    switch body[position] {
    case 0x20: return "a blank"
    case 0x09: return "a tab"
    case 0x0a, 0x0d: return "a line break"
    case 0xef where position == 0: return "a byte order mark or another byte 0xEF"
    case let byte where byte > 0x20 && byte < 0x7f: return "'\(Character(Unicode.Scalar(byte)))'"
    case let byte:
        let digits = String(byte, radix: 16, uppercase: true)
        return "byte 0x\(digits.count == 1 ? "0" : "")\(digits)"
    }
}
