import GRDBSQLite
import OgawaCore

// How a value stands in SQLite, so that other programs can read it and its type comes back exactly.
//
// Every column has a main type: that of the first value it ever got. A value of the main type stands plainly: bigint
// INTEGER, float REAL, bit 0 or 1, text TEXT, datetime TEXT of 28 bytes (ISO 8601, 7 digits, `Z`; sorts by time),
// record and array JSON text. A value of another type stands exactly in one of two places:
// - key and range columns: in the column itself. Numbers stand plainly beside numbers, all else as a tagged blob (one
//   byte with the type, then the value), which no text or number equals.
// - other columns: in a companion column `<name> (exact)`, added when the first such value comes; the column itself then
//   holds what a reader of the main type can use (20 for a bigint in a float column), or NULL.
// SQLite has no NaN: it reads back as null.

/// How the values of one column are to be bound and read.
enum Encoding {
    /// The column itself; values of other types become their nearest readable form.
    case approximate(main: ValueTag)
    /// A key or range column: exact, comparable within the main type.
    case key(main: ValueTag)
    /// The companion column: exact, for values that are not of the main type.
    case companion

    /// The type that text, and integers for a bit, stand for when they are read.
    var main: ValueTag {
        switch self {
        case .approximate(let main), .key(let main): main
        case .companion: .text
        }
    }
}

/// The type that SQLite is told for a column of a main type.
func declaredType(_ main: ValueTag, isKey: Bool) -> String {
    switch main {
    // A declared number type would turn 20.0 into 20; in a key both must come back as they went in.
    case .bigint: isKey ? "" : "INTEGER"
    case .float: isKey ? "" : "REAL"
    case .bit: "BOOLEAN"
    case .null, .text, .datetime, .record, .array: "TEXT"
    }
}

func isNumber(_ tag: ValueTag) -> Bool { tag == .bigint || tag == .float }

/// Binds 64 bits of a tag to a parameter, by the column's encoding.
///
/// **Isolation.** Text stays where it is: the heap must not grow or go before the statement has run.
/// - Returns: SQLite's result code.
@inline(__always)
func bind(
    _ tag: ValueTag, _ bits: UInt64, heap: TextHeap, as encoding: Encoding, to statement: OpaquePointer, at index: Int32
)
    -> Int32
{
    if tag == .null { return sqlite3_bind_null(statement, index) }
    switch encoding {
    case .approximate(let main):
        if tag == main { return bindPlain(tag, bits, heap: heap, to: statement, at: index) }
        return bindNearest(tag, bits, heap: heap, main: main, to: statement, at: index)
    case .key(let main):
        if tag == main || (isNumber(tag) && isNumber(main)) {
            return bindPlain(tag, bits, heap: heap, to: statement, at: index)
        }
        return bindTagged(tag, bits, heap: heap, to: statement, at: index)
    case .companion:
        if tag == .text || isNumber(tag) { return bindPlain(tag, bits, heap: heap, to: statement, at: index) }
        return bindTagged(tag, bits, heap: heap, to: statement, at: index)
    }
}

/// Binds a value in the form of its own type.
@inline(__always)
private func bindPlain(_ tag: ValueTag, _ bits: UInt64, heap: TextHeap, to statement: OpaquePointer, at index: Int32)
    -> Int32
{
    switch tag {
    case .null: return sqlite3_bind_null(statement, index)
    case .bigint: return sqlite3_bind_int64(statement, index, Int64(bitPattern: bits))
    case .float: return sqlite3_bind_double(statement, index, Double(bitPattern: bits))
    case .bit: return sqlite3_bind_int64(statement, index, bits != 0 ? 1 : 0)
    case .text, .record, .array:
        let bytes = heap.bytes(bits)
        return RawStatement.withBase(bytes) { base in
            sqlite3_bind_text64(statement, index, base, UInt64(bytes.count), nil, UInt8(SQLITE_UTF8))
        }
    case .datetime: return bindTime(bits, to: statement, at: index)
    }
}

@inline(__always)
private func bindTime(_ bits: UInt64, to statement: OpaquePointer, at index: Int32) -> Int32 {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Timestamp.iso8601ByteCount) { buffer in
        guard let base = buffer.baseAddress else { return SQLITE_NOMEM }
        let ticks = min(max(Int64(bitPattern: bits), Timestamp.min.ticks), Timestamp.max.ticks)
        Timestamp(ticks: ticks).writeISO8601(to: base)
        return RawStatement.withBase(UnsafeBufferPointer(buffer)) { text in
            sqlite3_bind_text64(
                statement, index, text, UInt64(Timestamp.iso8601ByteCount), RawStatement.transient, UInt8(SQLITE_UTF8))
        }
    }
}

