// Columns: the form in which events are computed.
//
// A value has a type, a column has not: each row carries a tag byte and 64 bits. `tagSet` tells which tags occur, so
// that a kernel picks the uniform case with one comparison per batch and never looks at a tag per row.
// Text, records and arrays keep their bytes in a heap that all columns of a batch share; the 64 bits are the
// heap position (low half) and the byte count (high half). Records and arrays are JSON text.

/// The type of one value.
public enum ValueTag: UInt8, Sendable, CaseIterable {
    case null = 0
    case bigint = 1
    case float = 2
    case bit = 3
    case text = 4
    case datetime = 5
    case record = 6
    case array = 7

    /// The tag's bit in a ``TagSet``.
    @inlinable
    public var set: TagSet { TagSet(rawValue: 1 << UInt16(rawValue)) }

    /// The name that `GetType` gives.
    public var typeName: String {
        switch self {
        case .null: "null"
        case .bigint: "bigint"
        case .float: "float"
        case .bit: "bit"
        case .text: "nvarchar(max)"
        case .datetime: "datetime"
        case .record: "record"
        case .array: "array"
        }
    }
}

/// Which tags occur in a column; may name a tag that no row has.
public struct TagSet: OptionSet, Hashable, Sendable {
    public var rawValue: UInt16

    @inlinable
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let null = ValueTag.null.set
    public static let bigint = ValueTag.bigint.set
    public static let float = ValueTag.float.set
    public static let bit = ValueTag.bit.set
    public static let text = ValueTag.text.set
    public static let datetime = ValueTag.datetime.set
    public static let record = ValueTag.record.set
    public static let array = ValueTag.array.set
    /// Tags whose 64 bits are a heap position and a byte count.
    public static let heaped: TagSet = [.text, .record, .array]
}

/// Bytes of text, records and arrays that the columns of one batch share.
///
/// **Isolation.** Owned by one runner; not for use from two tasks at once.
/// **Shape.** At most 4 GiB; positions stay valid when the heap grows, pointers do not.
public final class TextHeap {
    public private(set) var base: UnsafeMutablePointer<UInt8>
    public private(set) var capacity: Int
    /// The bytes in use.
    ///
    /// A writer that filled reserved room from outside sets it.
    public var count = 0

    public init(capacity: Int = 4096) {
        self.capacity = capacity
        base = .allocate(capacity: capacity)
    }

    deinit { base.deallocate() }

    /// Makes room for `byteCount` more bytes.
    @inlinable
    public func reserve(_ byteCount: Int) {
        if capacity - count < byteCount { grow(byteCount) }
    }

    @usableFromInline
    func grow(_ byteCount: Int) {
        let wanted = Swift.max(capacity * 2, count + byteCount)
        precondition(wanted <= UInt32.max, "TextHeap: a batch holds at most 4 GiB of text")
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: wanted)
        larger.update(from: base, count: count)
        base.deallocate()
        base = larger
        capacity = wanted
    }

    /// Copies bytes in and returns their packed position and count.
    @inlinable
    public func append(_ source: UnsafePointer<UInt8>, count byteCount: Int) -> UInt64 {
        reserve(byteCount)
        let start = count
        (base + start).update(from: source, count: byteCount)
        count = start &+ byteCount
        return TextHeap.pack(start: start, count: byteCount)
    }

    /// Copies the UTF-8 bytes of a string in.
    public func append(_ text: String) -> UInt64 {
        var text = text
        return text.withUTF8 { utf8 in
            guard let base = utf8.baseAddress else { return TextHeap.pack(start: count, count: 0) }
            return append(base, count: utf8.count)
        }
    }

    /// The packed form of a position and a byte count.
    @inlinable
    public static func pack(start: Int, count: Int) -> UInt64 {
        UInt64(UInt32(truncatingIfNeeded: start)) | UInt64(UInt32(truncatingIfNeeded: count)) << 32
    }

    /// The bytes behind a packed position; valid until the heap grows.
    @inlinable
    public func bytes(_ packed: UInt64) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: base + Int(packed & 0xffff_ffff), count: Int(packed >> 32))
    }

    /// The text behind a packed position.
    public func string(_ packed: UInt64) -> String { String(decoding: bytes(packed), as: UTF8.self) }
}

