import OgawaCore
import OgawaJSON

/// The type and the 64 bits of one value, as a column holds them.
struct Cell {
    var tag: ValueTag
    var bits: UInt64

    static let null = Cell(tag: .null, bits: 0)

    @inline(__always)
    static func bigint(_ number: Int64) -> Cell { Cell(tag: .bigint, bits: UInt64(bitPattern: number)) }

    @inline(__always)
    static func bigint(_ number: Int) -> Cell { bigint(Int64(number)) }

    @inline(__always)
    static func float(_ number: Double) -> Cell { Cell(tag: .float, bits: number.bitPattern) }

    @inline(__always)
    static func text(_ packed: UInt64) -> Cell { Cell(tag: .text, bits: packed) }

    @inline(__always)
    static func datetime(_ ticks: Int64) -> Cell { Cell(tag: .datetime, bits: UInt64(bitPattern: ticks)) }
}

/// The arguments of a scalar function in one row, read without making values of their own.
///
/// Text is passed around as packed heap positions, which stay valid when the heap grows; pointers do not. A function that is not given what
/// it needs converts it (a number to text, text to a number or a datetime) or throws.
///
/// **Isolation.** Owned by one node.
/// **Complexity and allocation.** No allocation per row; what is converted to text lies in the heap until the batch ends.
final class ScalarArguments {
    private struct Lane {
        var tags: UnsafeMutablePointer<UInt8>
        var values: UnsafeMutablePointer<UInt64>
        /// 1, or 0 where one value stands for every row.
        var stride: Int
        /// The instant that a constant text names, once it was read.
        var constantTime: Int64?
    }

    let count: Int
    let heap: TextHeap
    /// The row whose values are read.
    var row = 0
    private let lanes: UnsafeMutablePointer<Lane>

    init(count: Int, heap: TextHeap) {
        self.count = count
        self.heap = heap
        lanes = .allocate(capacity: max(1, count))
    }

    deinit { lanes.deallocate() }

    /// Takes the operands of a batch, which must outlive every call up to the next one of this.
    func take(_ operands: [Operand]) {
        for (index, operand) in operands.enumerated() {
            (lanes + index).initialize(
                to: Lane(
                    tags: operand.column.tags, values: operand.column.values, stride: operand.isConstant ? 0 : 1))
        }
        row = 0
    }

    // MARK: Values

    @inline(__always)
    func tag(_ index: Int) -> ValueTag { ValueTag(rawValue: lanes[index].tags[row &* lanes[index].stride]) ?? .null }

    @inline(__always)
    func bits(_ index: Int) -> UInt64 { lanes[index].values[row &* lanes[index].stride] }

    @inline(__always)
    func isNull(_ index: Int) -> Bool { lanes[index].tags[row &* lanes[index].stride] == ValueTag.null.rawValue }

    /// Whether any argument is NULL.
    @inline(__always)
    var hasNull: Bool {
        for index in 0..<count where isNull(index) { return true }
        return false
    }

    /// Whether one value stands for every row.
    func isConstant(_ index: Int) -> Bool { lanes[index].stride == 0 }

    /// An argument as it came.
    @inline(__always)
    func cell(_ index: Int) -> Cell { Cell(tag: tag(index), bits: bits(index)) }

    // MARK: Conversions

    /// An argument as a whole number; a fraction is cut, text is read.
    func integer(_ index: Int, _ what: String) throws -> Int64 {
        let bits = bits(index)
        switch tag(index) {
        case .bigint, .bit: return Int64(bitPattern: bits)
        case .text:
            if let number = parseInteger(heap.bytes(bits)) { return number }
        default: break
        }
        let number = try number(index, what)
        guard let whole = Int64(exactly: number.rounded(.towardZero)) else {
            throw ScalarFailure(message: "\(what) is beyond 64 bits: \(describe(index))")
        }
        return whole
    }

    /// An argument as a float; text must be a number.
    func number(_ index: Int, _ what: String) throws -> Double {
        let bits = bits(index)
        switch tag(index) {
        case .float: return Double(bitPattern: bits)
        case .bigint, .bit: return Double(Int64(bitPattern: bits))
        case .text:
            if let number = parseNumber(heap.bytes(bits)) { return number }
        default: break
        }
        throw ScalarFailure(message: "\(what) must be a number, found \(describe(index))")
    }

    /// The packed position of an argument as text; numbers, bits and datetimes are written out.
    @inline(__always)
    func text(_ index: Int, _ what: String) throws -> UInt64 {
        let cell = cell(index)
        if cell.tag == .text { return cell.bits }
        guard let packed = heap.text(of: cell) else {
            throw ScalarFailure(message: "\(what) must be text, found \(describe(index))")
        }
        return packed
    }

