import OgawaCore
import OgawaSQL

// Aggregates whose result is one of the values.

/// MIN and MAX in the order of all values.
final class BestAccumulator: Accumulator {
    private let values = ValueStore()

    override func grow(to count: Int) {
        super.grow(to: count)
        values.grow(to: count)
    }

    override func clear(_ slot: Int) { values.clear(slot) }

    override func removeAll() {
        super.removeAll()
        values.removeAll()
    }

    override func add(_ row: Int, _ input: AggregateInput, slot: Int) {
        if let argument = input.argument { add(argument, row, slot) }
    }

    @inline(__always)
    private func add(_ argument: Operand, _ row: Int, _ slot: Int) {
        if argument.tag(row) == .null { return }
        if values.column.tags[slot] != ValueTag.null.rawValue {
            let order = orderTotally(argument, row, values.operand, slot)
            guard call.function == .minimum ? order < 0 : order > 0 else { return }
        }
        values.set(slot, from: argument, row)
    }

    override func merge(_ other: Accumulator, from source: Int, into slot: Int) {
        if let other = other as? BestAccumulator { add(other.values.operand, source, slot) }
    }

    override func write(_ slot: Int, into column: Column) { column.appendCopy(of: values.column, row: slot) }

    override func save(to writer: inout StateWriter) {
        super.save(to: &writer)
        values.save(to: &writer)
    }

    override func restore(from reader: inout StateReader) throws {
        try super.restore(from: &reader)
        try values.restore(from: &reader, count: count)
    }
}

/// FIRST and LAST: the value of the first or last row, also where it is NULL.
final class EdgeAccumulator: Accumulator {
    private let values = ValueStore()
    private var isSet: [Bool] = []

    override func grow(to count: Int) {
        super.grow(to: count)
        values.grow(to: count)
        if isSet.count < count { isSet.append(contentsOf: repeatElement(false, count: count - isSet.count)) }
    }

    override func clear(_ slot: Int) {
        values.clear(slot)
        isSet[slot] = false
    }

    override func removeAll() {
        super.removeAll()
        values.removeAll()
        isSet.removeAll(keepingCapacity: true)
    }

    override func add(_ row: Int, _ input: AggregateInput, slot: Int) {
        guard let argument = input.argument, input.takesPart(row) else { return }
        take(argument, row, slot)
    }

    private func take(_ argument: Operand, _ row: Int, _ slot: Int) {
        if call.function == .first, isSet[slot] { return }
        values.set(slot, from: argument, row)
        isSet[slot] = true
    }

    override func merge(_ other: Accumulator, from source: Int, into slot: Int) {
        guard let other = other as? EdgeAccumulator, other.isSet[source] else { return }
        take(other.values.operand, source, slot)
    }

    override func write(_ slot: Int, into column: Column) { column.appendCopy(of: values.column, row: slot) }

    override func save(to writer: inout StateWriter) {
        super.save(to: &writer)
        values.save(to: &writer)
        for flag in isSet { writer.write(flag) }
    }

    override func restore(from reader: inout StateReader) throws {
        try super.restore(from: &reader)
        try values.restore(from: &reader, count: count)
        isSet = []
        for _ in 0..<count { isSet.append(try reader.readBool()) }
    }
}

/// TopOne: the value of the row that is first in an order; of rows that are equal in it, the earliest.
final class TopOneAccumulator: Accumulator {
    private let values = ValueStore()
    private let keys: [ValueStore]
    private let isDescending: [Bool]
    private var isSet: [Bool] = []

    override init(_ call: AggregateCall) {
        keys = call.order.map { _ in ValueStore() }
        isDescending = call.order.map(\.isDescending)
        super.init(call)
    }

    override func grow(to count: Int) {
        super.grow(to: count)
        for store in [values] + keys { store.grow(to: count) }
        if isSet.count < count { isSet.append(contentsOf: repeatElement(false, count: count - isSet.count)) }
    }

    override func clear(_ slot: Int) {
        values.clear(slot)
        for key in keys { key.clear(slot) }
        isSet[slot] = false
    }

    override func removeAll() {
        super.removeAll()
        values.removeAll()
        for key in keys { key.removeAll() }
        isSet.removeAll(keepingCapacity: true)
    }

    override func add(_ row: Int, _ input: AggregateInput, slot: Int) {
        guard let argument = input.argument, input.takesPart(row) else { return }
        take(argument, input.order, row, slot)
    }

    private func take(_ argument: Operand, _ order: [Operand], _ row: Int, _ slot: Int) {
        if isSet[slot] {
            for (index, operand) in order.enumerated() {
                let comparison = orderTotally(operand, row, keys[index].operand, slot)
                if comparison == 0 {
                    if index == order.count - 1 { return }
                    continue
                }
                if isDescending[index] ? comparison < 0 : comparison > 0 { return }
                break
            }
        }
        values.set(slot, from: argument, row)
        for (index, operand) in order.enumerated() { keys[index].set(slot, from: operand, row) }
        isSet[slot] = true
    }

    override func merge(_ other: Accumulator, from source: Int, into slot: Int) {
        guard let other = other as? TopOneAccumulator, other.isSet[source] else { return }
        take(other.values.operand, other.keys.map(\.operand), source, slot)
    }

    override func write(_ slot: Int, into column: Column) { column.appendCopy(of: values.column, row: slot) }

    override func save(to writer: inout StateWriter) {
        super.save(to: &writer)
        for store in [values] + keys { store.save(to: &writer) }
        for flag in isSet { writer.write(flag) }
    }

    override func restore(from reader: inout StateReader) throws {
        try super.restore(from: &reader)
        for store in [values] + keys { try store.restore(from: &reader, count: count) }
        isSet = []
        for _ in 0..<count { isSet.append(try reader.readBool()) }
    }
}
