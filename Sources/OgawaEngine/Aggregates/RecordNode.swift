import OgawaCore
import OgawaSQL

/// A record made of named values; where a name is missing, the fields of a record value stand for themselves.
///
/// Of fields with one name the named one wins, as in `SELECT *`.
final class RecordNode: ExpressionNode {
    private let members: [(name: String?, value: ExpressionNode)]
    private let result: Column

    init(_ members: [(name: String?, value: ExpressionNode)], heap: TextHeap, range: SourceRange) {
        self.members = members
        result = Column(heap: heap)
        super.init(range: range)
    }

    override func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        let values = members.map { $0.value.evaluate(batch, context, active: active) }
        let heap = context.heap
        var taken: [[UInt8]] = []
        for member in members { if let name = member.name { taken.append(Array(name.utf8)) } }
        result.finish(count: 0, tagSet: [])
        for row in 0..<batch.count {
            let start = heap.count
            JSONOutput.append("{", to: heap)
            for (index, member) in members.enumerated() {
                if let name = member.name {
                    appendName(name, isFirst: heap.count == start + 1, to: heap)
                    JSONOutput.append(values[index], row, to: heap)
                } else if values[index].tag(row) == .record {
                    appendMembers(values[index].bits(row), without: taken, start: start, to: heap)
                }
            }
            JSONOutput.append("}", to: heap)
            result.append(.record, TextHeap.pack(start: start, count: heap.count - start))
        }
        return Operand(column: result, isConstant: false)
    }

    private func appendName(_ name: String, isFirst: Bool, to heap: TextHeap) {
        if !isFirst { JSONOutput.append(",", to: heap) }
        var name = name
        name.withUTF8 { utf8 in
            heap.reserve(utf8.count * 6 + 2)
            JSONOutput.append(quoted: utf8, to: heap)
        }
        JSONOutput.append(":", to: heap)
    }
}

/// A record without some of its fields.
final class RecordWithoutNode: ExpressionNode {
    private let record: ExpressionNode
    private let names: [[UInt8]]
    private let result: Column

    init(_ record: ExpressionNode, names: [String], heap: TextHeap, range: SourceRange) {
        self.record = record
        self.names = names.map { Array($0.utf8) }
        result = Column(heap: heap)
        super.init(range: range)
    }

    override func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext, active: ActiveRows) -> Operand {
        let value = record.evaluate(batch, context, active: active)
        let heap = context.heap
        result.finish(count: 0, tagSet: [])
        for row in 0..<batch.count {
            guard value.tag(row) == .record else {
                result.append(.null, 0)
                continue
            }
            let start = heap.count
            JSONOutput.append("{", to: heap)
            appendMembers(value.bits(row), without: names, start: start, to: heap)
            JSONOutput.append("}", to: heap)
            result.append(.record, TextHeap.pack(start: start, count: heap.count - start))
        }
        return Operand(column: result, isConstant: false)
    }
}

/// Adds the members of a record on the same heap to an object that was begun at `start`.
private func appendMembers(_ record: UInt64, without names: [[UInt8]], start: Int, to heap: TextHeap) {
    // The whole record fits, so that its bytes stay where they are.
    heap.reserve(Int(record >> 32) + 2)
    let bytes = heap.bytes(record)
    var members = JSONCursor(bytes)
    while let found = members.nextMember() {
        let name = bytes[found.name]
        if names.contains(where: { $0.elementsEqual(name) }) { continue }
        if heap.count > start + 1 { JSONOutput.append(",", to: heap) }
        guard let base = bytes.baseAddress else { return }
        let start = found.name.lowerBound - 1
        _ = heap.append(base + start, count: found.value.upperBound - start)
    }
}

extension ExpressionCompiler {
    /// The node of a call that the binder made for a record.
    func record(_ name: String, _ arguments: [Expression], _ range: SourceRange) throws -> ExpressionNode {
        func text(_ expression: Expression) -> String? {
            if case .literal(.text(let text)) = expression.kind { return text }
            return nil
        }
        if name == RecordCall.withoutName, let record = arguments.first {
            return RecordWithoutNode(
                try node(record), names: arguments.dropFirst().compactMap(text), heap: heap, range: range)
        }
        let members = try stride(from: 0, to: arguments.count - 1, by: 2).map { index in
            (name: text(arguments[index]), value: try node(arguments[index + 1]))
        }
        return RecordNode(members, heap: heap, range: range)
    }
}
