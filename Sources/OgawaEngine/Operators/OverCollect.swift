import OgawaCore
import OgawaJSON
import OgawaSQL

/// Writes the values of a column as JSON, each once, for arrays that hold them.
final class ValueTexts {
    private let encoder = RowEncoder()
    private var slices: [ByteSlice] = []
    private let constants: Column
    /// The bytes around a value in the object that the encoder writes: `{"v":` and `}`.
    private static let opening = 5

    init(heap: TextHeap) { constants = Column(heap: heap) }

    /// Writes the value of every row.
    func encode(_ operand: Operand, count: Int, times: UnsafePointer<Int64>) {
        var column = operand.column
        if operand.isConstant {
            constants.finish(count: 0, tagSet: [])
            for _ in 0..<count { constants.append(operand.tag(0), operand.bits(0)) }
            column = constants
        }
        encoder.clear()
        slices = encoder.encode(
            RowBatch(
                items: [.named("v")], columns: [column], times: Array(UnsafeBufferPointer(start: times, count: count))))
    }

    /// The JSON of a row's value; valid until the next ``encode(_:count:times:)``.
    func bytes(_ row: Int) -> UnsafeBufferPointer<UInt8> {
        let slice = slices[row].range
        let inner = slice.lowerBound + ValueTexts.opening..<slice.upperBound - 1
        return UnsafeBufferPointer(rebasing: encoder.bytes[inner])
    }
}

extension TextHeap {
    /// Adds bytes that a value in the making consists of.
    @inline(__always)
    func put(_ bytes: UnsafeBufferPointer<UInt8>) {
        if let base = bytes.baseAddress { _ = append(base, count: bytes.count) }
    }

    @inline(__always)
    func put(_ text: StaticString) { _ = append(text.utf8Start, count: text.utf8CodeUnitCount) }

    /// Adds a number in decimal digits.
    func put(_ number: Int) { _ = append(String(number)) }
}

/// Collect: an array of the frame's values, oldest first, NULLs too.
///
/// State per key: 16 bytes, and for each row of the frame 24 bytes and the value's JSON.
final class CollectState: OverState {
    private let frame: OverCall.Frame
    private let rings = ValueRings(width: 1)
    private let texts: ValueTexts

    init(_ call: OverCall, heap: TextHeap) {
        frame = call.frame
        texts = ValueTexts(heap: heap)
        super.init(heap: heap)
    }

    override func reserveKeys(_ count: Int) { rings.reserveKeys(count) }

    override func process(_ rows: OverRows) {
        startResult(rows)
        guard let value = rows.arguments.first else { return }
        texts.encode(value, count: rows.count, times: rows.times)
        let (ticks, rowLimit) = (frame.ticks, frame.rowLimit)
        let heap = result.heap
        for row in 0..<rows.count {
            let key = Int(rows.keys[row])
            let time = rows.times[row]
            let isAdded = rows.takesPart(row)
            rings.makeRoom(key, at: time, ticks: ticks, rowLimit: rowLimit, isAdded: isAdded)
            if isAdded {
                let index = rings.append(key, time: time)
                rings.set(key, index, 0, tag: .text, bytes: texts.bytes(row))
            }
            let start = heap.count
            heap.put("[")
            for index in 0..<rings.count(key) {
                if index > 0 { heap.put(",") }
                heap.put(rings.bytes(rings.bits(key, index, 0)))
            }
            heap.put("]")
            result.append(.array, TextHeap.pack(start: start, count: heap.count - start))
        }
    }

    override func save(to writer: inout StateWriter) { rings.save(to: &writer) }

    override func restore(from reader: inout StateReader) throws { try rings.restore(from: &reader) }
}
