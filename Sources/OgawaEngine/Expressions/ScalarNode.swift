import OgawaCore
import OgawaSQL

/// Why a scalar function gives no value for its arguments.
struct ScalarFailure: Error {
    let message: String
}

/// A scalar function over the values of one row.
typealias ScalarKernel = @Sendable (ScalarArguments) throws -> Cell

/// A call of a scalar function, row by row.
final class ScalarNode: ExpressionNode {
    private let name: String
    private let kernel: (ScalarArguments) throws -> Cell
    private let operands: [ExpressionNode]
    private let arguments: ScalarArguments
    private let result: Column
    private var values: [Operand] = []

    init(
        _ name: String, _ kernel: @escaping (ScalarArguments) throws -> Cell, _ operands: [ExpressionNode],
        heap: TextHeap, range: SourceRange
    ) {
        self.name = name
        self.kernel = kernel
        self.operands = operands
        arguments = ScalarArguments(count: operands.count, heap: heap)
        result = Column(heap: heap)
        super.init(range: range)
    }

    override func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        values.removeAll(keepingCapacity: true)
        for operand in operands { values.append(operand.evaluate(batch, context, active: active)) }
        arguments.take(values)
        // One value for every row is computed once.
        let isConstant = values.allSatisfy(\.isConstant)
        let count = isConstant ? 1 : batch.count
        result.reserve(max(1, count))
        var tagSet: TagSet = []
        for row in 0..<count {
            var cell = Cell.null
            if isConstant ? hasActiveRow(active, batch.count) : isActive(active, row) {
                arguments.row = row
                do {
                    cell = try kernel(arguments)
                } catch {
                    let message = (error as? ScalarFailure)?.message ?? String(describing: error)
                    for row in isConstant ? 0..<batch.count : row..<row + 1 where isActive(active, row) {
                        context.fail(row: row, "\(name): \(message)", range)
                    }
                }
            }
            result.tags[row] = cell.tag.rawValue
            result.values[row] = cell.bits
            tagSet.insert(cell.tag.set)
        }
        result.finish(count: count, tagSet: tagSet)
        return Operand(column: result, isConstant: isConstant)
    }

    private func hasActiveRow(_ active: ActiveRows, _ count: Int) -> Bool {
        guard let active else { return true }
        for row in 0..<count where active[row] != 0 { return true }
        return false
    }
}

extension ExpressionCompiler {
    /// The node of a call of a scalar function by its upper-case name.
    func call(_ name: String, _ arguments: [Expression], _ range: SourceRange) throws -> ExpressionNode {
        switch name {
        case "COALESCE":
            return CoalesceNode(try arguments.map(node), heap: heap, range: range)
        case "NULLIF":
            return NullIfNode(try node(arguments[0]), try node(arguments[1]), heap: heap, range: range)
        case RecordCall.name, RecordCall.withoutName: return try record(name, arguments, range)
        default: break
        }
        var operands = arguments
        let kernel: (ScalarArguments) throws -> Cell
        if let part = part(of: name, arguments), let found = DateFunctions.kernel(name, part) {
            operands.removeFirst()
            kernel = found
        } else if name == "REGEXMATCH" {
            kernel = try RegexFunction.kernel(pattern: arguments[1])
        } else if let found = ScalarKernels.table[name] {
            kernel = found
        } else if let geo = GeoNode(name, try arguments.map(node), heap: heap, range: range) {
            return geo
        } else {
            throw EngineError("the function \(name) is not there yet", range: range)
        }
        return ScalarNode(name, kernel, try operands.map(node), heap: heap, range: range)
    }

    /// The part of a date that the first argument of a function such as DATEADD names.
    private func part(of name: String, _ arguments: [Expression]) -> DatePart? {
        guard ScalarCatalog.function(named: name)?.takesDatePart == true,
            case .literal(.text(let part))? = arguments.first?.kind
        else { return nil }
        return DatePart(named: part)
    }
}

/// The functions that are computed row by row.
enum ScalarKernels {
    /// By upper-case name.
    static let table: [String: ScalarKernel] = {
        var all = MathFunctions.table
        for part in [TextFunctions.table, TextSearch.table, DateFunctions.table, RecordFunctions.table] {
            all.merge(part) { first, _ in first }
        }
        all["GETTYPE"] = { arguments in
            arguments.isNull(0) ? .null : try arguments.store(arguments.tag(0).typeName)
        }
        return all
    }()
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
}
