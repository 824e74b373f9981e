import OgawaCore

// The order of all values, for MIN, MAX, ORDER BY and percentiles: NULL, then numbers by value (NaN lowest), then datetimes, then text by
// its bytes, then records and arrays. It is total, so that no result depends on the order in which values are compared.

/// Below 0, 0 or above 0, as the first value is before, beside or behind the second one.
func orderTotally(_ a: Operand, _ rowA: Int, _ b: Operand, _ rowB: Int) -> Int {
    let (tagA, tagB) = (a.tag(rowA), b.tag(rowB))
    let (bitsA, bitsB) = (a.bits(rowA), b.bits(rowB))
    if tagA == .float, tagB == .float { return orderFloats(Double(bitPattern: bitsA), Double(bitPattern: bitsB)) }
    let (rankA, rankB) = (rank(tagA), rank(tagB))
    if rankA != rankB { return rankA < rankB ? -1 : 1 }
    switch rankA {
    case 0: return 0
    case 1: return orderNumbers(tagA, bitsA, tagB, bitsB)
    case 2:
        let (x, y) = (Int64(bitPattern: bitsA), Int64(bitPattern: bitsB))
        return x < y ? -1 : x > y ? 1 : 0
    default: return orderBytes(a.column.heap.bytes(bitsA), b.column.heap.bytes(bitsB))
    }
}

/// The order by several keys, each ascending or descending.
func orderTotally(
    _ a: [Operand], _ rowA: Int, _ b: [Operand], _ rowB: Int, isDescending: [Bool]
) -> Int {
    for index in isDescending.indices {
        let order = orderTotally(a[index], rowA, b[index], rowB)
        if order != 0 { return isDescending[index] ? -order : order }
    }
    return 0
}

private func rank(_ tag: ValueTag) -> Int {
    switch tag {
    case .null: 0
    case .bit, .bigint, .float: 1
    case .datetime: 2
    case .text: 3
    case .record, .array: 4
    }
}

private func orderFloats(_ x: Double, _ y: Double) -> Int {
    if x < y { return -1 }
    if x > y { return 1 }
    if x == y { return 0 }
    return x.isNaN ? (y.isNaN ? 0 : -1) : 1
}

private func orderNumbers(_ tagA: ValueTag, _ bitsA: UInt64, _ tagB: ValueTag, _ bitsB: UInt64) -> Int {
    if tagA == .float { return sign(orderExactly(Double(bitPattern: bitsA), Int64(bitPattern: bitsB)), -1) }
    if tagB == .float { return -sign(orderExactly(Double(bitPattern: bitsB), Int64(bitPattern: bitsA)), -1) }
    let (x, y) = (Int64(bitPattern: bitsA), Int64(bitPattern: bitsB))
    return x < y ? -1 : x > y ? 1 : 0
}

private func sign(_ ordering: Ordering3, _ withoutOrder: Int) -> Int {
    switch ordering {
    case .less: -1
    case .equal: 0
    case .greater: 1
    case .none, .impossible: withoutOrder
    }
}

private func orderBytes(_ x: UnsafeBufferPointer<UInt8>, _ y: UnsafeBufferPointer<UInt8>) -> Int {
    for index in 0..<min(x.count, y.count) where x[index] != y[index] { return x[index] < y[index] ? -1 : 1 }
    return x.count < y.count ? -1 : x.count > y.count ? 1 : 0
}
