import OgawaCore
import OgawaJSON

// + - * / % over numbers, + over text.
//
// bigint with bigint stays bigint (division cuts the fraction, as in T-SQL), any float makes a float. Text next to a number is
// read as a number. NULL in gives NULL out; so does a division by zero, since one zero from a sensor must not
// stop a plant. An overflow of 64 bits is an error of the row.

/// A binary arithmetic operator.
final class ArithmeticNode: ExpressionNode {
    private let operation: Operation
    private let left: ExpressionNode
    private let right: ExpressionNode
    private let result: Column

    enum Operation: String {
        case add = "+"
        case subtract = "-"
        case multiply = "*"
        case divide = "/"
        case modulo = "%"
    }

    init(
        _ operation: Operation, _ left: ExpressionNode, _ right: ExpressionNode, heap: TextHeap, range: SourceRange
    ) {
        self.operation = operation
        self.left = left
        self.right = right
        result = Column(heap: heap)
        super.init(range: range)
    }

    override func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        let a = left.evaluate(batch, context, active: active)
        let b = right.evaluate(batch, context, active: active)
        result.reserve(batch.count)
        if !floats(a, b, count: batch.count) { values(a, b, batch.count, context, active) }
        return Operand(column: result, isConstant: false)
    }

    /// The uniform case, a column of floats with floats or a constant number; false where it is not that.
    private func floats(_ a: Operand, _ b: Operand, count: Int) -> Bool {
        guard operation != .modulo, !(a.isConstant && b.isConstant) else { return false }
        if a.isConstant {
            guard let constant = a.constantFloat, b.column.isUniform(.float) else { return false }
            let y = b.column.values
            fill(count) { self.apply(constant, Double(bitPattern: y[$0])) }
        } else if b.isConstant {
            guard let constant = b.constantFloat, a.column.isUniform(.float) else { return false }
            if operation == .divide, constant == 0 { return false }
            let x = a.column.values
            switch operation {
            case .add: fill(count) { Double(bitPattern: x[$0]) + constant }
            case .subtract: fill(count) { Double(bitPattern: x[$0]) - constant }
            case .multiply: fill(count) { Double(bitPattern: x[$0]) * constant }
            default: fill(count) { Double(bitPattern: x[$0]) / constant }
            }
            return true
        } else {
            guard a.column.isUniform(.float), b.column.isUniform(.float) else { return false }
            let (x, y) = (a.column.values, b.column.values)
            fill(count) { self.apply(Double(bitPattern: x[$0]), Double(bitPattern: y[$0])) }
        }
        if operation == .divide { nullZeroDivisors(b, count: count) }
        return true
    }

    @inline(__always)
    private func fill(_ count: Int, _ value: (Int) -> Double) {
        let target = result.values
        for row in 0..<count { target[row] = value(row).bitPattern }
        result.tags.update(repeating: ValueTag.float.rawValue, count: count)
        result.finish(count: count, tagSet: .float)
    }

    private func nullZeroDivisors(_ divisor: Operand, count: Int) {
        for row in 0..<count where Double(bitPattern: divisor.bits(row)) == 0 {
            result.tags[row] = ValueTag.null.rawValue
            result.values[row] = 0
            result.tagSet.insert(.null)
        }
    }

    @inline(__always)
    private func apply(_ x: Double, _ y: Double) -> Double {
        switch operation {
        case .add: x + y
        case .subtract: x - y
        case .multiply: x * y
        case .divide: x / y
        case .modulo: x.truncatingRemainder(dividingBy: y)
        }
    }

    /// The mixed case, row by row.
    private func values(
        _ a: Operand, _ b: Operand, _ count: Int, _ context: EvaluationContext, _ active: ActiveRows
    ) {
        result.finish(count: 0, tagSet: [])
        for row in 0..<count {
            let (tag, bits) = value(a, b, row, context, active)
            result.append(tag, bits)
        }
    }

    private func value(
        _ a: Operand, _ b: Operand, _ row: Int, _ context: EvaluationContext, _ active: ActiveRows
    ) -> (ValueTag, UInt64) {
        let (tagA, tagB) = (a.tag(row), b.tag(row))
        if tagA == .null || tagB == .null { return (.null, 0) }
        if tagA == .bigint, tagB == .bigint {
            let (x, y) = (Int64(bitPattern: a.bits(row)), Int64(bitPattern: b.bits(row)))
            guard let value = integers(x, y) else {
                if isActive(active, row) {
                    context.fail(row: row, "\(x) \(operation.rawValue) \(y) is beyond 64 bits", range)
                }
                return (.null, 0)
            }
            return value
        }
        if tagA == .text, tagB == .text, operation == .add {
            if let text = context.heap.joined(a.bits(row), b.bits(row)) { return (.text, text) }
            if isActive(active, row) { context.fail(row: row, "the text of + would have more than 1 MiB", range) }
            return (.null, 0)
        }
        guard let x = a.number(row), let y = b.number(row) else {
            if isActive(active, row) {
                let found = a.number(row) == nil ? a.describe(row) : b.describe(row)
                let hint = tagA == .datetime || tagB == .datetime ? "; use DATEADD or DATEDIFF for times" : ""
                context.fail(row: row, "\(operation.rawValue) needs numbers, found \(found)\(hint)", range)
            }
            return (.null, 0)
        }
        if y == 0, operation == .divide || operation == .modulo { return (.null, 0) }
        return (.float, apply(x, y).bitPattern)
    }

    /// nil where the result does not fit 64 bits.
    private func integers(_ x: Int64, _ y: Int64) -> (ValueTag, UInt64)? {
        let (value, overflow): (Int64, Bool)
        switch operation {
        case .add: (value, overflow) = x.addingReportingOverflow(y)
        case .subtract: (value, overflow) = x.subtractingReportingOverflow(y)
        case .multiply: (value, overflow) = x.multipliedReportingOverflow(by: y)
        case .divide:
            if y == 0 { return (.null, 0) }
            (value, overflow) = x.dividedReportingOverflow(by: y)
        case .modulo:
            if y == 0 { return (.null, 0) }
            // The one overflow, Int64.min % -1, has the remainder 0.
            (value, overflow) = (y == -1 ? 0 : x % y, false)
        }
        return overflow ? nil : (.bigint, UInt64(bitPattern: value))
    }
}

