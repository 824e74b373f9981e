import OgawaCore
import OgawaJSON

// CAST and TRY_CAST. float to bigint cuts the fraction; text to number must be a complete number; text to datetime is
// ISO 8601; 0 and 0.0 are the bit 0, every other number is the bit 1; text to bit is 'true', 'false', '1' or '0'.

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
        result.finish(count: 0, tagSet: [])
        for row in 0..<batch.count {
            let cast = cast(value.column.value(at: value.index(row)))
            if let cast {
                result.append(cast)
            } else {
                result.append(.null, 0)
                if !isTry, isActive(active, row) {
                    let hint = "TRY_CAST gives NULL in place of this error"
                    let message = "\(value.describe(row)) is not a \(target.typeName); \(hint)"
                    context.fail(row: row, message, range)
                }
            }
        }
        return Operand(column: result, isConstant: false)
    }

    private func cast(_ value: Value) -> Value? {
        if value == .null || value.tag == target { return value }
        switch target {
        case .bigint: return bigint(value).map { .bigint($0) }
        case .float: return float(value).map { .float($0) }
        case .bit: return bit(value).map { .bit($0) }
        case .text: return .text(text(value))
        case .datetime:
            guard case .text(let text) = value else { return nil }
            return Timestamp(text).map { .datetime($0) }
        case .null, .record, .array: return nil
        }
    }

    private func bigint(_ value: Value) -> Int64? {
        switch value {
        case .float(let number): Int64(exactly: number.rounded(.towardZero))
        case .bit(let flag): flag ? 1 : 0
        case .text(let text): Int64(trimmed(text))
        default: nil
        }
    }

    private func float(_ value: Value) -> Double? {
        switch value {
        case .bigint(let number): Double(number)
        case .bit(let flag): flag ? 1 : 0
        case .text(let text):
            Array(text.utf8).withUnsafeBufferPointer { parseNumber($0) }
        default: nil
        }
    }

    private func bit(_ value: Value) -> Bool? {
        switch value {
        case .bigint(let number): return number != 0
        case .float(let number): return number != 0
        case .text(let text):
            switch trimmed(text).lowercased() {
            case "true", "1": return true
            case "false", "0": return false
            default: return nil
            }
        default: return nil
        }
    }

    private func text(_ value: Value) -> String {
        switch value {
        case .null: ""
        case .bigint(let number): String(number)
        case .float(let number): shortNumber(number)
        case .bit(let flag): flag ? "1" : "0"
        case .text(let text), .record(let text), .array(let text): text
        case .datetime(let time): time.description
        }
    }

    private func trimmed(_ text: String) -> Substring {
        var rest = text[...]
        while rest.first == " " { rest.removeFirst() }
        while rest.last == " " { rest.removeLast() }
        return rest
    }
}

/// A float as text for people: whole numbers without a fraction.
func shortNumber(_ number: Double) -> String {
    let text = formatNumber(number)
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
}