/// One value per row: a tag and 64 bits each.
///
/// **Shape.** 64 bits by tag: `bigint` two's complement; `float` IEEE bits; `bit` 0 or 1; `datetime` ticks; text, record
/// and array a packed heap position; `null` 0.
/// **Isolation.** Owned by one runner.
public final class Column {
    @usableFromInline var rowCount: Int
    public private(set) var capacity: Int
    public private(set) var tags: UnsafeMutablePointer<UInt8>
    public private(set) var values: UnsafeMutablePointer<UInt64>
    public var tagSet: TagSet = []
    public let heap: TextHeap

    public init(heap: TextHeap, capacity: Int = 0) {
        self.heap = heap
        self.capacity = Swift.max(capacity, 16)
        rowCount = 0
        tags = .allocate(capacity: self.capacity)
        values = .allocate(capacity: self.capacity)
    }

    deinit {
        tags.deallocate()
        values.deallocate()
    }

    /// Sets the number of rows and the tags that occur, after a kernel filled ``tags`` and ``values``.
    @inlinable
    public func finish(count: Int, tagSet: TagSet) {
        setCount(count)
        self.tagSet = tagSet
    }

    @inlinable
    func setCount(_ newCount: Int) {
        precondition(newCount <= capacity, "Column: more rows than room")
        rowCount = newCount
    }

    /// The number of rows.
    @inlinable
    public var count: Int { rowCount }

    /// Makes room for `total` rows in all.
    @inlinable
    public func reserve(_ total: Int) {
        if total > capacity { grow(total) }
    }

    @usableFromInline
    func grow(_ total: Int) {
        let wanted = Swift.max(total, capacity * 2)
        let newTags = UnsafeMutablePointer<UInt8>.allocate(capacity: wanted)
        let newValues = UnsafeMutablePointer<UInt64>.allocate(capacity: wanted)
        newTags.update(from: tags, count: count)
        newValues.update(from: values, count: count)
        tags.deallocate()
        values.deallocate()
        tags = newTags
        values = newValues
        capacity = wanted
    }

    /// Adds one row; for the slow paths.
    @inlinable
    public func append(_ tag: ValueTag, _ value: UInt64) {
        let row = rowCount
        reserve(row + 1)
        tags[row] = tag.rawValue
        values[row] = value
        tagSet.rawValue |= 1 << UInt16(tag.rawValue)
        rowCount = row + 1
    }

    /// The tag of a row.
    @inlinable
    public func tag(at row: Int) -> ValueTag { ValueTag(rawValue: tags[row]) ?? .null }

    /// Whether every row is of one tag.
    @inlinable
    public func isUniform(_ tag: ValueTag) -> Bool { tagSet == tag.set }

    /// One row as a value of its own; for the slow paths.
    public func value(at row: Int) -> Value {
        let bits = values[row]
        switch tag(at: row) {
        case .null: return .null
        case .bigint: return .bigint(Int64(bitPattern: bits))
        case .float: return .float(Double(bitPattern: bits))
        case .bit: return .bit(bits != 0)
        case .text: return .text(heap.string(bits))
        case .datetime: return .datetime(Timestamp(ticks: Int64(bitPattern: bits)))
        case .record: return .record(heap.string(bits))
        case .array: return .array(heap.string(bits))
        }
    }

    /// Adds one row from a value of its own; for the slow paths.
    public func append(_ value: Value) {
        switch value {
        case .null: append(.null, 0)
        case .bigint(let number): append(.bigint, UInt64(bitPattern: number))
        case .float(let number): append(.float, number.bitPattern)
        case .bit(let flag): append(.bit, flag ? 1 : 0)
        case .text(let text): append(.text, heap.append(text))
        case .datetime(let time): append(.datetime, UInt64(bitPattern: time.ticks))
        case .record(let json): append(.record, heap.append(json))
        case .array(let json): append(.array, heap.append(json))
        }
    }
}

/// One value outside a column: literals, sinks, tests.
public enum Value: Hashable, Sendable {
    case null
    case bigint(Int64)
    case float(Double)
    case bit(Bool)
    case text(String)
    case datetime(Timestamp)
    /// A record as JSON object text.
    case record(String)
    /// An array as JSON array text.
    case array(String)

    /// The value's type.
    public var tag: ValueTag {
        switch self {
        case .null: .null
        case .bigint: .bigint
        case .float: .float
        case .bit: .bit
        case .text: .text
        case .datetime: .datetime
        case .record: .record
        case .array: .array
        }
    }
}
