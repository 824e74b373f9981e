import OgawaCore

/// Gives the geometries of one argument, row by row.
///
/// Lines and polygons are kept by their bytes, so that a polygon of reference data is read once and not for each event. What a row has in the
/// same place of the batch's heap as the row before is not even looked up.
///
/// **Complexity and allocation.** At most 4,096 geometries or 16 MiB of their text; beyond that all are forgotten.
/// **Isolation.** Owned by one node.
final class GeometryCache {
    private var reader = GeometryReader()
    private var interner = KeyInterner()
    private var geometries: [Geometry?] = []
    private var byteCount = 0
    /// The geometries of this batch by place in the heap: a direct-mapped table.
    private var places: [(stamp: UInt64, tag: ValueTag, bits: UInt64, shape: Shape)]
    private var stamp: UInt64 = 0

    init() {
        let nowhere = Shape.point(GeoPoint(latitude: 0, longitude: 0))
        places = Array(repeating: (0, .null, 0, nowhere), count: 1024)
    }

    /// Begins a batch, in which equal places mean equal values.
    func begin() { stamp += 1 }

    /// The geometry of a row; nil for NULL.
    func shape(_ operand: Operand, _ row: Int, _ argument: Int) throws(ScalarFailure) -> Shape? {
        let tag = operand.tag(row)
        let bits = operand.bits(row)
        guard tag == .record || tag == .text else {
            if tag == .null { return nil }
            throw ScalarFailure(
                message: "argument \(argument) must be a GeoJSON record or WKT text, found "
                    + operand.column.value(at: operand.index(row)).described)
        }
        let place = Int(truncatingIfNeeded: (bits &* 0x9e37_79b9_7f4a_7c15) >> 54)
        if places[place].stamp == stamp, places[place].bits == bits, places[place].tag == tag {
            return places[place].shape
        }
        do {
            let shape = try read(operand.column.heap.bytes(bits))
            places[place] = (stamp, tag, bits, shape)
            return shape
        } catch {
            throw ScalarFailure(message: "argument \(argument): \(error.message)")
        }
    }

    private func read(_ bytes: UnsafeBufferPointer<UInt8>) throws(ScalarFailure) -> Shape {
        // Points are read faster than they are found.
        if bytes.count < 56 { return try reader.read(bytes) }
        if geometries.count >= 4096 || byteCount > 16 << 20 {
            interner = KeyInterner()
            geometries = []
            byteCount = 0
        }
        let id = interner.intern(bytes)
        if id < geometries.count, let known = geometries[id] { return .lines(known) }
        if id >= geometries.count {
            geometries.append(nil)
            byteCount += bytes.count
        }
        let shape = try reader.read(bytes)
        if case .lines(let geometry) = shape { geometries[id] = geometry }
        return shape
    }
}
