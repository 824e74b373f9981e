import OgawaCore
import OgawaJSON

// CAST and TRY_CAST. float to bigint cuts the fraction; text to number must be a complete number; text to datetime is
// ISO 8601; 0 and 0.0 are the bit 0, every other number is the bit 1; text to bit is 'true', 'false', '1' or '0'; everything
// becomes text. Nothing but NULL becomes a record or an array (JSON_PARSE reads text).

/// CAST: an error of the row where it is impossible; TRY_CAST: NULL.
final class CastNode: ExpressionNode {
    private let operand: ExpressionNode
    private let target: ValueTag
    private let isTry: Bool
    private let result: Column

    init(_ operand: ExpressionNode, to target: ValueTag, isTry: Bool, heap: TextHeap, range: SourceRange) {
        self.operand = operand
        self.target = target
        self.isTry = isTry
        result = Column(heap: heap)
        super.init(range: range)
    }

    override func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        let value = operand.evaluate(batch, context, active: active)
        if value.column.isUniform(target) { return value }
        result.reserve(max(1, batch.count))
        var tagSet: TagSet = []
        for row in 0..<batch.count {
            var cell = Cell(tag: value.tag(row), bits: value.bits(row))
            if cell.tag != .null, cell.tag != target {
                if let cast = context.heap.cast(cell, to: target) {
                    cell = cast
                } else {
                    cell = .null
                    if !isTry, isActive(active, row) { fail(value, row, context) }
                }
            }
            result.tags[row] = cell.tag.rawValue
            result.values[row] = cell.bits
            tagSet.insert(cell.tag.set)
        }
        result.finish(count: batch.count, tagSet: tagSet)
        return Operand(column: result, isConstant: false)
    }

    private func fail(_ value: Operand, _ row: Int, _ context: EvaluationContext) {
        let isJSON = target == .record && value.tag(row) == .text
        let hint = isJSON ? "JSON_PARSE reads a record from text" : "TRY_CAST gives NULL in place of this error"
        context.fail(row: row, "\(value.describe(row)) is not a \(target.typeName); \(hint)", range)
    }
}

extension TextHeap {
    /// A value that is neither NULL nor of the target type, as that type; nil where that is impossible.
    func cast(_ cell: Cell, to target: ValueTag) -> Cell? {
        switch target {
        case .bigint: return integer(cell).map { .bigint($0) }
        case .float: return number(cell).map { .float($0) }
        case .bit: return flag(cell).map { Cell(tag: .bit, bits: $0 ? 1 : 0) }
        case .text:
            // Records and arrays are JSON text already.
            return .text(cell.tag == .record || cell.tag == .array ? cell.bits : text(of: cell) ?? 0)
        case .datetime:
            guard cell.tag == .text else { return nil }
            return Timestamp(iso8601: UnsafeRawBufferPointer(bytes(cell.bits))).map { .datetime($0.ticks) }
        case .null, .record, .array: return nil
        }
    }

    private func integer(_ cell: Cell) -> Int64? {
        switch cell.tag {
        case .float: Int64(exactly: Double(bitPattern: cell.bits).rounded(.towardZero))
        case .bit: Int64(bitPattern: cell.bits)
        case .text: parseInteger(bytes(cell.bits))
        default: nil
        }
    }

    private func number(_ cell: Cell) -> Double? {
        switch cell.tag {
        case .bigint, .bit: Double(Int64(bitPattern: cell.bits))
        case .text: parseNumber(bytes(cell.bits))
        default: nil
        }
    }

    private func flag(_ cell: Cell) -> Bool? {
        switch cell.tag {
        case .bigint: cell.bits != 0
        case .float: Double(bitPattern: cell.bits) != 0
        case .text: parseBit(bytes(cell.bits))
        default: nil
        }
    }
}

/// The bit that a complete text names, in any case and with blanks around it.
func parseBit(_ text: UnsafeBufferPointer<UInt8>) -> Bool? {
    var (start, end) = (0, text.count)
    while start < end, text[start] == 0x20 { start += 1 }
    while end > start, text[end - 1] == 0x20 { end -= 1 }
    let word = text[start..<end]
    if word.elementsEqual([0x31]) { return true }
    if word.elementsEqual([0x30]) { return false }
    if word.elementsEqual("true".utf8, by: { $0 | 0x20 == $1 }) { return true }
    return word.elementsEqual("false".utf8, by: { $0 | 0x20 == $1 }) ? false : nil
}

/// A float as text for people: whole numbers without a fraction.
func shortNumber(_ number: Double) -> String {
    let text = formatNumber(number)
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
}
