import OgawaCore

// Operators that follow time keep one timeline. Where the input has substreams, each of them gets operators of its own, made
// when its first row comes; they share heaps, compiled plans are small. What they give carries the substream's number again.

/// Runs one set of operators for each substream.
///
/// **Isolation.** Owned by one pipeline.
final class PerSubstream: Operator {
    /// The operators of one substream.
    struct Instance {
        /// Where rows go in, one per input.
        let inputs: [Operator]
        /// Where they come out.
        let output: Operator
        /// All of them, in the order in which their state is stored.
        let operators: [Operator]
    }

    private let make: () throws -> Instance
    /// How far each input has come for all substreams.
    private var floors: [Int64]
    private var instances: [UInt32: Instance] = [:]
    private let selectors: [RowSelector]
    private var order: [Int32] = []
    private var run: [Int32] = []

    /// - Parameter inputs: number of columns and heap of each input.
    init(inputs: [(columnCount: Int, heap: TextHeap)], make: @escaping () throws -> Instance) {
        self.make = make
        floors = Array(repeating: .min, count: inputs.count)
        selectors = inputs.map { RowSelector(columnCount: $0.columnCount, heap: $0.heap) }
    }

    /// The operator that takes the rows of an input.
    func input(_ index: Int) -> Operator { Input(self, index) }

    /// Takes rows of the only input.
    override func process(_ batch: ColumnBatch) throws { try process(batch, input: 0) }

    fileprivate func process(_ batch: ColumnBatch, input: Int) throws {
        let lanes = batch.lanes
        order = (0..<batch.count).map { Int32(truncatingIfNeeded: $0) }
        order.sort { (lanes[Int($0)], $0) < (lanes[Int($1)], $1) }
        let rows = order
        var start = 0
        while start < rows.count {
            let lane = lanes[Int(rows[start])]
            var end = start + 1
            while end < rows.count, lanes[Int(rows[end])] == lane { end += 1 }
            run.removeAll(keepingCapacity: true)
            run.append(contentsOf: rows[start..<end])
            let part = selectors[input].select(run, of: batch)
            part.lanes.removeAll(keepingCapacity: true)
            try instance(lane).inputs[input].process(part)
            start = end
        }
    }

    private func instance(_ lane: UInt32) throws -> Instance {
        if let known = instances[lane] { return known }
        let made = try make()
        made.output.connect(Output(self, lane))
        instances[lane] = made
        for (input, floor) in zip(made.inputs, floors) where floor != .min { try input.advance(to: floor) }
        return made
    }

    /// The substreams in order of appearance.
    private var lanes: [UInt32] { instances.keys.sorted() }

    override func advance(to time: Int64) throws { try advance(to: time, input: 0) }

    override func advance(lane: UInt32, to time: Int64) throws { try advance(lane: lane, to: time, input: 0) }

    fileprivate func advance(to time: Int64, input: Int) throws {
        let passed = floors.min() ?? .min
        floors[input] = time
        for lane in lanes { try instances[lane]?.inputs[input].advance(to: time) }
        let least = floors.min() ?? .min
        if least > passed { try super.advance(to: least) }
    }

    fileprivate func advance(lane: UInt32, to time: Int64, input: Int) throws {
        try instance(lane).inputs[input].advance(to: time)
    }

    override var earliestOpenEnd: Int64? {
        let own = instances.values.flatMap { $0.inputs.compactMap(\.earliestOpenEnd) }.min()
        return [own, super.earliestOpenEnd].compactMap { $0 }.min()
    }

    override func save(to writer: inout StateWriter) {
        writer.write(floors)
        writer.write(instances.count)
        for lane in lanes {
            writer.write(UInt64(lane))
            for each in instances[lane]?.operators ?? [] { each.save(to: &writer) }
        }
    }

    override func restore(from reader: inout StateReader) throws {
        let stored = try reader.readArray(of: Int64.self)
        guard stored.count == floors.count else { throw StateError() }
        for _ in 0..<(try reader.readCount(ofSize: 8)) {
            guard let lane = UInt32(exactly: try reader.readUInt64()) else { throw StateError() }
            for each in try instance(lane).operators { try each.restore(from: &reader) }
        }
        floors = stored
    }

    /// Takes the rows of one of several inputs.
    private final class Input: Operator {
        private let owner: PerSubstream
        private let index: Int

        init(_ owner: PerSubstream, _ index: Int) {
            self.owner = owner
            self.index = index
        }

        override func process(_ batch: ColumnBatch) throws { try owner.process(batch, input: index) }

        override func advance(to time: Int64) throws {
            try owner.advance(to: time, input: index)
        }

        override func advance(lane: UInt32, to time: Int64) throws {
            try owner.advance(lane: lane, to: time, input: index)
        }

        override var earliestOpenEnd: Int64? { index == 0 ? owner.earliestOpenEnd : nil }
    }

    /// Marks one substream's rows with its number.
    private final class Output: Operator {
        private unowned let owner: PerSubstream
        private let lane: UInt32

        init(_ owner: PerSubstream, _ lane: UInt32) {
            self.owner = owner
            self.lane = lane
        }

        override func process(_ batch: ColumnBatch) throws {
            batch.lanes.removeAll(keepingCapacity: true)
            batch.lanes.append(contentsOf: repeatElement(lane, count: batch.count))
            try owner.emit(batch)
        }

        /// Another substream's readers are the same, so only the owner tells them.
        override func advance(to time: Int64) throws {
            if time != .max { for reader in owner.readers { try reader.advance(lane: lane, to: time) } }
        }
    }
}