/// Binds what a reader that expects the main type can use of another type's value, or NULL.
private func bindNearest(
    _ tag: ValueTag, _ bits: UInt64, heap: TextHeap, main: ValueTag, to statement: OpaquePointer, at index: Int32
) -> Int32 {
    switch main {
    case .text:
        if tag == .bit {
            let word: StaticString = bits != 0 ? "true" : "false"
            let bytes = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
            return RawStatement.withBase(bytes) { base in
                sqlite3_bind_text64(statement, index, base, UInt64(bytes.count), nil, UInt8(SQLITE_UTF8))
            }
        }
        return bindPlain(tag, bits, heap: heap, to: statement, at: index)
    case .bigint, .float:
        let isUsable = isNumber(tag) || tag == .bit
        return isUsable
            ? bindPlain(tag, bits, heap: heap, to: statement, at: index) : sqlite3_bind_null(statement, index)
    case .record, .array:
        let isUsable = tag == .record || tag == .array
        return isUsable
            ? bindPlain(tag, bits, heap: heap, to: statement, at: index) : sqlite3_bind_null(statement, index)
    case .null, .bit, .datetime:
        return sqlite3_bind_null(statement, index)
    }
}

/// Binds a blob of the tag and the value: 8 bytes, most significant first, or the text.
private func bindTagged(_ tag: ValueTag, _ bits: UInt64, heap: TextHeap, to statement: OpaquePointer, at index: Int32)
    -> Int32
{
    var blob: [UInt8] = [tag.rawValue]
    if TagSet.heaped.contains(tag.set) {
        blob.append(contentsOf: heap.bytes(bits))
    } else {
        withUnsafeBytes(of: bits.bigEndian) { blob.append(contentsOf: $0) }
    }
    return blob.withUnsafeBytes { raw in
        sqlite3_bind_blob64(statement, index, raw.baseAddress, UInt64(raw.count), RawStatement.transient)
    }
}

/// The value in a result column that was bound by an encoding of this main type.
///
/// Whatever stands in the file gives a value: another program may have written it.
func storedValue(_ statement: RawStatement, _ index: Int32, main: ValueTag) -> Value {
    switch sqlite3_column_type(statement.handle, index) {
    case SQLITE_INTEGER:
        let number = statement.integer(index)
        return main == .bit ? .bit(number != 0) : .bigint(number)
    case SQLITE_FLOAT:
        return .float(sqlite3_column_double(statement.handle, index))
    case SQLITE_TEXT:
        let bytes = statement.bytes(index)
        switch main {
        case .datetime:
            if let time = Timestamp(iso8601: bytes) { return .datetime(time) }
            return .text(String(decoding: bytes, as: UTF8.self))
        case .record: return .record(String(decoding: bytes, as: UTF8.self))
        case .array: return .array(String(decoding: bytes, as: UTF8.self))
        case .null, .bigint, .float, .bit, .text: return .text(String(decoding: bytes, as: UTF8.self))
        }
    case SQLITE_BLOB:
        return taggedValue(statement.bytes(index))
    default:
        return .null
    }
}

private func taggedValue(_ bytes: UnsafeRawBufferPointer) -> Value {
    guard let first = bytes.first, let tag = ValueTag(rawValue: first) else { return .null }
    let rest = bytes.dropFirst()
    switch tag {
    case .text: return .text(String(decoding: rest, as: UTF8.self))
    case .record: return .record(String(decoding: rest, as: UTF8.self))
    case .array: return .array(String(decoding: rest, as: UTF8.self))
    case .null, .bigint, .float, .bit, .datetime: break
    }
    guard rest.count == 8 else { return .null }
    let bits = rest.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    switch tag {
    case .bigint: return .bigint(Int64(bitPattern: bits))
    case .float: return .float(Double(bitPattern: bits))
    case .bit: return .bit(bits != 0)
    case .datetime: return .datetime(Timestamp(ticks: Int64(bitPattern: bits)))
    case .null, .text, .record, .array: return .null
    }
}
