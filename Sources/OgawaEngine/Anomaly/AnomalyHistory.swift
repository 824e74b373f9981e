/// The last values of a series in order of time and in order of size.
///
/// **Complexity and allocation.** Adding moves up to the capacity's values in memory. 16 bytes per value, as many as there were at most.
struct AnomalyHistory {
    let capacity: Int
    /// A ring: the oldest value is at `start`.
    private var ring: [Double] = []
    private var start = 0
    private(set) var sorted: [Double] = []

    init(capacity: Int) { self.capacity = capacity }

    var count: Int { sorted.count }

    mutating func add(_ value: Double) {
        if count == capacity { removeOldest() }
        if count < ring.count {
            ring[(start + count) % ring.count] = value
        } else {
            unroll()
            ring.append(value)
        }
        sorted.insert(value, at: rank(of: value))
    }

    /// Moves the oldest value to the front, so that the ring may grow.
    private mutating func unroll() {
        guard start > 0 else { return }
        ring = Array(ring[start...] + ring[..<start])
        start = 0
    }

    mutating func removeOldest() {
        guard count > 0 else { return }
        sorted.remove(at: rank(of: ring[start]))
        start = (start + 1) % ring.count
        if sorted.isEmpty { start = 0 }
    }

    /// The number of smaller values.
    func rank(of value: Double) -> Int {
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The number of values that are not greater.
    func upperRank(of value: Double) -> Int {
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] <= value { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// A value by its age: 0 is the newest.
    func recent(_ age: Int) -> Double { ring[(start + count - 1 - age) % ring.count] }

    /// The values, oldest first.
    var values: [Double] { (0..<count).map { ring[(start + $0) % ring.count] } }

    func save(to writer: inout StateWriter) { writer.write(values) }

    init(capacity: Int, from reader: inout StateReader) throws {
        self.init(capacity: capacity)
        let stored = try reader.readArray(of: Double.self)
        guard stored.count <= capacity, stored.allSatisfy(\.isFinite) else { throw StateError() }
        ring = stored
        sorted = stored.sorted()
    }
}

/// Tells for each value of a series whether it is anomalous, from the values before it.
package protocol AnomalyDetector: Sendable {
    /// Judges a value and then learns it.
    mutating func add(_ value: Double) -> (isAnomaly: Bool, score: Double)

    /// How many values it remembers.
    var historyCount: Int { get }

    /// Forgets the oldest value.
    mutating func forgetOldest()

    func save(to writer: inout StateWriter)

    mutating func restore(from reader: inout StateReader) throws
}
