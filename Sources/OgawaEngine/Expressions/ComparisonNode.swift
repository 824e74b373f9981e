import OgawaCore
import OgawaJSON

// Comparisons give a bit and never NULL: with NULL on either side every comparison, also <>, is false.
//
// Numbers compare by value across bigint, float and bit, exactly; text compares by its bytes, case-sensitively; text
// next to a datetime, a number or a bit is read as one; records and arrays equal only themselves.

/// How two values stand to each other.
enum Ordering3 {
    case less
    case equal
    case greater
    /// One of them is NULL or NaN, or they are of kinds that have no order.
    case none
    /// Text that cannot be read as what it is compared with.
    case impossible
}

/// A binary comparison.
final class ComparisonNode: ExpressionNode {
    enum Operation: String {
        case equal = "="
        case notEqual = "<>"
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="

        @inline(__always)
        func holds(_ ordering: Ordering3) -> Bool {
            switch ordering {
            case .less: self == .less || self == .lessOrEqual || self == .notEqual
            case .equal: self == .equal || self == .lessOrEqual || self == .greaterOrEqual
            case .greater: self == .greater || self == .greaterOrEqual || self == .notEqual
            case .none, .impossible: false
            }
        }
    }

    private let operation: Operation
    private let left: ExpressionNode
    private let right: ExpressionNode
    private let result: Column

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
        if let constant = b.constantFloat, a.column.isUniform(.float), !a.isConstant {
            floats(a.column.values, constant, count: batch.count)
            return Operand(column: result, isConstant: false)
        }
        result.fillBits(count: batch.count) { row in
            let ordering = compare(a, row, b, row)
            if ordering == .impossible, isActive(active, row) {
                context.fail(row: row, "\(a.describe(row)) cannot be compared with \(b.describe(row))", range)
            }
            return operation.holds(ordering)
        }
        return Operand(column: result, isConstant: false)
    }

    private func floats(_ x: UnsafeMutablePointer<UInt64>, _ constant: Double, count: Int) {
        switch operation {
        case .equal: result.fillBits(count: count) { Double(bitPattern: x[$0]) == constant }
        case .notEqual: result.fillBits(count: count) { Double(bitPattern: x[$0]) != constant }
        case .less: result.fillBits(count: count) { Double(bitPattern: x[$0]) < constant }
        case .lessOrEqual: result.fillBits(count: count) { Double(bitPattern: x[$0]) <= constant }
        case .greater: result.fillBits(count: count) { Double(bitPattern: x[$0]) > constant }
        case .greaterOrEqual: result.fillBits(count: count) { Double(bitPattern: x[$0]) >= constant }
        }
    }
}

/// The order of two values of two columns.
func compare(_ a: Operand, _ rowA: Int, _ b: Operand, _ rowB: Int) -> Ordering3 {
    let (tagA, tagB) = (a.tag(rowA), b.tag(rowB))
    let (bitsA, bitsB) = (a.bits(rowA), b.bits(rowB))
    switch (tagA, tagB) {
    case (.null, _), (_, .null): return .none
    case (.bigint, .bigint), (.datetime, .datetime), (.bit, .bit), (.bit, .bigint), (.bigint, .bit):
        return order(Int64(bitPattern: bitsA), Int64(bitPattern: bitsB))
    case (.float, .float): return order(Double(bitPattern: bitsA), Double(bitPattern: bitsB))
    case (.float, .bigint), (.float, .bit):
        return orderExactly(Double(bitPattern: bitsA), Int64(bitPattern: bitsB))
    case (.bigint, .float), (.bit, .float):
        return orderExactly(Double(bitPattern: bitsB), Int64(bitPattern: bitsA)).reversed
    case (.text, .text):
        return order(a.column.heap.bytes(bitsA), b.column.heap.bytes(bitsB))
    case (.datetime, .text):
        guard let time = Timestamp(iso8601: UnsafeRawBufferPointer(b.column.heap.bytes(bitsB))) else {
            return .impossible
        }
        return order(Int64(bitPattern: bitsA), time.ticks)
    case (.text, .datetime): return compare(b, rowB, a, rowA).reversed
    case (.bigint, .text):
        let text = b.column.heap.bytes(bitsB)
        if let number = parseInteger(text) { return order(Int64(bitPattern: bitsA), number) }
        guard let number = parseNumber(text) else { return .impossible }
        return orderExactly(number, Int64(bitPattern: bitsA)).reversed
    case (.float, .text):
        guard let number = parseNumber(b.column.heap.bytes(bitsB)) else { return .impossible }
        return order(Double(bitPattern: bitsA), number)
    case (.bit, .text):
        guard let flag = parseBit(b.column.heap.bytes(bitsB)) else { return .impossible }
        return order(Int64(bitPattern: bitsA), flag ? 1 : 0)
    case (.text, .bigint), (.text, .float), (.text, .bit): return compare(b, rowB, a, rowA).reversed
    case (.record, .record), (.array, .array):
        return order(a.column.heap.bytes(bitsA), b.column.heap.bytes(bitsB)) == .equal ? .equal : .none
    default: return .none
    }
}

extension Ordering3 {
    var reversed: Ordering3 {
        switch self {
        case .less: .greater
        case .greater: .less
        case .equal, .none, .impossible: self
        }
    }
}

@inline(__always)
private func order<Number: Comparable>(_ x: Number, _ y: Number) -> Ordering3 {
    x < y ? .less : x == y ? .equal : x > y ? .greater : .none
}

/// Compares without rounding the integer to a double.
func orderExactly(_ x: Double, _ y: Int64) -> Ordering3 {
    if x.isNaN { return .none }
    if x >= 0x1p63 { return .greater }
    if x < -0x1p63 { return .less }
    // Within range the whole part converts exactly.
    let whole = x.rounded(.towardZero)
    let ordering = order(Int64(whole), y)
    if ordering != .equal { return ordering }
    return order(x, whole)
}

private func order(_ x: UnsafeBufferPointer<UInt8>, _ y: UnsafeBufferPointer<UInt8>) -> Ordering3 {
    for index in 0..<min(x.count, y.count) where x[index] != y[index] {
        return x[index] < y[index] ? .less : .greater
    }
    return order(x.count, y.count)
}
