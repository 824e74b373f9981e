import OgawaCore
import OgawaSQL

/// Checks the types that CREATE TABLE declares, before anything else reads the events.
///
/// A field that is NULL or missing fits. A whole JSON number is read as the float that it is declared as, and ISO 8601 text as the datetime: JSON
/// spells them no other way. Nothing else is converted; an event with a field of another type is dropped.
final class DeclaredTypes {
    private let fields: [DeclaredType]
    /// By row: 0, or 1 + the index of the first field that does not fit.
    private var misfits: [Int] = []

    init(_ fields: [DeclaredType]) { self.fields = fields }

    /// Checks and reads the columns of a batch; gives the number of events that do not fit.
    func apply(to batch: ColumnBatch, count: Int) -> Int {
        if fields.isEmpty { return 0 }
        misfits.removeAll(keepingCapacity: true)
        misfits.append(contentsOf: repeatElement(0, count: count))
        for (index, field) in fields.enumerated() {
            let column = batch.columns[field.column]
            if column.tagSet.isSubset(of: [.null, field.type.set]) { continue }
            var tagSet: TagSet = []
            for row in 0..<count {
                if !fits(column, row, field.type), misfits[row] == 0 { misfits[row] = index + 1 }
                tagSet.insert(column.tag(at: row).set)
            }
            column.tagSet = tagSet
        }
        return misfits.reduce(0) { $0 + ($1 > 0 ? 1 : 0) }
    }

    private func fits(_ column: Column, _ row: Int, _ type: ValueTag) -> Bool {
        let tag = column.tag(at: row)
        if tag == .null || tag == type { return true }
        switch (type, tag) {
        case (.float, .bigint):
            column.values[row] = Double(Int64(bitPattern: column.values[row])).bitPattern
        case (.datetime, .text):
            let text = UnsafeRawBufferPointer(column.heap.bytes(column.values[row]))
            guard let time = Timestamp(iso8601: text) else { return false }
            column.values[row] = UInt64(bitPattern: time.ticks)
        default: return false
        }
        column.tags[row] = type.rawValue
        return true
    }

    /// Why the event of a row is dropped; nil where it fits.
    func misfit(at row: Int, in batch: ColumnBatch) -> String? {
        guard !fields.isEmpty, misfits[row] > 0 else { return nil }
        let field = fields[misfits[row] - 1]
        let found = Operand(column: batch.columns[field.column], isConstant: false).describe(row)
        return "'\(field.name)' is declared as \(field.type.typeName), found \(found)"
    }
}