/// Minus sign, and the bitwise operators.
final class IntegerNode: ExpressionNode {
    enum Operation: String {
        case negate = "-"
        case bitwiseNot = "~"
        case bitwiseAnd = "&"
        case bitwiseOr = "|"
        case bitwiseXor = "^"
    }

    private let operation: Operation
    private let operands: [ExpressionNode]
    private let result: Column

    init(_ operation: Operation, _ operands: [ExpressionNode], heap: TextHeap, range: SourceRange) {
        self.operation = operation
        self.operands = operands
        result = Column(heap: heap)
        super.init(range: range)
    }

    override func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        let values = operands.map { $0.evaluate(batch, context, active: active) }
        result.finish(count: 0, tagSet: [])
        for row in 0..<batch.count {
            if let (tag, bits) = operation == .negate ? negated(values[0], row) : bitwise(values, row) {
                result.append(tag, bits)
            } else {
                result.append(.null, 0)
                if isActive(active, row) {
                    let found = values.map { $0.describe(row) }.joined(separator: " and ")
                    context.fail(row: row, "\(operation.rawValue) does not take \(found)", range)
                }
            }
        }
        return Operand(column: result, isConstant: false)
    }

    private func negated(_ value: Operand, _ row: Int) -> (ValueTag, UInt64)? {
        switch value.tag(row) {
        case .null: return (.null, 0)
        case .bigint:
            let (negative, overflow) = Int64(0).subtractingReportingOverflow(Int64(bitPattern: value.bits(row)))
            return overflow ? nil : (.bigint, UInt64(bitPattern: negative))
        default: return value.number(row).map { (.float, (-$0).bitPattern) }
        }
    }

    private func bitwise(_ values: [Operand], _ row: Int) -> (ValueTag, UInt64)? {
        // bit only where both are bit.
        var tag = ValueTag.bit
        for value in values {
            switch value.tag(row) {
            case .null: return (.null, 0)
            case .bit: break
            case .bigint: tag = .bigint
            default: return nil
            }
        }
        let x = values[0].bits(row)
        let y = values.count > 1 ? values[1].bits(row) : 0
        switch operation {
        case .bitwiseAnd: return (tag, x & y)
        case .bitwiseOr: return (tag, x | y)
        case .bitwiseXor: return (tag, x ^ y)
        default: return (tag, tag == .bit ? x ^ 1 : ~x)
        }
    }
}

extension TextHeap {
    /// Two texts one behind the other; nil where they are longer than functions make them.
    func joined(_ first: UInt64, _ second: UInt64) -> UInt64? {
        let (size, added) = (Int(first >> 32), Int(second >> 32))
        guard size + added <= ScalarArguments.maximumTextByteCount, count <= 1 << 30 else { return nil }
        reserve(size + added)
        let start = count
        // Reserving first keeps the pointers valid for both copies.
        _ = TextFunctions.copy(bytes(second), to: base + start, TextFunctions.copy(bytes(first), to: base + start, 0))
        count = start + size + added
        return TextHeap.pack(start: start, count: size + added)
    }
}

extension Operand {
    /// The constant as a float; nil where it is not a number.
    var constantFloat: Double? {
        guard isConstant else { return nil }
        switch tag(0) {
        case .float: return Double(bitPattern: bits(0))
        case .bigint: return Double(Int64(bitPattern: bits(0)))
        default: return nil
        }
    }

    /// A row's value as a float; text is read as a number; nil where it is none.
    func number(_ row: Int) -> Double? {
        switch tag(row) {
        case .float: Double(bitPattern: bits(row))
        case .bigint: Double(Int64(bitPattern: bits(row)))
        case .bit: bits(row) != 0 ? 1 : 0
        case .text: parseNumber(column.heap.bytes(bits(row)))
        default: nil
        }
    }

    /// A row's type and value for messages; long text is cut.
    func describe(_ row: Int) -> String {
        switch column.value(at: index(row)) {
        case .null: "NULL"
        case .bigint(let number): "the bigint \(number)"
        case .float(let number): "the float \(formatNumber(number))"
        case .bit(let flag): "the bit \(flag ? 1 : 0)"
        case .text(let text): "the text '\(text.prefix(40))\(text.count > 40 ? "…" : "")'"
        case .datetime(let time): "the datetime \(time)"
        case .record: "a record"
        case .array: "an array"
        }
    }
}