    /// An argument as ticks; text must be ISO 8601.
    func time(_ index: Int, _ what: String) throws -> Int64 {
        let bits = bits(index)
        switch tag(index) {
        case .datetime: return Int64(bitPattern: bits)
        case .text:
            if let known = lanes[index].constantTime { return known }
            if let time = Timestamp(iso8601: UnsafeRawBufferPointer(heap.bytes(bits))) {
                if lanes[index].stride == 0 { lanes[index].constantTime = time.ticks }
                return time.ticks
            }
        default: break
        }
        throw ScalarFailure(message: "\(what) must be a datetime or ISO 8601 text, found \(describe(index))")
    }

    /// The bytes behind a packed position; valid until the heap grows.
    @inline(__always)
    func bytes(_ packed: UInt64) -> UnsafeBufferPointer<UInt8> { heap.bytes(packed) }

    /// An argument for messages; long text is cut.
    func describe(_ index: Int) -> String {
        let column = Column(heap: heap)
        column.append(tag(index), bits(index))
        return Operand(column: column, isConstant: true).describe(0)
    }

    // MARK: Results

    /// The most bytes that a function gives as one text.
    static let maximumTextByteCount = 1 << 20
    /// The most text that one batch may hold: a fraction of what a heap can.
    private static let maximumHeapByteCount = 1 << 30

    /// Makes a text of at most `byteCount` bytes.
    ///
    /// - Parameter fill: writes the text and gives its byte count; it reads its arguments anew, since the heap may have moved.
    @inline(__always)
    func makeText(_ byteCount: Int, _ fill: (UnsafeMutablePointer<UInt8>) -> Int) throws -> Cell {
        guard byteCount <= ScalarArguments.maximumTextByteCount else {
            throw ScalarFailure(
                message:
                    "the text would have \(byteCount) bytes; at most \(ScalarArguments.maximumTextByteCount) are made")
        }
        guard heap.count <= ScalarArguments.maximumHeapByteCount else {
            throw ScalarFailure(message: "the texts of one batch take more than 1 GiB")
        }
        heap.reserve(byteCount)
        let start = heap.count
        let written = fill(heap.base + start)
        heap.count = start &+ written
        return .text(TextHeap.pack(start: start, count: written))
    }

    /// Stores a text made elsewhere.
    func store(_ text: String) throws -> Cell {
        var text = text
        return try text.withUTF8 { utf8 in
            try makeText(utf8.count) { target in
                for (index, byte) in utf8.enumerated() { target[index] = byte }
                return utf8.count
            }
        }
    }

    /// A part of a text that lies in the heap already.
    @inline(__always)
    static func slice(_ packed: UInt64, from start: Int, to end: Int) -> Cell {
        .text(TextHeap.pack(start: Int(packed & 0xffff_ffff) &+ start, count: end &- start))
    }
}

extension TextHeap {
    /// A value as text, as CAST writes it; nil for NULL, records and arrays.
    func text(of cell: Cell) -> UInt64? {
        switch cell.tag {
        case .text: return cell.bits
        case .bigint: return append(String(Int64(bitPattern: cell.bits)))
        case .float: return append(shortNumber(Double(bitPattern: cell.bits)))
        case .bit: return append(cell.bits != 0 ? "1" : "0")
        case .datetime:
            reserve(Timestamp.iso8601ByteCount)
            let start = count
            Timestamp(ticks: Int64(bitPattern: cell.bits)).writeISO8601(to: base + start)
            count = start + Timestamp.iso8601ByteCount
            return TextHeap.pack(start: start, count: Timestamp.iso8601ByteCount)
        case .null, .record, .array: return nil
        }
    }
}

/// The whole number that a complete text spells, blanks around it aside; nil where it spells none of 64 bits.
func parseInteger(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
    var (start, end) = (0, text.count)
    while start < end, text[start] == 0x20 { start += 1 }
    while end > start, text[end - 1] == 0x20 { end -= 1 }
    guard start < end else { return nil }
    let isNegative = text[start] == UInt8(ascii: "-")
    if isNegative || text[start] == UInt8(ascii: "+") { start += 1 }
    guard start < end else { return nil }
    var value: Int64 = 0
    for index in start..<end {
        let digit = text[index] &- 0x30
        guard digit < 10 else { return nil }
        let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, carry) =
            isNegative
            ? scaled.subtractingReportingOverflow(Int64(digit)) : scaled.addingReportingOverflow(Int64(digit))
        if overflow || carry { return nil }
        value = sum
    }
    return value
}
