import OgawaCore
import OgawaSQL

/// Key expressions with the numbers that their values have.
///
/// Windows of one operator whose keys are the same expressions share one.
final class KeySpace {
    private let nodes: [ExpressionNode]
    let interner = KeyInterner()
    /// The key number of each row of the present batch.
    private(set) var ids: [UInt32] = []
    private var operands: [Operand] = []

    init(_ keys: [Expression], _ compiler: ExpressionCompiler) throws { nodes = try keys.map(compiler.node) }

    func evaluate(_ batch: ColumnBatch, _ context: EvaluationContext) {
        operands = nodes.map { $0.evaluate(batch, context, active: nil) }
    }

    /// Numbers the keys that were evaluated last.
    func number(_ count: Int) { interner.intern(operands, count: count, into: &ids) }
}

/// Which slot a key has, for the slots of one pane at a time.
///
/// **Shape.** 8 bytes per key number. Starting over takes constant time.
final class SlotMap {
    private var entries: [UInt64] = []
    private var epoch: UInt64 = 1

    func startOver() { epoch += 1 }

    /// Forgets everything and the room for it.
    func clear() {
        entries = []
        epoch = 1
    }

    /// Finds or makes the slots of keys; `keys` is the list of keys by slot, which grows.
    func slots(of ids: ArraySlice<UInt32>, keyCount: Int, keys: inout [UInt32], into slots: inout [Int32]) {
        if entries.count < keyCount {
            entries.append(contentsOf: repeatElement(0, count: max(keyCount, entries.count * 2) - entries.count))
        }
        // The upper 32 bits tell the pane. More than 4 billion panes start the array anew.
        if epoch > UInt64(UInt32.max) {
            entries = Array(repeating: 0, count: entries.count)
            epoch = 1
            for (slot, key) in keys.enumerated() { entries[Int(key)] = epoch << 32 | UInt64(slot) }
        }
        let mark = epoch << 32
        slots.removeAll(keepingCapacity: true)
        slots.reserveCapacity(ids.count)
        entries.withUnsafeMutableBufferPointer { entries in
            for id in ids {
                let entry = entries[Int(id)]
                if entry & ~0xffff_ffff == mark {
                    slots.append(Int32(truncatingIfNeeded: entry & 0xffff_ffff))
                } else {
                    slots.append(Int32(truncatingIfNeeded: keys.count))
                    entries[Int(id)] = mark | UInt64(keys.count)
                    keys.append(id)
                }
            }
        }
    }
}
