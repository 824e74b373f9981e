import OgawaCore

/// Why a scalar function gives no value for its arguments.
struct ScalarFailure: Error {
    let message: String
}

/// A scalar function over values.
typealias ScalarFunction = @Sendable ([Value]) throws -> Value

/// A call of a scalar function, row by row.
final class ScalarNode: ExpressionNode {
    private let name: String
    private let function: ScalarFunction
    private let arguments: [ExpressionNode]
    private let result: Column
    private var row: [Value]

    /// The functions by upper-case name.
    static let functions: [String: ScalarFunction] = {
        var all = MathFunctions.table
        all.merge(TextFunctions.table) { first, _ in first }
        all.merge(DateFunctions.table) { first, _ in first }
        all["COALESCE"] = { values in values.first { $0 != .null } ?? .null }
        all["NULLIF"] = { values in values[0].isEqual(to: values[1]) ? .null : values[0] }
        all["GETTYPE"] = { values in
            values[0] == .null ? .null : .text(values[0].tag.typeName)
        }
        return all
    }()

    static func make(
        _ name: String, _ arguments: [ExpressionNode], heap: TextHeap, range: SourceRange
    ) throws -> ScalarNode {
        guard let function = functions[name.uppercased()] else {
            throw EngineError("the function \(name) is not there yet", range: range)
        }
        return ScalarNode(name.uppercased(), function, arguments, heap: heap, range: range)
    }

    private init(
        _ name: String, _ function: @escaping ScalarFunction, _ arguments: [ExpressionNode], heap: TextHeap,
        range: SourceRange
    ) {
        self.name = name
        self.function = function
        self.arguments = arguments
        result = Column(heap: heap)
        row = Array(repeating: .null, count: arguments.count)
        super.init(range: range)
    }

    override func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        let values = arguments.map { $0.evaluate(batch, context, active: active) }
        result.finish(count: 0, tagSet: [])
        for row in 0..<batch.count {
            guard isActive(active, row) else {
                result.append(.null, 0)
                continue
            }
            for (index, value) in values.enumerated() { self.row[index] = value.column.value(at: value.index(row)) }
            do {
                result.append(try function(self.row))
            } catch {
                result.append(.null, 0)
                let message = (error as? ScalarFailure)?.message ?? String(describing: error)
                context.fail(row: row, "\(name): \(message)", range)
            }
        }
        return Operand(column: result, isConstant: false)
    }
}

extension Value {
    /// The value for messages.
    var described: String {
        switch self {
        case .null: "NULL"
        case .bigint(let number): "\(number)"
        case .float(let number): shortNumber(number)
        case .bit(let flag): flag ? "1" : "0"
        case .text(let text): "'\(text.prefix(40))'"
        case .datetime(let time): time.description
        case .record: "a record"
        case .array: "an array"
        }
    }

    /// Equality as `=` sees it.
    func isEqual(to other: Value) -> Bool {
        let heap = TextHeap(capacity: 64)
        let (a, b) = (Column(heap: heap), Column(heap: heap))
        a.append(self)
        b.append(other)
        return compare(Operand(column: a, isConstant: true), 0, Operand(column: b, isConstant: true), 0) == .equal
    }

    /// The value as a whole number; text and floats are converted, a fraction is cut.
    func integer(_ what: String) throws -> Int64 {
        switch self {
        case .bigint(let number): return number
        case .bit(let flag): return flag ? 1 : 0
        default:
            let number = try float(what)
            guard let whole = Int64(exactly: number.rounded(.towardZero)) else {
                throw ScalarFailure(message: "\(what) is beyond 64 bits: \(described)")
            }
            return whole
        }
    }

    /// The value as a float; text must be a number.
    func float(_ what: String) throws -> Double {
        let heap = TextHeap(capacity: 64)
        let column = Column(heap: heap)
        column.append(self)
        guard let number = Operand(column: column, isConstant: true).number(0) else {
            throw ScalarFailure(message: "\(what) must be a number, found \(described)")
        }
        return number
    }

    /// The value as text; numbers and datetimes are written out.
    func string(_ what: String) throws -> String {
        switch self {
        case .text(let text): return text
        case .bigint(let number): return String(number)
        case .float(let number): return shortNumber(number)
        case .bit(let flag): return flag ? "1" : "0"
        case .datetime(let time): return time.description
        case .null, .record, .array:
            throw ScalarFailure(message: "\(what) must be text, found \(described)")
        }
    }

    /// The value as an instant; text must be ISO 8601.
    func time(_ what: String) throws -> Timestamp {
        switch self {
        case .datetime(let time): return time
        case .text(let text):
            if let time = Timestamp(text) { return time }
        default: break
        }
        throw ScalarFailure(message: "\(what) must be a datetime or ISO 8601 text, found \(described)")
    }
}
